"""Outputs to sounds: which values are the sounds of which roles, by keys, shapes and dtypes.

What keys mean is in `roles`, what containers hold is in `unfold`; here is what is made of both. No
value is read, and nothing is guessed: what could be two things is an error that lists them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from earmark.audio import Audio
from earmark.errors import ShapeError
from earmark.outputs.candidates import Candidate, candidates, selected, whole
from earmark.outputs.roles import LETTERS, ROLES, of_role
from earmark.outputs.selector import (
    LengthsSelector,
    Selector,
    in_samples,
    keyword,
    select,
    split_lengths,
)
from earmark.outputs.sounds import Sounds, axes, shape_of
from earmark.outputs.stems import is_mixture, split_stems, stem_role
from earmark.outputs.unclear import (
    kind_of,
    miscounted,
    none_found,
    not_selected,
    several,
    unnamed_stems,
    unplaced,
)


@dataclass(frozen=True)
class Found:
    """The sounds of a batch, by role.

    Attributes:
        sounds: A tensor or array, the first axis that of the batch, or a list of sounds; as
            `Run.log_batch` takes them. Stems have roles such as `prediction.speech`.
        sample_rates: In Hz, of those roles whose sounds came with one.
        lengths: How much of each sound is no padding, of those roles of which it is known:
            integers in samples, or floats relative to the padded sound.
        faults: Why there is no sound of a role, where that is not as it should be.
    """

    sounds: dict[str, Any] = field(default_factory=dict)
    sample_rates: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many examples there are."""
        return max((len(value) for value in self.sounds.values()), default=0)


def find_sounds(
    outputs: Any,
    batch: Any,
    *,
    selectors: Mapping[str, Selector] | None = None,
    stems: Sequence[str] | None = None,
    lengths: LengthsSelector | Mapping[str, LengthsSelector] | None = None,
    decoded: Collection[str] = (),
) -> Found:
    """Find the sounds of each role in what a model returned and in what it was given.

    Args:
        outputs: What the model returned: a tensor `(B, T)` or `(B, C, T)`, or any container.
        batch: What it was given.
        selectors: Where the sounds of a role are, for roles that are not to be looked for; a role
            of any name that is to be found besides.
        stems: The names of the sounds of a mixture, `(B, S, T)` or `(B, S, C, T)`, in their order.
        lengths: Where the lengths of padded sounds are, for all roles or by role; else, and of
            other roles, those that have the name of the sound beside them.
        decoded: Roles that are not sounds yet, whose values are not judged, nor taken apart.

    Returns:
        At least a prediction. A missing target or input is no fault; one that was selected, or
        that several values could be, is.

    Raises:
        ArgumentError: If nothing is the prediction, or several values could be: the message lists
            what there is, and what to write.
        ShapeError: If what is selected as the prediction is no batch of sounds, or of stems.
    """
    finder = _Finder(outputs, batch, dict(selectors or {}), stems, decoded)
    faults: dict[str, Exception] = {}
    found = {"prediction": finder.prediction()}
    for role in finder.other_roles():
        try:
            found[role] = finder.other(role)
        except Exception as error:  # noqa: BLE001 - a selector may be a function of the user's
            faults[role] = error.with_traceback(None)  # its frames would keep the batch alive
    if not (found.get("target") or found.get("input") or faults):
        fault = unplaced(finder.given)
        faults |= {"input": fault} if fault else {}
    ordered = {role: one for name in ("input", *found) for role, one in found.get(name, {}).items()}
    cut, missing = _lengths(ordered, lengths, outputs, batch)
    return Found(
        {role: sounds.value for role, sounds in ordered.items()},
        {role: sounds.sample_rate for role, sounds in ordered.items() if sounds.sample_rate},
        cut,
        faults | missing,
    )


@dataclass
class _Finder:
    outputs: Any
    batch: Any
    selectors: dict[str, Selector]
    stems: Sequence[str] | None
    decoded: Collection[str]

    def __post_init__(self) -> None:
        self.returned = candidates(self.outputs, "outputs", self.stems)
        self.given = candidates(self.batch, "batch", self.stems)
        self._predicted: Any = None
        self._beside = False
        self._taken: list[Candidate] = []

    def prediction(self) -> dict[str, Sounds]:
        """The prediction, or its stems."""
        if "prediction" in self.selectors:
            return self._selected("prediction")
        one = self._predicted_of()
        self._predicted = one.value
        self._taken.append(one)
        return self._sounds("prediction", one)

    def _predicted_of(self) -> Candidate:
        bare = whole(self.returned)
        if bare is not None and (_has_rate(bare) or bare.is_sound() or len(axes(bare.value)) > 1):
            return bare  # whether it holds sounds is judged when it is converted
        long = [one for one in self.returned if one.is_sound()]
        sure = (
            [one for one in self.returned if one.declared == "prediction"],
            [one for one in self.returned if one.is_own("prediction")],
            [one for one in long if one.means("prediction")],
        )
        one = _first("prediction", sure)
        self._beside = one is not None
        unsure = [
            one
            for one in long
            if one.means("sound", "letter")
            or (one.means("unknown") and not one.is_curve(self.returned))
        ]
        one = one or _first("prediction", [unsure])
        if one is None:
            raise none_found(self.outputs, self.returned)
        return one

    def other_roles(self) -> list[str]:
        """The other roles that are looked for: also those that are selected or declared."""
        declared = [one.declared for one in (*self.returned, *self.given) if one.declared]
        roles = dict.fromkeys([*ROLES, *self.selectors, *declared])
        return [role for role in roles if role != "prediction"]

    def other(self, role: str) -> dict[str, Sounds]:
        """Another role than the prediction, or its stems; nothing, if there is none."""
        if role in self.selectors:
            return self._selected(role)
        one = _first(role, self._tiers(role))
        if one is None:
            return {}
        self._taken.append(one)
        return self._sounds(role, one)

    def _tiers(self, role: str) -> list[list[Candidate]]:
        returned, given = self.returned, self.given
        tiers = [
            [one for one in returned if one.declared == role],
            [one for one in given if one.declared == role],
            [one for one in returned if one.is_own(role)],
            [one for one in given if one.is_own(role) and one.is_sound(1)],
            [one for one in returned if one.means(role) and one.is_sound()],
            [one for one in given if one.means(role) and one.is_sound()],
        ]
        for place in (returned if self._beside else [], given):
            free = [one for one in place if one.is_sound() and one not in self._taken]
            tiers.append([one for one in free if LETTERS.get(one.key.text) == role])
            tiers.append([one for one in free if one.means("sound")])
        return [*tiers, self._by_shape(role)]

    def _by_shape(self, role: str) -> list[Candidate]:
        """What is given without a name: the whole batch, or the one that has, or has not, stems."""
        bare = whole(self.given)
        if bare is not None and not isinstance(self.batch, list | tuple):
            mixture = not (self.stems and bare.has_stems(self.stems))
            return [bare] if bare.is_sound() and mixture == (role == "input") else []
        if not self.stems:
            return []
        unnamed = [one for one in self.given if one.is_sound() and one.means("unknown")]
        stemmed = [one for one in unnamed if one.has_stems(self.stems)]
        if len(stemmed) > 1:  # stereo is no two stems where the prediction's have channels, too
            count = len(axes(self._predicted))
            stemmed = [one for one in stemmed if len(axes(one.value)) == count]
        rest = [one for one in unnamed if one not in stemmed]
        alone = len(stemmed) == 1 and len(rest) <= 1
        return (stemmed if role == "target" else rest) if alone else []

    def _selected(self, role: str) -> dict[str, Sounds]:
        selector = self.selectors[role]
        index_of = "batch" if role in ("input", "target") else "outputs"
        values = select(selector, self.outputs, self.batch, index_of=index_of)
        if role in ("input", "target"):  # which are never what is the prediction already
            values = [value for value in values if value is not self._predicted] or values
        if not values:
            raise not_selected(role, selector, self.outputs, self.batch)
        if role == "prediction":
            self._predicted, self._beside = values[0], True
        known = (*self.returned, *self.given)
        one = selected(values[0], role, known, self.stems)
        self._taken.append(one)
        return self._sounds(role, one)

    def _sounds(self, role: str, one: Candidate) -> dict[str, Sounds]:
        if role in self.decoded:
            return {role: Sounds(_checked_undecoded(role, one.value))}
        if one.sounds is None and one.stems is None:
            one = selected(one.value, role, (), self.stems)
        if one.stems is not None:
            return {stem_role(role, name): sounds for name, sounds in one.stems.items()}
        sounds = one.sounds or Sounds(one.value)
        stemmed = bool(self.stems) and one.has_stems(self.stems or ())
        if self.stems and (role == "prediction" or (role == "target" and stemmed)):
            return split_stems(role, sounds, self.stems)
        if is_mixture(sounds.value) or (
            role not in self.selectors and one.key.stems and len(axes(sounds.value)) > 2
        ):
            raise unnamed_stems(role, one)
        return {role: replace(sounds, value=_checked(role, sounds.value))}


def _has_rate(one: Candidate) -> bool:
    return one.sounds is not None and one.sounds.sample_rate is not None


def _first(role: str, tiers: Sequence[Sequence[Candidate]]) -> Candidate | None:
    """The one candidate of the first tier that has any."""
    for tier in tiers:
        alike = {id(one if one.value is None else one.value): one for one in reversed(tier)}
        if len(alike) > 1:
            raise several(role, list(reversed(alike.values())))
        if alike:
            return next(iter(alike.values()))
    return None


def _checked(role: str, value: Any) -> Any:
    """Refuse what cannot be a batch of sounds; what each of them is, is found out one by one."""
    if isinstance(value, Audio | str | bytes | os.PathLike):
        return [value]
    shape = shape_of(value)
    no_batch = not hasattr(value, "__len__") if shape is None else not shape
    if no_batch or isinstance(value, Mapping):
        raise ShapeError(
            f"expected {role!r} as a batch of sounds, (B, T), (B, C, T) or a list, got "
            f"{kind_of(value)}: AudioMonitor({keyword(role, repr('key'))}) says where else it is"
        )
    return value


def _checked_undecoded(role: str, value: Any) -> Any:
    """Refuse what has no axis of the batch, of which the chosen examples could be taken."""
    if isinstance(value, list | tuple) or axes(value):
        return value
    raise ShapeError(
        f"expected what is to be decoded of the {role} as a tensor, the first axis that of the "
        f"batch, or a list with an entry for each example, got {kind_of(value)}: select one, "
        f"AudioMonitor({keyword(role, repr('key'))}), or decode it in predict="
    )


def _lengths(
    found: Mapping[str, Sounds], lengths: Any, outputs: Any, batch: Any
) -> tuple[dict[str, Any], dict[str, Exception]]:
    cut = {role: one.lengths for role, one in found.items() if one.lengths is not None}
    faults: dict[str, Exception] = {}
    for role in found:
        wanted = of_role(lengths, role)
        if wanted is None:
            continue
        selector, hop = split_lengths("lengths", wanted)
        cut.pop(role, None)
        try:
            counts = select(selector, outputs, batch)
        except Exception as error:  # noqa: BLE001 - it may be a function of the user's
            faults["lengths"] = error.with_traceback(None)
            continue
        if not counts:
            faults["lengths"] = not_selected("lengths", selector, outputs, batch)
        elif _is_one_for_each(counts[0], found[role].value):
            cut[role] = in_samples(counts[0], hop)
        else:
            faults["lengths"] = miscounted(role, len(found[role].value), counts[0])
    return cut, faults


def _is_one_for_each(counts: Any, sounds: Any) -> bool:
    size = len(counts) if isinstance(counts, list | tuple) else next(iter(axes(counts)), 0)
    return size == len(sounds)
