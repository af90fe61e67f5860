"""What a monitor keeps of a batch: nothing but copies of the sounds it logs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from tests.integrations.lightning_models import Denoiser, clips_in, fit, loader, monitor


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

    def generate(self, batch: Any) -> Tensor:
        """A prediction with a graph behind it."""
        with torch.enable_grad():
            prediction: Tensor = self(batch["noisy"].clone())
        self.watch(prediction)
        return prediction


@pytest.mark.parametrize("predict", [None, "generate"])
def test_no_batch_outlives_its_turn(tmp_path: Path, predict: str | None) -> None:
    """While the loop goes on, no more is alive with a monitor than without one."""
    alive = []
    for enabled in (False, True):
        listener = monitor(
            input="noisy", target="clean", max_examples=6, predict=predict, enabled=enabled
        )
        module = Watched()
        val = loader(12, batch=2)
        assert fit(tmp_path, listener, module=module, val=val, max_epochs=2) == []
        gc.collect()
        assert module.num_alive() == 0
        alive.append(module.alive)
    assert len(clips_in(listener.run_dir)) == 2 * 3 * 6
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
