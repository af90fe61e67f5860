from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark import Audio, Clip, Level
from earmark.clip import Take, from_record, problems, to_record
from earmark.codec import Header
from earmark.disk import json_line
from earmark.errors import StorageError
from earmark.names import TakeName
from earmark.schema import LINKED, STORED, misfit
from earmark.testing import noise, silence, sine

HEADER = Header(16_000, 1600, 1, "FLAC", "PCM_16")
DECIBELS = st.floats(-200, 200)
TEXTS = st.text(max_size=20)


def clip_of(audio: Audio | None = None, **place: Any) -> Clip:
    """A clip of a tenth of a second, somewhere."""
    where: dict[str, Any] = {"tag": "val", "example": "utt-7", "role": "prediction", "step": 1200}
    return Clip(audio or Audio(noise(), 16_000), **(where | place))


def refuse(constant: str) -> NoReturn:
    """Stumble over NaN and Infinity, as strict parsers do."""
    raise AssertionError(f"{constant} is no JSON")


def through_json(record: dict[str, Any]) -> dict[str, Any]:
    """What another program, with a strict parser, makes of a record."""
    parsed: dict[str, Any] = json.loads(json_line(record), parse_constant=refuse)
    return parsed


@given(
    st.builds(
        clip_of,
        tag=TEXTS,
        example=TEXTS,
        role=TEXTS,
        step=st.integers(0, 2**63 - 1),
        epoch=st.none() | st.integers(0, 2**63 - 1),
        caption=TEXTS,
        note=TEXTS,
        metrics=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False)),
    ),
    st.builds(
        Level,
        DECIBELS | st.just(-math.inf),
        DECIBELS,
        st.integers(0, 10**9),
        st.integers(0, 10**9),
    ),
)
def test_a_record_gives_back_its_clip(clip: Clip, level: Level) -> None:
    """Place, caption, metrics, note and level survive a strict JSON parser; no sound is read."""
    record = through_json(to_record(clip, HEADER, level))
    back = from_record(record, "nowhere/sound.flac")

    for name in ("tag", "example", "role", "step", "epoch", "caption", "note", "metrics", "key"):
        assert getattr(back, name) == getattr(clip, name)
    silent = Level(-math.inf, -math.inf, level.num_over, level.num_nonfinite)
    assert back.level == (silent if level.silent else level)
    assert back.audio.sample_rate == 16_000
    assert back.audio.duration_seconds == 0.1
    assert back.audio.path == Path("nowhere/sound.flac")


@pytest.mark.parametrize(
    "clip",
    [
        clip_of(),
        clip_of(epoch=3, caption="c", metrics={"si_sdr": 1.0}, note="n"),
        clip_of(Audio(silence(), 16_000)),
        clip_of(Audio(sine(peak=2.0), 16_000)),
    ],
    ids=["plain", "full", "silent", "over"],
)
def test_the_schema_is_fixed_and_without_nulls(clip: Clip) -> None:
    """Every clip has the same fields of the same types, flat, and none is null."""
    record = through_json(to_record(clip, HEADER, clip.level))

    assert list(record) == [name for name in LINKED if name not in {"sound", "url"}]
    assert misfit(record | {"file_name": "", "num_bytes": 0, "sha256": ""}, STORED) == ""
    assert None not in record.values()


def test_unknown_fields_are_ignored() -> None:
    """A record of a later minor format, with more in it, is read as before."""
    clip = clip_of(caption="hello")
    record = to_record(clip, HEADER, clip.level) | {"mood": {"joy": 1}}

    assert from_record(record, "sound.flac").caption == "hello"


def test_a_silent_level_is_a_flag() -> None:
    """JSON has no infinity: silence is said by a flag, and read back as -inf dBFS."""
    clip = clip_of(Audio(silence(), 16_000))
    record = through_json(to_record(clip, HEADER, clip.level))

    assert record["silent"] is True
    assert math.isfinite(record["peak_dbfs"])
    assert from_record(record, "sound.flac").level.peak_dbfs == -math.inf


def test_a_reference_is_read_back_as_its_url() -> None:
    """A record without a file leads to the URL, of unknown rate, and nothing is fetched."""
    clip = clip_of(Audio("s3://bucket/a.flac"))
    record = to_record(clip, Header(0, 0, 0, "", ""), Level(0, 0)) | {"url": "s3://bucket/a.flac"}
    back = from_record(record, "")

    assert back.audio.resolve_ref() == "s3://bucket/a.flac"
    assert Audio.sample_rates([back.audio]) == [None]


@pytest.mark.parametrize(
    ("caption", "title"), [("", "utt-7"), ("a sentence", "utt-7 | a sentence")]
)
def test_a_title_names_the_example(caption: str, title: str) -> None:
    """Where there is one line beside a player, it says whose sound it is."""
    assert clip_of(caption=caption).title == title


@pytest.mark.parametrize(
    ("samples", "wrong"),
    [
        ([0.5, -0.5], ""),
        ([0.0, 0.0], "silent"),
        ([2.0, 0.5, -2.0], "peak +6.0 dBFS, 2 samples over full scale"),
        ([0.5, math.nan], "peak -6.0 dBFS, 1 non-finite sample stored as 0"),
    ],
)
def test_problems_are_those_a_listener_must_know(samples: list[float], wrong: str) -> None:
    """A usual level is no problem; silence, samples over full scale, and NaN are."""
    assert problems(Audio(samples, 16_000).level) == wrong


def test_a_take_says_its_step_and_epoch() -> None:
    """A take's step is in its name, its epoch that of its clips; an empty one has none."""
    name = TakeName(7, "bcdfghjk", 0)
    record = to_record(clip_of(step=7, epoch=2), HEADER, Level(0, 0)) | {"file_name": "a.flac"}
    take = Take.from_records(Path("takes"), name, [record], [])

    assert (take.step, take.epoch) == (7, 2)
    assert take.path == Path("takes/00000007.bcdfghjk.0")
    assert take.clips[0].audio.path == take.path / "a.flac"
    assert Take.from_records(Path("takes"), name, [], []).epoch is None


def test_the_clips_of_a_take_have_one_order() -> None:
    """Clips are sorted by tag, example and role, wherever their sounds are stored."""
    places = [("a", "1", "input"), ("a", "1", "prediction"), ("a", "2", "input"), ("b", "1", "x")]
    first, second, third, last = (
        to_record(clip_of(tag=tag, example=example, role=role), HEADER, Level(0, 0))
        for tag, example, role in places
    )
    stored = [last | {"file_name": "b.flac"}, second | {"file_name": "a.flac"}]
    links = [
        third | {"sound": "ref/a.flac", "url": ""},
        first | {"sound": "", "url": "s3://bucket/a.flac"},
    ]
    take = Take.from_records(Path("takes"), TakeName(7, "bcdfghjk", 0), stored, links)

    assert [(clip.tag, clip.example, clip.role) for clip in take.clips] == places
    assert [clip.audio.path for clip in take.clips] == [
        None,
        take.path / "a.flac",
        Path("takes/ref/a.flac"),
        take.path / "b.flac",
    ]


def test_a_sound_at_a_url_is_known_by_its_record() -> None:
    """A take whose folder is a URL has clips at URLs, with rate, length and level."""
    record = to_record(clip_of(), Header(16_000, 8000, 2, "FLAC", "PCM_24"), Level(-6.0, -9.0))
    takes = "s3://bucket/run/takes"
    name = TakeName(7, "bcdfghjk", 0)
    stored = [record | {"file_name": "a.flac"}]
    links = [record | {"role": "target", "sound": "ref.a.target.0/target.flac", "url": ""}]
    take = Take.from_records(takes, name, stored, links)

    assert take.folder == f"{takes}/{name}"
    assert [clip.audio.resolve_ref() for clip in take.clips] == [
        f"{takes}/{name}/a.flac",
        f"{takes}/ref.a.target.0/target.flac",
    ]
    assert {clip.audio.duration_seconds for clip in take.clips} == {0.5}
    assert {clip.level for clip in take.clips} == {Level(-6.0, -9.0)}
    with pytest.raises(
        StorageError,
        match=r"expected a take on this machine, got one at 's3://.*': its clips are read as any "
        "others, take.folder is its URL",
    ):
        _ = take.path
