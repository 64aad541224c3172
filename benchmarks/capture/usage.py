"""What a command takes, run as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_LAUNCH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
_KIB = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS


class Usage(NamedTuple):
    """Processor time in seconds, of user and system, from the start of the process to its end; peak memory in bytes."""

    cpu: float
    peak: int


def usage(command: Sequence[str], environment: Mapping[str, str]) -> Usage:
    """Run a command, its output thrown away; RuntimeError with what it said if it fails."""
    done = subprocess.run(
        [*_LAUNCH, *command], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    cpu, peak = done.stdout.split()
    return Usage(float(cpu), int(peak) * _KIB)
