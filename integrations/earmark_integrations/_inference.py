"""Running a model beside its training, and leaving no trace: modes, gradients, random numbers."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

_SEED = 0


def attribute(module: Any, path: str) -> Any:
    """A submodule or method, such as `"generate"` or `"generator.sample"`; `None` if not there."""
    found = module
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


@contextmanager
def inference(module: nn.Module, forward_context: Any) -> Generator[None]:
    """Run what is inside as inference: eval mode, no gradients, random numbers of its own.

    Args:
        module: The model; every submodule gets back the mode it was in.
        forward_context: A context of the trainer's precision, entered as well.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(forward_context)
        stack.enter_context(eval_mode(module))
        stack.enter_context(own_random_numbers())
        yield


@contextmanager
def eval_mode(module: nn.Module) -> Generator[None]:
    """Run what is inside in eval mode; every submodule gets back the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def own_random_numbers() -> Generator[None]:
    """Draw other random numbers inside, the same each time; those of the training stay."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - users' own
    # Only the current device draws numbers here: forking all of them would start idle ones.
    cuda = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=cuda):
        random.seed(_SEED)
        np.random.seed(_SEED)  # noqa: NPY002 - it is the global state that models use
        torch.default_generator.manual_seed(_SEED)
        if cuda:
            torch.cuda.manual_seed(_SEED)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002 - as above
