from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from earmark import EarmarkWarning, Run, open_run
from earmark.errors import EarmarkError
from earmark.testing import noise
from tests.core.faults import flushing, told

GOOD = noise()[:, 0]
BATCH = np.stack([GOOD, GOOD, GOOD])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that all tests log to, each under a tag of its own."""
    with Run(tmp_path_factory.mktemp("bad_batches") / "run") as run:
        yield run


@pytest.fixture
def strict() -> Iterator[Run]:
    """A run that raises what is wrong, and writes nothing."""
    with Run("unwritten", strict=True, dry_run=True) as run:
        yield run


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    """A tag of this test's own."""
    return str(request.node.name)


# --- what costs one example

ONE_EXAMPLE: dict[str, tuple[dict[str, Any], str]] = {
    "no length": (
        {"lengths": [9, 0, 9]},
        "expected a positive length in samples, got 0: skip empty",
    ),
    "negative": ({"lengths": [9, -1, 9]}, "expected a positive length in samples, got -1: skip"),
    "relative": ({"lengths": [0.5, 1.5, 1.0]}, r"expected a relative length in \(0, 1\], got 1\.5"),
    "words": (
        {"lengths": [9, "all", 9]},
        r"expected each length as an integer \(samples, or frames",
    ),
    "caption": (
        {"captions": ["a", 5, "c"]},
        r"expected the caption as text, got 5 \(int\): pass str",
    ),
    "bytes": ({"captions": ["a", b"b", "c"]}, r"expected the caption as text, got b'b' \(bytes\)"),
    "metric": ({"metrics": {"m": [1, "high", 3]}}, "expected one number as the metric 'm' of each"),
    "identity": (
        {"examples": ["0", torch.zeros(2), "2"]},
        "expected an example's identity as text or a number, got tensor.*: pass one for each",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), ONE_EXAMPLE.values(), ids=ONE_EXAMPLE)
def test_a_wrong_value_costs_its_own_example(
    run: Run, strict: Run, tag: str, arguments: dict[str, Any], message: str
) -> None:
    """One wrong length, caption, metric or identity in a list costs no other example."""
    call: dict[str, Any] = {"sounds": {"prediction": BATCH}, "sample_rate": 16_000} | arguments
    with told() as messages, flushing(run):
        for step in range(2):
            run.log_batch(**call, step=step, tag=tag)

    (telling,) = messages
    lost = r"(the prediction of example '1'|example 1 of a batch) at step 0"
    assert re.match(f"earmark: {lost} was not logged: {message}", telling)
    assert [clip.example for clip in open_run(run.path).clips(tag=tag)] == ["0", "2"] * 2
    with pytest.raises(EarmarkError, match=message), flushing(strict):
        strict.log_batch(**call, step=1)


# --- what costs one role

ONE_ROLE: dict[str, tuple[Any, dict[str, Any], str]] = {
    "None": (None, {}, r"expected a path, a URL, .*, got NoneType: convert it to a numpy array"),
    "text": ("tone.wav", {}, r"expected a path, a URL, .*, got str: convert it to a numpy array"),
    "sound": (GOOD, {}, r"expected a batch of shape \(batch, frames\) .*: log one sound with log"),
    "tensor": (torch.zeros(9), {}, r"expected a batch of shape \(B, T\) .*, got shape \(9,\): one"),
    "mels": (torch.zeros(3, 80, 100), {}, r"expected a batch of shape .*; decode= mels"),
    "codes": (torch.zeros(3, 9).long(), {}, "expected float samples, or PCM of .*, got int64"),
    "few lengths": (BATCH, {"lengths": [1, 2]}, "expected one length for each of 3 sounds, got 2"),
    "one length": (BATCH, {"lengths": 5}, "expected one length for each of 3 sounds, got 5"),
    "mask": (
        torch.from_numpy(BATCH),
        {"lengths": torch.ones(3, 1600, dtype=torch.bool)},
        r"expected lengths as integers .*, got a mask of shape \(3, 1600\): pass mask\.sum\(-1\)",
    ),
    "list and lengths": (
        list(BATCH),
        {"lengths": [1, 2, 3]},
        "expected lengths with a padded tensor or array, got them with a list of sounds: cut the",
    ),
    "rate": (BATCH, {"sample_rate": -5}, r"expected a sample rate in Hz, .* got -5 \(int\)"),
    "other rate": (
        (BATCH, 8000),
        {},
        "expected the sample rate that the sound itself has, 8000 Hz, got 16000 Hz: leave",
    ),
}


@pytest.mark.parametrize(("value", "rest", "message"), ONE_ROLE.values(), ids=ONE_ROLE)
def test_what_is_no_batch_costs_its_own_role(
    run: Run, strict: Run, tag: str, *, value: Any, rest: dict[str, Any], message: str
) -> None:
    """A role that cannot be taken apart is told and left out, and the other roles are logged."""
    call: dict[str, Any] = {
        "sounds": {"prediction": value, "other": BATCH},
        "sample_rate": {"other": 16_000, "prediction": rest.get("sample_rate", 16_000)},
        "lengths": {"prediction": rest.get("lengths")},
    }
    with told() as messages, flushing(run):
        for step in range(2):
            run.log_batch(**call, step=step, tag=tag)

    (telling,) = messages
    lost = "the prediction of a batch at step 0"
    assert re.match(f"earmark: {lost} was not logged: {message}", telling)
    assert [clip.role for clip in open_run(run.path).clips(tag=tag)] == ["other"] * 6
    with pytest.raises(EarmarkError, match=message), flushing(strict):
        strict.log_batch(**call, step=1)


@pytest.mark.parametrize("hop_length", [0, -1, 1.5, True, "256"])
def test_a_hop_is_a_positive_integer(run: Run, strict: Run, tag: str, hop_length: Any) -> None:
    """A wrong hop is told for the role it concerns."""
    message = "expected hop_length as a positive integer, .*: leave it out where"
    with pytest.warns(EarmarkWarning, match=message):
        log_batch(hop_length=hop_length, lengths=[1, 1, 1], tag=tag)(run)
    with pytest.raises(EarmarkError, match=message):
        log_batch(hop_length=hop_length, lengths=[1, 1, 1])(strict)


# --- what costs one call


def log(**arguments: Any) -> Callable[[Run], None]:
    """A call of `log` with some arguments wrong."""
    usual: dict[str, Any] = {"sounds": {"prediction": GOOD}, "step": 1, "sample_rate": 16_000}
    return lambda run: run.log(**(usual | arguments))


def log_batch(**arguments: Any) -> Callable[[Run], None]:
    """A call of `log_batch` with some arguments wrong."""
    usual: dict[str, Any] = {"sounds": {"prediction": BATCH}, "step": 1, "sample_rate": 16_000}
    return lambda run: run.log_batch(**(usual | arguments))


STEP = r"expected the step as a whole number, 0 or more, got {}: count steps from 0"
EPOCH = r"expected the epoch as a whole number, 0 or more, got {}: count epochs from 0"
TAG = "expected the tag as text, got {}: pass tag='val', or any name"
ROLES = r"expected sounds by role, got {}: pass \{{'prediction': sound\}}"
NAMED = r"expected metrics by name, got {}: pass \{{'si_sdr': 12\.5\}}"
LIST = "expected {} as a list, one for each example, got {}: pass a list, or a tensor of one axis"
IDENTITY = (
    r"expected an example's identity as text or a number, got tensor.* \(Tensor\): pass one for "
    r"each example, examples=\[...\] to log_batch"
)
AS_MANY = r"expected as many of each in one batch, got \{{{}\}}: pass one for each example"
ONE_CALL: dict[str, tuple[Callable[[Run], None], str]] = {
    "tensor alone": (log(sounds=torch.zeros(9)), ROLES.format("Tensor")),
    "batch alone": (log_batch(sounds=BATCH), ROLES.format("ndarray")),
    "no sounds": (log(sounds=None), ROLES.format("NoneType")),
    "no place": (
        log(step=None),
        "expected a step, or an epoch that serves as one, got neither: pass step=global_step",
    ),
    "step -1": (log(step=-1), STEP.format(r"-1 \(int\)")),
    "step 1.5": (log(step=1.5), STEP.format(r"1\.5 \(float\)")),
    "step in words": (log(step="5"), STEP.format(r"'5' \(str\)")),
    "step nan": (log(step=np.nan), STEP.format(r"nan \(float\)")),
    "step inf": (log(step=np.inf), STEP.format(r"inf \(float\)")),
    "step 2**63": (log(step=2**63), STEP.format(r"9223372036854775808 \(int\)")),
    "step True": (log(step=True), STEP.format(r"True \(bool\)")),
    "steps": (log(step=torch.ones(2)), STEP.format(r"tensor.* \(Tensor\)")),
    "epoch 0.5": (log(epoch=0.5), EPOCH.format(r"0\.5 \(float\)")),
    "epoch -1": (log_batch(epoch=-1), EPOCH.format(r"-1 \(int\)")),
    "no tag": (log(tag=None), TAG.format(r"None \(NoneType\)")),
    "tags": (log_batch(tag=["val"]), TAG.format(r"\['val'\] \(list\)")),
    "identities": (
        log(example=torch.zeros(2)),
        IDENTITY,
    ),
    "list of metrics": (log(metrics=[1.0]), NAMED.format("list")),
    "tensor of metrics": (log_batch(metrics=torch.zeros(3)), NAMED.format("Tensor")),
    "fewer targets": (
        log_batch(sounds={"prediction": BATCH, "target": BATCH[:2]}),
        AS_MANY.format("'prediction': 3, 'target': 2"),
    ),
    "fewer captions": (
        log_batch(captions=["a", "b"]),
        AS_MANY.format("'prediction': 3, 'captions': 2"),
    ),
    "more examples": (
        log_batch(examples=torch.arange(4)),
        AS_MANY.format("'prediction': 3, 'examples': 4"),
    ),
    "fewer metrics": (
        log_batch(metrics={"m": torch.zeros(2)}),
        AS_MANY.format(r"'prediction': 3, \"metrics\['m'\]\": 2"),
    ),
    "one caption": (log_batch(captions="abc"), LIST.format("captions", r"'abc' \(str\)")),
    "one example": (log_batch(examples=5), LIST.format("examples", r"5 \(int\)")),
    "dict": (log_batch(examples={"a": 1}), LIST.format("examples", r"\{'a': 1\} \(dict\)")),
    "metric": (log_batch(metrics={"m": "abc"}), LIST.format(r"metrics\['m'\]", r"'abc' \(str\)")),
}


@pytest.mark.parametrize(("call", "message"), ONE_CALL.values(), ids=ONE_CALL)
def test_what_concerns_all_clips_costs_one_call(
    tmp_path: Path, strict: Run, call: Callable[[Run], None], message: str
) -> None:
    """It is told once, nothing is logged in a wrong place, and the next call is logged."""
    with told() as messages, Run(tmp_path) as run:
        for _ in range(2):
            call(run)
        log(step=9)(run)

    (telling,) = messages
    assert re.match(rf"earmark: a call( at step 1)? was not logged: {message}\. Training", telling)
    assert [clip.step for clip in open_run(tmp_path).clips()] == [9]
    with pytest.raises(EarmarkError, match=message):
        call(strict)
