"""Bulk jobs by frame size and batch size, each beside the copying that its bytes cost at least."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks import floor
from benchmarks.bulk.cell import Cell, Job
from benchmarks.bulk.inputs import TUNNEL4, TUNNEL6, at_page_start, inner_frames, packed, tunnel_column, tunnel_table
from vxlanpkt import DecapPolicy, FrameBatch, decap_batch, encap_batch

SECTION = "rows"
ROWS = (32, 256, 4096, 100_000)

WHOLE = "memcpy of the whole"
COPY = "copy"
COPY_FRESH = "copy, fresh"
COPY_OUTER = "copy of the outer frames"
SUM = "copy and sum"

ENCAP = "encap"
ENCAP_FRESH = "encap, fresh"
ENCAP_TABLE = "encap, 1,000 tunnels"
ENCAP_IN_PLACE = "encap in place"
ENCAP_HEADERS = "encap, headers only"
ENCAP6 = "encap over IPv6, UDP checksum"
DECAP = "decap"
DECAP_FRESH = "decap, fresh"
DECAP_BRIEF = "decap, brief"
DECAP_CHECKED = "decap, IP checksum"
DECAP6 = "decap over IPv6, UDP checksum"

FLOORS = (
    Job(WHOLE, "copy_whole(target.data, source.data, size)"),
    Job(COPY, "copy_rows(target, source)"),
    Job(COPY_FRESH, "copy_rows_fresh(source, size)"),
    Job(COPY_OUTER, "copy_rows(outer_target, outer_source)"),
    Job(SUM, "copy_and_sum_rows(target, source, sums)"),
)
JOBS = (
    *FLOORS,
    Job(ENCAP, "encap_batch(inner, tunnel, out=encapped)", (COPY,)),
    Job(ENCAP_FRESH, "encap_batch(inner, tunnel)", (COPY_FRESH,)),
    Job(ENCAP_TABLE, "encap_batch(inner, table, index=index, out=encapped)", (COPY, ENCAP)),
    Job(ENCAP_IN_PLACE, "encap_batch(roomy, tunnel, mode='in_place', out=placed)", (COPY,)),
    Job(ENCAP_HEADERS, "encap_batch(inner, tunnel, mode='headers', out=headers)", (COPY,)),
    Job(ENCAP6, "encap_batch(inner, tunnel6, out=encapped6)", (SUM,)),
    Job(DECAP_BRIEF, "decap_batch(outer, columns='brief', out=brief)", (COPY, COPY_OUTER)),
    Job(DECAP, "decap_batch(outer, out=decapped)", (COPY, COPY_OUTER)),
    Job(DECAP_FRESH, "decap_batch(outer)", (COPY_FRESH,)),
    Job(DECAP_CHECKED, "decap_batch(outer, policy=ip_checked, out=decapped)", (COPY, COPY_OUTER)),
    Job(DECAP6, "decap_batch(outer6, policy=udp_checked, out=decapped6)", (SUM,)),
)


def cells(sizes: Sequence[str], rows: Sequence[int]) -> list[Cell]:
    """A cell for each frame size and batch size."""
    return [cell(size, count) for size in sizes for count in rows]


def cell(size: str, rows: int) -> Cell:
    """All the jobs on *rows* frames of one size."""
    return Cell(SECTION, size, rows, JOBS, partial(names, size, rows))


def names(size: str, rows: int) -> dict[str, Any]:
    """What the expressions speak of."""
    frames = inner_frames(size, rows)
    inner = at_page_start(FrameBatch.from_frames(frames))
    outer = packed(encap_batch(inner, TUNNEL4))
    outer6 = packed(encap_batch(inner, TUNNEL6))
    roomy = at_page_start(FrameBatch.from_frames(frames, headroom=TUNNEL4.overhead))
    source, outer_source = floor.rows_of(inner), floor.rows_of(outer)
    return {
        "copy_whole": floor.lib.copy_whole,
        "copy_rows": floor.lib.copy_rows,
        "copy_rows_fresh": floor.lib.copy_rows_fresh,
        "copy_and_sum_rows": floor.lib.copy_and_sum_rows,
        "size": len(inner.data),
        "source": source,
        "target": floor.room_for(source, len(inner.data)),
        "outer_source": outer_source,
        "outer_target": floor.room_for(outer_source, len(outer.data)),
        "sums": floor.pointer(array("H", bytes(2 * rows)), "uint16_t"),
        "encap_batch": encap_batch,
        "decap_batch": decap_batch,
        "tunnel": TUNNEL4,
        "tunnel6": TUNNEL6,
        "table": tunnel_table(),
        "index": array("I", tunnel_column(rows)),
        "inner": inner,
        "roomy": roomy,
        "placed": encap_batch(roomy, TUNNEL4, mode="in_place"),
        "encapped": encap_batch(inner, TUNNEL4),
        "headers": encap_batch(inner, TUNNEL4, mode="headers"),
        "encapped6": encap_batch(inner, TUNNEL6),
        "outer": outer,
        "outer6": outer6,
        "brief": decap_batch(outer, columns="brief"),
        "decapped": decap_batch(outer),
        "decapped6": decap_batch(outer6),
        "ip_checked": DecapPolicy(verify_ip_checksum=True),
        "udp_checked": DecapPolicy(verify_udp_checksum=True),
    }
