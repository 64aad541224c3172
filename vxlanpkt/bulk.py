"""Encapsulation and decapsulation of batches: check once, allocate once, call the kernel."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Literal

from vxlanpkt import kernel
from vxlanpkt.assigned import LinkType
from vxlanpkt.batch import DecapBatch, EncapBatch, FrameBatch, column
from vxlanpkt.bindings import Start
from vxlanpkt.decapsulation import outer_kind
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel import NO_TUNNEL as NO_TUNNEL
from vxlanpkt.kernel.contract import EncapMode
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.tunnel import Tunnel

_DEFAULT_POLICY = DecapPolicy()
_MODES = {"copy": EncapMode.COPY, "in_place": EncapMode.IN_PLACE, "headers": EncapMode.HEADERS}


def decap_batch(
    batch: FrameBatch,
    *,
    policy: DecapPolicy = _DEFAULT_POLICY,
    start: Start = LinkType.ETHERNET,
    out: DecapBatch | None = None,
) -> DecapBatch:
    """Decapsulate every row; copies nothing, refuses no batch for what a row holds.

    policy  what is accepted
    start   what every row begins with; `VXLAN` for payloads of UDP datagrams
    out     a result of as many rows, whose columns are written again

    Raises `FieldError` for *out* of another size, and where `allowed_sources` cannot be judged.
    """
    _check_batch(batch)
    kind = outer_kind(start)
    if policy.allowed_sources is not None and start in (VXLAN, VXLANGPE):
        raise _refused("policy", "allowed_sources", "something that bare payloads can be judged by")
    result = DecapBatch(len(batch)) if out is None else out
    if len(result) != len(batch):
        raise _refused("out", len(result), f"a result of {len(batch)} rows")
    columns = result.attach(batch, policy, start)
    kernel.decap(batch.data, batch.offsets, batch.lengths, batch.original_lengths, kind, policy.rules, columns)
    return result


def encap_batch(
    batch: FrameBatch,
    tunnels: Tunnel | Sequence[Tunnel],
    *,
    index: Sequence[int] | memoryview | None = None,
    identification: int | None = None,
    start: Start = LinkType.ETHERNET,
    mode: Literal["copy", "in_place", "headers"] = "copy",
    out: EncapBatch | None = None,
) -> EncapBatch:
    """Encapsulate every row; a row that cannot be sent has length 0 and says why in `status`.

    tunnels         one tunnel, or a table of them
    index           uint32: which tunnel of the table each row takes; `NO_TUNNEL` for none
    identification  the outer IPv4 header's for row 0; each row's is one more. Needed where DF can be clear
    start           what every row begins with: Ethernet, or (only with `gpe`) IP
    mode            "copy" header and frame behind each other into a new buffer; write the header
                    "in_place", into the headroom in front of each frame (rows in ascending order; one whose header
                    would run into the row before is refused, NO_ROOM); or only the "headers"
    out             a result whose buffer and columns are written again, with "copy" and "headers"

    Lengths are those of the bytes here: `original_lengths` are not looked at.
    Raises `FieldError` for arguments that cannot be: a table without an index, headroom that is too small.
    """
    _check_batch(batch)
    table = [tunnels] if isinstance(tunnels, Tunnel) else list(tunnels)
    chosen = _index(batch, tunnels, index)
    if identification is None and any(tunnel.src.version == 4 and tunnel.df != "set" for tunnel in table):
        raise _refused("identification", None, "a number of 16 bits, as DF can be clear (RFC 6864)")
    if identification is not None and (not isinstance(identification, int) or identification >> 16):
        raise _refused("identification", identification, "a number of 16 bits")
    recipes = [tunnel.recipe(start) for tunnel in table]
    largest = max((tunnel.overhead for tunnel in table), default=0)
    how = _MODES.get(mode)
    if how is None:
        raise _refused("mode", mode, f"one of {', '.join(_MODES)}")
    result = _result(batch, how, largest, out)
    kernel.encap(
        batch.data, batch.offsets, batch.lengths, recipes, chosen, identification, how,
        result.data, result.offsets, result.lengths, result.status,
    )  # fmt: skip
    return result


def _check_batch(batch: FrameBatch) -> None:
    if not isinstance(batch, FrameBatch):
        raise _refused("batch", type(batch).__name__, "a FrameBatch: FrameBatch.from_frames makes one of a list")


def _index(
    batch: FrameBatch, tunnels: Tunnel | Sequence[Tunnel], index: Sequence[int] | memoryview | None
) -> Sequence[int] | None:
    if index is None:
        if not isinstance(tunnels, Tunnel):
            raise _refused("index", None, "a column that says which tunnel of the table each row takes")
        return None
    chosen: Sequence[int] = column("index", index, "I")
    if len(chosen) != len(batch):
        raise _refused("index", len(chosen), f"a column of {len(batch)} rows")
    return chosen


def _result(batch: FrameBatch, mode: EncapMode, largest: int, out: EncapBatch | None) -> EncapBatch:
    rows = len(batch)
    if mode is EncapMode.IN_PLACE:
        if batch.data.readonly:
            raise _refused("mode", "in_place", "possible in a read-only buffer")
        if batch.headroom < largest:
            raise _refused(
                "mode", "in_place", f"possible with {batch.headroom} bytes of headroom: {largest} are needed"
            )
        return _empty(batch.data, rows)
    needed = rows * largest + (_readable(batch) if mode is EncapMode.COPY else 0)
    if out is None:
        return _empty(bytearray(needed), rows)
    if len(out) != rows or out.data.readonly or len(out.data) < needed:
        raise _refused("out", repr(out), f"a writable result of {rows} rows and {needed} bytes")
    if out.data.obj is batch.data.obj:
        raise _refused("out", repr(out), "apart from the input: they share a buffer")
    return out


def _readable(batch: FrameBatch) -> int:
    """The bytes of all rows inside the buffer: what the others claim is not allocated."""
    size = len(batch.data)
    return sum(
        length for offset, length in zip(batch.offsets, batch.lengths, strict=True) if offset + length <= size
    )  # fmt: skip


def _empty(data: bytearray | memoryview, rows: int) -> EncapBatch:
    result = EncapBatch(data, array("Q", bytes(8 * rows)), array("I", bytes(4 * rows)))
    result.status = array("B", bytes(rows))
    return result


def _refused(name: str, value: object, expected: str) -> FieldError:
    return FieldError(f"{name}: {value!r} is not {expected}", layer="batch", field=name, value=value, bits=None)
