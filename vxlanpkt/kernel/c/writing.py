"""Packets put into capture files."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held, new_uncleared, pointer
from vxlanpkt.kernel.contract.writing import Packets, Target, Written


def hold_packets(packets: Packets) -> Held:
    """What may be put into a capture file, held."""
    held = ffi.new("struct vxlanpkt_packets *")
    kept = [memoryview(column) if column is not None else None for column in packets]  # type: ignore[arg-type]
    for name, kind, view in zip(Packets._fields, _PACKET_KINDS, kept, strict=True):
        if view is not None:
            setattr(held, name, pointer(kind, view))
    held.size = packets.data.nbytes
    held.source_size = 0 if packets.source is None else packets.source.nbytes
    held.rows = min(
        view.nbytes // _SIZES[kind]
        for name, kind, view in zip(Packets._fields, _PACKET_KINDS, kept, strict=True)
        if view is not None and name not in ("data", "source")
    )
    return Held(held, kept)


_SIZES = {"uint8_t *": 1, "uint16_t *": 2, "uint32_t *": 4, "uint64_t *": 8}
_PACKET_KINDS = (
    "uint8_t *", "uint64_t *", "uint32_t *", "uint32_t *", "uint16_t *", "uint32_t *", "uint64_t *", "uint32_t *",
    "uint8_t *", "uint32_t *", "uint8_t *", "uint64_t *", "uint32_t *",
)  # fmt: skip


def hold_target(target: Target) -> Held:
    """The capture file that packets are put into, held."""
    held = ffi.new("struct vxlanpkt_target *")
    kept = [memoryview(numbers) for numbers in (target.ethernet, target.raw)]  # type: ignore[arg-type]
    held.ethernet, held.raw = (pointer("uint32_t *", numbers) for numbers in kept)
    held.interface_count = min(map(len, kept))
    held.units, held.link_type, held.pcapng = target.units, target.link_type, target.pcapng
    return Held(held, kept)


def choose_rows(status: memoryview, wanted: memoryview | None, out: Any) -> int:
    """Put the numbers of the rows that are OK, and wanted if anybody says which those are, into *out* (uint32)."""
    chosen, count = (NULL, 0) if wanted is None else (ffi.from_buffer("uint8_t[]", wanted), len(wanted))
    return lib.vxlanpkt_choose_rows(  # type: ignore[no-any-return]
        ffi.from_buffer("uint8_t[]", status), len(status), chosen, count, out, len(out)
    )


def sort_rows(vnis: memoryview, chosen: Any, count: int) -> None:
    """Sort the first *count* of the chosen rows by their VNI, those of one VNI in the order in which they are."""
    count = min(count, len(chosen) // 4)
    spare = new_uncleared("uint32_t[]", count)
    lib.vxlanpkt_sort_rows(
        ffi.from_buffer("uint32_t[]", vnis), len(vnis), ffi.cast("uint32_t *", chosen), spare, count
    )  # fmt: skip


def put_records(packets: Held, target: Held, chosen: Any, position: int, count: int, out: Any) -> Written:
    """Put the chosen rows from *position* on, of *count*, into *out*, while they are of one VNI."""
    count = min(count, len(chosen) // 4)
    done = lib.vxlanpkt_put_records(
        packets.pointer, target.pointer, ffi.cast("uint32_t *", chosen), position, count, out, len(out)
    )  # fmt: skip
    return Written(done.position, done.size, done.stop)
