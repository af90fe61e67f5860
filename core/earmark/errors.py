"""Every error that earmark raises, and the one warning it gives.

EarmarkError
├── AudioTypeError           TypeError           a value or a dtype that holds no sound
├── ShapeError               ValueError          a shape that is not one sound, or not a batch
├── SampleRateError          ValueError          a missing, impossible or contradicting sample rate
├── DecodeError              ValueError          a file or bytes that no decoder reads
├── AudioFileNotFoundError   FileNotFoundError   a path with no file behind it
├── RemoteError              OSError             a reference that could not be fetched
├── ArgumentTypeError        TypeError           an argument of the wrong type
├── ArgumentError            ValueError          an argument with an impossible value
├── RunNotFoundError         FileNotFoundError   a path with no run behind it
├── RunFormatError           ValueError          a run that this version cannot read
├── StorageError             OSError             a run that cannot be written, or read at its URL
├── UnknownSinkError         LookupError         a sink nobody has heard of
├── PendingFullError         MemoryError         no room for a clip to wait until it is published
├── GraphCaptureError        RuntimeError        a call while a CUDA graph is being captured
└── MissingDependencyError   ImportError         an optional package, with the line that installs it

EarmarkWarning               UserWarning         what could not be logged, while training goes on
"""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: object) -> str:
    """Show a value in an error message: its repr, cut short however large it is, and its type."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        text = "a very long number"
    return f"{text} ({type(value).__name__})"


class EarmarkError(Exception):
    """The base of every error that earmark raises; each is also the built-in error one expects."""


class AudioTypeError(EarmarkError, TypeError):
    """A value, or an array of a dtype, that holds no sound."""


class ShapeError(EarmarkError, ValueError):
    """A shape that is not one sound, or not a batch of sounds."""


class SampleRateError(EarmarkError, ValueError):
    """A sample rate that is missing, impossible, or not the one in the file's header."""


class DecodeError(EarmarkError, ValueError):
    """A file, or bytes, that no decoder reads."""


class AudioFileNotFoundError(EarmarkError, FileNotFoundError):
    """A path with no sound file behind it."""


class RemoteError(EarmarkError, OSError):
    """A reference (URL) that could not be fetched."""


class ArgumentTypeError(EarmarkError, TypeError):
    """An argument of the wrong type."""


class ArgumentError(EarmarkError, ValueError):
    """An argument with an impossible value."""


class RunNotFoundError(EarmarkError, FileNotFoundError):
    """A path with no run behind it."""


class RunFormatError(EarmarkError, ValueError):
    """A run that this version of earmark cannot read."""


class StorageError(EarmarkError, OSError):
    """A run whose directory cannot be written, or whose URL cannot be read."""


class UnknownSinkError(EarmarkError, LookupError):
    """A name that no sink has."""


class PendingFullError(EarmarkError, MemoryError):
    """No room for a clip to wait in until it is published, and waiting did not help."""


class GraphCaptureError(EarmarkError, RuntimeError):
    """A call while a CUDA graph is captured, of which a copy would become a part."""


class MissingDependencyError(EarmarkError, ImportError):
    """An optional package that is not installed; the message holds the line that installs it."""


class EarmarkWarning(UserWarning):
    """What could not be logged, and why, said once a cause while training goes on."""
