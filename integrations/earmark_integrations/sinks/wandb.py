"""Weights & Biases: published takes join the rows of scalars that a run logs anyway."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, TypeAlias

import wandb
from wandb.sdk.wandb_run import Run  # `wandb.Run` is only in releases since 2025

from earmark.clip import Clip, Take
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.spectrogram import Picture


def open_sink(target: Run | str | None = None) -> WandbSink:
    """Open a sink on a W&B run.

    Args:
        target: What `wandb.init()` returned, or `WandbLogger.experiment`; the active run, if none
            is given. Or text, `entity/project/id` or the last parts of that, for which
            `wandb.init` opens a run, that there is or a new one: it is finished with the sink,
            and each take has a row of its own in it.

    Raises:
        ArgumentError: If there is no active run, or the text has more than three parts.
        ArgumentTypeError: If the target is no W&B run.
    """
    if isinstance(target, str):
        return WandbSink(_opened(target), finishes=True)
    run = wandb.run if target is None else target
    if run is None:
        raise ArgumentError(
            "expected an active W&B run, got none: call wandb.init() before "
            "earmark.Run(..., sinks=['wandb'])"
        )
    return WandbSink(run)


def _opened(target: str) -> Run:
    parts = target.split("/") if target else []
    if len(parts) > 3:
        raise ArgumentError(
            f"expected a W&B run as entity/project/id, got {target!r}: copy it from the run's "
            "Overview, or leave it out for a new run"
        )
    entity, project, run_id = [None] * (3 - len(parts)) + parts
    return wandb.init(entity=entity, project=project, id=run_id, resume="allow")


class WandbSink:
    """Passes takes on to a W&B run: a list of `wandb.Audio` under each `<tag>/<role>`.

    Nothing is logged with `step=`, and no row is committed: sounds are on the row that the next
    scalars complete, or that `run.finish()` does. (A run in W&B's shared mode has no such rows.)
    Which row that is, is the training's business: takes are written on its own thread, when it
    next calls the earmark run; `flush` before the scalars brings both together.
    Files are handed over as they are stored. W&B refuses references: of these there is a link,
    under `<tag>/<role>/link`.

    Args:
        run: The run; it stays open.
        finishes: Whether it is this sink's alone: each take is a row of its own, with its step as
            `earmark/step`, and the run is finished with the sink.

    Attributes:
        target: Its `entity/project/id`.

    Raises:
        ArgumentTypeError: If it is no W&B run.
    """

    on_callers_thread = True

    def __init__(self, run: Run, *, finishes: bool = False) -> None:
        if not isinstance(run, Run):
            raise ArgumentTypeError(
                f"expected a W&B run, got {type(run).__name__}: pass what wandb.init() returned, "
                "or WandbLogger.experiment"
            )
        self._run = run
        self._finishes = finishes
        self.target = run.path
        self._row: int | None = None
        self._on_row: dict[str, list[_Media]] = {}

    def write(self, take: Take) -> None:
        """Log a take."""
        media: dict[str, list[_Media]] = {}
        for clip in take.clips:
            _add(clip, media)
        if self._finishes and not self._run.disabled:
            self._run.log({**media, "earmark/step": take.step}, commit=True)
        else:
            self._log(media)

    def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
        """Log a picture of each sound, under `<tag>/<role>/spectrogram`, on the row of its take."""
        media: dict[str, list[_Media]] = {}
        for clip, picture in pictures:
            image = _Picture(picture, caption=clip.title)
            media.setdefault(f"{_key(clip)}/spectrogram", []).append(image)
        self._log(media)

    def _log(self, media: dict[str, list[_Media]]) -> None:
        if self._run.disabled:
            return
        # Processes that share a run share no rows: there, each call makes one of its own.
        shared = self._run.settings.mode == "shared"
        self._run.log(media, commit=shared)
        if not shared:
            self._keep_earlier(media)

    def close(self) -> None:
        """Leave the last row to the run, which writes it with the next scalars or at its end."""
        if self._finishes:
            self._run.finish()

    def _keep_earlier(self, media: dict[str, list[_Media]]) -> None:
        """Log again what this row held under the same keys, of which it keeps the last value."""
        row = self._run.step  # after `log`, which fails at once if the run has finished: this waits
        earlier = self._on_row if row == self._row else {}
        whole = {key: earlier.get(key, []) + new for key, new in media.items()}
        self._row, self._on_row = row, earlier | whole
        again = {key: whole[key] for key in whole if key in earlier}
        if again:
            self._run.log(again, commit=False)


class _Sound(wandb.Audio):
    """A `wandb.Audio` whose file is copied and uploaded once, however often it is logged."""

    def bind_to_run(self, *args: Any, **kwargs: Any) -> None:
        """Copy the file into the run, the first time."""
        if not self.is_bound():
            super().bind_to_run(*args, **kwargs)


class _Picture(wandb.Image):
    """A `wandb.Image` whose file is copied and uploaded once, however often it is logged."""

    def bind_to_run(self, *args: Any, **kwargs: Any) -> None:
        """Copy the file into the run, the first time."""
        if not self.is_bound():
            super().bind_to_run(*args, **kwargs)


_Media: TypeAlias = "_Sound | _Picture | wandb.Html"


def _add(clip: Clip, media: dict[str, list[_Media]]) -> None:
    key = _key(clip)
    url = clip.audio.resolve_ref()
    if url is None:
        media.setdefault(key, []).append(_Sound(str(clip.audio.path), caption=clip.title))
    else:
        link = f'<a href="{escape(url)}">{escape(clip.title)}</a>'
        media.setdefault(f"{key}/link", []).append(wandb.Html(link, inject=False))


def _key(clip: Clip) -> str:
    return "/".join(filter(None, [clip.tag, clip.role]))
