"""What a monitor keeps of a batch: nothing but copies of the sounds it logs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from tests.integrations.lightning_models import Denoiser, Speech, clips_in, fit, loader, monitor


class Watched(Denoiser):
    """Holds a weak reference to the memory of everything that passes through it."""

    def __init__(self) -> None:
        super().__init__()
        self.memories: list[StorageWeakRef] = []
        self.alive: list[int] = []

    def watch(self, *tensors: Tensor) -> None:
        """Note the memory behind these tensors."""
        self.memories += [StorageWeakRef(tensor.untyped_storage()) for tensor in tensors]

    def num_alive(self) -> int:
        """How many memories are still in use."""
        return sum(not memory.expired() for memory in self.memories)

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """Predict, and count what is left of the batches before."""
        self.alive.append(self.num_alive())
        prediction = self(batch["noisy"])
        self.watch(batch["noisy"], batch["clean"], prediction)
        return {"prediction": prediction}

    def generate(self, batch: Any, gain: float = 1.0) -> Tensor:
        """A prediction with a graph behind it."""
        with torch.enable_grad():
            prediction: Tensor = gain * self(batch["noisy"].clone())
        self.watch(prediction)
        return prediction

    def vocode(self, sounds: Tensor) -> Tensor:
        """A decoder with a graph behind it, too."""
        with torch.enable_grad():
            decoded: Tensor = self(sounds)
        self.watch(sounds, decoded)
        return decoded

    def fail(self, sounds: Tensor) -> Tensor:
        """What goes wrong while it holds a sound."""
        self.watch(sounds)
        raise RuntimeError(f"no sound of shape {sounds.shape}")


VARIANTS: dict[str, Any] = {"loud": {"gain": 1.0}, "quiet": {"gain": 0.1}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"predict": "generate"},
        {"predict": "generate", "variants": VARIANTS},
        {"decode": "vocode"},
        {"decode": {"prediction": "vocode", "target": "vocode"}, "lengths": ("num", 100)},
        {"transform": lambda sounds, role: sounds / 2},
        {"predict": "generate", "variants": VARIANTS, "decode": "vocode"},
        {"roles": {"residual": lambda outputs, batch: outputs["prediction"] - batch["clean"]}},
    ],
    ids=str,
)
def test_no_batch_outlives_its_turn(tmp_path: Path, given: dict[str, Any]) -> None:
    """While the loop goes on, no more is alive with a monitor than without one."""
    alive = []
    for enabled in (False, True):
        listener = monitor(input="noisy", target="clean", max_examples=6, enabled=enabled, **given)
        module = Watched()
        val = loader(12, batch=2, num=lambda index: 4)
        assert fit(tmp_path, listener, module=module, val=val, max_epochs=2) == []
        gc.collect()
        assert module.num_alive() == 0
        alive.append(module.alive)
    roles = 3 + ("variants" in given) + ("roles" in given)
    assert len(clips_in(listener.run_dir)) == 2 * roles * 6
    assert max(alive[1]) <= max(alive[0])


def test_nothing_is_alive_after_an_error(tmp_path: Path) -> None:
    """A message about a sound does not keep it."""

    class Failing(Watched):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            outputs = super().validation_step(batch, index)
            return {"prediction": outputs["prediction"][:, None, None]}

    module = Failing()
    (message,) = fit(tmp_path, monitor(), module=module)
    assert "got shape (2, 1, 1, 400)" in message
    gc.collect()
    assert module.num_alive() == 0


@pytest.mark.parametrize("given", [{"decode": "fail"}, {"predict": "fail"}], ids=str)
def test_nothing_is_alive_after_an_error_of_the_user_s(tmp_path: Path, given: Any) -> None:
    """Nor does the error itself, whose frames hold what it is about."""

    class Failing(Watched):
        def fail(self, sounds: Any) -> Tensor:
            return super().fail(sounds["noisy"] if isinstance(sounds, dict) else sounds)

    module = Failing()
    (message,) = fit(tmp_path, monitor(**given), module=module, max_epochs=2)
    assert "RuntimeError: no sound of shape" in message
    gc.collect()
    assert module.num_alive() == 0


@pytest.mark.parametrize("settings", [{}, {"limit_val_batches": 0}], ids=["val", "epochs"])
def test_no_demo_outlives_its_turn(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Each batch of a demo set is gone when the next one comes, with what was made of it."""

    class Playing(Watched):
        def generate(self, batch: Any, gain: float = 1.0) -> Tensor:
            gc.collect()
            self.alive.append(self.num_alive())
            self.watch(batch["noisy"])
            return super().generate(batch, gain)

        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
            return None

    module = Playing()
    listener = monitor(demo=Speech(4), predict="generate", decode="vocode", max_examples=4)
    assert fit(tmp_path, listener, module=module, max_epochs=2, **settings) == []
    gc.collect()
    assert module.num_alive() == 0
    assert module.alive == [0] * 8
    assert len(clips_in(listener.run_dir, role="prediction")) == 8
