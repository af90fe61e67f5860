"""What the keys of outputs and batches mean: the rules, as data. No value is ever looked at.

A key is read word by word: `gen_audio`, `audio/gen` and `GEN-AUDIO` are the same two words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

ROLES: tuple[Literal["prediction", "target", "input"], ...] = ("prediction", "target", "input")
"""The roles that are looked for, in this order. A key that is a role's own name comes first."""

MARKS = {
    "prediction": """prediction predicted pred hat estimated estimate est generated gen synthesized
        fake enhanced denoised restored separated reconstruction reconstructed recon decoded
        output""",
    "target": "target tgt reference ref truth gt clean real wet airborne",
    "input": "input noisy corrupted degraded mixture mix dry prompt body conducted",
}
"""Words that mean a role; `wet_hat` and `target_pred` are predictions, whatever they predict."""

SOUND = "audio wav wave waveform signal sig speech voice sound sample sequence stems sources src"
"""Words that mean a sound of no certain role.

In what a model returns: its prediction. In a batch, or beside a prediction: the target, or where
there is a target already, the input.
"""

LETTERS = {"x": "input", "y": "target"}
"""The same for single letters: the prediction if alone in what a model returns, else these."""

FILLERS = "model value seg segment"
"""Words that change nothing: `model_outputs`, `audio_values`, `waveform_seg`."""

NEVER = """loss logit prob score metric weight grad param mel spec spectrogram spectrum stft fft
    magnitude mag phase mfcc cepstrum z latent quantized code codebook token id ids index mask attn
    attention alignment f0 pitch energy duration envelope vad hidden state embedding emb feature
    feat frame scale text phoneme label class seed time step noise mean logvar logs std"""
"""Words that no sound has in its key, whatever the shape: these, and all within, are left out."""

DECODABLE = "mel spec spectrogram stft latent code"
"""Words of what becomes a sound by decoding: where there is none, these are named first."""

STEMS = "stems sources src"
"""Words for the sounds of a mixture, whose second axis is never channels: they need `stems=`."""

LENGTHS = "length len"
"""Last words of the lengths of a sound: `audio_lengths` beside `audio`, `output_length` beside
`output_signal`, `audios_length` beside `waveform`. `lengths` alone may count tokens: never."""

COUNTED_IN_BATCHES = "sequence"
"""What lengths in a batch count that is no samples: `sequence_lengths` there are of tokens."""

RATES = ("sample_rate", "sampling_rate", "samplerate", "sr")
"""Keys of the sample rate, in Hz, of the sounds beside it."""

MIN_FRAMES = 1024
"""Shorter arrays are no sounds, unless their key is a role's own name, or they are selected."""

Meaning: TypeAlias = Literal["prediction", "target", "input", "sound", "letter", "never", "unknown"]


@dataclass(frozen=True)
class Key:
    """A key, read.

    Attributes:
        text: The key, in words.
        meaning: The role that it means; `"sound"` or `"letter"` if that depends on the place.
        marks: Its words that mean a role.
        stems: Whether it means the sounds of a mixture.
    """

    text: str
    meaning: Meaning
    marks: frozenset[str]
    stems: bool

    @property
    def is_own(self) -> bool:
        """Whether it is a role's own name."""
        return self.text in ROLES


def read_key(key: Any) -> Key:
    """Say what a key means; nothing, if it is not text."""
    return _read(key) if isinstance(key, str) else Key("", "unknown", frozenset(), stems=False)


@functools.lru_cache(maxsize=4096)
def _read(key: str) -> Key:
    words = _words(key)
    marks = frozenset(words & _ALL_MARKS)
    stems = bool(words & _set(STEMS))
    return Key("_".join(_split(key)), _meaning(words, marks), marks, stems)


def _meaning(words: frozenset[str], marks: frozenset[str]) -> Meaning:
    if words & _set(NEVER):
        return "never"
    if not words or words - _KNOWN:
        return "unknown"
    for role in ROLES:
        if marks & _set(MARKS[role]):
            return role
    if words & _set(SOUND):
        return "sound"
    return "letter" if words <= set(LETTERS) and len(words) == 1 else "unknown"


def is_decodable(key: Any) -> bool:
    """Say whether a key means what becomes a sound by decoding, and nothing about it."""
    words = _words(key) if isinstance(key, str) else frozenset[str]()
    return bool(words & _set(DECODABLE)) and not words & (_set(NEVER) - _set(DECODABLE))


def means_lengths_of(key: Any, sound: Any, *, in_batch: bool) -> bool:
    """Say whether a key means the lengths, in samples or relative, of the sound beside it.

    Args:
        key: Of what may be lengths.
        sound: The sound's key.
        in_batch: Whether both are in a batch, and not in what a model returned.
    """
    if not isinstance(key, str) or not isinstance(sound, str):
        return False
    *words, last = _split(key) or [""]
    if not words or _singular(last) not in {*LENGTHS.split(), "lens"}:
        return False
    counted, of = _read("_".join(words)), _read(sound)
    if _words("_".join(words)) == _words(sound):
        return True
    if in_batch and _words("_".join(words)) & _set(COUNTED_IN_BATCHES):
        return False
    return counted.meaning == of.meaning in (*ROLES, "sound") and counted.marks == of.marks


def of_role(values: Any, role: str) -> Any:
    """Pick what is meant for a role: of a mapping, its entry, or that of the role it is a stem of.

    Args:
        values: One value for all roles, or a mapping of some roles to values.
        role: For example `"prediction"`, or `"prediction.speech"`, which is one of its stems.
    """
    if not isinstance(values, Mapping):
        return values
    return values.get(role, values.get(role.partition(".")[0]))


def _split(key: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", key.lower()) if word]


def _words(key: str) -> frozenset[str]:
    return frozenset(_singular(word) for word in _split(key))


def _singular(word: str) -> str:
    # "losses" too, while "stems" and "sources" are words of their own
    for end in ("s", "es"):
        if word not in _WORDS and word.endswith(end) and word[: -len(end)] in _WORDS:
            return word[: -len(end)]
    return word


@functools.cache
def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ALL_MARKS = frozenset(" ".join(MARKS.values()).split())
_KNOWN = _ALL_MARKS | _set(SOUND) | _set(FILLERS) | set(LETTERS)
_WORDS = _KNOWN | _set(NEVER) | _set(LENGTHS)
