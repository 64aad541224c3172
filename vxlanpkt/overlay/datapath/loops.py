"""The compiled packet loops, or why there are none."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from vxlanpkt.kernel.contract import CONTRACT as KERNEL

CONTRACT = 0x997DE15C  # stands for the declarations in csrc/datapath.h, which has it too


def load() -> tuple[Any, Any]:
    """What cffi made of the loops: `ffi` and `lib`.

    Raises `ImportError` where they are not built, or were built from other sources.
    """
    try:
        module = import_module("vxlanpkt.overlay._datapathlib")
    except ImportError as error:
        raise ImportError(
            f"the overlay's packet loops are not built: they need Linux, and a C compiler at install time ({error})"
        ) from error
    _refuse_stale(module)
    return module.ffi, module.lib


def _refuse_stale(module: ModuleType) -> None:
    """Structs go from Python and from the kernel to the loops: all three have to mean the same."""
    lib = module.lib
    if getattr(lib, "VXLANPKT_DATAPATH", None) != CONTRACT or lib.vxlanpkt_datapath_kernel() != KERNEL:
        raise ImportError(
            f"{module.__file__} was built from other sources than these: rebuild it (pip install, with -e for an "
            "editable install)"
        )
