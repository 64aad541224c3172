"""Capture files that whole-file jobs write: containers chosen by name, interfaces declared as packets need them."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from vxlanpkt.assigned import EtherType, LinkType
from vxlanpkt.capture.options import EPB_FLAGS, EPB_HASH
from vxlanpkt.capture.pcap import PcapWriter
from vxlanpkt.capture.pcapng import PcapngWriter
from vxlanpkt.capture.records import Interface, Options, Record, copyable_options
from vxlanpkt.capture.sources import File
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from vxlanpkt.capture.reader import Capture

Container: TypeAlias = Literal["pcap", "pcapng"]
InnerLink: TypeAlias = Literal["error", "ethernet", "raw"]

_OPEN_FILES = 128
_SUFFIXES = (".gz", ".zst")
_ALL = -1
_MICROSECONDS = 6
_FCS_FLAGS = 0x1E0


def container_for(target: File, chosen: Container | None, otherwise: Container) -> Container:
    """The container that was *chosen*, else that of the target's name, else, for one without a name, *otherwise*."""
    if chosen is not None:
        return chosen
    path = path_of(target)
    if path is None:
        return otherwise
    return "pcapng" if split_suffixes(path)[1].startswith(".pcapng") else "pcap"


def path_of(target: File) -> str | None:
    """The path that *target* is, or None for standard output and file objects."""
    if isinstance(target, (str, os.PathLike)) and os.fspath(target) != "-":
        return os.fspath(target)
    return None


def split_suffixes(path: str) -> tuple[str, str]:
    """*path* as stem and suffixes: the compression's and the one before that."""
    suffix = Path(path).suffix
    if suffix in _SUFFIXES:
        suffix = Path(path).with_suffix("").suffix + suffix
    return path[: len(path) - len(suffix)], suffix


class Output:
    """One file that copies packets from the interfaces of another capture.

    A pcapng file declares the input's interfaces as they come, as `link_type`, and one more for each other link type
    that its packets have. A pcap file has the link type of its first packet, or `link_type` if there is none.
    The source's snap lengths are not kept: they were the limit of other packets.
    """

    def __init__(self, target: File, container: Container, link_type: int, *, nanoseconds: bool) -> None:
        self._target = target
        self._link_type = link_type
        self._nanoseconds = nanoseconds
        self._declared: dict[tuple[int, int], int] = {}
        self._seen = 0
        self._writer: PcapWriter | PcapngWriter | None = None
        if container == "pcapng":
            self._writer = PcapngWriter(target)

    def write(self, record: Record, interfaces: Sequence[Interface]) -> None:
        """Write *record*, whose interface is one of the input's *interfaces*."""
        if self._writer is None:
            self._writer = self._pcap(record.link_type)
        if isinstance(self._writer, PcapngWriter):
            self._declare(self._writer, interfaces)
            key = (record.interface, record.link_type)
            if key not in self._declared:
                self._add(self._writer, key, interfaces)
            if self._declared[key] != record.interface:
                record = replace(record, interface=self._declared[key])
        self._writer.write(record)

    def park(self) -> None:
        """Give the file descriptor back until there is more to write."""
        if self._writer is not None:
            self._writer.sink.park()

    def commit(self, interfaces: Sequence[Interface]) -> None:
        """Finish the file, which is a capture even if nothing was written."""
        if self._writer is None:
            self._writer = self._pcap(self._link_type)
        if isinstance(self._writer, PcapngWriter):
            self._declare(self._writer, interfaces)
        self._writer.sink.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        if self._writer is not None:
            self._writer.sink.discard()

    def _pcap(self, link_type: int) -> PcapWriter:
        return PcapWriter(self._target, Interface(link_type), nanoseconds=self._nanoseconds)

    def _declare(self, writer: PcapngWriter, interfaces: Sequence[Interface]) -> None:
        while self._seen < len(interfaces):
            self._add(writer, (self._seen, self._link_type), interfaces)
            self._seen += 1

    def _add(self, writer: PcapngWriter, key: tuple[int, int], interfaces: Sequence[Interface]) -> None:
        index, link_type = key
        interface = interfaces[index]
        options = copyable_options(interface.options)
        self._declared[key] = writer.add_interface(
            replace(interface, link_type=link_type, snaplen=0, fcslen=0, options=options)
        )  # fmt: skip


class Outputs:
    """What a job writes: one file, or one for each VNI, as many as need be, though not all of them open at once.

    Made when the first packet is there, as they depend on what the source is found to be.
    """

    def __init__(self, capture: Capture, target: File, container: Container | None, *, split: bool) -> None:
        self._capture = capture
        self._target = target
        self._wanted = container
        self._split = split
        self._outputs: dict[int, Output] = {}
        self._open: OrderedDict[int, None] = OrderedDict()

    @property
    def container(self) -> Container:
        """What is written; to be asked when the source's container is known."""
        return container_for(self._target, self._wanted, self._capture.container or "pcap")

    def write(self, vni: int, record: Record) -> None:
        """Write *record*, whose interface is one of the source's."""
        key = vni if self._split else _ALL
        self._output(key).write(record, self._capture.interfaces)
        self._open[key] = None
        self._open.move_to_end(key)
        if len(self._open) > _OPEN_FILES:
            self._outputs[self._open.popitem(last=False)[0]].park()

    def commit(self) -> tuple[str, ...]:
        """Finish all files; the paths among them, in the order of the VNIs."""
        if not self._split:
            self._output(_ALL)
        for output in self._outputs.values():
            output.commit(self._capture.interfaces)
        targets = [self._target_of(key) for key in sorted(self._outputs)]
        return tuple(path for path in map(path_of, targets) if path is not None)

    def discard(self) -> None:
        """Leave no file behind."""
        for output in self._outputs.values():
            output.discard()

    def _output(self, key: int) -> Output:
        output = self._outputs.get(key)
        if output is None:
            first = self._capture.interfaces[:1]
            in_microseconds = self._capture.container == "pcap" and first and first[0].tsresol == _MICROSECONDS
            output = self._outputs[key] = Output(
                self._target_of(key), self.container, LinkType.ETHERNET, nanoseconds=not in_microseconds
            )
        return output

    def _target_of(self, key: int) -> File:
        path = path_of(self._target)
        if key == _ALL or path is None:
            return self._target
        stem, suffix = split_suffixes(path)
        return f"{stem}-{key}{suffix}"


def inner_record(record: Record, inner: bytes, original_length: int, link_type: int) -> Record:
    """The record of an inner frame: times and interface of the outer *record*, and what of its options still holds."""
    options = _without_fcs(copyable_options(record.options, without=(EPB_HASH,))) if record.options else ()
    return Record(
        record.timestamp_ns, inner, original_length, link_type, record.interface, record.raw_timestamp, 0, options
    )


def with_ethernet(packet: bytes) -> bytes:
    """A bare IP packet behind an Ethernet header whose addresses are zero."""
    ethertype = EtherType.IPV6 if packet[:1] and packet[0] >> 4 == 6 else EtherType.IPV4
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
