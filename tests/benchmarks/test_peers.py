from __future__ import annotations

import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from benchmarks import clips
from benchmarks.clips import Case, Samples
from benchmarks.peers import PEERS
from benchmarks.side_by_side import SideBySide
from numpy.typing import NDArray

KEPT_ELSEWHERE = {"copy": "it keeps nothing", "aim": "only Aim reads its files"}


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> str:
    """The name of a peer that is installed."""
    name: str = request.param
    try:
        version(PEERS[name].package)
    except PackageNotFoundError:
        pytest.skip(f"{PEERS[name].package} is not installed; make bench installs it")
    return name


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_a_peer_keeps_every_clip_of_every_epoch(peer: str, tiny: Case, tmp_path: Path) -> None:
    """Two epochs of two stereo clips are found again, by soundfile, with the samples logged."""
    bench = SideBySide([peer], [tiny], tmp_path, lambda _: None)
    try:
        for _ in range(2):
            bench.log(tiny, patience=0)
        bench.close()
    finally:
        bench.stop()
    measured = bench.measured[peer]
    assert measured.failure == ""
    assert len(measured.held_seconds["tiny"]) == len(measured.cpu_seconds["tiny"]) == 2
    if peer in KEPT_ELSEWHERE:
        return
    logged = [mono for clip in clips.make(tiny)["prediction"] for mono in clip.T]
    kept = [mono for sound in kept_sounds(tmp_path / peer) for mono in np.atleast_2d(sound.T)]
    nearest = [int(np.argmax([likeness(mono, each) for each in logged])) for mono in kept]
    assert sorted(nearest) == sorted(2 * [*range(len(logged))])
    assert min(likeness(mono, logged[at]) for mono, at in zip(kept, nearest, strict=True)) > 0.9999


def likeness(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Their correlation: some trackers normalise what they store."""
    return float(np.corrcoef(one, other)[0, 1])


def kept_sounds(folder: Path) -> Iterator[Samples]:
    """Every sound in a folder, whatever holds it."""
    for file in folder.rglob("*"):
        if file.suffix in {".wav", ".flac"}:
            yield decoded(file.read_bytes())
        elif file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                members = [archive.read(name) for name in archive.namelist()]
            yield from (decoded(data) for data in members if data.startswith(b"RIFF"))
        elif file.name.startswith("events.out"):
            yield from map(decoded, event_sounds(file))


def event_sounds(file: Path) -> Iterator[bytes]:
    """Every sound in an event file, as TensorBoard itself reads it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events: Any = EventAccumulator(str(file), size_guidance={"audio": 0})
    events.Reload()
    for tag in events.Tags()["audio"]:
        yield from (event.encoded_audio_string for event in events.Audio(tag))


def decoded(data: bytes) -> Samples:
    """The samples of a sound file."""
    return np.asarray(soundfile.read(BytesIO(data))[0], np.float32)
