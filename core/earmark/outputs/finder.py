"""Finder: the sounds in what a model returned, and of those that are chosen, what is heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from earmark.errors import ArgumentTypeError, EarmarkError, ShapeError, shown
from earmark.outputs.find import Found, find_sounds
from earmark.outputs.roles import of_role
from earmark.outputs.rows import own_rows, rows
from earmark.outputs.selector import LengthsSelector, Selector, check_selector, split_lengths
from earmark.outputs.sounds import Sounds, as_sounds, axes, is_array
from earmark.outputs.stems import checked_stems
from earmark.outputs.unclear import kind_of

Decode: TypeAlias = Callable[[Any], Any]
"""From a batch of what a model returned to a batch of sounds, or to what holds one."""

Transform: TypeAlias = Callable[[Any, str], Any]
"""From a batch of sounds and their role to what is heard of them."""


class Variants(dict[str, Any]):
    """What a model returned in each of its variants, by their names; `""` for the only one."""


@dataclass
class Finder:
    """Finds sounds by keys, shapes and dtypes, and reads no value.

    Args:
        selectors: Where the sounds of a role are, of those that are not to be looked for.
        stems: The names of the sounds of a mixture.
        lengths: Where the lengths of padded sounds are, for all roles or by role.
        decode: What makes sounds of what a model returned, by role.
        transform: What is done to sounds before they are logged.

    Raises:
        ArgumentTypeError: If an argument is of the wrong type.
        ArgumentError: If an argument has an impossible value.
    """

    selectors: Mapping[str, Selector] = field(default_factory=dict)
    stems: Sequence[str] | None = None
    lengths: LengthsSelector | Mapping[str, LengthsSelector] | None = None
    decode: Mapping[str, Decode] = field(default_factory=dict)
    transform: Transform | None = None
    found_stems: Sequence[str] | None = None
    """The names that the model itself has for stems, where it returns any."""

    def __post_init__(self) -> None:
        self.stems = checked_stems(self.stems)
        for role, selector in self.selectors.items():
            check_selector(role, selector)
        by_role = self.lengths if isinstance(self.lengths, Mapping) else {"": self.lengths}
        for role, lengths in by_role.items():
            if lengths is not None:
                split_lengths(f"lengths[{role!r}]" if role else "lengths", lengths)
        if self.transform is not None and not callable(self.transform):
            raise ArgumentTypeError(
                f"expected transform as a function of (sounds, role), got {shown(self.transform)}"
            )

    @property
    def runs_models(self) -> bool:
        """Whether `heard` runs anything of the user's, such as a vocoder."""
        return bool(self.decode) or self.transform is not None

    def find(self, outputs: Any, batch: Any) -> Found:
        """Find the sounds of each role; those of a variant have roles such as `prediction.cfg3`.

        A variant whose prediction is not found is a fault, and the others are found.

        Raises:
            ArgumentError: If nothing is the prediction, or several values could be.
            ShapeError: If what is selected as the prediction is no batch of sounds, or of stems,
                or if there are more sounds of one role than of another.
        """
        made = isinstance(outputs, Variants)
        whole = Found()
        for name, returned in (outputs if made else {"": outputs}).items():
            if made and is_array(returned) and "prediction" not in self.selectors:
                returned = {"prediction": returned}  # noqa: PLW2901 - what else was it made for
            found = self._find_variant(name, returned, batch)
            for theirs, ours in zip(_parts(found), _parts(whole), strict=True):
                for role, value in theirs.items():
                    ours.setdefault(_of_variant(role, name), value)
        counts = {role: len(value) for role, value in whole.sounds.items()}
        if len(set(counts.values())) > 1:  # nobody knows which prediction belongs to which target
            raise ShapeError(
                f"expected as many of each role in one batch, got {counts}: say where the others "
                "are, AudioMonitor(target=lambda outputs, batch: ...)"
            )
        return whole

    def _find_variant(self, name: str, outputs: Any, batch: Any) -> Found:
        try:
            return self._find(outputs, batch)
        except EarmarkError as error:
            if not name:
                raise
            # its frames would keep the batch alive
            return Found(faults={"prediction": error.with_traceback(None)})

    def _find(self, outputs: Any, batch: Any) -> Found:
        stems = self.stems or self.found_stems
        try:
            return self._found(outputs, batch, stems)
        except ShapeError:
            if self.stems or not stems:
                raise
            return self._found(outputs, batch, None)  # what it returned is no mixture's stems

    def _found(self, outputs: Any, batch: Any, stems: Sequence[str] | None) -> Found:
        return find_sounds(
            outputs,
            batch,
            selectors=self.selectors,
            stems=stems,
            lengths=self.lengths,
            decoded=self.decode.keys(),
        )

    def heard(self, role: str, sounds: Any, picked: Sequence[int]) -> Sounds:
        """Take the chosen examples only, decode them, and do to them what is to be done.

        Args:
            role: Of these sounds.
            sounds: Of all examples of a batch, as they were found.
            picked: Which of them are chosen.

        Returns:
            A batch of as many sounds, with the lengths and the sample rate that came of decoding.

        Raises:
            ArgumentTypeError: If nothing that was decoded is the sounds.
            ShapeError: If there are not as many.
        """
        # The user's own code may change what it is given, which is the training's batch.
        heard = Sounds((own_rows if self.runs_models else rows)(sounds, picked))
        decode = of_role(self.decode, role)
        if decode is not None:
            heard = _decoded(decode(heard.value))
        if self.transform is not None:
            heard = replace(heard, value=self.transform(heard.value, role))
        if hasattr(heard.value, "__len__") and len(heard.value) != len(picked):
            made = "transform" if self.transform is not None else "decode"
            raise ShapeError(
                f"expected {len(picked)} sounds of the {role} from {made}, one for each example "
                f"that it was given, got {len(heard.value)}: keep the first axis"
            )
        return heard


def _decoded(made: Any) -> Sounds:
    """The sounds in what a decoder returned, which may be a container, as a model's outputs are."""
    if len(axes(made)) == 1:  # a decoder's `squeeze`
        return Sounds(made[None])
    listed = list(made) if isinstance(made, tuple) else made
    whole = as_sounds(listed, named=isinstance(made, list))
    if whole is not None:
        return whole
    if isinstance(made, list):
        return Sounds(made)  # what is wrong with one of them costs it alone
    try:
        found = find_sounds(made, None)
    except EarmarkError as error:
        raise ArgumentTypeError(
            f"expected sounds from decode, of shape (B, T), (B, C, T) or a list, got "
            f"{kind_of(made)}: pick them, decode=lambda batch: vocoder(batch)[0]"
        ) from error
    values = (of.get("prediction") for of in (found.sounds, found.sample_rates, found.lengths))
    return Sounds(*values)


def _parts(found: Found) -> tuple[dict[str, Any], ...]:
    return found.sounds, found.sample_rates, found.lengths, found.faults


def _of_variant(role: str, variant: str) -> str:
    is_made = variant and role.partition(".")[0] == "prediction"
    return f"{role}.{variant}" if is_made else role
