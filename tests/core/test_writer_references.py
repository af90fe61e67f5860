from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import Audio, open_run
from earmark.errors import RunFormatError
from earmark.testing import noise, sine
from earmark.writer import Writer
from tests.core.clips import clip, folders, publish, stored
from tests.core.faults import files_of_at_most


def test_an_unchanged_target_is_stored_once(tmp_path: Path) -> None:
    """Over all takes and writers, a target costs its bytes once; each take links to it."""
    target = noise(1.0)
    writers = [Writer(tmp_path), Writer(tmp_path)]
    for step in range(3):
        for writer in writers:
            writer.publish(step, [clip(target, "target", step=step), clip(sine(), step=step)])
    (reference,) = (tmp_path / "takes").glob("ref.*")
    file, decoded, record = stored(reference)

    soundfile.write(tmp_path / "alone.flac", target, 16_000)
    assert file.stat().st_size == record["num_bytes"] <= (tmp_path / "alone.flac").stat().st_size
    np.testing.assert_array_equal(decoded, target)
    clips = list(open_run(tmp_path).clips(role="target", all_versions=True))
    assert len(clips) == 6
    assert {seen.audio.path for seen in clips} == {file}


def test_a_reference_is_named_by_its_content(tmp_path: Path) -> None:
    """Another sound, another rate, another example or role is stored beside the first."""
    writer = Writer(tmp_path)
    clips = [
        clip(noise(), "target", step=0),
        clip(noise(seed=1), "target", step=1),
        clip(noise(), "target", step=2, sample_rate=8000),
        clip(noise(), "target", step=3, example="other"),
        clip(noise(), "input", step=4),
    ]
    for each in clips:
        writer.publish(each.step, [each])

    assert len(list((tmp_path / "takes").glob("ref.*"))) == len(clips)
    read = list(open_run(tmp_path).clips())
    for seen, given in zip(read, clips, strict=True):
        assert seen.audio == given.audio


def test_equal_sounds_are_one_reference_however_they_came(tmp_path: Path) -> None:
    """An array, and a file of any kind that decodes to it, are the same target."""
    soundfile.write(tmp_path / "a.wav", noise(), 16_000)
    soundfile.write(tmp_path / "a.flac", noise(), 16_000)
    writer = Writer(tmp_path / "run")
    for step, sound in enumerate([noise(), tmp_path / "a.wav", tmp_path / "a.flac"]):
        writer.publish(step, [clip(Audio(sound, 16_000), "target", step=step)])

    assert len(list((tmp_path / "run/takes").glob("ref.*"))) == 1


def test_a_reference_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    """After a resume an unchanged target costs the disk a line, and not a sound."""
    Writer(tmp_path).publish(1, [clip(noise(), "target", step=1)])
    newer = Writer(tmp_path)
    with files_of_at_most(1000):  # enough for lines, too little for the sound
        newer.publish(2, [clip(noise(), "target", step=2)])

    assert [take.step for take in open_run(tmp_path).takes()] == [1, 2]


def test_a_reference_that_was_removed_is_stored_anew(tmp_path: Path) -> None:
    """A run may be pruned from another machine while its writer pauses for hours."""
    writer = Writer(tmp_path)
    writer.publish(0, [clip(noise(), "target", step=0)])
    (reference,) = (tmp_path / "takes").glob("ref.*")
    shutil.rmtree(reference)
    writer.publish(1, [clip(noise(), "target", step=1)])
    (seen,) = open_run(tmp_path).clips(step=1)

    np.testing.assert_array_equal(seen.audio.samples, noise())


def test_what_two_processes_store_at_once_is_stored_once(tmp_path: Path) -> None:
    """Whoever comes second uses the sound that is there, and both takes are whole."""
    one, other = Writer(tmp_path), Writer(tmp_path)
    one.publish(1, [clip(noise(), "target")])
    other.publish(1, [clip(noise(), "target")])

    first, second = open_run(tmp_path).clips(all_versions=True)
    assert first.audio.path == second.audio.path


def test_a_url_is_recorded_and_not_fetched(tmp_path: Path) -> None:
    """A clip at a URL becomes a link; `resolve_ref` gives the URL back, with its rate if known."""
    clips = [
        clip(Audio("https://sounds.invalid/a.flac", 48_000), "target", example="known"),
        clip(Audio("s3://bucket/b.flac"), "prediction", example="unknown"),
    ]
    take = publish(Writer(tmp_path), 7, clips)
    known, unknown = open_run(tmp_path).clips()

    assert [path.name for path in take.path.iterdir()] == ["links.jsonl"]
    assert folders(tmp_path) == [take.path.name]
    assert known.audio.resolve_ref() == "https://sounds.invalid/a.flac"
    assert unknown.audio.resolve_ref() == "s3://bucket/b.flac"
    assert Audio.sample_rates([known.audio, unknown.audio]) == [48_000, None]


def test_a_damaged_reference_says_how_to_mend_it(tmp_path: Path) -> None:
    """A reference whose record is gone is an error; deleting it, as told, stores the sound anew."""
    Writer(tmp_path).publish(1, [clip(noise(), "target")])
    (reference,) = (tmp_path / "takes").glob("ref.*")
    (reference / "metadata.jsonl").unlink()
    writer = Writer(tmp_path)

    with pytest.raises(
        RunFormatError,
        match=r"expected a sound and its record in '.*', got neither: delete the folder, and the "
        r"sound is stored anew",
    ):
        writer.publish(2, [clip(noise(), "target")])
    shutil.rmtree(reference)
    writer.publish(2, [clip(noise(), "target")])

    assert all(seen.audio.num_frames == 1600 for seen in open_run(tmp_path).clips())
