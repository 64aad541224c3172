"""Capture files that whole-file jobs write: containers chosen by name, interfaces declared as packets need them."""

from __future__ import annotations

import os
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vxlanpkt.capture.inner import Container, Frames, InnerLink, fitted, inner_record
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.pcap_writer import PcapWriter, fits_pcap_time
from vxlanpkt.capture.pcapng_writer import PcapngWriter
from vxlanpkt.capture.records import NANOSECONDS, Interface, Record, copyable_options
from vxlanpkt.capture.sources import CHUNK
from vxlanpkt.kernel import choose_rows, hold_packets, hold_target, new_buffer, put_records, sort_rows, view
from vxlanpkt.kernel.contract.columns import NO_LINK_TYPE
from vxlanpkt.kernel.contract.records import Stop
from vxlanpkt.kernel.contract.writing import NO_INTERFACE, Packets, Target
from vxlanpkt.link_types import LinkType

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from vxlanpkt.capture.batches import RecordBatch
    from vxlanpkt.capture.reader import Capture

_OPEN_FILES = 128
_SUFFIXES = (".gz", ".zst")
ALL = -1
_MICROSECONDS = 6


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
    stem, suffix = os.path.splitext(path)
    if suffix in _SUFFIXES:
        stem, before = os.path.splitext(stem)
        suffix = before + suffix
    return stem, suffix


class Output:
    """One file that copies packets from the interfaces of another capture.

    A pcapng file declares the input's interfaces as they come, as `link_type`, and one more for each other link type
    that its packets have. A pcap file has the link type of its first packet, or `link_type` if there is none.
    The source's snap lengths are not kept: they were the limit of other packets.

    `sparing`: only the interfaces are declared that packets come from, as there are many such files.
    """

    def __init__(self, target: File, container: Container, link_type: int, *, nanoseconds: bool, sparing: bool) -> None:
        self._numbers = _InterfaceNumbers()
        self._held: Any = None
        self._target = target
        self._link_type = link_type
        self._nanoseconds = nanoseconds
        self._sparing = sparing
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
                record = record.replace(interface=self._declared[key])
        self._writer.write(record)

    def target(self, interfaces: Sequence[Interface]) -> Any:
        """The file as the kernel holds it; None before the first packet of a pcap file, which decides its link type."""
        if isinstance(self._writer, PcapngWriter):
            self._declare(self._writer, interfaces)
            return self._numbers.held
        if self._held is None and self._writer is not None:
            units = NANOSECONDS if self._nanoseconds else NANOSECONDS // 1000
            self._held = hold_target(Target(False, units, self._writer.interfaces[0].link_type))
        return self._held

    def write_bytes(self, data: Buffer) -> None:
        """Write records that the kernel has made for this file's `target`."""
        assert self._writer is not None
        self._writer.sink.write(data)

    def park(self) -> None:
        """Give the file descriptor back until there is more to write."""
        if self._writer is not None:
            self._writer.sink.park()

    def finish(self, interfaces: Sequence[Interface]) -> None:
        """Write the rest of the file, which is a capture even if nothing was written."""
        if self._writer is None:
            self._writer = self._pcap(self._link_type)
        if isinstance(self._writer, PcapngWriter):
            self._declare(self._writer, interfaces)
        self._writer.sink.finish()

    def commit(self) -> None:
        """Have the file that was finished appear."""
        assert self._writer is not None
        self._writer.sink.commit()

    def discard(self) -> None:
        """Leave no file behind."""
        if self._writer is not None:
            self._writer.sink.discard()

    def _pcap(self, link_type: int) -> PcapWriter:
        return PcapWriter(self._target, Interface(link_type), nanoseconds=self._nanoseconds)

    def _declare(self, writer: PcapngWriter, interfaces: Sequence[Interface]) -> None:
        while self._seen < len(interfaces) and not self._sparing:
            self._add(writer, (self._seen, self._link_type), interfaces)
            self._seen += 1

    def _add(self, writer: PcapngWriter, key: tuple[int, int], interfaces: Sequence[Interface]) -> None:
        index, link_type = key
        interface = interfaces[index]
        options = copyable_options(interface.options)
        number = self._declared[key] = writer.add_interface(
            interface.replace(link_type=link_type, snaplen=0, fcslen=0, options=options)
        )  # fmt: skip
        self._numbers.declare(index, link_type, number)


class Chosen:
    """The rows of a batch that are OK, and wanted if anybody says which those are.

    `count`: how many there are. `rows`: their numbers, in a column that may be longer.
    """

    def __init__(self, status: memoryview, wanted: memoryview | None = None) -> None:
        self.buffer = new_buffer(4 * len(status))
        self.count = choose_rows(status, wanted, self.buffer)
        self.rows = view(self.buffer).cast("I")


class _InterfaceNumbers:
    """The numbers of the input's interfaces in a pcapng file, for the kernel: for each link type that it writes.

    `held`: the file as the kernel holds it.
    """

    def __init__(self) -> None:
        self._tables = {link_type: array("I") for link_type in (LinkType.ETHERNET, LinkType.RAW)}
        self._make_room(4)

    def _make_room(self, size: int) -> None:
        for link_type, table in self._tables.items():
            self._tables[link_type] = array("I", table.tolist() + [NO_INTERFACE] * (size - len(table)))
        self.held = hold_target(
            Target(True, ethernet=self._tables[LinkType.ETHERNET], raw=self._tables[LinkType.RAW])
        )  # fmt: skip

    def declare(self, index: int, link_type: int, number: int) -> None:
        """Have the input's interface *index* be *number* where packets are of *link_type*."""
        table = self._tables.get(link_type)  # type: ignore[call-overload]
        if table is None:
            return
        if index >= len(table):
            self._make_room(2 * index)
            table = self._tables[link_type]  # type: ignore[index]
        table[index] = number


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
        self._buffer = new_buffer(CHUNK)

    @cached_property
    def container(self) -> Container:
        """What is written; to be asked when the source's container is known."""
        return container_for(self._target, self._wanted, self._capture.container or "pcap")

    def write(self, key: int, record: Record, interfaces: Sequence[Interface]) -> None:
        """Write *record*, whose interface is one of the source's *interfaces*, into the file of a VNI, or of `ALL`."""
        self._output(key).write(record, interfaces)
        self._use(key)

    def write_rows(
        self, records: RecordBatch, inner: Frames, vnis: memoryview | None, chosen: Chosen, link: InnerLink
    ) -> int:
        """Write what is made of the *chosen* records; the answer is how many packets the file cannot hold.

        *vnis* are asked for where there is a file for each.
        Raises CaptureError where the container or the choice of `inner_link` has no place for one.
        """
        rows, count = chosen.rows, chosen.count
        if not self._split:
            vnis = None
        if vnis is not None:
            sort_rows(vnis, chosen.buffer, count)
        packets = hold_packets(self._packets(records, inner, vnis))
        position = skipped = 0
        while position < count:
            key = ALL if vnis is None else vnis[rows[position]]
            output = self._output(key)
            target = output.target(records.interfaces)
            if target is not None:
                done = put_records(packets, target, chosen.buffer, position, count, self._buffer)
                if done.size:
                    output.write_bytes(view(self._buffer)[: done.size])
                    self._use(key)
                position = done.position
                if done.stop != Stop.LOOK:
                    continue
            row = rows[position]
            skipped += not self._write_row(ALL if vnis is None else vnis[row], records, row, inner, link)
            position += 1
        return skipped

    def _write_row(self, key: int, records: RecordBatch, row: int, inner: Frames, link: InnerLink) -> bool:
        """Write one packet, whatever it takes; False if no link type can hold it, or pcap not its time."""
        frame = inner.at(row)
        if frame.link_type == NO_LINK_TYPE:
            return False
        record = inner_record(records[row], *fitted(*frame, self.container, link))
        if self.container == "pcap" and not fits_pcap_time(record):
            return False
        self.write(key, record, records.interfaces)
        return True

    def _packets(self, records: RecordBatch, inner: Frames, vnis: memoryview | None) -> Packets:
        frames = inner.frames
        # Times are copied where the file counts them as its source does.
        same_units = self.container == "pcapng" or self._capture.container == "pcap"
        blocks = self._capture.container == "pcapng"  # which have options, and may have no timestamp
        return Packets(
            data=frames.data,
            offsets=frames.offsets,
            lengths=frames.lengths,
            original_lengths=frames.lengths if frames.original_lengths is None else frames.original_lengths,
            link_types=inner.link_types,
            vnis=vnis,
            timestamps=records.raw_timestamp if same_units else records.timestamp_ns,
            interfaces=records.interface,
            timed=records.timed if blocks else None,
            options_lengths=records.options_length if blocks else None,
            source=None if records.big_endian else records.data,
            record_offsets=records.offset,
            captured_lengths=records.captured_length,
        )

    def _use(self, key: int) -> None:
        """Have used a file: the one that was used least recently is closed for now, if too many are open."""
        self._open[key] = None
        self._open.move_to_end(key)
        if len(self._open) > _OPEN_FILES:
            self._outputs[self._open.popitem(last=False)[0]].park()

    def commit(self) -> tuple[str, ...]:
        """Finish all files; the paths among them, in the order of the VNIs."""
        if not self._split:
            self._output(ALL)
        for output in self._outputs.values():
            output.finish(self._capture.interfaces)
        for output in self._outputs.values():
            output.commit()
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
                self._target_of(key),
                self.container,
                LinkType.ETHERNET,
                nanoseconds=not in_microseconds,
                sparing=self._split,
            )
        return output

    def _target_of(self, key: int) -> File:
        path = path_of(self._target)
        if key == ALL or path is None:
            return self._target
        stem, suffix = split_suffixes(path)
        return f"{stem}-{key}{suffix}"
