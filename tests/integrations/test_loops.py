"""What goes wrong while a model trains costs one message in every loop, and no training."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from ignite.engine import Engine, Events
from torch import Tensor

from earmark import Clip, EarmarkWarning
from earmark_integrations import accelerate, ignite, loop, transformers
from tests.integrations.loop_models import FRAMES, GOES_ON, Filter, clips_in, loader
from tests.integrations.transformers_models import make_trainer

Make = Callable[[Tensor], Any]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Accelerate keeps one state in a process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)  # pyright: ignore[reportPrivateUsage] - as its own tests do
    GradientState._reset_state()  # pyright: ignore[reportPrivateUsage] - as above


def validate(monitor: Any, make: Make, val: Any) -> None:
    """Two validations of a loop of one's own, whose model says what `make` makes of its sounds."""
    model = Filter()
    with monitor:
        for epoch in range(2):
            with torch.no_grad(), monitor.validation(epoch=epoch, step=3 + epoch, loader=val):
                for batch in val:
                    monitor.batch(make(model(batch["noisy"])), batch)


def in_loop(folder: Path, make: Make, val: Any, **given: Any) -> None:
    """A plain loop."""
    validate(loop.AudioMonitor(Filter(), run_dir=folder, **given), make, val)


def in_accelerate(folder: Path, make: Make, val: Any, **given: Any) -> None:
    """A loop with an `Accelerator`."""
    accelerator = Accelerator(cpu=True)
    monitor = accelerate.AudioMonitor(accelerator, Filter(), run_dir=folder, **given)
    validate(monitor, make, accelerator.prepare(val))


def in_ignite(folder: Path, make: Make, val: Any, **given: Any) -> None:
    """An evaluator, after each of two epochs."""
    model = Filter()
    trainer = Engine(lambda engine, batch: None)
    evaluator = Engine(lambda engine, batch: make(model(batch["noisy"]).detach()))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(val))
    monitor = ignite.AudioMonitor(run_dir=folder, **given)
    monitor.attach(evaluator, trainer=trainer, model=model)
    trainer.run([0, 1, 2], max_epochs=2)
    assert trainer.state.iteration == 6


def in_transformers(folder: Path, make: Make, val: Any, **given: Any) -> None:
    """The `Trainer`, where `predict` takes the place of the step."""

    def predict(model: Any, batch: dict[str, Tensor]) -> Any:
        return make(model(batch["noisy"]).audio_values)

    monitor = transformers.AudioMonitor(run_dir=folder, predict=predict, **given)
    trainer = make_trainer(folder.with_name("out"), monitor, val=val.dataset)
    trainer.train()
    assert trainer.state.global_step == 6


LOOPS = [in_loop, in_accelerate, in_ignite, in_transformers]


def trained(folder: Path, run: Any, make: Make, size: int = 2, **given: Any) -> list[str]:
    """What was told in a training that ended as it would have without the monitor."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EarmarkWarning)
        run(folder / "run", make, loader(size), **given)
    return [str(one.message) for one in caught if issubclass(one.category, EarmarkWarning)]


def heard(folder: Path) -> list[Clip]:
    """The predictions in the run."""
    return clips_in(folder / "run", role="prediction")


def fail(*values: Any) -> Any:
    """What a user's function may do."""
    raise ValueError("no luck")


def differ(prediction: Tensor, target: Tensor) -> Tensor:
    """A metric."""
    return (prediction - target).abs().mean()


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (lambda made: {"loss": made.mean()}, {}, "a prediction in the outputs, found none in loss"),
        (lambda made: None, {}, "expected a prediction in the outputs, found none in None: return"),
        (
            lambda made: made,
            {"prediction": "x"},
            "expected the prediction under 'x', found none in",
        ),
        (lambda made: made, {"predict": fail}, "what predict makes of a batch was not logged: "),
    ],
    ids=["no audio", "None", "no such key", "predict raises"],
)
def test_what_cannot_be_heard_is_told_once(
    tmp_path: Path, run: Any, make: Make, given: dict[str, Any], message: str
) -> None:
    """Over all batches and epochs, with what was expected; the training goes on."""
    if run is in_transformers and "predict" in given:
        make, given = fail, {}
    (told,) = trained(tmp_path, run, make, size=4, **given)
    assert message in told
    assert told.endswith(GOES_ON)
    assert heard(tmp_path) == []
    (faults,) = (tmp_path / "run/faults").iterdir()
    noted = [json.loads(line) for line in faults.read_text().splitlines()]
    assert len(noted) > 1, "each one is noted, though told once"
    assert f"earmark: {noted[0]['lost']} was not logged: " in told
    assert noted[0]["why"].partition(": ")[2] in told


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize(
    ("frames", "given", "message"),
    [
        (900, {"captions": fail}, "the caption of '0' was not logged: ValueError: no luck. Traini"),
        (FRAMES, {"metrics": {"m": fail}}, "the metric 'm' of the prediction of example '0' at st"),
        (900, {"metrics": {"m": differ}}, "prediction and target differ in length, 900 and 1200 "),
        (900, {"target": "x"}, "the target of a batch at step 3 was not logged: expected the targ"),
    ],
    ids=["caption", "metric", "length", "target"],
)
def test_what_goes_with_a_sound_costs_itself_alone(
    tmp_path: Path, run: Any, frames: int, given: dict[str, Any], message: str
) -> None:
    """The sound is heard, and the reason told once."""
    settings: dict[str, Any] = {"target": "clean"} | given
    (told,) = trained(tmp_path, run, lambda made: made[:, :frames], **settings)
    assert told.startswith(f"earmark: {message}")
    assert [clip.audio.num_frames for clip in heard(tmp_path)] == [frames] * 4


@pytest.mark.parametrize("run", LOOPS)
def test_a_sound_of_nothing_but_nan_is_heard(tmp_path: Path, run: Any) -> None:
    """As silence that says why in its caption, where an unknown field is empty."""
    captions = "{speaker} | epoch {epoch}"
    assert trained(tmp_path, run, lambda made: made * torch.nan, captions=captions) == []
    assert len(heard(tmp_path)) == 4
    for clip in heard(tmp_path):
        note = f"[silent, {FRAMES} non-finite samples stored as 0]"
        assert clip.caption == f"epoch {clip.epoch} {note}"


@pytest.mark.parametrize("run", [in_loop, in_accelerate, in_transformers])
def test_an_empty_loader_is_told_once(tmp_path: Path, run: Any) -> None:
    """But in ignite, which itself refuses one."""
    (told,) = trained(tmp_path, run, lambda made: made, size=0)
    assert told.startswith("earmark: expected a batch or more in the loop at step 3, got none, and")
    assert heard(tmp_path) == []
