"""Inner frames on their way out of a capture: which bytes they are, and as what a file is to hold them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.bulk.decapsulation import decap_batch
from vxlanpkt.capture.options import EPB_FLAGS, EPB_HASH
from vxlanpkt.capture.records import Options, Record, copyable_options
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel.contract.protocols import IPV4_TYPE, IPV6_TYPE
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy

if TYPE_CHECKING:
    from vxlanpkt.batches.decapsulated import DecapBatch

Container: TypeAlias = Literal["pcap", "pcapng"]
InnerLink: TypeAlias = Literal["error", "ethernet", "raw"]

_FCS_FLAGS = 0x1E0


class Frame(NamedTuple):
    """An inner frame, its length on the wire, and the number of its link type."""

    data: bytes
    original_length: int
    link_type: int


class Frames(NamedTuple):
    """The inner frames of a batch, row by row; one that was refused is empty.

    `link_types`: the number of each one's link type; None if all are Ethernet.
    """

    frames: FrameBatch
    link_types: Sequence[int] | None

    def at(self, row: int) -> Frame:
        """One of them."""
        frames = self.frames
        length = frames.lengths[row] if frames.original_lengths is None else frames.original_lengths[row]
        link_type = LinkType.ETHERNET if self.link_types is None else self.link_types[row]
        return Frame(bytes(frames[row]), length, link_type)


def inner_frames(result: DecapBatch, policy: DecapPolicy, levels: int) -> Frames:
    """The inner frames of a batch, of which *policy* takes up to *levels* more tunnels off (-1: all)."""
    inner = Frames(result.inner, result.inner_link_type if result.policy.gpe else None)
    if levels == 0 or not (accepted := result.accepted):
        return inner
    frames = [inner.at(row) for row in range(len(result))]
    if not _descend(frames, accepted, policy, levels):
        return inner
    return Frames(_batch_of(frames), array("H", [frame.link_type for frame in frames]))


def _descend(frames: list[Frame], pending: list[int], policy: DecapPolicy, levels: int) -> bool:
    """Put what is inside of the *pending* frames in their place; whether there was anything."""
    any_found = False
    while levels and pending:
        levels -= 1
        found = []
        for link_type in (LinkType.ETHERNET, LinkType.RAW):
            chosen = [row for row in pending if frames[row].link_type == link_type]
            result = decap_batch(_batch_of([frames[row] for row in chosen]), policy=policy, start=link_type)
            inner = Frames(result.inner, result.inner_link_type)
            for at in result.accepted:
                frames[chosen[at]] = inner.at(at)
                found.append(chosen[at])
        pending = found
        any_found = any_found or bool(found)
    return any_found


def _batch_of(frames: list[Frame]) -> FrameBatch:
    originals = [frame.original_length for frame in frames]
    return FrameBatch.from_frames([frame.data for frame in frames], original_lengths=originals)


def inner_record(record: Record, inner: bytes, original_length: int, link_type: int) -> Record:
    """The record of an inner frame: times and interface of the outer *record*, and what of its options still holds."""
    options = _without_fcs(copyable_options(record.options, without=(EPB_HASH,))) if record.options else ()
    return Record(
        record.timestamp_ns, inner, original_length, link_type, record.interface, record.raw_timestamp, 0, options
    )


def with_ethernet(packet: bytes) -> bytes:
    """A bare IP packet behind an Ethernet header whose addresses are zero."""
    ethertype = IPV6_TYPE if packet[:1] and packet[0] >> 4 == 6 else IPV4_TYPE
    return bytes(12) + ethertype.to_bytes(2, "big") + packet


def fitted(
    inner: bytes, original_length: int, link_type: int, container: Container, inner_link: InnerLink
) -> tuple[bytes, int, int]:
    """The inner frame, its length on the wire and its link type, as the output is to have it.

    Raises CaptureError where the container or the choice of `inner_link` has no place for it.
    """
    if link_type == LinkType.RAW and inner_link == "ethernet":
        framed = with_ethernet(inner)
        return framed, original_length + len(framed) - len(inner), LinkType.ETHERNET
    if container == "pcap" and link_type == LinkType.RAW and inner_link == "error":
        raise CaptureError(
            "an inner packet is bare IP, which a pcap file of Ethernet frames cannot hold: write pcapng, or choose"
            " inner_link", offset=None,
        )  # fmt: skip
    if container == "pcap" and link_type != LinkType.RAW and inner_link == "raw":
        raise CaptureError(
            "an inner frame is Ethernet, which a pcap file of bare IP packets cannot hold: write pcapng, or choose"
            " inner_link", offset=None,
        )  # fmt: skip
    return inner, original_length, link_type


def _without_fcs(options: Options) -> Options:
    """Packet flags that no longer speak of a frame check sequence."""
    return tuple(
        (code, (int.from_bytes(value, "little") & ~_FCS_FLAGS).to_bytes(len(value), "little"))
        if code == EPB_FLAGS and len(value) == 4
        else (code, value)
        for code, value in options
    )
