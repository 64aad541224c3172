"""Packets of which the capture kept a part, and those of them whose flow cannot be told for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vxlanpkt.analysis.masks import both, either, equal, mask, opposite, table_of, zeros
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.kernel.contract.columns import NO_LINK_TYPE, Note
from vxlanpkt.kernel.contract.protocols import IPV4_TYPE, IPV6_TYPE, TCP_PROTOCOL, UDP_PROTOCOL
from vxlanpkt.link_types import LinkType

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Cut(NamedTuple):
    """Accepted packets that the capture cut.

    packets  how many
    headers  how many of them lack inner addresses or ports for it
    """

    packets: int = 0
    headers: int = 0


# As plain numbers: each is compared with 256 others.
_CUT = int(Note.CUT)
_WITH_PORTS = (TCP_PROTOCOL, UDP_PROTOCOL)
_IS_CUT = table_of(lambda notes: notes & _CUT)
_IS_ZERO, _IS_SET = table_of(lambda value: not value), table_of(lambda value: value)
_HAS_PORTS = table_of(lambda protocol: protocol in _WITH_PORTS)


class CutCounter:
    """Counts batch by batch; costs next to nothing where nothing is cut."""

    def __init__(self) -> None:
        self._packets = self._headers = 0

    @property
    def cut(self) -> Cut:
        """What was counted so far."""
        return Cut(self._packets, self._headers)

    def add(self, result: DecapBatch, selected: Buffer | None = None) -> None:
        """Count the rows of a batch, or those that are selected."""
        cut = mask(result.notes, _IS_CUT)
        if 1 not in cut:
            return
        cut = both(cut, mask(result.status, _IS_ZERO))
        if selected is not None:
            cut = both(cut, mask(memoryview(selected), _IS_SET))
        self._packets += cut.count(1)
        self._headers += _without_addresses(cut, result).count(1) + _without_ports(cut, result).count(1)


def _without_addresses(cut: bytes, result: DecapBatch) -> bytes:
    """Rows of what may be IP, but whose IP header is not there."""
    found = both(cut, mask(result.inner_family, _IS_ZERO))
    if 1 not in found:
        return found
    kind = result.inner_ethertype
    perhaps_ip = either(zeros(kind), either(equal(kind, IPV4_TYPE), equal(kind, IPV6_TYPE)))
    return both(both(found, perhaps_ip), opposite(equal(result.inner_link_type, NO_LINK_TYPE)))


def _without_ports(cut: bytes, result: DecapBatch) -> bytes:
    """Rows of TCP and UDP whose ports are not there, though they are no fragments behind the first."""
    found = both(cut, mask(result.inner_protocol, _HAS_PORTS))
    found = both(found, both(zeros(result.inner_src_port), zeros(result.inner_dst_port)))
    if 1 not in found:
        return found
    from vxlanpkt.kernel.contract.sightings import Trait  # which nobody needs whose packets are whole
    from vxlanpkt.sightings import traits

    seen = traits(result.inner, LinkType.ETHERNET, result.inner_link_type)
    later = int(Trait.LATER)
    return both(found, opposite(mask(seen.traits, table_of(lambda bits: bits & later))))
