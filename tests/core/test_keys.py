from __future__ import annotations

from pathlib import Path

from earmark import Clip, Run, Take, open_run
from earmark.keys import Keys
from earmark.testing import noise
from tests.core.faults import told


def takes_of(run: Path, *logged: tuple[int, str, dict[str, int]]) -> list[Take]:
    """Takes of a step, an example and the seeds of its roles, as they are stored."""
    with told(), Run(run) as writer:
        for step, example, seeds in logged:
            sounds = {role: noise(seed=seed) for role, seed in seeds.items()}
            writer.log(sounds, step=step, example=example, sample_rate=16_000)
    takes = {take.name.number: take for take in open_run(run).takes()}
    return [takes[number] for number in sorted(takes)]


def repeated(keys: Keys, take: Take) -> tuple[str, str] | None:
    """The example and the role that a take repeats."""
    clip: Clip | None = keys.add(take)
    return None if clip is None else (clip.example, clip.role)


def test_a_key_is_one_of_its_step(tmp_path: Path) -> None:
    """Another example, another role or another step is no repeat; the same three are one."""
    takes = takes_of(
        tmp_path,
        (1, "a", {"prediction": 0}),
        (1, "b", {"prediction": 0}),
        (1, "a", {"other": 0}),
        (2, "a", {"prediction": 0}),
        (2, "a", {"prediction": 0}),
    )
    keys = Keys()
    assert [repeated(keys, take) for take in takes] == [None] * 4 + [("a", "prediction")]


def test_a_sound_that_is_linked_to_twice_is_one(tmp_path: Path) -> None:
    """The target beside each of two predictions loses nobody anything; another target does."""
    takes = takes_of(
        tmp_path,
        (1, "a", {"teacher": 0, "target": 9}),
        (1, "a", {"student": 1, "target": 9}),
        (1, "a", {"third": 2, "target": 8}),
    )
    keys = Keys()
    assert [repeated(keys, take) for take in takes] == [None, None, ("a", "target")]


def test_a_run_that_stays_at_one_step_is_remembered_in_part(tmp_path: Path) -> None:
    """No more keys than so many are held, and what is held is still told apart."""
    names = ["a", "b", "b", "a"]
    takes = takes_of(tmp_path, *((0, name, {"prediction": 0}) for name in names))
    keys = Keys(most=1)
    assert [repeated(keys, take) for take in takes] == [None, None, None, ("a", "prediction")]
