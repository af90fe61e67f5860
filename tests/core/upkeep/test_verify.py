"""Damaged sounds and records, made by hand: found, told, and restored where the index knows."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earmark
from earmark.upkeep.check import check_run
from earmark.upkeep.repair import repair_run
from tests.core.damage import (
    ANEW,
    BACKUP,
    MOVE,
    RESTORE,
    Written,
    edit_json,
    flip_bit,
    said,
    truncate,
)

# --- sounds


def test_a_flipped_bit_in_a_sound(run: Written) -> None:
    """A sound whose bytes are not those that were published is named, and stays."""
    sound = run.take(0) / "a.prediction.flac"
    flip_bit(sound, 300)
    before = run.files()

    expected = [f"{run.name(sound)}: its bytes are not those that were published: {BACKUP}"]
    assert said(run) == expected
    assert repair_run(run.path) == []
    assert said(run) == expected
    assert run.files() == before


def test_a_truncated_sound(run: Written) -> None:
    """A sound that was cut off is named with both its sizes."""
    sound = run.take(0) / "a.prediction.flac"
    size = sound.stat().st_size
    truncate(sound, 100)

    assert said(run) == [f"{run.name(sound)}: expected {size} bytes, got 100: {BACKUP}"]
    assert repair_run(run.path) == []


def test_a_removed_sound(run: Written) -> None:
    """A sound that is not there is named."""
    sound = run.take(1) / "a.prediction.flac"
    sound.unlink()

    assert said(run) == [f"{run.name(sound)}: missing: {BACKUP}"]
    assert repair_run(run.path) == []


def test_a_damaged_sound_that_is_stored_once(run: Written) -> None:
    """A target is held against its own record, once, however many clips link to it."""
    sound = run.reference / "target.flac"
    flip_bit(sound, 300)

    assert said(run) == [
        f"{run.name(sound)}: its bytes are not those that were published: {BACKUP}"
    ]


def replace_sound(run: Written, data: bytes) -> Path:
    """Have a take's records vouch for other bytes than those that were published."""
    sound = run.take(0) / "a.prediction.flac"
    sound.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_json(
        sound.with_name("metadata.jsonl"),
        lambda record: record | {"num_bytes": len(data), "sha256": digest},
    )
    run.index.unlink()
    repair_run(run.path)
    return sound


def test_a_sound_of_another_shape(run: Written) -> None:
    """A sound must decode with the rate, frames and channels that its record says."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros((400, 2)), 16_000, format="FLAC")
    sound = replace_sound(run, file.getvalue())

    what = "expected 8000 Hz, shape (800, 1), got 16000 Hz, shape (400, 2)"
    assert said(run) == [f"{run.name(sound)}: {what}: {BACKUP}"]


def test_a_sound_that_is_none(run: Written) -> None:
    """A file that does not decode is named, whatever its checksum."""
    sound = replace_sound(run, b"not a sound")

    (problem,) = check_run(run.path)
    assert problem.file == run.name(sound)
    assert problem.what.startswith("it does not decode: expected a sound file that libsndfile")


# --- records


def test_removed_metadata(run: Written) -> None:
    """Metadata that is gone is restored from the index, byte for byte."""
    published = run.files()
    metadata = run.take(0) / "metadata.jsonl"
    metadata.unlink()

    assert said(run) == [f"{run.name(metadata)}: missing: {RESTORE}"]
    assert repair_run(run.path) == [f"restored {run.name(metadata)} from the index"]
    assert said(run) == []
    assert run.files() == published


def test_removed_metadata_and_index(run: Written) -> None:
    """Metadata of which nothing else knows is named; sounds stay, and other takes are read."""
    metadata = run.take(0) / "metadata.jsonl"
    metadata.unlink()
    run.index.unlink()
    sounds = run.sounds()

    gone = f"{run.name(metadata)}: missing: {BACKUP}"
    assert said(run) == [gone, f"{run.name(run.index)}: missing: {ANEW}"]
    assert repair_run(run.path) == [f"made {run.name(run.index)} anew: 2 takes"]
    assert said(run) == [gone]
    assert run.sounds() == sounds
    assert [take.step for take in earmark.open_run(run.path).takes()] == [10, 20]


def test_a_torn_line_of_metadata(run: Written) -> None:
    """A line that is cut off is restored from the index, byte for byte."""
    published = run.files()
    metadata = run.take(1) / "metadata.jsonl"
    truncate(metadata, 100)

    assert said(run) == [
        f"{run.name(metadata)}: expected a record in line 1, got no JSON object: {RESTORE}"
    ]
    assert repair_run(run.path) == [f"restored {run.name(metadata)} from the index"]
    assert said(run) == []
    assert run.files() == published


def test_empty_metadata(run: Written) -> None:
    """Metadata that a crash left empty is restored from the index."""
    metadata = run.take(1) / "metadata.jsonl"
    truncate(metadata, 0)

    assert said(run) == [f"{run.name(metadata)}: empty: {RESTORE}"]
    repair_run(run.path)
    assert said(run) == []


def test_removed_links(run: Written) -> None:
    """Links that are gone are missed by the index, and restored from it, byte for byte."""
    published = run.files()
    links = run.take(0) / "links.jsonl"
    links.unlink()

    assert said(run) == [f"{run.name(links)}: expected records: 2, got 0: {RESTORE}"]
    assert repair_run(run.path) == [f"restored {run.name(links)} from the index"]
    assert said(run) == []
    assert run.files() == published


def test_a_wrong_checksum_in_a_record(run: Written) -> None:
    """Where the index agrees with a sound and its record does not, the record was damaged."""
    published = run.files()
    metadata = run.take(0) / "metadata.jsonl"
    edit_json(metadata, lambda record: record | {"sha256": "0" * 64})

    sound = run.name(metadata.with_name("a.prediction.flac"))
    assert said(run) == [f"{sound}: its bytes are not those that were published: {RESTORE}"]
    assert repair_run(run.path) == [f"restored {run.name(metadata)} from the index"]
    assert run.files() == published


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"step": 5}, "expected step 0 in every record, got 5"),
        ({"step": "0"}, "expected a record in line 1, got '0' as 'step', which is no int64"),
        ({"silent": 0}, "expected a record in line 1, got 0 as 'silent', which is no bool"),
        ({"epoch": True}, "expected a record in line 1, got True as 'epoch', which is no int64"),
        (
            {"caption": None},
            "expected a record in line 1, got None as 'caption', which is no string",
        ),
        ({"metrics": [1]}, "expected a record in line 1, got no JSON object"),
        ({"metrics": [{"name": "x"}]}, "expected a record in line 1, got none of 'value'"),
        ({"file_name": "../run.json"}, "expected the name of a file beside it, got '../run.json'"),
        ({"file_name": ""}, "expected the name of a file beside it, got ''"),
    ],
)
def test_a_record_that_is_not_one(run: Written, change: dict[str, Any], wrong: str) -> None:
    """A record that lies about its place, or lacks a field, or has it in another type, is named."""
    metadata = run.take(0) / "metadata.jsonl"
    edit_json(metadata, lambda record: record | change)
    run.index.unlink()

    assert said(run)[0] == f"{run.name(metadata)}: {wrong}: {BACKUP}"


def test_a_record_that_is_not_strict_json(run: Written) -> None:
    """NaN is no JSON, whatever Python's parser makes of it."""
    metadata = run.take(0) / "metadata.jsonl"
    edit_json(metadata, lambda record: record | {"peak_dbfs": float("nan")})
    run.index.unlink()

    assert said(run)[0] == (
        f"{run.name(metadata)}: expected a record in line 1, got no JSON object: {BACKUP}"
    )


def test_a_link_to_nowhere(run: Written) -> None:
    """A sound that is stored once and gone is missed in every take that links to it."""
    target = f"{run.name(run.reference)}/target.flac"
    shutil.rmtree(run.reference)
    links = [run.name(run.take(number) / "links.jsonl") for number in range(3)]

    what = f"the target of example 'a' is missing, expected it at {target}"
    assert said(run) == [f"{link}: {what}: {BACKUP}" for link in links]
    assert repair_run(run.path) == []


def test_a_link_out_of_the_run(run: Written) -> None:
    """A link leads to a URL, or to a file in a folder of the run's takes."""
    links = run.take(2) / "links.jsonl"
    edit_json(links, lambda record: record | {"sound": "../run.json"})
    run.index.unlink()

    assert said(run)[0] == (
        f"{run.name(links)}: expected a URL or <folder>/<file> as a sound, "
        f"got '../run.json': {BACKUP}"
    )


def test_a_reference_without_its_record(run: Written) -> None:
    """A sound that is stored once has a record of its own."""
    metadata = run.reference / "metadata.jsonl"
    metadata.unlink()

    assert said(run) == [f"{run.name(metadata)}: missing: {BACKUP}"]


def test_a_reference_with_two_records(run: Written) -> None:
    """A folder of a sound that is stored once holds one sound."""
    metadata = run.reference / "metadata.jsonl"
    metadata.write_bytes(metadata.read_bytes() * 2)

    assert said(run) == [f"{run.name(metadata)}: expected the record of one sound, got 2: {BACKUP}"]


@pytest.mark.parametrize("folder", ["take", "reference"])
def test_a_file_that_nobody_published(run: Written, folder: str) -> None:
    """A file that no record tells of is named, and stays where it is."""
    extra = (run.take(0) if folder == "take" else run.reference) / "notes.txt"
    extra.write_text("listen to this one")

    expected = [f"{run.name(extra)}: no record says what it is: {MOVE}"]
    assert said(run) == expected
    assert repair_run(run.path) == []
    assert said(run) == expected


def test_a_folder_that_is_no_take(run: Written) -> None:
    """What lies among the takes and is none is named, and stays where it is."""
    (run.path / "takes" / "best of").mkdir()
    (run.path / "takes" / "list.txt").write_text("")

    what = "neither a take nor a sound that is stored once"
    assert said(run) == [f"takes/best of: {what}: {MOVE}", f"takes/list.txt: {what}: {MOVE}"]
    assert repair_run(run.path) == []
    assert (run.path / "takes" / "best of").is_dir()
