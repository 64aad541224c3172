"""Encapsulation and decapsulation of batches: check once, allocate once, call the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from vxlanpkt import kernel
from vxlanpkt.assigned import LinkType
from vxlanpkt.batch import DecapBatch, EncapBatch, FrameBatch, column
from vxlanpkt.bindings import Start
from vxlanpkt.decapsulation import outer_kind
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract import BRIEF_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT, NO_SPACE, OVERLAP, EncapMode
from vxlanpkt.kernel.contract import NO_TUNNEL as NO_TUNNEL
from vxlanpkt.kernel.spans import Kind
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.tunnel import Tunnel, TunnelTable

_DEFAULT_POLICY = DecapPolicy()
_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, Kind.ETHERNET
_UNFIT = {
    NO_SPACE: "large enough for these rows and their headers",
    OVERLAP: "apart from the input and its columns: they share memory",
}
_IN_PLACE = EncapMode.IN_PLACE
_FULL_ROW, _BRIEF_ROW, _ENCAP_ROW = DECAP_LAYOUT.row_size, BRIEF_LAYOUT.row_size, ENCAP_LAYOUT.row_size
_MODES = {"copy": EncapMode.COPY, "in_place": EncapMode.IN_PLACE, "headers": EncapMode.HEADERS}


def decap_batch(
    batch: FrameBatch,
    *,
    policy: DecapPolicy = _DEFAULT_POLICY,
    start: Start | None = LinkType.ETHERNET,
    out: DecapBatch | None = None,
    columns: Literal["all", "brief"] = "all",
) -> DecapBatch:
    """Decapsulate every row; copies nothing, refuses no batch for what a row holds.

    policy   what is accepted
    start    what every row begins with; `VXLAN` for payloads of UDP datagrams. None where nobody knows: every row is
             NOT_VXLAN
    out      a result of as many rows and the same columns, which are written again
    columns  "all", or "brief": status, notes, vni, flags, inner_offset, inner_length and inner_original_length

    Raises `FieldError` for *out* of another size, where `allowed_sources` cannot be judged, and for brief
    columns under a policy that alters inner frames, as these are altered by the other columns.
    """
    if not isinstance(batch, FrameBatch):
        raise _not_a_batch(batch)
    rows = batch._rows
    kind = _ETHERNET_KIND
    if start is not _ETHERNET:
        kind = Kind.NOTHING if start is None else outer_kind(start)
        if policy.allowed_sources is not None and start in (VXLAN, VXLANGPE):
            raise _refused("policy", "allowed_sources", "something that bare payloads can be judged by")
    brief = columns != "all"
    if brief:
        _check_brief(columns, policy)
    if out is None:
        buffer = kernel.new_buffer(rows * (_BRIEF_ROW if brief else _FULL_ROW))
        kernel.decap(batch.held, kind, policy.held_rules, brief, buffer)
        return DecapBatch(rows, brief, buffer, batch, policy, start)
    if type(out) is not DecapBatch or out._rows != rows or out._brief != brief:
        raise _refused("out", _described(out), f"a DecapBatch of {rows} rows with {columns} columns")
    done = kernel.decap(batch.held, kind, policy.held_rules, brief, out._buffer)
    if done < 0:
        raise _refused("out", _described(out), _UNFIT[done])
    return out._written(batch, policy, start)


def _check_brief(columns: str, policy: DecapPolicy) -> None:
    if columns != "brief":
        raise _refused("columns", columns, "all or brief")
    if policy.alters:
        raise _refused("columns", columns, "enough for a policy that alters inner frames")


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
        raise _not_a_batch(batch)
    rows = batch._rows
    table: Tunnel | TunnelTable = tunnels if isinstance(tunnels, (Tunnel, TunnelTable)) else TunnelTable(tunnels)
    if identification is None:
        if table.can_clear_df:
            raise _refused("identification", None, "a number of 16 bits, as DF can be clear (RFC 6864)")
    elif not isinstance(identification, int) or identification >> 16:
        raise _refused("identification", identification, "a number of 16 bits")
    how = _MODES.get(mode) if isinstance(mode, str) else None
    if how is None:
        raise _refused("mode", mode, f"one of {', '.join(_MODES)}")
    chosen = None if index is None and table is tunnels and type(table) is Tunnel else _index(rows, index)
    if how is _IN_PLACE:
        _check_headroom(batch, table.overhead)
    elsewhere = batch.data if how is _IN_PLACE else None
    held = table.held if start is _ETHERNET else table.held_recipe(start)
    if out is None:
        buffer = kernel.new_buffer(rows * _ENCAP_ROW + _room(batch, table.overhead, how))
        done = kernel.encap(batch.held, held, chosen, identification, how, buffer)
        if done < 0:
            raise _refused("lengths", "a column that another thread writes", "a column for this call")
        return EncapBatch(rows, buffer, elsewhere)
    if type(out) is not EncapBatch or out._rows != rows:
        raise _refused("out", _described(out), f"an EncapBatch of {rows} rows")
    done = kernel.encap(batch.held, held, chosen, identification, how, out._buffer)
    if done < 0:
        raise _refused("out", _described(out), _UNFIT[done])
    return out._written(elsewhere)


def _described(out: object) -> str:
    """What was given as a result."""
    rows = f" of {len(out)} rows" if isinstance(out, (DecapBatch, EncapBatch)) else ""
    return type(out).__name__ + rows


def _not_a_batch(value: object) -> FieldError:
    return _refused("batch", type(value).__name__, "a FrameBatch: FrameBatch.from_frames makes one of a list")


def _index(rows: int, index: Sequence[int] | memoryview | None) -> Any:
    """The column of tunnels as the kernel holds it."""
    if index is None:
        raise _refused("index", None, "a column that says which tunnel of the table each row takes")
    chosen: Sequence[int] = column("index", index, "I")
    if len(chosen) != rows:
        raise _refused("index", len(chosen), f"a column of {rows} rows")
    return kernel.hold_index(chosen)


def _check_headroom(batch: FrameBatch, largest: int) -> None:
    if batch.data.readonly:
        raise _refused("mode", "in_place", "possible in a read-only buffer")
    if batch.headroom < largest:
        raise _refused("mode", "in_place", f"possible with {batch.headroom} bytes of headroom: {largest} are needed")


def _room(batch: FrameBatch, largest: int, mode: EncapMode) -> int:
    """The bytes that rows may take: what those outside of the buffer claim is not allocated."""
    if mode is _IN_PLACE:
        return 0
    return batch._rows * largest + (kernel.total_length(batch.held) if mode is EncapMode.COPY else 0)


def _refused(name: str, value: object, expected: str) -> FieldError:
    return FieldError(f"{name}: {value!r} is not {expected}", layer="batch", field=name, value=value, bits=None)
