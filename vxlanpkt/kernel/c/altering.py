"""Inner frames as a policy wants them."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held, pointer
from vxlanpkt.kernel.contract.answers import WRONG_COLUMNS
from vxlanpkt.kernel.contract.decapsulation import Alterations


def alter(frames: Held, alterations: Alterations, out: Any) -> int:
    """Copy every row as the policy wants it. The columns lie in *out*, and the bytes of the rows behind them."""
    kinds = ("uint8_t *", "uint16_t *", "uint16_t *", "uint8_t *")
    if any(column.nbytes < frames[0].rows * width for column, width in zip(alterations, (1, 2, 2, 1), strict=True)):
        return WRONG_COLUMNS
    how = ffi.new("struct vxlanpkt_alterations *", [pointer(*pair) for pair in zip(kinds, alterations, strict=True)])
    return lib.vxlanpkt_alter(frames[0], how, out, len(out))  # type: ignore[no-any-return]
