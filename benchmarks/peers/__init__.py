"""The peers by name. Nothing is imported here: what importing a peer costs is measured too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A peer, before it is imported."""

    title: str
    """Its name in the table."""

    peer: str
    """Where its `Peer` is, `"module:class"` within this package."""

    imports: tuple[str, ...]
    """The packages that a script which logs with it imports."""

    package: str
    """The distribution whose version is reported; empty where there is none."""

    is_tracker: bool = False
    """Whether it is one of those that earmark is held against."""

    note: str = ""
    """What to know of its row."""


PEERS: Mapping[str, Entry] = {
    "earmark": Entry("earmark", "earmark:Earmark", ("earmark",), "earmark"),
    "earmark_tensors": Entry(
        "earmark, given tensors", "earmark:EarmarkTensors", ("torch", "earmark"), "torch"
    ),
    "copy": Entry("plain copy into warm buffers", "plain_copy:PlainCopy", ("numpy",), "numpy"),
    "wav": Entry("soundfile, WAV 16 bit", "files:Wav", ("numpy", "soundfile"), "soundfile"),
    "flac": Entry(
        "soundfile, FLAC",
        "files:Flac",
        ("numpy", "soundfile"),
        "soundfile",
        note="at the depths that earmark stores, in the calling thread",
    ),
    "wandb": Entry("W&B, offline", "wandb:Wandb", ("wandb",), "wandb", is_tracker=True),
    "tensorboard": Entry(
        "TensorBoard",
        "tensorboard:TensorBoard",
        ("torch.utils.tensorboard",),
        "tensorboard",
        is_tracker=True,
        note="takes mono alone: each channel is a sound of its own",
    ),
    "trackio": Entry(
        "trackio",
        "trackio:Trackio",
        ("trackio",),
        "trackio",
        is_tracker=True,
        note="stores every sound normalised",
    ),
    "mlflow": Entry(
        "MLflow",
        "mlflow:Mlflow",
        ("mlflow",),
        "mlflow",
        is_tracker=True,
        note="takes files alone: soundfile writes them as WAV 16 bit",
    ),
    "comet": Entry(
        "Comet, offline",
        "comet:Comet",
        ("comet_ml",),
        "comet-ml",
        is_tracker=True,
        note="stores every sound normalised",
    ),
    "aim": Entry(
        "Aim",
        "aim:Aim",
        ("aim",),
        "aim",
        is_tracker=True,
        note="stores float32 samples as they come",
    ),
    "swanlab": Entry(
        "SwanLab, offline", "swanlab:SwanLab", ("swanlab",), "swanlab", is_tracker=True
    ),
}
