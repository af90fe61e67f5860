"""What tests look for sounds in, and how what holds none is refused."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.errors import EarmarkError


class Form:
    """An array without values: whoever reads one fails."""

    def __init__(self, *shape: int, dtype: str = "float32", place: int | None = None) -> None:
        self.shape = shape
        self.dtype = dtype
        self.place = id(self) if place is None else place

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: tuple[slice, int]) -> Form:
        _, stem = index
        return Form(self.shape[0], *self.shape[2:], place=self.place + stem)

    def data_ptr(self) -> int:
        """Where it is, as tensors say it."""
        return self.place


def array(*shape: int, dtype: str = "float32") -> NDArray[Any]:
    """Silence of a shape."""
    return np.zeros(shape, dtype)


def refused(error: type[EarmarkError], message: str) -> pytest.RaisesExc[EarmarkError]:
    """Expect an error that begins with this message."""
    return pytest.raises(error, match=f"^{re.escape(message)}")


@dataclasses.dataclass
class Inner:
    audio: Any
    hidden_states: Any = None
