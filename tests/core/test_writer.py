from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earmark
from earmark import Audio
from earmark.errors import ArgumentError
from earmark.records import read_records
from earmark.samples import Samples
from earmark.schema import LINKED, METRIC, STORED
from earmark.store import open_run
from earmark.testing import noise, silence, sine
from earmark.writer import Writer
from tests.core.clips import clip, publish, records_in, stored

# --- what is stored


FULL_SCALE = np.array([[1.0], [-1.0], [0.1]], np.float32)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "subtype", "error"),
    [
        (noise(), 16_000, ("FLAC", "PCM_16"), 0),
        (noise(num_channels=2), 44_100, ("FLAC", "PCM_16"), 0),
        (noise(num_channels=8), 96_000, ("FLAC", "PCM_16"), 0),
        (silence(), 7, ("FLAC", "PCM_16"), 0),
        (noise()[:1], 11_025, ("FLAC", "PCM_16"), 0),
        (sine(), 16_000, ("FLAC", "PCM_24"), 6e-8),
        (sine(peak=1e-4), 44_101, ("FLAC", "PCM_24"), 6e-8),
        (sine(5.0, num_channels=2), 192_000, ("FLAC", "PCM_24"), 6e-8),
        (FULL_SCALE, 16_000, ("FLAC", "PCM_24"), 2**-23),
        (FULL_SCALE * 1.001, 16_000, ("WAV", "FLOAT"), 0),
        (sine(peak=1e4), 16_000, ("WAV", "FLOAT"), 0),
        (noise(num_channels=9), 16_000, ("WAV", "FLOAT"), 0),
        (noise(), 768_000, ("WAV", "FLOAT"), 0),
        (noise(), 65_537, ("WAV", "FLOAT"), 0),
    ],
)  # fmt: skip
def test_a_sound_is_stored_at_the_smallest_depth_that_holds_it(
    tmp_path: Path, samples: Samples, sample_rate: int, subtype: tuple[str, str], error: float
) -> None:
    """16-bit sounds and floats over full scale are exact, others off by at most half a 24-bit step.

    With 24 bits, a sample of exactly +1.0 becomes 1 - 2^-23.
    """
    take = publish(Writer(tmp_path), 7, [clip(samples, sample_rate=sample_rate)])
    file, decoded, record = stored(take.path)
    info = soundfile.info(file)

    assert (info.format, info.subtype) == subtype == (record["format"], record["subtype"])
    assert np.abs(decoded - samples).max() <= error
    assert (record["num_frames"], record["num_channels"]) == samples.shape
    assert take.clips[0].audio.samples.shape == samples.shape


def test_sixteen_bits_on_request_are_rounded(tmp_path: Path) -> None:
    """With bit_depth=16 each sample becomes the nearest of the 65,536 values, not the one below."""
    samples = sine(peak=0.9)
    take = publish(Writer(tmp_path, bit_depth=16), 7, [clip(samples)])
    file, decoded, record = stored(take.path)

    assert soundfile.info(file).subtype == record["subtype"] == "PCM_16"
    np.testing.assert_array_equal(decoded, np.rint(samples * 2**15) / 2**15)


def test_twenty_four_bits_on_request(tmp_path: Path) -> None:
    """With bit_depth=24 a 16-bit sound is exact as well."""
    take = publish(Writer(tmp_path, bit_depth=24), 7, [clip(noise())])
    file, decoded, _ = stored(take.path)

    assert soundfile.info(file).subtype == "PCM_24"
    np.testing.assert_array_equal(decoded, noise())


def test_what_is_not_finite_is_stored_as_zero_and_counted(tmp_path: Path) -> None:
    """NaN and infinities become 0 in the file; the record says how many there were."""
    samples = np.array([[0.5, np.nan], [np.inf, -0.25], [-np.inf, 1.0]], np.float32)
    take = publish(Writer(tmp_path), 7, [clip(samples)])
    _, decoded, record = stored(take.path)

    np.testing.assert_allclose(decoded, [[0.5, 0], [0, -0.25], [0, 1.0]], atol=2**-23)
    assert record["num_nonfinite"] == take.clips[0].level.num_nonfinite == 3
    assert record["num_over"] == 0


def test_levels_are_those_of_the_sound_that_was_logged(tmp_path: Path) -> None:
    """The record says what a meter would: peak and RMS in dBFS, samples over, silence."""
    take = publish(Writer(tmp_path), 7, [clip(sine(peak=2.0)), clip(silence(), "stem")])
    loud, still = records_in(take.path / "metadata.jsonl")

    assert loud["peak_dbfs"] == pytest.approx(6.02, abs=0.01)
    assert loud["rms_dbfs"] == pytest.approx(3.01, abs=0.01)
    assert loud["num_over"] == np.count_nonzero(np.abs(sine(peak=2.0)) > 1)
    assert (loud["silent"], still["silent"]) == (False, True)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".flac", "PCM_24"), (".ogg", "VORBIS"), (".ogg", "OPUS"), (".mp3", "MPEG_LAYER_III")],
)
@pytest.mark.parametrize("given", ["path", "bytes"])
def test_compressed_files_are_kept_byte_for_byte(
    tmp_path: Path, suffix: str, subtype: str, given: str
) -> None:
    """FLAC, Ogg and MP3 are stored as they came: another generation would lose samples or space."""
    file = tmp_path / f"given{suffix}"
    soundfile.write(file, sine(0.5, sample_rate=48_000), 48_000, subtype=subtype)
    sound = file if given == "path" else file.read_bytes()
    take = publish(Writer(tmp_path / "run"), 7, [clip(sound, sample_rate=None)])
    kept, _, record = stored(take.path)

    assert kept.read_bytes() == file.read_bytes()
    assert kept.suffix == suffix
    assert record["subtype"] == subtype


@pytest.mark.parametrize(
    ("samples", "subtype", "becomes"),
    [
        (noise(num_channels=2), "PCM_16", "FLAC"),
        (noise(), "PCM_U8", "FLAC"),
        (sine(), "PCM_24", "FLAC"),
        (sine(peak=3.0), "FLOAT", "WAV"),
        (sine(peak=3.0).astype(np.float64), "DOUBLE", "WAV"),
    ],
)
def test_wav_files_are_encoded_anew_and_lose_nothing(
    tmp_path: Path, samples: Samples, subtype: str, becomes: str
) -> None:
    """A WAV file becomes FLAC where that holds it, and decodes to the same float32 samples."""
    file = tmp_path / "given.wav"
    soundfile.write(file, samples, 22_050, subtype=subtype)
    take = publish(Writer(tmp_path / "run"), 7, [clip(file, sample_rate=None)])
    _, decoded, record = stored(take.path)

    expected, _ = soundfile.read(file, dtype="float32", always_2d=True)
    np.testing.assert_array_equal(decoded, expected)
    assert (record["format"], record["sample_rate"]) == (becomes, 22_050)


# --- the records


def test_every_line_has_the_same_fields(tmp_path: Path) -> None:
    """Metadata and links are strict JSON without nulls, of one schema each, whatever was logged."""
    file = tmp_path / "given.ogg"
    soundfile.write(file, sine(), 16_000)
    clips = [
        clip(noise(), epoch=3, caption="text \u2028 你好", metrics={"si_sdr": 12.5, "pesq": 3}),
        clip(silence(), example="silent"),
        clip(sine(peak=2.0, num_channels=9), example="many"),
        clip(file, example="kept", sample_rate=None),
        clip(np.full(9, np.nan), example="nan", note="all is lost"),
        clip(noise(), "target"),
        clip(noise(), "input", example="A"),
        clip(Audio("https://sounds.invalid/a.flac"), "stem"),
    ]
    Writer(tmp_path / "run").publish(7, clips)
    lines = {
        name: [line for path in (tmp_path / "run/takes").rglob(name) for line in records_in(path)]
        for name in ("metadata.jsonl", "links.jsonl")
    }

    assert [len(of_kind) for of_kind in lines.values()] == [7, 3]
    assert {tuple(line) for line in lines["metadata.jsonl"]} == {tuple(STORED)}
    assert {tuple(line) for line in lines["links.jsonl"]} == {tuple(LINKED)}
    assert next(iter(STORED)) == "file_name"
    for line in lines["metadata.jsonl"] + lines["links.jsonl"]:
        assert None not in line.values()
        assert all(list(metric) == list(METRIC) for metric in line["metrics"])


def test_a_record_says_what_its_file_holds(tmp_path: Path) -> None:
    """Size and checksum in the record are those of the file beside it."""
    take = publish(Writer(tmp_path), 7, [clip(sine()), clip(sine(peak=2.0), "stem")])

    for record in records_in(take.path / "metadata.jsonl"):
        data = (take.path / record["file_name"]).read_bytes()
        assert record["num_bytes"] == len(data)
        assert record["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_take_holds_its_sounds_and_their_records_only(tmp_path: Path) -> None:
    """A take is a plain folder: sounds named by example and role, and one line for each."""
    writer = Writer(tmp_path)
    take = publish(writer, 1200, [clip(noise(), example="utt-7"), clip(noise(), "stem/ü")])

    assert take.path.name == f"00001200.{writer.id}.0"
    names = sorted(path.name for path in take.path.iterdir())
    assert names[:2] == ["metadata.jsonl", "utt-7.prediction.flac"]
    assert re.fullmatch(r"utt\.stem-[0-9a-f]+\.flac", names[2])


def test_examples_that_file_systems_confuse_are_kept_apart(tmp_path: Path) -> None:
    """Names that differ in case only, in forbidden letters only, or not at all, lose no sound."""
    names = ["a", "A", "a/b", "a:b", "con", "", "same", "same"]
    sounds = [noise(seed=seed) for seed in range(len(names))]
    clips = [clip(sound, example=name) for name, sound in zip(names, sounds, strict=True)]
    take = publish(Writer(tmp_path), 7, clips)
    records = records_in(take.path / "metadata.jsonl")

    assert [record["example"] for record in records] == names
    assert len({record["file_name"].casefold() for record in records}) == len(names)
    for record, sound in zip(records, sounds, strict=True):
        decoded, _ = soundfile.read(take.path / record["file_name"], dtype="float32")
        np.testing.assert_array_equal(decoded, sound[:, 0])


def test_published_clips_are_those_that_readers_see(tmp_path: Path) -> None:
    """What publish returns, what the index says and what the take says are the same."""
    writer = Writer(tmp_path)
    clips = [clip(noise(), "target"), clip(sine(), caption="x", epoch=3, metrics={"a": 0.5})]
    take = publish(writer, 7, clips)
    (line,) = records_in(tmp_path / f"index/{writer.id}.jsonl")

    assert line == read_records(take.path)
    (read,) = open_run(tmp_path).takes()
    assert read.name == take.name
    assert [seen.key for seen in read.clips] == [given.key for given in take.clips]
    for seen, given in zip(read.clips, take.clips, strict=True):
        assert (seen.epoch, seen.caption, seen.metrics) == (
            given.epoch,
            given.caption,
            given.metrics,
        )
        assert seen.audio == given.audio


# --- who wrote it


def test_a_writer_says_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host, process, rank, versions and the job's configuration are remembered."""
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    writer = Writer(tmp_path, config={"lr": 1e-4, "layers": [1, 2], "note": "你好"})
    (known,) = open_run(tmp_path).writers

    assert known["id"] == writer.id
    assert (known["rank"], known["world_size"]) == (3, 8)
    assert known["versions"]["earmark"] == earmark.__version__
    assert known["config"] == {"lr": 1e-4, "layers": [1, 2], "note": "你好"}
    assert {"host", "pid", "started_at", "resumed_from"} <= known.keys()


def test_a_resumed_run_knows_its_predecessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each opening names the last one before it by the same rank; the first one none."""
    ids = [Writer(tmp_path).id for _ in range(2)]
    monkeypatch.setenv("RANK", "1")
    ids += [Writer(tmp_path).id for _ in range(2)]
    resumed_from = {known["id"]: known["resumed_from"] for known in open_run(tmp_path).writers}

    assert [resumed_from[name] for name in ids] == ["", ids[0], "", ids[2]]


@pytest.mark.parametrize("rank", ["", "zero", "-1"])
def test_a_strange_rank_is_rank_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    """What another tool may have left in the environment stops nobody."""
    monkeypatch.setenv("RANK", rank)
    Writer(tmp_path)

    assert open_run(tmp_path).writers[0]["rank"] == 0


@pytest.mark.parametrize(
    "config",
    [{"f": print}, {"nan": float("nan")}, [1, 2], 5, {("a", 1): 2}],
    ids=["function", "nan", "list", "number", "tuple key"],
)
def test_a_config_is_what_json_holds(tmp_path: Path, config: Any) -> None:
    """Anything else is refused before a directory is made."""
    with pytest.raises(
        ArgumentError,
        match=r"expected a config of what JSON holds, got .*; pass plain numbers, texts, lists and "
        r"dicts, such as vars\(args\)",
    ):
        Writer(tmp_path / "run", config=config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("bit_depth", [8, 20, 32, "16", 0])
def test_a_bit_depth_is_16_or_24(tmp_path: Path, bit_depth: Any) -> None:
    """Anything else is refused before a directory is made, and not at the first clip."""
    with pytest.raises(
        ArgumentError, match=r"expected bit_depth to be 16, 24 or None, got .*: leave it out for"
    ):
        Writer(tmp_path / "run", bit_depth=bit_depth)
    assert not (tmp_path / "run").exists()


def test_the_keys_of_older_takes(tmp_path: Path) -> None:
    """A writer knows what others had logged at a step, but for what was deleted since."""
    older = Writer(tmp_path)
    gone = publish(older, 7, [clip(noise(), example="gone")])
    older.publish(7, [clip(noise(), example="a"), clip(noise(), "target", example="b")])
    older.publish(8, [clip(noise(), example="c", step=8)])
    newer = Writer(tmp_path)
    newer.publish(7, [clip(noise(), example="own")])
    shutil.rmtree(gone.path)

    assert set().union(*newer.older_keys(7)) == {
        ("val", "a", "prediction", 7),
        ("val", "b", "target", 7),
    }
