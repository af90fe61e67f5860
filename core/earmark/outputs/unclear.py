"""What is said of outputs that are unclear: what was seen, and the exact argument to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from earmark.errors import ArgumentError, ShapeError, shown
from earmark.outputs.candidates import Candidate, candidates
from earmark.outputs.roles import is_decodable
from earmark.outputs.selector import Selector, argument, keyword
from earmark.outputs.sounds import axes, dtype_of, is_array, shape_of
from earmark.outputs.stems import is_mixture
from earmark.outputs.unfold import Path, is_never

_MAX_LISTED = 12


def none_found(outputs: Any, seen: Sequence[Candidate]) -> ArgumentError:
    """Nothing that was returned is a prediction."""
    likely = _likeliest(seen)
    if likely is not None and is_mixture(likely.value):
        return unnamed_stems("prediction", likely)
    return ArgumentError(
        f"expected a prediction in the outputs, found none in {_listed(seen) or shown(outputs)}: "
        f"{_way_out(seen)}"
    )


def _way_out(seen: Sequence[Candidate]) -> str:
    foreign = [one for one in seen if _is_foreign(one.value)]
    likely = _likeliest(seen)
    if likely is not None:
        return (
            f"say where it is, such as {_write('prediction', likely)}, with decode= if that is "
            "no sound yet; or pass predict= to make one"
        )
    if foreign:
        kind = type(foreign[0].value).__name__
        return (
            f"say what it holds, earmark.register_output({kind}, lambda output: "
            "{'prediction': output.audio})"
        )
    return "return {'prediction': sound}, or pass predict= to make one of the batch"


def _likeliest(seen: Sequence[Candidate]) -> Candidate | None:
    arrays = [one for one in seen if len(axes(one.value)) > 1]
    return min(arrays, key=_unlikeliness, default=None)


def _unlikeliness(one: Candidate) -> int:
    """How far a value is from a prediction that has still to be decoded, by its keys alone."""
    if one.means("target", "input"):
        return 4
    if any(is_decodable(key) for key in one.path):
        return 1
    return 3 if is_never(one.path) else 0 if one.means("prediction") else 2


def _is_foreign(value: Any) -> bool:
    return type(value).__module__ != "builtins" and not is_array(value)


def several(role: str, seen: Sequence[Candidate]) -> ArgumentError:
    """More than one value may be the sound of a role."""
    return ArgumentError(
        f"expected one {role}, found {len(seen)} that may be it, {_listed(seen)}: say which, "
        f"{' or '.join(_write(role, one) for one in seen[:3])}"
    )


def unnamed_stems(role: str, one: Candidate) -> ArgumentError:
    """The sounds of a mixture, without their names."""
    count = axes(one.value)[1]
    names = ", ".join(f"'stem {number}'" for number in range(1, min(count, 4) + 1))
    more = ", ..." if count > 4 else ""
    channels = f"; or, if the second axis holds channels, {_write(role, one)}"
    return ArgumentError(
        f"expected names for the sounds of the mixture in {_listed([one])}: write "
        f"AudioMonitor(stems=[{names}{more}])"
        f"{'' if is_mixture(one.value) else channels}"
    )


def miscounted(role: str, count: int, lengths: Any) -> ShapeError:
    """Lengths that are not one for each sound."""
    return ShapeError(
        f"expected one length for each of {count} sounds of the {role}, got {kind_of(lengths)}: "
        "the sounds are logged whole; write AudioMonitor(lengths=...) with where theirs are"
    )


def unplaced(seen: Sequence[Candidate]) -> ArgumentError | None:
    """A batch has sounds, and none of its keys says of which role; `None` if it has none."""
    sounds = [one for one in seen if one.is_sound() and one.means("unknown")]
    if not sounds:
        return None
    both = zip(("input", "target"), sounds, strict=False)
    arguments = ", ".join(_argument(role, one.place, one.path) for role, one in both)
    return ArgumentError(
        f"expected keys that say which sounds of the batch are the input and the target, found "
        f"{_listed(sounds)}: say it, AudioMonitor({arguments}), if that is what they are"
    )


def not_selected(name: str, selector: Selector, outputs: Any, batch: Any) -> ArgumentError:
    """A selector that leads nowhere."""
    seen = {
        place: candidates(values, place, None)
        for place, values in (("outputs", outputs), ("batch", batch))
    }
    if callable(selector):
        where = "from its function, got None"
    else:
        where = f"under {selector!r}, found none"
    inside = " and a ".join(
        f"{place} with {_listed(found) or 'nothing'}" for place, found in seen.items()
    )
    return ArgumentError(
        f"expected the {name} {where} in {inside}: write AudioMonitor({keyword(name, '...')}) with "
        "a key, a path such as 'out.audio', an index, or a function of (outputs, batch)"
    )


def _write(role: str, one: Candidate) -> str:
    return f"AudioMonitor({_argument(role, one.place, one.path)})"


def _argument(role: str, place: str, path: Path) -> str:
    index_of = "batch" if role in ("input", "target") else "outputs"
    return argument(role, path, place, index_of=index_of)


def _listed(seen: Iterable[Candidate]) -> str:
    described: dict[Path, str] = {}
    for one in seen:
        described.update(_described(one, described))
    texts = [
        f"{'.'.join(map(str, path))}: {what}" if path else what for path, what in described.items()
    ]
    more = len(texts) - _MAX_LISTED
    return ", ".join(texts if more <= 0 else [*texts[:_MAX_LISTED], f"and {more} more"])


def _described(one: Candidate, others: Mapping[Path, str]) -> dict[Path, str]:
    if not (one.path and isinstance(one.path[-1], int) and isinstance(one.value, str)):
        return {one.path: _kind(one)}
    before = others.get(one.path[:-1], "list of 0")  # a column of texts is one line
    return {one.path[:-1]: f"list of {int(before.rpartition(' ')[2]) + 1}"}


def _kind(one: Candidate) -> str:
    return kind_of(one.value) if one.stems is None else f"dict of {', '.join(one.stems)}"


def kind_of(value: Any) -> str:
    """Show what a value is: a number as it is, the dtype and shape of an array, else the type."""
    if shape_of(value) is not None and dtype_of(value):
        return f"{dtype_of(value)} {axes(value)}"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    kind = type(value).__name__
    return f"{kind} of {len(value)}" if isinstance(value, list | tuple) else kind
