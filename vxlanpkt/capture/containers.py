"""Which container a capture is, by its first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from vxlanpkt.capture.pcap import PcapReader, is_modified_pcap, is_pcap
from vxlanpkt.capture.sources import Source
from vxlanpkt.capture.stretches import Before
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from vxlanpkt.capture.pcapng import PcapngReader

Reader: TypeAlias = "PcapReader | PcapngReader"


def reader_for(source: Source, before: Before | None = None) -> Reader:
    """A reader of *source*, which counts on from what was read *before*; CaptureError if it is no capture."""
    magic = source.magic
    if is_pcap(magic):
        return PcapReader(source, before)
    from vxlanpkt.capture.pcapng import PcapngReader, is_pcapng  # which pcap files do without

    if is_pcapng(magic):
        return PcapngReader(source, before)
    if is_modified_pcap(magic):
        raise CaptureError("the modified pcap format (magic a1b2cd34) is not supported", offset=0)
    if len(magic) < 4:
        if not magic:
            source.check_end()
            raise CaptureError("the capture is empty", offset=0, needed=4, available=0)
        raise source.cut("magic number", 4)
    raise CaptureError(f"neither pcap nor pcapng: the file starts with 0x{magic.hex()}", offset=0)
