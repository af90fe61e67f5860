from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ArgumentError, ShapeError
from earmark.outputs.find import find_sounds
from tests.core.outputs.arrays import Form

KEYS = [
    "audio",
    "pred",
    "y_hat",
    "x",
    "mel",
    "loss",
    "sources",
    "out",
    "prediction",
    "wav_len",
    "sr",
]
SHAPES = [(), (2,), (2048,), (2, 2048), (2, 1, 2048), (2, 80, 2048), (2, 3, 2048), (2, 1, 80, 2048)]
ARRAYS = st.builds(
    lambda shape, dtype: Form(*shape, dtype=dtype),
    st.sampled_from(SHAPES),
    st.sampled_from(["float32", "int64", "bool", "complex64", "int16", "bfloat16"]),
)
ATOMS = st.one_of(ARRAYS, st.none(), st.integers(), st.floats(), st.text(max_size=3), st.binary())
ANYTHING = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(ANYTHING, ANYTHING, st.sampled_from([None, ["a", "b"], ["a", "b", "c"]]))
def test_nothing_that_is_returned_makes_more_than_the_documented_errors(
    outputs: Any, batch: Any, stems: list[str] | None
) -> None:
    """Whatever comes, there is a prediction or an error of ours; what is looked for is a sound."""
    try:
        found = find_sounds(outputs, batch, stems=stems)
    except (ArgumentError, ShapeError):
        return
    taken_as_it_is = isinstance(outputs, Form) or "prediction" in repr(outputs)
    for role, value in found.sounds.items():
        name = role.partition(".")[0]
        assert name in {"input", "prediction", "target"}
        if isinstance(value, Form) and not (name == "prediction" and taken_as_it_is):
            assert len(value.shape) in {2, 3}
            assert value.dtype in {"float32", "int16", "bfloat16"}
            assert len(value.shape) == 2 or value.shape[1] <= 32
            assert value.shape[-1] >= 1024
