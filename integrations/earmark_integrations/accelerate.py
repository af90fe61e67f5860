"""AudioMonitor for plain loops on Hugging Face `accelerate`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator
from torch import nn

from earmark.sink import Sink
from earmark_integrations._keywords import Keywords
from earmark_integrations._plain import PlainLoop
from earmark_integrations._trackers import Tracker, open_trackers

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AudioMonitor"]


class AudioMonitor(PlainLoop):
    """Logs the same few validation clips every few epochs, with captions.

    Its methods are those of `earmark_integrations.loop.AudioMonitor`, and so are the keywords;
    the run is in the accelerator's logging directory unless `run_dir` says otherwise, and every
    take goes to the accelerator's trackers that hold sound, if `init_trackers` was called before.
    Predictions are made under the accelerator's autocast, and no collective is added.
    `accelerator.register_for_checkpointing(monitor)` keeps what it needs to go on.

    Args:
        accelerator: The accelerator.
        model: The model, before or after `prepare`.
        **keywords: Those of every framework's `AudioMonitor`.

    Raises:
        ArgumentError: If arguments contradict each other or have impossible values, or there is
            no directory.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If no sample rate is given or found: it lists where it was looked for.
        StorageError: If the run's directory cannot be written.

    Example:
        >>> import tempfile, torch
        >>> from accelerate import Accelerator
        >>> folder = tempfile.TemporaryDirectory()
        >>> accelerator = Accelerator(project_dir=folder.name, cpu=True)
        >>> model = accelerator.prepare(torch.nn.Conv1d(1, 1, 9, padding=4))
        >>> data = [{"noisy": torch.randn(1, 8000) / 10, "text": text} for text in ("yes", "no")]
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2)
        >>> with AudioMonitor(accelerator, model, sample_rate=16_000) as monitor:
        ...     with monitor.validation(epoch=0, step=100, loader=loader):
        ...         for batch in loader:
        ...             monitor.batch(model(batch["noisy"]), batch)
        >>> import earmark
        >>> [clip.caption for clip in earmark.open_run(monitor.run_dir).clips(role="prediction")]
        ['yes', 'no']
        >>> folder.cleanup()
    """

    def __init__(
        self, accelerator: Accelerator, model: nn.Module, **keywords: Unpack[Keywords]
    ) -> None:
        self._accelerator = accelerator
        super().__init__(accelerator.unwrap_model(model), **keywords)

    def _place(self) -> tuple[int, int]:
        return self._accelerator.process_index, self._accelerator.num_processes

    def _directory(self) -> Path:
        folder = self._accelerator.logging_dir or self._accelerator.project_dir
        return Path(folder, "earmark") if folder else super()._directory()

    def _open_sinks(self) -> Sequence[str | Sink]:
        trackers = [
            Tracker(tracker.name, tracker.name, partial(_unwrapped, self._accelerator, tracker))
            for tracker in self._accelerator.trackers
        ]
        return open_trackers(trackers, self._sinks, self.notices, self.run_dir)

    def _context(self) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = self._accelerator.autocast()
        return context


def _unwrapped(accelerator: Accelerator, tracker: Any) -> Any:
    return accelerator.get_tracker(tracker.name, unwrap=True)
