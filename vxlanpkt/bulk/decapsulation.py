"""Decapsulation of batches."""

from __future__ import annotations

from typing import Literal

from vxlanpkt import kernel
from vxlanpkt.batches.columns import written
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.bulk.checks import UNFIT, described, not_a_batch, refused
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel import decap
from vxlanpkt.kernel.contract.columns import BRIEF_LAYOUT, DECAP_LAYOUT
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy, not_a_policy
from vxlanpkt.starts import Start, outer_kind

_DEFAULT_POLICY = DecapPolicy()
_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, Kind.ETHERNET
_FULL_ROW, _BRIEF_ROW = DECAP_LAYOUT.row_size, BRIEF_LAYOUT.row_size


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
        raise not_a_batch(batch)
    if not isinstance(policy, DecapPolicy):
        raise not_a_policy("batch", policy)
    rows = batch._rows
    kind = _ETHERNET_KIND
    if start is not _ETHERNET:
        kind = Kind.NOTHING if start is None else outer_kind(start)
        if policy.allowed_sources is not None and kind in (Kind.VXLAN, Kind.VXLANGPE):
            raise FieldError(
                "policy: allowed_sources cannot be judged for bare payloads: decap takes source=",
                layer="batch", field="policy", value=policy, bits=None,
            )  # fmt: skip
    brief = columns != "all"
    if brief:
        _check_brief(columns, policy)
    if out is None:
        buffer = kernel.new_buffer(rows * (_BRIEF_ROW if brief else _FULL_ROW))
        written(decap(batch.held, kind, policy.held_rules, brief, buffer))
        return DecapBatch(rows, brief, buffer, batch, policy, start)
    if type(out) is not DecapBatch or out._rows != rows or out._brief != brief:
        raise refused("out", described(out), f"a DecapBatch of {rows} rows with {columns} columns")
    done = decap(batch.held, kind, policy.held_rules, brief, out._buffer)
    if done < 0:
        raise refused("out", described(out), UNFIT[done])
    return out._written(batch, policy, start)


def _check_brief(columns: str, policy: DecapPolicy) -> None:
    if columns != "brief":
        raise refused("columns", columns, "all or brief")
    if policy.alters:
        raise refused("columns", columns, "enough for a policy that alters inner frames")
