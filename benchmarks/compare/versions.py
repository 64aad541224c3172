"""Two versions of the library, each built from its sources and installed into a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "build" / "compare"
_SOURCES = ("vxlanpkt", "pyproject.toml", "README.md", "LICENSE")


class Version(NamedTuple):
    """What it is called, and the environment in which Python finds it, with the benchmarks of this tree."""

    name: str
    environment: dict[str, str]


def of_commit(commit: str) -> Version:
    """The version of a commit, a branch or a tag."""
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}")
    source = FOLDER / "source"
    shutil.rmtree(source, ignore_errors=True)
    _git("worktree", "add", "--force", "--detach", str(source), name)
    try:
        return Version(name, _installed("before", source))
    finally:
        _git("worktree", "remove", "--force", str(source))


def of_this_tree() -> Version:
    """The version in the working tree, committed or not."""
    source = FOLDER / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for name in _SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    for built in source.rglob("*.so"):
        built.unlink()
    try:
        return Version("this tree", _installed("after", source))
    finally:
        shutil.rmtree(source)


def _installed(name: str, source: Path) -> dict[str, str]:
    site = FOLDER / name
    shutil.rmtree(site, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, env={**os.environ, "VXLANPKT_BUILD": "c"})
    benchmarks = FOLDER / "benchmarks"
    if not benchmarks.exists():
        benchmarks.symlink_to(ROOT / "benchmarks")
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(FOLDER))), "PYTHONHASHSEED": "0"}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
