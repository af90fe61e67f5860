"""TensorBoard: published takes go to the event file that the scalars go to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# protobuf makes these two names at run time, where pyright does not see them.
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.tensor_pb2 import TensorProto  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.plugins.audio import metadata
from torch.utils.tensorboard import SummaryWriter

from earmark.clip import Clip, Take
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.spectrogram import Picture

_DESCRIPTION = (
    "Captions are in the Text tab, under this tag's name. TensorBoard shows 10 steps of each sound "
    "unless it is started with `--samples_per_plugin audio=1000`."
)


def open_sink(target: SummaryWriter | str | None = None) -> TensorBoardSink:
    """Open a sink on a writer.

    Args:
        target: A `torch.utils.tensorboard.SummaryWriter`, or `TensorBoardLogger.experiment`; or
            a log directory, as text: its writer is closed with the sink.

    Raises:
        ArgumentError: If there is none.
        ArgumentTypeError: If the target is no `SummaryWriter`.
    """
    if target == "":
        raise ArgumentError(
            "expected a log directory, got none: pass --target, such as --target lightning_logs"
        )
    if isinstance(target, str):
        return TensorBoardSink(SummaryWriter(target), closes=True)
    if target is None:
        raise ArgumentError(
            "expected a SummaryWriter, got none, and TensorBoard has no active one: pass "
            "earmark.Run(..., sinks=[TensorBoardSink(writer)]), with TensorBoardSink from "
            "earmark_integrations.sinks.tensorboard"
        )
    return TensorBoardSink(target)


class TensorBoardSink:
    """Passes takes on to a `SummaryWriter`: each sound under `<tag>/<role>/<example>`.

    Files are handed over as they are stored, in stereo too. A step's caption is the text
    `<tag>/<role>/<example>/caption`; of a reference there is the URL, in that text.

    Args:
        writer: The writer; it stays open.
        closes: Whether it is closed with the sink after all.

    Attributes:
        target: Its log directory.

    Raises:
        ArgumentTypeError: If it is no `SummaryWriter`.
    """

    def __init__(self, writer: SummaryWriter, *, closes: bool = False) -> None:
        if not isinstance(writer, SummaryWriter):
            raise ArgumentTypeError(
                f"expected a torch.utils.tensorboard.SummaryWriter, got {type(writer).__name__}: "
                "pass that, or TensorBoardLogger.experiment"
            )
        self._writer = writer
        self._closes = closes
        folder = str(writer.get_logdir())  # which may have been given as a path
        self.target = folder if "://" in folder else str(Path(folder).absolute())

    def write(self, take: Take) -> None:
        """Write a take, at its step, through to the file."""
        for clip in take.clips:
            self._write_clip(clip)
        self._writer.flush()

    def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
        """Write a picture of each sound, under `<tag>/<role>/<example>/spectrogram`."""
        for clip, picture in pictures:
            name = f"{_name(clip)}/spectrogram"
            self._writer.add_image(name, picture, clip.step, dataformats="HW")
        self._writer.flush()

    def close(self) -> None:
        """Leave the writer open, unless it is to be closed; nothing is pending."""
        if self._closes:
            self._writer.close()

    def _write_clip(self, clip: Clip) -> None:
        name = _name(clip)
        text = " ".join(filter(None, [clip.caption, clip.audio.resolve_ref()]))
        if clip.audio.path is not None:
            summary = _summary(name, clip.audio.path.read_bytes())
            # There is no public way to put a Summary of one's own into the writer's file.
            file = self._writer._get_file_writer()  # pyright: ignore[reportPrivateUsage]
            file.add_summary(summary, clip.step)
        if text:
            self._writer.add_text(f"{name}/caption", text, clip.step)


def _name(clip: Clip) -> str:
    return "/".join(filter(None, [clip.tag, clip.role, clip.example]))


def _summary(name: str, sound: bytes) -> Summary:
    """Describe a sound as TensorFlow does, which unlike `add_audio` takes any file as it is."""
    # The plugin knows no encoding but WAV; browsers look at the bytes, and play FLAC as well.
    about = metadata.create_summary_metadata(
        display_name=name, description=_DESCRIPTION, encoding=metadata.Encoding.Value("WAV")
    )
    one_sound = {"dim": [{"size": 1}, {"size": 2}]}  # a sound and its label, which nobody shows
    tensor = TensorProto(dtype="DT_STRING", tensor_shape=one_sound, string_val=[sound, b""])
    return Summary(value=[Summary.Value(tag=name, tensor=tensor, metadata=about)])
