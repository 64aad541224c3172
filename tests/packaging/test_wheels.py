"""A wheel is tagged for what is in it, whatever the compiler could do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77", reason="what pyproject.toml builds with")

ROOT = Path(__file__).parent.parent.parent
COMPILER = shutil.which("cc") or shutil.which("gcc")
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('dist')"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the packet loops are built on Linux"),
    pytest.mark.skipif(COMPILER is None, reason="takes a C compiler"),
]


def built_where(fails: str, folder: Path) -> Path:
    """The wheel of this tree from a compiler that cannot compile the extension *fails*."""
    shutil.copytree(ROOT / "vxlanpkt", folder / "vxlanpkt", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    compiler = folder / "compiler"
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *{fails}*) exit 1;; esac\nexec {COMPILER} "$@"\n')
    compiler.chmod(0o755)
    environment = {**os.environ, "CC": str(compiler), "CFLAGS": "-O0", "VXLANPKT_BUILD": "auto"}
    command = [sys.executable, "-W", "ignore", "-c", BUILD]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("dist/*.whl")
    return wheel


def compiled_in(wheel: Path) -> list[str]:
    """The compiled files of a wheel, without what a Python adds to their names."""
    with zipfile.ZipFile(wheel) as archive:
        return [name.partition(".")[0] for name in archive.namelist() if name.endswith(".so")]


def test_pure_where_the_kernel_cannot_be_built(tmp_path: Path) -> None:
    """The loops of the overlay, which take what the kernel in C holds, are not in a wheel for any Python."""
    wheel = built_where("_fastlib", tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert compiled_in(wheel) == []
