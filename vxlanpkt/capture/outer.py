"""Outer frames on their way into a capture: its packets, put into a tunnel."""

from __future__ import annotations

from collections.abc import Sequence

from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.bulk.encapsulation import encap_batch
from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.inner import Frames
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.records import Record
from vxlanpkt.capture.refusals import refused
from vxlanpkt.errors import BuildError, CaptureError, Reason
from vxlanpkt.link_types import LinkType
from vxlanpkt.tunnel import Tunnel

_LONGEST_DATAGRAM = 65535
_BARE_IP = (LinkType.RAW, LinkType.IPV4, LinkType.IPV6)


def require_tunnel(tunnel: object) -> None:
    """Raise FieldError for what is no tunnel."""
    if not isinstance(tunnel, Tunnel):
        raise refused("tunnel", tunnel, "a Tunnel")


def wrapped(records: RecordBatch, tunnel: Tunnel, identification: int | None) -> tuple[Frames, memoryview]:
    """The records inside *tunnel*, the first with this identification, and a `Reason` for each.

    Raises CaptureError for packets that it cannot carry, by their link type.
    """
    start = _start(records.link_type, tunnel)
    if records.length == records.frame_length:
        outer = encap_batch(records.frames, tunnel, identification=identification, start=start)
        return Frames(outer, None), outer.status
    numbers: Sequence[int | None] = [None] * len(records)
    if identification is not None:
        numbers = [identification + row & 0xFFFF for row in range(len(records))]
    frames = [_wrapped(record, tunnel, number, start) for record, number in zip(records, numbers, strict=True)]
    status = bytes(Reason.OK if original else Reason.INNER_TOO_LONG for _, original in frames)
    batch = FrameBatch.from_frames([wire for wire, _ in frames], original_lengths=[length for _, length in frames])
    return Frames(batch, None), memoryview(status)


def _start(link_type: int, tunnel: Tunnel) -> LinkType:
    start = start_of(link_type)
    if start is None or (start is not LinkType.ETHERNET and not (tunnel.gpe and start in _BARE_IP)):
        raise CaptureError(
            f"a packet of link type {link_type} cannot be put into this tunnel: Ethernet can, and bare IP if it"
            " has gpe", offset=None,
        )  # fmt: skip
    return start


def _wrapped(record: Record, tunnel: Tunnel, identification: int | None, start: LinkType) -> tuple[bytes, int]:
    """A packet, of which there may be a part, inside *tunnel*, and its length on the wire; 0 if it is too long."""
    data, length = record.frame, record.frame_length
    if length > _LONGEST_DATAGRAM:
        return b"", 0
    try:
        wire = tunnel.encap(data + bytes(length - len(data)), identification=identification, start=start)
    except BuildError:
        return b"", 0
    return wire[: len(wire) - length + len(data)], len(wire)
