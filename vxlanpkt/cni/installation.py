"""The plugins as files for a plugin directory: each is whole in itself, and needs a python3 and nothing else.

A file is an executable zip archive (`zipapp`) of the few modules that the plugins load, as source and compiled by the
Python that will run them. That Python starts isolated (-I) and without `site` (-S), which makes up for what it costs
to load from an archive. Another version of it, after an upgrade, falls back on the source.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory

import vxlanpkt
from vxlanpkt.cni.files import replace_file

NAMES = ("vxlanpkt-cni", "vxlanpkt-ipam")
_SYSTEM_PYTHON = "/usr/bin/python3"
_OLDEST = (3, 10)
_LONGEST_LINE = 255  # of what Linux reads of a file to find its interpreter

# What plugins load, and no more: a test runs them with it. Packages are made anew, without their tables of names.
_MODULES = (
    "cni/attachments.py", "cni/commands.py", "cni/delegation.py", "cni/dispatch.py", "cni/execution.py", "cni/files.py",
    "cni/plugin.py", "cni/rendering.py", "cni/ipam/commands.py", "cni/ipam/ranges.py", "cni/ipam/reservations.py",
    "cni/ipam/settings.py", "cni/protocol/configuration.py", "cni/protocol/environment.py", "cni/protocol/errors.py",
    "cni/protocol/fields.py", "cni/protocol/results.py", "cni/protocol/versions.py", "overlay/leases/subnet_values.py",
)  # fmt: skip
_PACKAGE = f'"""The part of vxlanpkt {vxlanpkt.__version__} that its CNI plugins need."""\n'
_MAIN = '''"""One archive under two names: which of the plugins it is, its name says."""

import gc
import os
import sys

gc.disable()  # a call is over before there is anything to collect

from vxlanpkt.cni.plugin import ipam_main, main

status = ipam_main() if sys.argv[0].endswith("-ipam") else main()
sys.stdout.flush()
os._exit(status)  # what an interpreter tidies up at its end takes a tenth of the time
'''


def install(directory: str | PathLike[str], python: str | PathLike[str] | None = None) -> tuple[Path, ...]:
    """Write the plugins into *directory*, and return their paths: whoever calls one sees the old file or the new.

    python: the interpreter that runs them; the system's, or this one where there is none. ValueError if it cannot.
    """
    home = Path(fspath(directory))
    if python is None:
        python = _SYSTEM_PYTHON if Path(_SYSTEM_PYTHON).exists() else sys.executable
    chosen = Path(fspath(python)).absolute()
    content = _archive(chosen)
    for name in NAMES:
        replace_file(str(home / name), content, 0o755)
    return tuple(home / name for name in NAMES)


def _archive(python: Path) -> bytes:
    """The executable archive of the modules, compiled by *python*."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        source = Path(vxlanpkt.__file__).parent
        for module in _MODULES:
            target = root / "vxlanpkt" / module
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((source / module).read_bytes())
        for package in [root / "vxlanpkt", *(path for path in (root / "vxlanpkt").rglob("*") if path.is_dir())]:
            (package / "__init__.py").write_text(_PACKAGE)
        (root / "__main__.py").write_text(_MAIN)
        _compile(python, root)
        return _zipped(root, _first_line(python))


def _first_line(python: Path) -> bytes:
    """What names the interpreter: a path as it is, in which Linux knows no quotes."""
    line = f"#!{python} -IS\n".encode()
    if len(line) > _LONGEST_LINE or any(map(str.isspace, str(python))):
        raise ValueError(f"{python} cannot stand in a first line: it has to be short, and without white space")
    return line


def _compile(python: Path, root: Path) -> None:
    """Compile each module beside its source; not to be compared with it, which takes time at each start."""
    program = (
        f"import sys; sys.version_info >= {_OLDEST} or sys.exit('it is %s.%s' % sys.version_info[:2])\n"
        "import compileall, py_compile; mode = py_compile.PycInvalidationMode.UNCHECKED_HASH; root = sys.argv[1]\n"
        "compileall.compile_dir(root, quiet=1, legacy=True, invalidation_mode=mode, stripdir=root) or sys.exit(1)\n"
    )
    try:
        done = subprocess.run([python, "-IS", "-c", program, root], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ValueError(f"{python} cannot be run: {error.strerror}") from error
    if done.returncode:
        needed = ".".join(map(str, _OLDEST))
        raise ValueError(f"{python} cannot run the plugins, which need Python {needed}: {done.stdout}{done.stderr}")


def _zipped(root: Path, head: bytes) -> bytes:
    """All files below behind a first line, stored as they are, with the same bytes each time."""
    found = io.BytesIO()
    found.write(head)
    with zipfile.ZipFile(found, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*.py*")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(root))), path.read_bytes())
    return found.getvalue()
