"""What the steps and models of many codebases return and are given: their keys, shapes and types.

Each is written once, for any kind of array: the core tests fill in arrays that have a shape and a
dtype and nothing else, the integration tests tensors without values.
"""

from __future__ import annotations

from tests.core.families.codecs import CODECS
from tests.core.families.enhancement import ENHANCEMENT
from tests.core.families.generation import GENERATION
from tests.core.families.separation import SEPARATION
from tests.core.families.soundless import SOUNDLESS
from tests.core.families.speech import SPEECH
from tests.core.families.vocoders import VOCODERS

FAMILIES = [
    *VOCODERS,
    *CODECS,
    *SPEECH,
    *ENHANCEMENT,
    *SEPARATION,
    *GENERATION,
    *SOUNDLESS,
]
