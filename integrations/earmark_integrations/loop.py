"""AudioMonitor for a plain PyTorch loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import distributed, nn

from earmark_integrations._keywords import Keywords
from earmark_integrations._loops import unwrapped
from earmark_integrations._plain import PlainLoop

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AudioMonitor"]


class AudioMonitor(PlainLoop):
    """Logs the same few validation clips every few epochs, with captions.

    The keywords are those of `earmark_integrations.lightning.AudioMonitor`, and mean the same;
    `run_dir` says where to write, and `sinks` are none unless they are given. Configuration errors
    raise here; after that nothing raises into the training, unless `strict`. To go on from a
    checkpoint, keep `state_dict()` in it, and give it to `load_state_dict`.

    Args:
        model: The model; `DistributedDataParallel` and the like may be around it.
        **keywords: Those of every framework's `AudioMonitor`.

    Raises:
        ArgumentError: If arguments contradict each other or have impossible values, or there is
            no `run_dir`.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If no sample rate is given or found: it lists where it was looked for.
        StorageError: If the run's directory cannot be written.

    Example:
        >>> import tempfile, torch
        >>> folder = tempfile.TemporaryDirectory()
        >>> model = torch.nn.Conv1d(1, 1, 9, padding=4)
        >>> data = [{"noisy": torch.randn(1, 8000) / 10, "text": text} for text in ("yes", "no")]
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2)
        >>> with AudioMonitor(model, run_dir=folder.name, sample_rate=16_000) as monitor:
        ...     for epoch in range(2):
        ...         with monitor.validation(epoch=epoch, loader=loader):
        ...             for batch in loader:
        ...                 monitor.batch(model(batch["noisy"]), batch)
        >>> import earmark
        >>> for clip in earmark.open_run(folder.name).clips(role="prediction", epoch=1):
        ...     print(clip.example, clip.caption, clip.audio.duration_seconds)
        0 yes 0.5
        1 no 0.5
        >>> folder.cleanup()
    """

    def __init__(self, model: nn.Module, **keywords: Unpack[Keywords]) -> None:
        super().__init__(unwrapped(model), **keywords)

    def _place(self) -> tuple[int, int]:
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        return 0, 1
