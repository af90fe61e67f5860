"""The records of a run, format 1: which fields they have, and of which types.

metadata.jsonl   STORED   sounds in the same folder
links.jsonl      LINKED   sounds in a folder of their own, or at a URL
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLIP = {
    "tag": "string",
    "example": "string",
    "role": "string",
    "step": "int64",
    "epoch": "int64",
    "caption": "string",
    "note": "string",
    "sample_rate": "int64",
    "num_frames": "int64",
    "num_channels": "int64",
    "format": "string",
    "subtype": "string",
    "peak_dbfs": "float64",
    "rms_dbfs": "float64",
    "silent": "bool",
    "num_over": "int64",
    "num_nonfinite": "int64",
    "metrics": "list",
}

STORED: Mapping[str, str] = (
    {"file_name": "string"} | _CLIP | {"num_bytes": "int64", "sha256": "string"}
)
"""The fields of a stored sound, and their types in the words of Arrow."""

LINKED: Mapping[str, str] = {"sound": "string", "url": "string"} | _CLIP
"""The fields of a link."""

METRIC: Mapping[str, str] = {"name": "string", "value": "float64"}
"""The fields of each entry in `metrics`."""

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "float64": (float, int),
    "bool": (bool,),
    "list": (list,),
}


def misfit(record: Any, fields: Mapping[str, str]) -> str:
    """Say in what something differs from a record; empty if in nothing. More fields are fine."""
    if not isinstance(record, dict):
        return "no JSON object"
    for name, kind in fields.items():
        if name not in record:
            return f"none of {name!r}"
        value = record[name]
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
            return f"{value!r} as {name!r}, which is no {kind}"
    return next(filter(None, (misfit(each, METRIC) for each in record.get("metrics", ()))), "")
