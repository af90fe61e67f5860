"""What holds no sound."""

from __future__ import annotations

from tests.core.families.family import NOWHERE, Family

SOUNDLESS = [
    Family(
        "a loss alone: sgmse, Apollo, CosyVoice",
        lambda t: t(),
        lambda t: {"audio": t(2, 16000)},
        error="return {'prediction': sound}, or pass predict= to make one of the batch",
    ),
    Family(
        "codes, and their sample rate",
        lambda t: (t(2, 8, 2048, dtype="int64"), 24_000),
        error=NOWHERE.format("0"),
    ),
    Family(
        "nothing",
        lambda _: None,
        error="found none in None: return {'prediction': sound}, or pass predict= to make one of "
        "the batch",
    ),
]
