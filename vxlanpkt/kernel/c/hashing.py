"""The flow hash."""

from __future__ import annotations

from vxlanpkt._fastlib import lib


def flow_hash(data: bytes, symmetric: bool, raw: bool) -> int:
    """The 32-bit hash of the flow that a frame belongs to."""
    return lib.vxlanpkt_flow_hash(data, len(data), symmetric, raw)  # type: ignore[no-any-return]
