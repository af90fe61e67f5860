"""Keys: whether the clips of one step can be told apart, by tag, example and role."""

from __future__ import annotations

from earmark.clip import Clip, Take


class Keys:
    """The keys of the clips that one writer has published at the step where it is.

    Args:
        most: How many are remembered, of a run that stays at one step.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._step: int | None = None
        self._sounds: dict[tuple[str, str, str, int], str] = {}

    def add(self, take: Take) -> Clip | None:
        """Remember the clips of a take; give the first whose key another sound has already."""
        if take.step != self._step:
            self._step = take.step
            self._sounds.clear()
        taken = [clip for clip in take.clips if self._is_taken(clip)]
        return taken[0] if taken else None

    def _is_taken(self, clip: Clip) -> bool:
        # One sound that is linked to twice, as the target beside each of two predictions, is one.
        sound = str(clip.audio.path or clip.audio.resolve_ref())
        if len(self._sounds) < self._most:
            return self._sounds.setdefault(clip.key, sound) != sound
        return self._sounds.get(clip.key, sound) != sound
