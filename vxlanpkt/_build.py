"""How what is in C is built: the commands that pyproject.toml names to setuptools. No part of the library as it runs.

That is the kernel, and on Linux the packet loops of the overlay.

VXLANPKT_BUILD is auto (where the C kernel cannot be built the library is installed without, and runs on its Python
kernel), c (the build fails instead), or python (the C kernel is left out).
"""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from setuptools import Extension
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, OptionError

_HERE = Path("vxlanpkt")


class _Module(NamedTuple):
    """An extension: what cffi declares, what the compiler reads, and what there is without it."""

    declarations: Path
    source: str
    without: str


_KERNEL = "vxlanpkt._fastlib"
_MODULES = {
    _KERNEL: _Module(
        Path(_HERE, "csrc", "contract.h"),
        "_fast.c",
        "its C kernel: it will run on the Python kernel, which does the same, but slower",
    ),
    "vxlanpkt.overlay._datapathlib": _Module(
        Path(_HERE, "overlay", "csrc", "datapath.h"),
        "overlay/_datapath.c",
        "the packet loops of the overlay's user-space backends, which then cannot run",
    ),
}
_LINUX_ONLY = frozenset(("vxlanpkt.overlay._datapathlib",))
_WANTED = os.environ.get("VXLANPKT_BUILD", "auto")
# Free-threaded and debug builds have no limited API, PyPy an ABI of its own.
_LIMITED = (
    sys.implementation.name == "cpython"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and not hasattr(sys, "gettotalrefcount")
)
_OLDEST = (3, 10)  # the Python that pyproject.toml requires
# Where it is told neither, cffi's C chooses by itself.
_MACRO = ("Py_LIMITED_API", "0x{:02X}{:02X}0000".format(*_OLDEST)) if _LIMITED else ("_CFFI_NO_LIMITED_API", None)
_FLAGS = {"unix": ["-O3", "-std=c11"], "mingw32": ["-O3", "-std=c11"], "msvc": ["/O2", "/std:c11"]}


class BuildKernel(build_ext):
    """Write the extension's C, which cffi makes of the kernel's declarations, and compile it, if that can be done."""

    def finalize_options(self) -> None:
        """Take over what VXLANPKT_BUILD says."""
        if _WANTED not in ("auto", "c", "python"):
            raise OptionError(f"VXLANPKT_BUILD={_WANTED}: it is one of auto, c, python")
        if sys.platform != "linux":
            modules = self.distribution.ext_modules or ()
            self.distribution.ext_modules = [ext for ext in modules if ext.name not in _LINUX_ONLY]
        for ext in self.distribution.ext_modules or ():
            ext.optional = _WANTED != "c"
        super().finalize_options()
        self.force = True  # flags and compilers may have changed too, which no file's time tells

    def run(self) -> None:
        """Build, and say so if that failed. No extension of an earlier build stays in the place of this one."""
        self._remove()
        super().run()
        if not self.is_built():
            self._remove()  # what else came out takes what the kernel in C holds; and the wheel is for any Python
        for name in self._names():
            if not self.is_built(name):
                self.warn(
                    f"vxlanpkt is built WITHOUT {_MODULES[name].without}. With VXLANPKT_BUILD=c this is an error."
                )

    def is_built(self, name: str = _KERNEL) -> bool:
        """Whether an extension came out."""
        return any(path.exists() for path in self._outputs(name))

    def build_extension(self, ext: Extension) -> None:
        """Compile for the limited API where there is one."""
        if _WANTED == "python":
            raise CompileError("VXLANPKT_BUILD=python asks for none")
        source = Path(self.build_temp, ext.name.rpartition(".")[2] + ".c")
        source.parent.mkdir(parents=True, exist_ok=True)
        _write_source(ext.name, source)
        ext.sources = [str(source)]
        ext.include_dirs = [str(_HERE)]
        ext.py_limited_api = _LIMITED
        ext.define_macros = [_MACRO]
        ext.extra_compile_args = [*_FLAGS.get(self.compiler.compiler_type, []), *ext.extra_compile_args]
        super().build_extension(ext)

    def _remove(self) -> None:
        for name in self._names():
            for path in self._outputs(name):
                path.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        return [ext.name for ext in self.distribution.ext_modules or ()]

    def _outputs(self, name: str) -> list[Path]:
        """Where this Python would find the extension: among what is built, and in the tree for an editable install."""
        package, _, module = name.rpartition(".")
        folders = [Path(self.build_lib, *package.split(".")), Path(self.get_ext_fullpath(name)).parent]
        return [folder / f"{module}{suffix}" for folder in folders for suffix in EXTENSION_SUFFIXES]


class BuildWheel(bdist_wheel):
    """Tag the wheel for what is in it: abi3 from the oldest Python on, one version alone, or any Python."""

    def finalize_options(self) -> None:
        """Ask for the tag that a wheel with the extension has."""
        if _LIMITED:
            self.py_limited_api = "cp{}{}".format(*_OLDEST)
        super().finalize_options()

    def run(self) -> None:
        """Build before the tag is chosen: a wheel that came out without the extension has to say so."""
        self.run_command("build")
        self.skip_build = True
        build = self.get_finalized_command("build_ext")
        assert isinstance(build, BuildKernel)
        if not build.is_built():
            self.distribution.ext_modules = []
            self.root_is_pure = True
        super().run()


def _write_source(name: str, path: Path) -> None:
    """The C of an extension module. What is in C of it is one translation unit with it."""
    from cffi import FFI

    module = _MODULES[name]
    ffi = FFI()
    ffi.cdef(module.declarations.read_text(encoding="ascii"))
    ffi.set_source(name, f'#include "{module.source}"')
    ffi.emit_c_code(str(path))
