"""Encapsulation of batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from vxlanpkt import kernel
from vxlanpkt.batches.columns import column, written
from vxlanpkt.batches.encapsulated import EncapBatch
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.bulk.checks import UNFIT, described, not_a_batch, refused
from vxlanpkt.errors import is_number
from vxlanpkt.kernel import encap
from vxlanpkt.kernel.contract.columns import ENCAP_LAYOUT
from vxlanpkt.kernel.contract.columns import NO_TUNNEL as NO_TUNNEL
from vxlanpkt.kernel.contract.encapsulation import EncapMode
from vxlanpkt.link_types import LinkType
from vxlanpkt.starts import Start
from vxlanpkt.tunnel import Tunnel, TunnelTable

_ETHERNET = LinkType.ETHERNET
_IN_PLACE = EncapMode.IN_PLACE
_ENCAP_ROW = ENCAP_LAYOUT.row_size
_MODES = {"copy": EncapMode.COPY, "in_place": EncapMode.IN_PLACE, "headers": EncapMode.HEADERS}


def encap_batch(
    batch: FrameBatch,
    tunnels: Tunnel | TunnelTable | Sequence[Tunnel],
    *,
    index: Sequence[int] | memoryview | None = None,
    identification: int | None = None,
    start: Start = LinkType.ETHERNET,
    mode: Literal["copy", "in_place", "headers"] = "copy",
    out: EncapBatch | None = None,
) -> EncapBatch:
    """Encapsulate every row; a row that cannot be sent has length 0 and says why in `status`.

    tunnels         one tunnel, or a table of them; a `TunnelTable` is ready for use again and again
    index           uint32: which tunnel of the table each row takes; `NO_TUNNEL` for none
    identification  the outer IPv4 header's for row 0; each row's is one more. Needed where DF can be clear
    start           what every row begins with: Ethernet, or (only with `gpe`) IP
    mode            "copy" header and frame behind each other into a new buffer; write the header
                    "in_place", into the headroom in front of each frame (rows in ascending order; one whose header
                    would run into the row before is refused, NO_ROOM); or only the "headers"
    out             a result of as many rows, which is written again if it has the room

    Lengths are those of the bytes here: `original_lengths` are not looked at.
    Raises `FieldError` for arguments that cannot be: a table without an index, headroom that is too small.
    """
    if not isinstance(batch, FrameBatch):
        raise not_a_batch(batch)
    rows = batch._rows
    table: Tunnel | TunnelTable = tunnels if isinstance(tunnels, (Tunnel, TunnelTable)) else TunnelTable(tunnels)
    _check_identification(identification, table.can_clear_df)
    how = _MODES.get(mode) if isinstance(mode, str) else None
    if how is None:
        raise refused("mode", mode, f"one of {', '.join(_MODES)}")
    chosen = None if index is None and table is tunnels and type(table) is Tunnel else _index(rows, index)
    if how is _IN_PLACE:
        _check_headroom(batch, table.overhead)
    elsewhere = batch.data if how is _IN_PLACE else None
    held = table.held if start is _ETHERNET else table.held_recipe(start)
    if out is None:
        buffer = kernel.new_buffer(rows * _ENCAP_ROW + _room(batch, table.overhead, how))
        written(encap(batch.held, held, chosen, identification, how, buffer))
        return EncapBatch(rows, buffer, elsewhere)
    if type(out) is not EncapBatch or out._rows != rows:
        raise refused("out", described(out), f"an EncapBatch of {rows} rows")
    done = encap(batch.held, held, chosen, identification, how, out._buffer)
    if done < 0:
        raise refused("out", described(out), UNFIT[done])
    return out._written(elsewhere)


def _check_identification(identification: int | None, needed: bool) -> None:
    if identification is None:
        if needed:
            raise refused("identification", None, "a number of 16 bits, as DF can be clear (RFC 6864)", 16)
    elif not is_number(identification, 16):
        raise refused("identification", identification, "a number of 16 bits", 16)


def _index(rows: int, index: Sequence[int] | memoryview | None) -> Any:
    """The column of tunnels as the kernel holds it."""
    if index is None:
        raise refused("index", None, "a column that says which tunnel of the table each row takes")
    chosen: Sequence[int] = column("index", index, "I", refused)
    if len(chosen) != rows:
        raise refused("index", len(chosen), f"a column of {rows} rows")
    return kernel.hold_index(chosen)


def _check_headroom(batch: FrameBatch, largest: int) -> None:
    if batch.data.readonly:
        raise refused("mode", "in_place", "possible in a read-only buffer")
    if batch.headroom < largest:
        raise refused("mode", "in_place", f"possible with {batch.headroom} bytes of headroom: {largest} are needed")


def _room(batch: FrameBatch, largest: int, mode: EncapMode) -> int:
    """The bytes that rows may take: what those outside of the buffer claim is not allocated."""
    if mode is _IN_PLACE:
        return 0
    return batch._rows * largest + (kernel.total_length(batch.held) if mode is EncapMode.COPY else 0)
