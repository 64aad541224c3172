"""How the C kernel is built: the commands that pyproject.toml names to setuptools. No part of the library as it runs.

Where there is no compiler, or VXLANPKT_BUILD=python asks for it, the install succeeds without: the
library then runs on its Python kernel.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

_HERE = Path("vxlanpkt")
_ONLY_PYTHON = os.environ.get("VXLANPKT_BUILD") == "python"
# Free-threaded builds have no limited API, PyPy an ABI of its own.
_LIMITED = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
_FLAGS = {"unix": ["-O3", "-std=c11"], "mingw32": ["-O3", "-std=c11"], "msvc": ["/O2", "/std:c11"]}


class BuildKernel(build_ext):
    """Write the extension's C, which cffi makes of the kernel's declarations, and compile it, if that can be done."""

    def finalize_options(self) -> None:
        """Leave the extension out where that is asked for."""
        super().finalize_options()
        if _ONLY_PYTHON:
            self.extensions = []

    def build_extension(self, ext: Extension) -> None:
        """Compile for the limited API where there is one."""
        source = Path(self.build_temp, "_fastlib.c")
        source.parent.mkdir(parents=True, exist_ok=True)
        _write_source(source)
        ext.depends = [str(path) for path in (_HERE / "_fast.c", *_HERE.glob("csrc/*.h"))]
        ext.sources = [str(source)]
        ext.include_dirs = [str(_HERE)]
        ext.py_limited_api = _LIMITED
        ext.extra_compile_args = [*_FLAGS.get(self.compiler.compiler_type, []), *ext.extra_compile_args]
        super().build_extension(ext)


class BuildWheel(bdist_wheel):
    """Tag the wheel for what is in it: abi3 from CPython 3.10 on, one version alone, or any Python."""

    def finalize_options(self) -> None:
        """Choose the tag."""
        if _ONLY_PYTHON:
            self.distribution.ext_modules = []
        elif _LIMITED:
            self.py_limited_api = "cp310"
        super().finalize_options()


def _write_source(path: Path) -> None:
    """The C of the extension module. The kernel is one translation unit with it."""
    from cffi import FFI

    ffi = FFI()
    ffi.cdef(Path(_HERE, "csrc", "contract.h").read_text(encoding="ascii"))
    ffi.set_source("vxlanpkt._fastlib", '#include "_fast.c"')
    ffi.emit_c_code(str(path))
