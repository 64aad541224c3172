"""The floor in C, compiled when it is first asked for, and buffers of Python as it takes them.

`lib` has the functions of floor.h. What is compiled is kept in a folder of its own, by the text it was made of.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import sysconfig
import tempfile
import warnings
from array import array
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from vxlanpkt import FrameBatch

_HERE = Path(__file__).parent
_SOURCES = (_HERE / "floor.h", _HERE / "floor.c")
_FLAGS = ["-O3", "-Wall", "-Wextra", "-Wconversion"]
_NAME = "_floor"
_PAGE = 4096

_kept: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()  # what a C struct points into lives as long as it


def _load() -> ModuleType:
    """The extension module, from the cache or made now."""
    text = "".join(path.read_text() for path in _SOURCES)
    digest = hashlib.sha256(f"{text}{_FLAGS}{sys.version}".encode()).hexdigest()[:16]
    path = _HERE / "__pycache__" / f"floor-{digest}" / f"{_NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _compile(path)
    spec = importlib.util.spec_from_file_location(_NAME, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compile(path: Path) -> None:
    """Make the extension module aside and move it into place, so that nobody loads half of it."""
    from cffi import FFI  # here, as what is in the cache is loaded without it

    header, source = _SOURCES
    builder = FFI()
    builder.cdef(header.read_text())
    builder.set_source(
        _NAME,
        f'#include "{header.name}"',
        sources=[str(source)],
        include_dirs=[str(_HERE)],
        extra_compile_args=_FLAGS,
    )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # setuptools warns of itself
        Path(builder.compile(tmpdir=folder)).replace(path)


_module = _load()
ffi: Any = _module.ffi
lib: Any = _module.lib


def pointer(buffer: Any, item: str = "unsigned char") -> Any:
    """A C array over a buffer."""
    return ffi.from_buffer(f"{item}[]", buffer)


def address(buffer: Any) -> int:
    """Where a buffer begins."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(buffer)))


def rows_of(batch: FrameBatch) -> Any:
    """The rows of a batch, to copy from."""
    return _rows(batch.data, batch.offsets, batch.lengths)


def room_for(source: Any, size: int) -> Any:
    """Rows to copy *source*, *size* bytes in all, into."""
    count = source.count
    rows = _rows(bytearray(size + _PAGE), array("Q", bytes(8 * count)), array("I", bytes(4 * count)))
    rows.data = lib.apart(rows.data, source.data)
    return rows


def _rows(data: Any, offsets: Any, lengths: Any) -> Any:
    parts = pointer(data), pointer(offsets, "uint64_t"), pointer(lengths, "uint32_t")
    rows = ffi.new("Rows *", (*parts, len(offsets)))
    _kept[rows] = parts
    return rows
