"""The API as typed: api.py under mypy --strict and under pyright, line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
API = HERE / "api.py"
LINES = API.read_text(encoding="utf-8").splitlines()

_REVEAL = re.compile(r"^\s*reveal_type\(.*\)  # (?P<type>.+)$")
_MYPY = re.compile(r"^[^:]*api\.py:(?P<line>\d+): (?P<kind>\w+): (?P<text>.*)$")

REVEALED = {number: found["type"] for number, line in enumerate(LINES, 1) if (found := _REVEAL.match(line))}


def _environment() -> dict[str, str]:
    return {**os.environ, "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def mypy() -> list[re.Match[str]]:
    """What mypy says of api.py."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--config-file", "",
            "--no-error-summary", "--hide-error-context", "--no-pretty", "--follow-imports", "silent", str(API),
        ],
        cwd=ROOT, env=_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    found = [_MYPY.match(line) for line in done.stdout.splitlines()]
    assert all(found), done.stdout
    return [match for match in found if match]


def _plain(revealed: str) -> str:
    """A type as mypy shows it, without what differs from version to version: a NamedTuple may be spelt out."""
    revealed = re.sub(r"tuple\[[^\[\]]*, fallback=([\w.]+)\]", r"\1", revealed)
    return revealed.replace("builtins.", "").replace("typing.", "")


def test_there_is_something_to_check() -> None:
    """The comments in api.py are understood."""
    assert sum("type: ignore[" in line for line in LINES) > 15
    assert len(REVEALED) == sum("reveal_type(" in line for line in LINES) > 25


def test_mypy_reveals(mypy: list[re.Match[str]]) -> None:
    """Every `reveal_type` gives the type behind it."""
    found = {}
    for match in mypy:
        shown = re.fullmatch(r'Revealed type is ["\'](.*)["\']', match["text"])
        if match["kind"] == "note" and shown:
            found[int(match["line"])] = _plain(shown[1])
    assert found == REVEALED


def test_mypy_errors(mypy: list[re.Match[str]]) -> None:
    """No call is an error but the wrong ones, and those are, each of its kind: unused ignores are errors."""
    assert [match[0] for match in mypy if match["kind"] == "error"] == []


def test_pyright_errors() -> None:
    """Pyright finds fault with the same lines and no others."""
    pyright = shutil.which("pyright", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if pyright is None:
        pytest.skip("pyright is not installed")
    done = subprocess.run(
        [pyright, "--outputjson", "--pythonversion", "3.10", "--pythonpath", sys.executable, str(API)],
        cwd=ROOT, env=_environment(), capture_output=True, text=True,
    )  # fmt: skip
    try:
        report = json.loads(done.stdout)
    except ValueError:
        pytest.skip(f"pyright cannot run here: {(done.stdout + done.stderr)[:200]}")
    errors = [found for found in report["generalDiagnostics"] if found["severity"] == "error"]
    assert [(found["range"]["start"]["line"] + 1, found["message"]) for found in errors] == []
