"""Core finds the converter by a tensor's type, and imports torch for nobody else."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    """Run code in a Python of its own, warnings as errors; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_core_leaves_torch_alone() -> None:
    """Importing earmark, and a sound from numpy, imports neither torch nor the integrations."""
    code = """
import sys, numpy, earmark
earmark.Audio(numpy.zeros(500, "float32"), 16000).samples
print([name for name in ("torch", "earmark_integrations") if name in sys.modules])
"""
    assert run(code) == "[]"


def test_the_check_can_fail() -> None:
    """The same look at the imported modules sees torch once a tensor came along."""
    code = """
import sys, torch, earmark
before = "earmark_integrations.torch" in sys.modules
audio = earmark.Audio(torch.ones(2, 500, dtype=torch.bfloat16), 16000)
print(before, "earmark_integrations.torch" in sys.modules, audio)
"""
    assert run(code) == "False True Audio(2 channels, 0.031 s, 16000 Hz)"
