"""Listener: what the `AudioMonitor` of every framework is, but for the framework's events.

open ......... sample rate, names, run: configuration errors are raised here
begin ........ a loop over validation data, or over the demo set
hear ......... a batch of it, as the step returned it or as `predict` makes it
end .......... the take is published
close ........ the run is closed
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from torch import nn

from earmark.captions import Fields
from earmark.monitor import Monitor
from earmark.notices import Notices
from earmark.outputs.finder import Finder, Variants
from earmark.outputs.selector import LengthsSelector, Selector
from earmark.ranks import Policy
from earmark.rate_search import rate_of_others
from earmark.run import Run
from earmark.schedule import Schedule, chosen_schedule
from earmark.selection import batch_size
from earmark.sink import Sink
from earmark_integrations._arguments import (
    Decode,
    checked_decode,
    checked_places,
    checked_predictor,
    checked_selectors,
    named_decode,
    names_of_stems,
    place_of,
)
from earmark_integrations._inference import inference, own_random_numbers
from earmark_integrations._loaders import Place
from earmark_integrations._predictor import Predict, Predictor, Weights
from earmark_integrations.demo import demo_batches, drawn_demo
from earmark_integrations.metrics import tensor_metrics

Moment: TypeAlias = Literal["batch", "epoch", "validation"]
"""What a training has reached: the end of a batch, of an epoch, or a validation."""


class Listener:
    """Logs the same few validation clips every few epochs, with captions.

    Takes what the validation step returns, and finds the sound in it by keys, shapes and dtypes:
    see the page "What becomes a clip, and why". Writes a run, and passes every take on to those
    trackers that hold sound. After the start of the training nothing here raises into it, unless
    `strict`.

    Args:
        every_n_epochs: Log the first validation, the first at or after every so many epochs, and
            the last, unless nobody knows yet that it is, as when early stopping has still to
            decide; each epoch, if nothing else is said.
        every_n_steps: The same by batches that stepped, instead. With `demo` also between
            validations.
        schedule: Any other schedule, instead.
        max_examples: How many examples of each validation loader; the same ones every time.
        examples: Which ones, instead: their identities, as batches hold them under `id`, or, as
            integers, their indices in the data set.
        input: Where the input is: a key, a path such as `"out.audio"`, an index (of the batch), or
            a function of `(outputs, batch)`; looked for, if not given.
        target: Where the target is, likewise.
        prediction: Where the prediction is, likewise, an index being of the outputs.
        roles: Where the sounds of further roles are, by their names.
        predict: Run this on the batch instead of taking what the step returned: a method's name,
            or a function of `(module, batch)`. It runs in eval mode, without gradients, under the
            precision of the training, with random numbers of its own, the same in every epoch.
        demo: Listen to these instead of the validation data, at each validation, or where there
            is none at the end of each epoch: a loader, a data set, a list of items or of prompts,
            or `earmark_integrations.demo.Noise`.
        decode: What turns the prediction into sound, for the chosen examples only: a vocoder, a
            codec's decoder, an inverse STFT; a function of a batch, or the name of a submodule or
            method; or that by role. It runs on the ranks that log, and only there: what waits for
            other ranks belongs into `predict`.
        lengths: Where the lengths of padded sounds are: a selector as above, `(selector,
            hop_length)` for lengths in frames; or that by role.
        sample_rate: In Hz, or by role. Roles that are not named, all if it is not given, have the
            rate of their sounds, or the one found in the module and its configuration.
        captions: A template such as `"{text} | epoch {epoch}"`, or a function of the fields; the
            page "Captions" lists them.
        stems: The names of the sounds of a mixture, in the order of their axis; else the module's
            `sources`, if it has any.
        variants: Keyword arguments for `predict` by the variant's name, such as
            `{"cfg3": {"cfg_scale": 3}}`: each is heard as `prediction.<name>`.
        weights: Whose weights `predict` uses: the name of a submodule, such as an
            `AveragedModel`, or of a method that returns a context manager; or a function of the
            module that does.
        metrics: Functions of `(prediction, target)`, by name, each of a tensor of shape
            `(channels, frames)`; those of torchmetrics are. Computed behind the training thread.
        spectrogram: Whether trackers show a picture of each sound beside it.
        ranks: `"zero"`: the first examples that rank zero draws, by rank zero alone. `"shard"`:
            those of the first `max_examples` items of the data set, each by the rank that draws
            it. `"all"`: the first `max_examples` that each rank draws. Sinks get those of rank
            zero. An item that a sampler repeats, to give each rank equally many, is logged once.
        run_dir: Where to write the run.
        sinks: Names of trackers, or sinks; all of the training's own, if not given.
        tag: What to call the clips.
        transform: A function of `(sounds, role)` that changes what is heard, for the chosen
            examples only: a batch of sounds of one role.
        enabled: Whether to do anything at all; `EARMARK_MODE=disabled` switches everything off.
        strict: Raise errors instead of warning of them.

    Raises:
        ArgumentError: If arguments contradict each other or have impossible values.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If a sample rate is no positive integer; at the start, if none is given
            and none is found: it lists where it was looked for.
        StorageError: At the start, if the run's directory cannot be written.
    """

    run_dir: Path | str | None = None
    """The run's directory, or its URL, known from the start of the training on."""

    _predict_by_default: Predict | None = None
    """What makes the sounds where the framework does not show what a step returned."""

    _usual_kind = "val"
    """The kind of loop whose name gives way to a tag."""

    def __init__(
        self,
        *,
        every_n_epochs: int | None = None,
        every_n_steps: int | None = None,
        schedule: Schedule | None = None,
        max_examples: int = 8,
        examples: Sequence[str | int] | None = None,
        input: Selector | None = None,  # noqa: A002 - the field's word
        target: Selector | None = None,
        prediction: Selector | None = None,
        roles: Mapping[str, Selector] | None = None,
        predict: Predict | None = None,
        demo: Any = None,
        decode: Mapping[str, Decode] | Decode | None = None,
        lengths: Mapping[str, LengthsSelector] | LengthsSelector | None = None,
        sample_rate: int | Mapping[str, int] | None = None,
        captions: str | Callable[[Fields], str] | None = None,
        stems: Sequence[str] | None = None,
        variants: Mapping[str, Mapping[str, Any]] | None = None,
        weights: Weights | None = None,
        metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
        spectrogram: bool = False,
        ranks: Policy = "zero",
        run_dir: str | os.PathLike[str] | None = None,
        sinks: Sequence[str | Sink] | None = None,
        tag: str | None = None,
        transform: Callable[[Any, str], Any] | None = None,
        enabled: bool = True,
        strict: bool = False,
    ) -> None:
        super().__init__()
        named = {"input": input, "target": target, "prediction": prediction}
        self._monitor = Monitor(
            schedule=chosen_schedule(every_n_epochs, every_n_steps, schedule),
            max_examples=max_examples,
            examples=examples,
            finder=Finder(checked_selectors(named, roles), stems, lengths, transform=transform),
            captions=captions,
            metrics=tensor_metrics(metrics or {}),
            notices=Notices(strict=strict),
            sample_rate=sample_rate,
            ranks=ranks,
        )
        run = self._predict_by_default if predict is None else predict
        self._predictor = checked_predictor(run, demo, variants, weights)
        self._given_run_dir, self._sinks, self._given_tag = checked_places(run_dir, sinks, tag)
        self._demo, self._decode = demo, checked_decode(decode)
        self._spectrogram, self._enabled = spectrogram, enabled

    @property
    def _counts_steps(self) -> bool:
        """Whether it is steps that the schedule counts."""
        return getattr(self._monitor.schedule, "unit", "epoch") == "step"

    @property
    def notices(self) -> Notices:
        """Who is told of what could not be logged."""
        return self._monitor.notices

    @property
    def _key(self) -> str | None:
        """What tells two listeners of one training apart."""
        return "demo" if self._given_tag is None and self._demo is not None else self._given_tag

    def _open(
        self,
        module: nn.Module,
        owners: Mapping[str, Any],
        directory: str | os.PathLike[str],
        *,
        sinks: Callable[[], Sequence[str | Sink]] = list,
        rank: int = 0,
        world_size: int = 1,
        dry_run: bool = False,
    ) -> None:
        """Look everything up that may be wrong, and open the run on those ranks that log.

        Args:
            module: The model.
            owners: Where to look for a sample rate, by the name that the user knows them by.
            directory: Where the run goes, if the user has not said.
            sinks: Opens the sinks of the training's own trackers, on rank zero.
            rank: Counted from 0.
            world_size: How many processes train together.
            dry_run: Whether to convert everything and write nothing.
        """
        self.run_dir = place_of(self._given_run_dir or directory)
        monitor = self._monitor
        monitor.join(rank=rank, world_size=world_size)
        monitor.found_rate = rate_of_others(monitor.sample_rate, owners)
        decode = {role: named_decode(module, of) for role, of in self._decode.items()}
        monitor.finder.decode = decode
        monitor.finder.found_stems = names_of_stems(module)
        if self._predictor is not None:
            self._predictor.check(module)
        if monitor.writes:
            self._close()
            opened = sinks() if rank == 0 and not dry_run else ()
            monitor.tell_of_sinks(len(opened))
            monitor.run = Run(
                self.run_dir,
                sinks=opened,
                spectrogram=self._spectrogram,
                strict=monitor.notices.strict,
                dry_run=dry_run,
            )
            monitor.notices.record = monitor.run.note_fault

    def _close(self) -> None:
        """Publish what is pending, with a bound, and close the sinks."""
        run, self._monitor.run = self._monitor.run, None
        self.notices.record = None
        if run is not None:
            run.close()

    def _hear(  # noqa: PLR0917 - what a framework says of a batch
        self,
        module: nn.Module,
        tag: str,
        batch: Any,
        place: Place,
        outputs: Any = None,
        forward_context: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """Log the wanted examples of a batch.

        Args:
            module: The model.
            tag: What the loop goes over, for example `"val"`.
            batch: The batch, on the model's device.
            place: Which items of the data set it is of.
            outputs: What the step returned, unless there is a `predict`.
            forward_context: Makes a context of the training's precision.
        """
        monitor, predictor = self._monitor, self._predictor
        if not monitor.active:
            return
        if predictor is not None:
            if not monitor.predicts(tag, batch, num_before=place.before, is_shared=place.is_shared):
                return
            outputs = self._variants(predictor, module, batch, forward_context)
        if (predictor is None or outputs) and monitor.wants(tag):
            runs_models = monitor.finder.runs_models
            context = inference(module, forward_context()) if runs_models else nullcontext()
            monitor.add(tag, outputs, batch, place.drawn, context)

    def _variants(
        self,
        predictor: Predictor,
        module: nn.Module,
        batch: Any,
        forward_context: Callable[[], AbstractContextManager[Any]],
    ) -> Variants:
        made = Variants()
        for name in predictor.names:
            of = f" as {name!r}" if name else ""
            with self.notices.guard(("predict", name), f"what predict makes of a batch{of}"):
                made[name] = predictor(module, batch, forward_context(), name)
        return made

    def _play(
        self,
        module: nn.Module,
        tag: str,
        to_device: Callable[[Any], Any],
        forward_context: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """Go through the demo set, if there is one: on all ranks alike, for models' collectives.

        Args:
            module: The model.
            tag: What to call the clips.
            to_device: Moves a batch to the model's device.
            forward_context: Makes a context of the training's precision.
        """
        if self._demo is None or not self._monitor.active:
            return
        start = 0
        # A loader draws a random number each time that it begins.
        with self.notices.guard("demo", "the demo set"), own_random_numbers():
            for value in demo_batches(self._demo):
                place = Place(partial(drawn_demo, self._demo, start), start)
                self._hear(module, tag, to_device(value), place, None, forward_context)
                start += batch_size(value)
                if start >= self._monitor.reach(is_shared=False):
                    return

    def _tag_of(self, kind: str = "val", loader: str = "") -> str:
        """What to call the clips of a loop.

        Args:
            kind: What it is, such as `"val"`, `"test"` or `"predict"`.
            loader: The loader's name, if it has one.
        """
        if self._demo is not None:
            return self._given_tag or "demo"
        own = "" if self._given_tag and kind == self._usual_kind else kind
        return "/".join(str(part) for part in (self._given_tag, own, loader) if part)

    def _is_heard(self, at: Moment, *, validates: bool) -> bool:
        """Say whether this is the moment to begin and end a loop, or to play the demo set.

        Args:
            at: What has been reached in a training.
            validates: Whether it has validations at all.
        """
        if self._demo is None:
            return at == "validation"
        if self._counts_steps:
            return at == "batch"
        return at == ("validation" if validates else "epoch")
