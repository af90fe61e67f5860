"""Whatever a step returns: sounds are found by themselves, or where they are said to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from earmark import register_output
from earmark_integrations.lightning import AudioMonitor
from tests.integrations.lightning_models import (
    GOES_ON,
    RATE,
    Denoiser,
    clips_in,
    fit,
    heard,
    loader,
    monitor,
    speech,
)

LONG = 2000
"""Long enough to be taken for a sound by its shape alone."""


class Bag(dict[str, Any]):
    """What Hugging Face models return: a dict whose entries are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def to_tuple(self) -> tuple[Any, ...]:
        """Its entries in their order."""
        return tuple(self.values())


@dataclass
class Output:
    """What a model of a dataclass of its own returns."""

    loss: Tensor
    waveform: Tensor
    hidden_states: tuple[Tensor, ...]


class Pair(NamedTuple):
    """A named tuple, the sound second."""

    logits: Tensor
    audio: Tensor


class Sealed:
    """A type that nobody knows."""

    def __init__(self, wav: Tensor) -> None:
        self.wav = wav


class Echo(Denoiser):
    """Returns the clean speech of a batch in a container.

    Args:
        wrap: Makes the container of it, `(B, 2000)`.
    """

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """The container."""
        return self.wrap(torch.stack([speech(n, LONG) for n in batch["number"].tolist()]))


def echoed(
    root: Path, wrap: Callable[[Tensor], Any], **given: Any
) -> tuple[list[str], AudioMonitor]:
    """Train with a loader whose items hold their number, and collect what was told."""
    listener = monitor(**given)
    return fit(root, listener, module=Echo(wrap), val=loader(number=lambda n: n)), listener


def check(listener: AudioMonitor, role: str, gain: float = 1.0) -> None:
    """Make sure that the clips of a role are the speech of their numbers."""
    clips = clips_in(listener.run_dir, role=role)
    assert [clip.example for clip in clips] == ["0", "1"]
    for clip in clips:
        expected = gain * speech(int(clip.example), LONG).numpy()
        np.testing.assert_array_equal(heard(clip), expected[: clip.audio.num_frames])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda sound: sound,
        lambda sound: sound[:, None],
        lambda sound: {"loss": sound.mean(), "enhanced": sound},
        lambda sound: {"losses": {"l1": sound.mean()}, "out": {"pred_audio": sound, "z": sound}},
        lambda sound: Bag(loss=sound.mean(), audio_values=sound, audio_codes=sound.long()),
        lambda sound: Output(sound.mean(), sound, (sound, sound)),
        lambda sound: Pair(sound, sound),
        lambda sound: (sound, torch.full((len(sound),), LONG)),
        lambda sound: (sound, RATE),
        lambda sound: {"prediction": [*sound]},
    ],
    ids=[
        *("tensor", "channels", "dict", "nested", "ModelOutput", "dataclass", "named tuple"),
        *("lengths", "rate", "list"),
    ],
)
def test_sounds_are_found_by_keys_shapes_and_dtypes(tmp_path: Path, wrap: Any) -> None:
    """No argument says where the prediction is."""
    messages, listener = echoed(tmp_path, wrap)
    assert messages == []
    check(listener, "prediction")


@pytest.mark.parametrize(
    ("selector", "wrap"),
    [
        ("mine", lambda sound: {"mine": sound, "fake": -sound}),
        ("out.wav", lambda sound: {"out": {"wav": sound, "other": -sound}}),
        ("out.0", lambda sound: {"out": (sound, -sound)}),
        ("a.b", lambda sound: {"a.b": sound, "a": {"c": -sound}}),
        (1, lambda sound: (-sound, sound)),
        (-1, lambda sound: [-sound, 2 * sound, sound]),
        (1, lambda sound: Bag(first=-sound, second=sound)),
        ("outputs.audio", lambda sound: Pair(-sound, sound)),
        (lambda outputs, batch: outputs["x"][:, 0], lambda sound: {"x": sound[:, None]}),
    ],
    ids=["key", "path", "path with index", "dots", "index", "last", "bag", "attribute", "function"],
)
def test_what_is_selected_is_heard(tmp_path: Path, selector: Any, wrap: Any) -> None:
    """By a key, a path, an index or a function, whatever else might be it."""
    messages, listener = echoed(tmp_path, wrap, prediction=selector)
    assert messages == []
    check(listener, "prediction")


def test_inputs_and_targets_are_selected_likewise(tmp_path: Path) -> None:
    """An index is one of the batch, if that is a tuple."""

    class Module(Denoiser):
        def training_step(self, batch: Any, index: int) -> Tensor:
            error: Tensor = self(batch[0]).square().mean()
            return error

        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            return batch[1] / 2

    sounds = torch.stack([speech(index, LONG) for index in range(4)])
    data = torch.utils.data.TensorDataset(-sounds, sounds)
    pairs = torch.utils.data.DataLoader(data, batch_size=2)
    listener = monitor(input=0, target=1)
    assert fit(tmp_path, listener, module=Module(), train=pairs, val=pairs) == []
    for role, gain in (("input", -1), ("target", 1), ("prediction", 0.5)):
        check(listener, role, gain)


def test_further_roles_are_heard_beside_the_prediction(tmp_path: Path) -> None:
    """Each under its name, from the outputs or the batch; one that is missing costs itself."""
    messages, listener = echoed(
        tmp_path,
        lambda sound: {"prediction": sound, "parts": (sound / 2, -sound)},
        roles={
            "half": "parts.0",
            "flipped": lambda outputs, batch: outputs["parts"][1],
            "no": "no",
        },
    )
    (message,) = messages
    assert message.startswith(
        "earmark: the no of a batch at step 2 was not logged: expected the no"
    )
    for role, gain in (("prediction", 1), ("half", 0.5), ("flipped", -1)):
        check(listener, role, gain)


def test_sounds_are_joined_by_a_function(tmp_path: Path) -> None:
    """Those of one example as a role of its own, those of several as one item of a demo set."""

    def joined(outputs: Any, batch: Any) -> Tensor:
        return torch.cat([outputs["prediction"], -outputs["prediction"]], dim=-1)

    def all_of(module: Any, batch: Any) -> Tensor:
        return torch.cat([speech(int(index), LONG) for index in batch["indices"][0]])[None]

    messages, listener = echoed(
        tmp_path / "roles", lambda sound: {"prediction": sound}, roles={"joined": joined}
    )
    demo = [{"indices": torch.tensor([3, 1, 2])}]
    one = monitor(demo=demo, predict=all_of, run_dir=tmp_path / "demo")
    assert messages + fit(tmp_path, one) == []

    clips = clips_in(listener.run_dir, role="joined")
    assert len(clips) > 0
    for clip in clips:
        first, second = heard(clip)[:LONG], heard(clip)[LONG:]
        np.testing.assert_array_equal(first, -second)
        np.testing.assert_array_equal(first, speech(int(clip.example), LONG).numpy())
    (clip,) = clips_in(tmp_path / "demo")
    parts = np.split(heard(clip), 3)
    for part, index in zip(parts, (3, 1, 2), strict=True):
        np.testing.assert_array_equal(part, speech(index, LONG).numpy())


def test_a_type_that_is_registered_is_found(tmp_path: Path) -> None:
    """Three lines; before them, one warning says which."""
    messages, _ = echoed(tmp_path / "before", Sealed)
    assert messages == [
        "earmark: a batch at step 2 was not logged: expected a prediction in the outputs, found "
        "none in Sealed: say what it holds, earmark.register_output(Sealed, lambda output: "
        "{'prediction': output.audio})" + GOES_ON
    ]
    register_output(Sealed, lambda output: {"prediction": output.wav})
    messages, listener = echoed(tmp_path / "after", Sealed)
    assert messages == []
    check(listener, "prediction")


@pytest.mark.parametrize("how", ["argument", "module", "dict"])
def test_stems_have_names(tmp_path: Path, how: str) -> None:
    """From `stems=`, from the module's own `sources`, or from the keys of a dict."""

    class Separator(Echo):
        def __init__(self) -> None:
            super().__init__(
                lambda sound: (
                    {"estimates": {"vocals": sound, "drums": -sound}}
                    if how == "dict"
                    else torch.stack([sound, -sound], 1)
                )
            )
            if how == "module":
                self.sources = ["vocals", "drums"]

    listener = monitor(stems=["vocals", "drums"] if how == "argument" else None)
    val = loader(number=lambda n: n)
    assert fit(tmp_path, listener, module=Separator(), val=val) == []
    check(listener, "prediction.vocals")
    check(listener, "prediction.drums", -1)


def test_a_prediction_of_another_length_than_its_target(tmp_path: Path) -> None:
    """Both are heard whole, and nothing is cut."""
    messages, listener = echoed(
        tmp_path, lambda sound: {"prediction": sound[:, :1500], "target": sound}
    )
    assert messages == []
    lengths = {clip.role: clip.audio.num_frames for clip in clips_in(listener.run_dir)}
    assert lengths == {"prediction": 1500, "target": LONG}
    check(listener, "prediction")
    check(listener, "target")


def test_an_empty_loader_leaves_an_empty_run(tmp_path: Path) -> None:
    """There is nothing to log, and nothing wrong."""
    listener = monitor()
    assert fit(tmp_path, listener, val=loader(0)) == []
    assert clips_in(listener.run_dir) == []
