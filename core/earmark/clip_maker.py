"""Clips of the entries of a draft: what needs the sounds themselves happens here, behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from earmark.audio import Audio
from earmark.captions import fill
from earmark.clip import Clip, problems
from earmark.draft import Draft, Entry
from earmark.metrics import Metric, compute, finite_metrics, plain_metrics, target_of
from earmark.notices import Notices


def make_clips(draft: Draft, notices: Notices) -> Iterator[Clip]:
    """Make the clips of a draft one by one, and give each one's memory back when it was used.

    Args:
        draft: It is empty in the end.
        notices: Who is told of what no clip can be made of.
    """
    while draft.entries:
        group = _first_example(draft.entries)
        computed = _computed(group, draft, notices)
        for entry in group:
            made: list[Clip] = []
            with notices.guard((draft.tag, entry.role), _place(entry, draft)):
                made.append(_clip_of(entry, draft, computed.get(entry.role, {})))
            yield from made
            draft.give_back(draft.entries.pop(0))  # after it is encoded: it was not copied again


def _first_example(entries: Sequence[Entry]) -> list[Entry]:
    example = entries[0].example
    return list(takewhile(lambda entry: entry.example == example, entries))


def _computed(
    group: Sequence[Entry], draft: Draft, notices: Notices
) -> dict[str, dict[str, float]]:
    """Compute the metrics of an example's predictions, by role."""
    functions = {name: m for entry in group for name, m in entry.metrics.items() if callable(m)}
    values: dict[str, dict[str, float]] = {}
    if not functions:
        return values
    entries = {entry.role: entry for entry in group}
    pairs = {role: target_of(role, entries) for role in entries}
    if not any(pairs.values()):
        notices.tell(
            ("metrics", draft.tag),
            f"expected a prediction and its target to compute {', '.join(functions)} of, got "
            f"{', '.join(entries)} of example {group[0].example!r}: log the target beside the "
            "prediction, AudioMonitor(target=...)",
        )
    for role, target in pairs.items():
        if target is not None:
            pair = entries[role], entries[target]
            values[role] = _compared(functions, pair, notices, _place(entries[role], draft))
    return values


def _compared(
    functions: Mapping[str, Metric], pair: tuple[Entry, Entry], notices: Notices, place: str
) -> dict[str, float]:
    with notices.guard(("metrics",), f"the metrics of {place}"):
        prediction, target = map(_audio_of, pair)
        return compute(functions, prediction, target, notices, place)
    return {}


def _clip_of(entry: Entry, draft: Draft, computed: Mapping[str, float]) -> Clip:
    audio = _audio_of(entry)
    given = {name: value for name, value in entry.metrics.items() if not callable(value)}
    metrics, metrics_note = finite_metrics({**plain_metrics(given), **computed})
    wrong = "" if audio.resolve_ref() else problems(audio.level)
    note = ", ".join(part for part in (wrong, metrics_note) if part)
    caption = fill(entry.caption, metrics)
    return Clip(
        audio=audio,
        tag=draft.tag,
        example=entry.example,
        role=entry.role,
        step=draft.step,
        epoch=draft.epoch,
        caption=f"{caption} [{note}]".lstrip() if note else caption,
        metrics=metrics,
        note=note,
    )


def _audio_of(entry: Entry) -> Audio:
    return entry.sound if isinstance(entry.sound, Audio) else entry.sound.to_audio()


def _place(entry: Entry, draft: Draft) -> str:
    return f"the {entry.role} of example {entry.example!r} at step {draft.step}"
