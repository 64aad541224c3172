"""What frames begin with, as callers name it (a link type or a layer) and as the kernel does; and how much was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxlanpkt.errors import FieldError, refused_argument
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.layers.base import Layer
from vxlanpkt.link_types import LinkType

if TYPE_CHECKING:
    from typing import TypeAlias

Start: TypeAlias = "LinkType | int | type[Layer]"

_LINK_KINDS: dict[int, Kind] = {
    LinkType.ETHERNET: Kind.ETHERNET,
    LinkType.RAW: Kind.RAW,
    12: Kind.RAW,  # what some BSDs write into files for RAW
    14: Kind.RAW,
    LinkType.IPV4: Kind.IPV4,
    LinkType.IPV6: Kind.IPV6,
    LinkType.LINUX_SLL: Kind.LINUX_SLL,
    LinkType.LINUX_SLL2: Kind.LINUX_SLL2,
    LinkType.NULL: Kind.LOOPBACK,
    LinkType.LOOP: Kind.LOOPBACK,
}
_NO_UNDERLAY = (Kind.ARP, Kind.UDP, Kind.TCP, Kind.ICMP, Kind.ICMPV6)


def kind_of(start: Start) -> Kind | None:
    """The kernel's kind for a link type or a built-in layer; None for a layer of the user's own."""
    if isinstance(start, int):
        kind = _LINK_KINDS.get(start)
        if kind is not None:
            return kind
    elif isinstance(start, type) and isinstance(start, Layer):
        own = vars(start).get("KIND")  # not inherited: what derives from a built-in layer may be read in another way
        return own if isinstance(own, Kind) else None
    raise FieldError(
        f"start: {start!r} is neither a link type that is known nor a layer",
        layer="start", field="start", value=start, bits=None,
    )  # fmt: skip


def outer_kind(start: Start) -> Kind:
    """The kernel's kind for what an outer frame begins with."""
    kind = kind_of(start)
    if kind is None or kind in _NO_UNDERLAY:
        raise refused_argument("decap", "start", start, "a link layer, IP or VXLAN")
    return kind


def missing_bytes(length: int, original_length: int) -> int:
    """How many bytes of a frame the capture cut off; `FieldError` for a length that is no 32-bit number."""
    if not isinstance(original_length, int) or original_length >> 32:
        raise refused_argument("dissect", "original_length", original_length, "a number of 32 bits", 32)
    return max(original_length - length, 0)
