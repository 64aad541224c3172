"""Inner frames as a policy wants them."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held, pointer
from vxlanpkt.kernel.contract.decapsulation import Alterations


def alter(frames: Held, alterations: Alterations, out: Any) -> int:
    """Copy every row as the policy wants it. The columns lie in *out*, and the bytes of the rows behind them."""
    how = ffi.new("struct vxlanpkt_alterations *")
    for name, kind, column in zip(Alterations._fields, _KINDS, alterations, strict=True):
        setattr(how, name, pointer(kind, column))
    how.rows = min(column.nbytes // width for column, width in zip(alterations, _WIDTHS, strict=True))
    return lib.vxlanpkt_alter(frames.pointer, how, out, len(out))  # type: ignore[no-any-return]


_KINDS, _WIDTHS = ("uint8_t *", "uint16_t *", "uint16_t *", "uint8_t *"), (1, 2, 2, 1)
