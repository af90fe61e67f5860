"""Candidates: the values of outputs or of a batch that may be the sounds of a role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.outputs.registry import registered
from earmark.outputs.roles import MIN_FRAMES, ROLES, Key, read_key
from earmark.outputs.sounds import Sounds, as_sounds, axes, fits
from earmark.outputs.stems import has_stems, stem_dicts
from earmark.outputs.unfold import Path, children, is_never, leaves
from earmark.samples import MAX_CHANNELS


@dataclass(frozen=True, eq=False)
class Candidate:
    """A value that may be the sounds of a role.

    Attributes:
        place: Where it is: `"outputs"` or `"batch"`.
        path: What leads to it there.
        value: The value.
        sounds: The same as the sounds of a batch; `None` if by its type it is none.
        key: The key on the way that means most.
        declared: The role that a registered type gives it.
        stems: The sounds that it holds, if it is a dict of several.
        num_stems: How many stems a second axis holds, if stems are named.
    """

    place: str
    path: Path
    value: Any
    sounds: Sounds | None
    key: Key
    declared: str | None = None
    stems: Mapping[str, Sounds] | None = None
    num_stems: int | None = None

    def is_sound(self, min_frames: int = MIN_FRAMES) -> bool:
        """Whether shape and dtype are those of sounds, and no key says that it is none."""
        if self.stems is not None:
            return True
        if self.sounds is None or is_never(self.path) or self.declared is not None:
            return False
        return fits(self.sounds, stems=self.num_stems, min_frames=min_frames)

    def is_curve(self, beside: Sequence[Candidate]) -> bool:
        """Whether it has a number for each frame of features beside it, such as a mel's pitch."""
        shape = axes(None if self.sounds is None else self.sounds.value)
        mono = len(shape) == 2 or shape[1:-1] == (1,)
        return mono and any(_are_features(axes(one.value), shape[0], shape[-1]) for one in beside)

    def is_own(self, role: str) -> bool:
        """Whether it is under the role's own name."""
        return self.key.text == role and bool(self.path) and read_key(self.path[-1]) == self.key

    def means(self, *meanings: str) -> bool:
        """Whether its key means one of these."""
        return self.key.meaning in meanings

    def has_stems(self, names: Sequence[str]) -> bool:
        """Whether it holds as many stems as there are names."""
        if self.stems is not None:
            return True
        return self.sounds is not None and has_stems(self.sounds, names)


def candidates(values: Any, place: str, stems: Sequence[str] | None) -> list[Candidate]:
    """List what outputs or a batch come down to; dicts of stems are one candidate each."""
    found = leaves(values, in_batch=place == "batch")
    count = None if stems is None else len(stems)
    whole_dicts = stem_dicts(found, stems or ()) if stems else {}
    held = {
        path: {name: sounds[name] for name in stems or ()} for path, sounds in whole_dicts.items()
    }
    single = [
        Candidate(
            place,
            leaf.path,
            leaf.value,
            leaf.sounds,
            _deciding(leaf.path),
            leaf.declared,
            num_stems=count,
        )
        for leaf in found
        if leaf.path[:-1] not in held or leaf.path[-1] not in held[leaf.path[:-1]]
    ]
    for path, group in _groups(single).items():
        held[path] = {str(one.path[-1]): one.sounds for one in group if one.sounds is not None}
        single = [one for one in single if one not in group]
    return single + [
        Candidate(place, path, None, None, _deciding(path), stems=sounds)
        for path, sounds in held.items()
    ]


def _groups(single: Sequence[Candidate]) -> dict[Path, list[Candidate]]:
    """Several sounds in one dict under a key that means a role: each has a name of its own."""
    groups: dict[Path, list[Candidate]] = {}
    for one in single:
        above = one.path[:-1]
        named = bool(above) and isinstance(one.path[-1], str)
        if named and read_key(above[-1]) == one.key and one.means(*ROLES) and one.is_sound():
            groups.setdefault(above, []).append(one)
    return {path: group for path, group in groups.items() if len(group) > 1}


def _are_features(shape: tuple[int, ...], count: int, frames: int) -> bool:
    """Whether these are of so many frames: `(B, T, F)` or `(B, F, T)`, more than channels are."""
    first, *others = shape or (0,)
    if first != count or len(others) != 2 or frames not in others:
        return False
    others.remove(frames)
    return others[0] > MAX_CHANNELS


def _deciding(path: Path) -> Key:
    """A role's own name, the outermost; else the innermost key that means a role; else the last."""
    keys = [read_key(key) for key in path]
    own = [key for key in keys if key.is_own]
    sure = [key for key in reversed(keys) if key.meaning in ROLES]
    return next(iter([*own, *sure, *reversed(keys)]), read_key(None))


def whole(found: Sequence[Candidate]) -> Candidate | None:
    """The candidate that is all of the outputs, or of the batch; `None` if there are several."""
    bare = [one for one in found if not one.path and one.sounds is not None]
    return bare[0] if bare else None


def selected(
    value: Any, role: str, known: Sequence[Candidate], stems: Sequence[str] | None
) -> Candidate:
    """Make a candidate of what a selector found; if it is a known one, with what came with it."""
    for one in known:
        if one.value is value and value is not None:
            return one
    declared = registered(value)
    if declared is not None:
        value = declared.get(role)
    sounds, inner = as_sounds(value), None
    if sounds is None and isinstance(value, Mapping):
        every = {str(key): as_sounds(child) for key, child in children(value) or ()}
        inner = {k: s for k, s in every.items() if s is not None and (not stems or k in stems)}
    return Candidate("outputs", (), value, sounds, read_key(None), stems=inner or None)
