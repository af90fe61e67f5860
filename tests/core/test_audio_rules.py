from __future__ import annotations

import copy
import io
import json
import pickle
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import soundfile

from earmark import Audio
from earmark.errors import ArgumentError, ArgumentTypeError, AudioFileNotFoundError

RATE = 16_000
SINE = (0.5 * np.sin(np.arange(1600) / 7)).astype(np.float32)
URL = "s3://bucket/far.wav"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mono file."""
    path = tmp_path / "sine.wav"
    soundfile.write(path, SINE, RATE, subtype="FLOAT")
    return path


def through_json(audio: Audio) -> Audio:
    """What is left of a sound after strict JSON."""
    return Audio.from_json(json.loads(json.dumps(audio.to_json(), allow_nan=False)))


def test_the_constructors_arguments_have_the_names_that_trackers_gave_them() -> None:
    """Code that names its arguments, or counts on their order, needs no change."""
    named = Audio(data_or_path=SINE, sample_rate=RATE, caption="c")
    assert named == Audio(SINE, RATE, "c")


def test_durations_of_a_list() -> None:
    """One duration in seconds for each sound, `None` where nobody knows it yet."""
    assert Audio.durations([Audio(np.zeros(44_100), 44_100), Audio(np.zeros(88_200), 44_100)]) == [
        1.0,
        2.0,
    ]
    assert Audio.durations([Audio(SINE, RATE), Audio(URL), None]) == [0.1, None, None]
    assert Audio.durations([]) == []


def test_sample_rates_of_a_list(file: Path) -> None:
    """One rate in Hz for each sound, read from a file's header, `None` where nobody knows it."""
    rates = [Audio(np.zeros(9), 44_100), Audio(np.zeros(9), 88_200), Audio(file), Audio(URL, 8000)]
    assert Audio.sample_rates(rates) == [44_100, 88_200, RATE, 8000]
    assert Audio.sample_rates([Audio(URL), None]) == [None, None]
    assert Audio.sample_rates([]) == []


def test_captions_of_a_list() -> None:
    """A list in every case, `None` where there is no caption, and the empty caption as it is."""
    audios = [Audio(SINE, RATE, "one"), Audio(SINE, RATE), Audio(SINE, RATE, ""), None]
    assert Audio.captions(audios) == ["one", None, "", None]
    assert Audio.captions([Audio(SINE, RATE)]) == [None]
    assert Audio.captions([]) == []


def test_lists_may_be_any_iterable() -> None:
    """Generators and tuples are lists too, also when asked on an instance."""
    audio = Audio(SINE, RATE, "one")
    assert audio.captions(audio for _ in range(2)) == ["one", "one"]
    assert Audio.durations((audio,)) == [0.1]


@pytest.mark.parametrize("ask", [Audio.durations, Audio.sample_rates, Audio.captions])
@pytest.mark.parametrize(
    ("wrong", "got"),
    [(Audio(SINE, RATE), "Audio"), (None, "None"), (["a.wav"], "'a.wav'"), (3, "3")],
)
def test_what_is_no_list_of_sounds_is_refused(ask: Any, wrong: object, got: str) -> None:
    """A single sound, and a list of paths, are errors that say what to pass."""
    with pytest.raises(
        ArgumentTypeError,
        match=rf"expected a list of Audio, got {got}.*: pass \[audio, ...\], and make an Audio of "
        "each sound first",
    ):
        ask(wrong)


@pytest.mark.parametrize("path", [URL, "HTTPS://host/a.wav", "gs://b/k", "http://h/k"])
def test_path_is_reference_knows_urls(path: str) -> None:
    """URLs of other machines are references, in any case."""
    assert Audio.path_is_reference(path) is True


@pytest.mark.parametrize(
    "path", ["a.wav", "", None, 5, b"s3://b/k", Path("s3://b/k"), [URL]], ids=repr
)
def test_path_is_reference_gives_a_bool_for_anything(path: object) -> None:
    """Whatever is no such URL is none, without an exception."""
    assert Audio.path_is_reference(path) is False


def test_resolve_ref_gives_the_url_of_references_only(file: Path) -> None:
    """The URL comes back as it was given; sounds that are here have none."""
    assert Audio(URL).resolve_ref() == URL
    assert Audio(Audio(URL), caption="x").resolve_ref() == URL
    assert through_json(Audio(URL)).resolve_ref() == URL
    for here in (Audio(SINE, RATE), Audio(file), Audio(file.read_bytes())):
        assert here.resolve_ref() is None


def test_artifact_type_is_public() -> None:
    """The type under which trackers know sounds, on the class and on instances."""
    assert Audio.artifact_type == Audio(SINE, RATE).artifact_type == "audio-file"


@pytest.mark.parametrize("caption", [None, "", "two\nlines", "日本語", "\ud800 alone"])
def test_json_gives_back_an_equal_sound(caption: str | None, file: Path) -> None:
    """With and without caption, in memory, encoded, in a file and far away."""
    loud = np.array([3.0, np.nan, -np.inf, 1e-45], np.float32)
    for value, rate in [
        (SINE, RATE),
        (loud, 2**31 - 1),
        (np.zeros((3, 40)), 1),
        (np.array([-32_768, 32_767, 5], np.int16), 44_100),
        (file, None),
        (file.read_bytes(), None),
        (URL, None),
        (URL, 48_000),
    ]:
        audio = Audio(value, rate, caption, layout="channels_last")
        again = through_json(audio)
        assert again == audio
        assert hash(again) == hash(audio)
        assert again.caption == caption


def test_json_is_by_path_or_url_where_there_is_one(file: Path) -> None:
    """Only sounds that are nowhere else are put into the record."""
    assert Audio(file, caption="c").to_json() == {
        "_type": "audio-file",
        "sample_rate": RATE,
        "caption": "c",
        "path": str(file),
    }
    assert Audio(URL).to_json() == {"_type": "audio-file", "url": URL}
    assert set(Audio(SINE, RATE).to_json()) == {"_type", "sample_rate", "data"}


def test_json_keeps_encoded_bytes_as_they_are() -> None:
    """An MP3 stays that very MP3."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SINE, RATE, format="MP3")
    record = Audio(buffer.getvalue()).to_json()
    assert Audio.from_json(record).to_json() == record


def test_json_of_a_file_that_is_gone_says_so(file: Path) -> None:
    """The record of a path needs the file; without it the error names it."""
    record = Audio(file).to_json()
    file.unlink()
    with pytest.raises(AudioFileNotFoundError, match=r"expected a sound file at '.*sine.wav', got"):
        Audio.from_json(record)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"_type": "audio-file"},
        {"_type": "image-file", "path": "a.wav"},
        {"_type": "audio-file", "path": "a.wav", "url": URL},
        {"_type": "audio-file", "path": None},
        {"_type": "audio-file", "url": "/etc/hosts"},
        {"_type": "audio-file", "data": "no base64!"},
        {"_type": "audio-file", "data": "日本"},
        {"_type": "audio-file", "data": 5},
        {1: 2, "_type": "audio-file"},
        None,
        [],
        "audio-file",
    ],
    ids=range(13),
)
def test_a_record_of_something_else_is_refused(record: Any) -> None:
    """A record without exactly one place of a sound is an error that shows it, cut short."""
    with pytest.raises(
        ArgumentError,
        match=r"expected a record of an Audio, with _type 'audio-file' and one of path, url or "
        r"data \(base64\), got .*: pass what Audio.to_json returned",
    ):
        Audio.from_json(record)


def test_equality_is_by_content_rate_and_caption(file: Path) -> None:
    """The same samples are the same sound, wherever they are stored."""
    audio = Audio(SINE, RATE)
    same = [
        Audio(SINE.copy(), RATE),
        Audio(file),
        Audio(file.read_bytes()),
        Audio(SINE[None], RATE),
    ]
    for other in same:
        assert audio == other
        assert hash(audio) == hash(other)
    others = [
        Audio(SINE, 8000),
        Audio(SINE, RATE, ""),
        Audio(SINE, RATE, "c"),
        Audio(-SINE, RATE),
        Audio(SINE[:-1], RATE),
        Audio(np.stack([SINE, SINE], 1), RATE),
        Audio(URL, RATE),
    ]
    assert all(audio != other for other in others)
    assert len({audio, *same, *others}) == 8


def test_references_are_compared_by_url() -> None:
    """No network is needed to compare, also not with a local sound."""
    assert Audio(URL) == Audio(URL)
    assert Audio(URL) != Audio(URL, caption="c")
    assert Audio(URL) != Audio(URL + "2")
    assert Audio(SINE, RATE) != Audio(URL)


@pytest.mark.parametrize(
    "other", [None, "x", 5, [], SINE, np.array(1), np.zeros((0,)), object(), Audio, mock.ANY],
    ids=range(10),
)  # fmt: skip
def test_equality_with_anything_is_a_bool(other: object) -> None:
    """Comparing with other types, arrays on either side included, gives `False`."""
    audio = Audio(SINE, RATE)
    assert (audio == other) is False
    assert (audio != other) is True
    if other is not mock.ANY:
        assert (other == audio) is False
        assert audio in [other, audio]


def test_damaged_sounds_can_still_be_compared(file: Path) -> None:
    """What cannot be read is compared by what is left of it, its path or its bytes."""
    flac = io.BytesIO()
    soundfile.write(flac, np.random.default_rng(0).uniform(-1, 1, 9000), RATE, format="FLAC")
    half, less = (flac.getvalue()[:size] for size in (9000, 8000))
    assert Audio(half) == Audio(half)
    assert Audio(half) != Audio(less)
    gone = Audio(file)
    file.unlink()
    assert gone == Audio(gone)
    assert gone != Audio(SINE, RATE)


def test_comparing_keeps_no_samples_in_memory(file: Path) -> None:
    """A set of ten thousand files is a set of digests, not of samples."""
    audio = Audio(file)
    assert len({audio, Audio(file)}) == 1
    assert not any(isinstance(kept, np.ndarray) for kept in vars(audio).values())


def test_a_sound_is_frozen() -> None:
    """Attributes can be neither set nor deleted; the error says how to get another sound."""
    audio = Audio(SINE, RATE)
    for name in ("caption", "sample_rate", "samples", "new"):
        with pytest.raises(AttributeError, match=rf"make another one, .* to set {name}"):
            setattr(audio, name, None)
        with pytest.raises(AttributeError, match=f"Audio is frozen: {name} cannot be deleted"):
            delattr(audio, name)


def test_copies_of_a_frozen_value_are_the_value() -> None:
    """Copying costs nothing, and a copy is as read-only as the original."""
    audio = Audio(SINE, RATE, "c")
    assert copy.copy(audio) is audio
    assert copy.deepcopy({"clip": audio})["clip"] is audio


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_sound_survives_pickle(protocol: int, file: Path) -> None:
    """A sound that crosses to another process is equal, read-only, and keeps what is known."""
    for audio in (Audio(SINE, RATE, "c"), Audio(file), Audio(file.read_bytes()), Audio(URL)):
        arrived = pickle.loads(pickle.dumps(audio, protocol))  # noqa: S301 - our own
        assert arrived == audio
        assert arrived.caption == audio.caption
        if arrived.resolve_ref() is None:
            assert not arrived.samples.flags.writeable
            assert arrived.level == audio.level


def test_what_was_read_is_not_sent_along(file: Path) -> None:
    """The pickle of a file is its path: samples that were read are read again."""
    audio = Audio(file)
    _ = audio.samples, audio.level
    assert len(pickle.dumps(audio)) < 2000


def test_a_sound_shows_what_it_is_and_no_samples(file: Path) -> None:
    """The text of a sound has its place, channels, duration, rate and caption."""
    assert repr(Audio(SINE, RATE)) == "Audio(1 channel, 0.100 s, 16000 Hz)"
    stereo = Audio(np.zeros((8000, 2)), 8000, "it's")
    assert repr(stereo) == """Audio(2 channels, 1.000 s, 8000 Hz, caption="it's")"""
    assert repr(Audio(file)) == f"Audio({str(file)!r}, 1 channel, 0.100 s, 16000 Hz)"
    assert repr(Audio(URL)) == f"Audio('{URL}')"
    assert repr(Audio(URL, 8000)) == f"Audio('{URL}', 8000 Hz)"
