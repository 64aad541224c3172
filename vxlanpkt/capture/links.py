"""Link types: which of them a tunnel can be found behind."""

from __future__ import annotations

from vxlanpkt.link_types import LinkType

# 12 and 14 are what BSD systems called raw IP before it had a number of its own.
_STARTS = {int(link_type): link_type for link_type in LinkType} | {12: LinkType.RAW, 14: LinkType.RAW}


def start_of(link_type: int) -> LinkType | None:
    """What frames of *link_type* begin with, as `decap` and `dissect` take it; None if that is not supported."""
    return _STARTS.get(link_type)
