"""What the plugins load, on which their time to start depends; and that their files are whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import install
from vxlanpkt.cni.installation import NAMES

from .calls import call, environment
from .delegates import Delegate

_LARGE = {"json", "re", "enum", "typing", "dataclasses", "inspect", "ipaddress", "subprocess", "pathlib", "traceback"}


def _imports(program: Path, variables: Mapping[str, str], given: bytes) -> set[str]:
    """The modules that a program imports, as the interpreter itself tells them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CNI_")}
    done = subprocess.run(
        [sys.executable, "-IS", "-X", "importtime", program],
        input=given, capture_output=True, env={**kept, **variables}, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What an archive imports that does nothing."""
    path = tmp_path_factory.mktemp("idle") / "idle"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", "")
    return _imports(path, {}, b"")


@pytest.mark.parametrize("name", NAMES)
def test_version_loads_next_to_nothing(plugins: Path, idle: set[str], name: str) -> None:
    loaded = _imports(plugins / name, environment("VERSION"), b'{"cniVersion": "1.0.0"}')
    assert not _LARGE & idle
    assert loaded - idle - {"__future__", "gc", "sys"} == {
        "vxlanpkt", "vxlanpkt.cni", "vxlanpkt.cni.plugin", "vxlanpkt.cni.protocol", "vxlanpkt.cni.protocol.versions",
    }  # fmt: skip


def test_add_loads_what_it_needs(plugins: Path, network: dict[str, Any], delegate: Delegate, tmp_path: Path) -> None:
    variables = environment(CNI_PATH=str(tmp_path))
    loaded = _imports(plugins / "vxlanpkt-cni", variables, json.dumps(network).encode())
    assert delegate.commands == ["ADD"]
    assert {"json", "ipaddress", "vxlanpkt.overlay.leases.subnet_values"} <= loaded
    assert not {"dataclasses", "inspect", "subprocess", "pathlib", "traceback", "tempfile"} & loaded
    assert not {name for name in loaded if name.startswith(("vxlanpkt.cni.ipam", "vxlanpkt.cni.installation"))}


def test_console_script_of_the_package(tmp_path: Path) -> None:
    """The package's own modules load no more than those of the archive, but what the package itself needs."""
    program = "from vxlanpkt.cni.plugin import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", f"import __future__, importlib, sys, typing; before = set(sys.modules); {program}; "
                               "print(*(set(sys.modules) - before), file=sys.stderr)"],
        input=b"", capture_output=True, env={**os.environ, **environment("VERSION")}, check=True,
    )  # fmt: skip
    assert set(done.stderr.decode().split()) == {
        "vxlanpkt", "vxlanpkt._names", "vxlanpkt.cni", "vxlanpkt.cni.plugin", "vxlanpkt.cni.protocol",
        "vxlanpkt.cni.protocol.versions",
    }  # fmt: skip


def test_files_need_nothing_but_themselves(network: dict[str, Any], tmp_path: Path) -> None:
    """Copied elsewhere, in another directory, with the compiled modules of another Python, they run."""
    Delegate(tmp_path)
    (tmp_path / "bin").mkdir()
    for path in install(tmp_path / "bin", sys.executable):
        assert os.access(path, os.X_OK)
    source_only = tmp_path / "vxlanpkt-cni"
    content = (tmp_path / "bin" / "vxlanpkt-cni").read_bytes()
    assert content.startswith(f"#!{sys.executable} -IS\n".encode())
    _without_compiled(tmp_path / "bin" / "vxlanpkt-cni", source_only)
    for plugin in (tmp_path / "bin" / "vxlanpkt-cni", source_only):
        for command in ("ADD", "DEL"):
            assert call(plugin, environment(command, CNI_PATH=str(tmp_path)), network).status == 0


def _without_compiled(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as whole, target.open("wb") as file:
        file.write(f"#!{sys.executable} -IS\n".encode())
        with zipfile.ZipFile(file, "w") as part:
            for name in whole.namelist():
                if name.endswith(".py"):
                    part.writestr(name, whole.read(name))
    target.chmod(0o755)


def test_the_same_file_each_time(plugins: Path, tmp_path: Path) -> None:
    first, second = install(tmp_path, sys.executable)
    assert first.read_bytes() == second.read_bytes() == (plugins / "vxlanpkt-cni").read_bytes()


def test_an_interpreter_that_cannot(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be run"):
        install(tmp_path, tmp_path / "none")
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho 'it is 3.8' >&2; exit 1\n")
    old.chmod(0o755)
    with pytest.raises(ValueError, match=r"need Python 3\.10: it is 3\.8"):
        install(tmp_path, old)
    with pytest.raises(FileNotFoundError):
        install(tmp_path / "none", sys.executable)


@pytest.mark.parametrize("folder", ["white space", f"{'a' * 130}/{'b' * 130}"])
def test_an_interpreter_that_no_first_line_can_name(tmp_path: Path, folder: str) -> None:
    """Linux cuts the line at white space, and does not read a long one at all."""
    (tmp_path / folder).mkdir(parents=True)
    python = tmp_path / folder / "python"
    python.symlink_to(sys.executable)
    with pytest.raises(ValueError, match="first line"):
        install(tmp_path, python)
    assert not (tmp_path / "vxlanpkt-cni").exists()
