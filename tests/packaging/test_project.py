"""What pyproject.toml says of the package is so: files, versions, and the Pythons that it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "vxlanpkt"
BUILT = (".so", ".pyd", ".pyc")


@pytest.fixture(scope="module")
def project() -> Any:
    """pyproject.toml, where this Python can read it."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 or newer reads TOML")
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_file_is_in_the_package(project: Any) -> None:
    """What is no Python module is named by a pattern: headers of the kernel above all. No pattern is left over."""
    packages = project["tool"]["setuptools"]["package-data"]
    matches = {
        (package, pattern): set(ROOT.joinpath(*package.split(".")).glob(pattern))
        for package, patterns in packages.items()
        for pattern in patterns
    }
    wanted = {path for path in PACKAGE.rglob("*.*") if path.is_file() and path.suffix not in (".py", *BUILT)}
    assert set().union(*matches.values()) == wanted
    assert all(matches.values())


def test_every_included_header_is_there() -> None:
    """Of the C sources none is missing, and none is there for nothing."""
    for source, folder in (("_fast.c", "csrc"), ("overlay/_datapath.c", "overlay/csrc")):
        included = re.findall(rf'#include "{folder}/(\w+\.h)"', (PACKAGE / source).read_text("ascii"))
        assert sorted(included) == sorted(path.name for path in (PACKAGE / folder).iterdir())


def test_version_is_said_once(project: Any) -> None:
    """The package's own attribute is the only place, so that a release changes one line."""
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "vxlanpkt.__version__"}
    files = [ROOT / "pyproject.toml", ROOT / "docs" / "conf.py", *PACKAGE.rglob("*.py")]
    said = [path.name for path in files if f'"{vxlanpkt.__version__}"' in path.read_text("utf-8")]
    assert said == ["__init__.py"]


def test_oldest_python(project: Any) -> None:
    """All that depends on the oldest Python speaks of the same one, the tag of the wheel included."""
    oldest = project["project"]["requires-python"].removeprefix(">=")
    major, minor = oldest.split(".")
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{major}{minor}"
    assert project["tool"]["cibuildwheel"]["build"][0] == f"cp{major}{minor}-*"
    assert f"_OLDEST = ({major}, {minor})" in (PACKAGE / "_build.py").read_text("utf-8")
