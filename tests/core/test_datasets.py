"""`datasets.load_dataset(run)`, with the real package: every stored sound once, with its record.

It runs in processes of its own, since `datasets` settles where its caches are when it is imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earmark
from earmark.schema import STORED

RATE = 16_000
RNG = np.random.default_rng(0)

LOAD = """
import json, sys
import datasets, numpy

run, rows, decoded = sys.argv[1:]
sounds = datasets.load_dataset(run, split="train")
plain = sounds.cast_column("audio", datasets.Audio(decode=False))
with open(rows, "w") as file:
    json.dump({"columns": sounds.features.to_dict(), "rows": list(plain)}, file)

try:
    import torchcodec.decoders
except (ImportError, OSError, RuntimeError):
    sys.exit()
samples = [sound["audio"].get_all_samples() for sound in sounds]
names = [f"{sha} {of.sample_rate}" for sha, of in zip(sounds["sha256"], samples)]
numpy.savez(decoded, **{name: of.data.numpy() for name, of in zip(names, samples)})
"""
LOSSLESS = (".flac", ".wav")


def noise(*shape: int, peak: float = 0.5) -> Any:
    """Noise that needs more than 16 bits."""
    return RNG.uniform(-peak, peak, shape)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all that `datasets` could trip over, in names that it reads as splits."""
    folder = tmp_path_factory.mktemp("train")
    lossy = {role: folder / f"lossy{suffix}" for role, suffix in (("a", ".ogg"), ("b", ".mp3"))}
    for file in lossy.values():
        soundfile.write(file, noise(RATE), RATE)
    targets = {"val": noise(800), "test": noise(600, 2)}
    pcm = np.round(noise(500) * 32767) / 32768
    path = folder / "val"
    with earmark.Run(path, strict=True) as run:
        for epoch in range(2):
            for tag, metrics in (("val", {}), ("test", {"si_sdr": 7.5, "pesq": 2.0})):
                for example, target in targets.items():
                    run.log(
                        {"prediction": target + noise(*target.shape, peak=0.1), "target": target},
                        step=10 * epoch,
                        epoch=epoch,
                        tag=tag,
                        sample_rate=RATE,
                        example=example,
                        caption=f"{example}, “quoted”\nline\u2028{epoch}",
                        metrics=metrics,
                    )
        run.log({"target": targets["val"]}, step=20, example="val", sample_rate=RATE)
        run.log({"prediction": noise(300, 2, peak=1.5)}, step=20, sample_rate=44_100)
        run.log(
            {"prediction": pcm, "input": "https://example.com/a.wav"},
            step=30,
            sample_rate={"prediction": 8000},
        )
        run.log(lossy, step=40, tag="validation")
    return path


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `datasets` made of the run: its rows, and the samples it decoded."""
    folder = tmp_path_factory.mktemp("loaded")
    environment = {**os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    paths = map(str, (run, folder / "rows.json", folder / "decoded.npz"))
    command = [sys.executable, "-c", LOAD, *paths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def loaded(folder: Path) -> dict[str, Any]:
    """The columns and rows of the data set, with the paths of sound files for sounds."""
    rows: dict[str, Any] = json.loads((folder / "rows.json").read_text())
    return rows


def sound_files(run: Path) -> list[Path]:
    """Every sound file in a run."""
    return sorted(file for file in run.glob("takes/*/*") if file.suffix != ".jsonl")


def test_every_sound_once(run: Path, loaded: dict[str, Any]) -> None:
    """Predictions of every tag, targets that many takes share, and no link: each file is a row."""
    paths = sorted(Path(row["audio"]["path"]) for row in loaded["rows"])

    assert paths == sound_files(run)
    assert len(paths) == 8 + 2 + 1 + 1 + 2
    assert {path.suffix for path in paths} == {".flac", ".wav", ".ogg", ".mp3"}


def test_every_column_has_its_type(loaded: dict[str, Any]) -> None:
    """Types are those of the format, whichever take comes first, with metrics or without."""
    columns = loaded["columns"]
    plain = {name: kind for name, kind in STORED.items() if name not in ("file_name", "metrics")}

    assert columns.pop("audio")["_type"] == "Audio"
    assert {name: kind["dtype"] for name, kind in columns.pop("metrics")["feature"].items()} == {
        "name": "string",
        "value": "float64",
    }
    assert {name: kind["dtype"] for name, kind in columns.items()} == plain


def test_every_row_is_its_clip(run: Path, loaded: dict[str, Any]) -> None:
    """A row says of a sound what the clip says: place, caption, metrics, rate, level."""
    clips: dict[str, earmark.Clip] = {}
    for clip in earmark.open_run(run).clips():
        clips.setdefault(str(clip.audio.path), clip)  # a target's row is the first clip's
    for row in loaded["rows"]:
        clip = clips[row["audio"]["path"]]
        place = (row["tag"], row["example"], row["role"], row["step"])
        assert place == clip.key
        assert row["epoch"] == (-1 if clip.epoch is None else clip.epoch)
        assert row["caption"] == clip.caption
        assert {metric["name"]: metric["value"] for metric in row["metrics"]} == clip.metrics
        assert row["peak_dbfs"] == clip.level.peak_dbfs
        assert (row["sample_rate"], row["num_frames"], row["num_channels"]) == (
            clip.audio.sample_rate,
            *clip.audio.samples.shape,
        )


def test_every_sample(run: Path, folder: Path) -> None:
    """What `datasets` decodes is what earmark decodes: mono, stereo, any depth, over full scale."""
    if not (folder / "decoded.npz").exists():
        pytest.skip("torchcodec, with which datasets decodes, finds no FFmpeg libraries here")
    decoded = np.load(folder / "decoded.npz")

    files = [file for file in sound_files(run) if file.suffix in LOSSLESS]
    for file in files:
        ours = earmark.Audio(file)
        theirs = decoded[f"{hashlib.sha256(file.read_bytes()).hexdigest()} {ours.sample_rate}"]
        assert np.array_equal(theirs.T, ours.samples)
    assert {soundfile.info(file).subtype for file in files} == {"PCM_16", "PCM_24", "FLOAT"}
    assert {soundfile.info(file).channels for file in files} == {1, 2}
