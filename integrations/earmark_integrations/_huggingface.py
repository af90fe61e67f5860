"""What the `Trainer` of Hugging Face `transformers` says of its training."""

from __future__ import annotations

import inspect
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from earmark_integrations._loaders import Place, Progress
from earmark_integrations._trackers import Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_SINKS = {"comet_ml": "comet"}
"""The names of sinks, where trackers have other names in `report_to`."""


def run_model(model: nn.Module, batch: Any, **keywords: Any) -> Any:
    """Run a model as the `Trainer` does: on those columns of a batch that its `forward` takes."""
    if not isinstance(batch, Mapping):
        return model(batch, **keywords)
    taken = inspect.signature(model.forward).parameters
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
    columns = {key: column for key, column in batch.items() if takes_all or key in taken}
    return model(**columns, **keywords)


def batches_of(loader: Any) -> Iterator[tuple[Any, Place]]:
    """The batches of a loader from its start, each with its place."""
    own, progress = _own_loader(loader), Progress()
    for index, batch in enumerate(own):
        yield batch, progress.come_to(batch, index, own)


def _own_loader(loader: Any) -> Any:
    """A loader of the same batches, that runs in this process and shares nothing with the other.

    accelerate's own loaders bring the ranks together when they begin; and workers would be started
    for a few batches.
    """
    base = getattr(loader, "base_dataloader", loader)
    if not isinstance(base, DataLoader):
        return base
    how: dict[str, Any] = {"collate_fn": base.collate_fn}
    if isinstance(base.dataset, IterableDataset) or base.batch_sampler is None:
        how |= {"batch_size": base.batch_size, "drop_last": base.drop_last}
    else:
        how["batch_sampler"] = base.batch_sampler
    return DataLoader(base.dataset, **how)


def owners_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What may carry a sample rate, of what a callback is given."""
    owners = {name: given.get(name) for name in ("model", "processing_class")}
    return {name: owner for name, owner in owners.items() if owner is not None}


def autocast(args: Any) -> AbstractContextManager[Any]:
    """A context of the trainer's precision."""
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else None
    return nullcontext() if dtype is None else torch.autocast(args.device.type, dtype)


def name_of_scalars(metrics: Mapping[str, Any] | None) -> list[str]:
    """What an evaluation's scalars are called: `"eval"`, and the name of its data set, if any."""
    ends = ("_runtime", "_loss")
    names = [key.removesuffix(end) for end in ends for key in metrics or () if key.endswith(end)]
    name = names[0] if names else "eval"
    return name.split("_", 1) if name.startswith("eval_") else [name]


def trackers_of(args: Any, writers: ExitStack) -> list[Tracker]:
    """The trackers of `report_to`.

    Args:
        args: The training arguments.
        writers: Closes what is opened for them.
    """
    targets = {"tensorboard": partial(_writer_beside, args, writers)}
    names = map(str, args.report_to)
    return [Tracker(_SINKS.get(name, name), name, targets.get(name, _active)) for name in names]


def _active() -> None:
    """What a sink is opened on that finds the tracker's active run by itself."""


def _writer_beside(args: Any, writers: ExitStack) -> SummaryWriter | None:
    """A writer into the folder that the trainer's own writes to, which no callback is shown."""
    given = os.environ.get("TENSORBOARD_LOGGING_DIR") or getattr(args, "logging_dir", None)
    # Evaluated without training, the trainer writes to TensorBoard's usual folder.
    roots = [given, Path(args.output_dir, "runs"), "runs"]
    own = f"events.out.tfevents.*.{socket.gethostname()}.{os.getpid()}.*"
    found = (file for root in roots if root for file in Path(root).expanduser().rglob(own))
    files = sorted(found, key=lambda file: file.stat().st_mtime_ns)
    if not files:
        return None
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # needs tensorboard

    writer = SummaryWriter(files[-1].parent)
    writers.callback(writer.close)
    return writer


def commit_row(step: int) -> None:
    """Have W&B write the row that holds the clips, at the step that the trainer's rows name."""
    run = getattr(sys.modules.get("wandb"), "run", None)
    if run is not None:
        run.log({"train/global_step": step})
