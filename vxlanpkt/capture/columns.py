"""Captures as columns: which there are, what they are called, and how a batch of records becomes one of Arrow's."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict

from vxlanpkt.assigned import LinkType
from vxlanpkt.batch import DecapBatch, FrameBatch
from vxlanpkt.bulk.checks import written
from vxlanpkt.capture.arrow import ArrowBatch, ArrowColumn, ArrowField, ArrowTable
from vxlanpkt.capture.frames import as_pandas, joined_arrow, joined_polars
from vxlanpkt.errors import CaptureError, FieldError, Reason
from vxlanpkt.kernel import (
    add_name,
    address_of,
    address_room,
    address_text,
    derived,
    hold_names,
    known,
    mac_bytes,
    mac_text,
    names,
    names_room,
    new_buffer,
    numbers,
    pick,
    view,
)
from vxlanpkt.kernel.contract import DECAP_COLUMNS, DECAP_LAYOUT, MAC, WIDTHS, Address, Derived, Known
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter, require_filter, selected

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from vxlanpkt.capture.reader import Capture, CaptureBatch
    from vxlanpkt.capture.records import Interface

Names: TypeAlias = Literal["vxlanpkt", "tshark", "zeek", "ecs"]
Addresses: TypeAlias = Literal["text", "binary"]
Source: TypeAlias = "str | Derived | Address | MAC"


class CaptureColumn(NamedTuple):
    """A column that captures have.

    name, text         what it is called, and what it says
    format             its type, as the Arrow C interface writes it; of addresses, as text
    source             where its values come from
    known              where it has one: elsewhere it is null. None: it has no nulls
    tshark, zeek, ecs  what it is called there
    """

    name: str
    format: str
    source: Source
    known: Known | None
    tshark: str
    zeek: str
    ecs: str
    text: str


_U8, _U16, _U32, _U64, _TEXT, _TIME = "C", "S", "I", "L", "u", "tsn:UTC"
_REASONS_AS = "c"  # signed, as pandas asks of what counts into a dictionary

COLUMNS: Sequence[CaptureColumn] = tuple(CaptureColumn(*column) for column in (
    ("record", _U64, "record", None, "frame.number", "record", "event.sequence",
     "the record's number in the capture, from 1"),
    ("timestamp", _TIME, "timestamp", Known.TIME, "frame.time", "ts", "@timestamp",
     "when it was captured; null where the capture does not say"),
    ("frame_length", _U32, "frame_length", None, "frame.len", "frame_length", "network.bytes",
     "bytes of the frame on the wire, without frame check sequence"),
    ("capture_length", _U32, "capture_length", None, "frame.cap_len", "capture_length", "vxlan.capture_length",
     "how many of them the capture kept"),
    ("interface", _U32, "interface", None, "frame.interface_id", "interface", "observer.ingress.interface.id",
     "which of the capture's interfaces"),
    ("interface_name", _TEXT, "interface_name", None, "frame.interface_name", "interface_name",
     "observer.ingress.interface.name", "its name; null where the capture does not say"),
    ("link_type", _U16, "link_type", None, "link_type", "link_type", "vxlan.link_type",
     "its number in the tcpdump registry"),
    ("reason", _REASONS_AS, "status", None, "reason", "reason", "event.reason",
     "OK, or why the record was refused: the name of a `Reason`"),
    ("notes", _U8, "notes", None, "notes", "notes", "vxlan.notes", "`Note` bits"),
    ("outer_tags", _U8, "outer_tags", Known.LINK, "outer.tags", "tunnel.tags", "vxlan.outer.tags",
     "how many VLAN tags"),
    ("outer_vlan", _U16, Derived.OUTER_VLAN, Known.OUTER_TAG, "outer.vlan.id", "tunnel.vlan",
     "vxlan.outer.network.vlan.id", "the first tag's VLAN ID; null without tags"),
    ("outer_tci", _U16, "outer_vlan", Known.OUTER_TAG, "outer.vlan.tci", "tunnel.tci", "vxlan.outer.tci",
     "all 16 bits of that tag"),
    ("outer_family", _U8, "outer_family", Known.OUTER_IP, "outer.ip.version", "tunnel.ip_version",
     "vxlan.outer.ip_version", "4 or 6"),
    ("outer_src", _TEXT, Address.OUTER_SRC, Known.OUTER_IP, "outer.ip.src", "tunnel.id.orig_h",
     "vxlan.outer.source.ip", "the tunnel's source"),
    ("outer_dst", _TEXT, Address.OUTER_DST, Known.OUTER_IP, "outer.ip.dst", "tunnel.id.resp_h",
     "vxlan.outer.destination.ip", "the tunnel's destination"),
    ("outer_src_port", _U16, "outer_src_port", Known.OUTER_UDP, "outer.udp.srcport", "tunnel.id.orig_p",
     "vxlan.outer.source.port", "UDP source port"),
    ("outer_dst_port", _U16, "outer_dst_port", Known.OUTER_UDP, "outer.udp.dstport", "tunnel.id.resp_p",
     "vxlan.outer.destination.port", "UDP destination port; null where it is none that carries VXLAN"),
    ("vni", _U32, "vni", Known.TUNNEL, "vxlan.vni", "vni", "vxlan.vni", "VXLAN network identifier"),
    ("flags", _U32, "flags", Known.TUNNEL, "vxlan.flags", "vxlan_flags", "vxlan.flags",
     "bytes 0-3 of the VXLAN header as sent"),
    ("reserved", _U8, "reserved", Known.TUNNEL, "vxlan.reserved8", "vxlan_reserved", "vxlan.reserved",
     "byte 7 of the VXLAN header"),
    ("group_policy", _U16, Derived.GROUP_POLICY, Known.GROUP, "vxlan.gbp", "group_policy", "vxlan.group_policy",
     "group policy ID; null without the G flag"),
    ("inner_offset", _U32, Derived.INNER_OFFSET, Known.INNER, "inner.offset", "inner_offset", "vxlan.inner.offset",
     "where the inner frame begins in the frame"),
    ("inner_length", _U32, "inner_length", Known.ACCEPTED, "inner.cap_len", "inner_length", "vxlan.inner.length",
     "captured bytes of it; null where the record was refused"),
    ("inner_original_length", _U32, "inner_original_length", Known.ACCEPTED, "inner.len", "inner_original_length",
     "vxlan.inner.original_length", "its bytes on the wire; null where the record was refused"),
    ("inner_link_type", _U16, "inner_link_type", Known.INNER_LINK, "inner.link_type", "inner_link_type",
     "vxlan.inner.link_type", "1 for Ethernet, 101 for bare IP"),
    ("inner_src_mac", _TEXT, MAC.SRC, Known.INNER_MAC, "inner.eth.src", "orig_l2_addr", "source.mac",
     "source MAC address"),
    ("inner_dst_mac", _TEXT, MAC.DST, Known.INNER_MAC, "inner.eth.dst", "resp_l2_addr", "destination.mac",
     "destination MAC address"),
    ("inner_tags", _U8, "inner_tags", Known.INNER_ETHERNET, "inner.tags", "tags", "vxlan.inner.tags",
     "how many VLAN tags"),
    ("inner_vlan", _U16, Derived.INNER_VLAN, Known.INNER_TAG, "inner.vlan.id", "vlan", "network.vlan.id",
     "the first tag's VLAN ID; null without tags"),
    ("inner_tci", _U16, "inner_vlan", Known.INNER_TAG, "inner.vlan.tci", "tci", "vxlan.inner.tci",
     "all 16 bits of that tag"),
    ("inner_ethertype", _U16, "inner_ethertype", Known.INNER_ETHERTYPE, "inner.eth.type", "ethertype",
     "vxlan.inner.ethertype", "EtherType behind the tags"),
    ("inner_family", _U8, "inner_family", Known.INNER_IP, "inner.ip.version", "ip_version", "vxlan.inner.ip_version",
     "4 or 6; null where there is no sound IP header"),
    ("inner_src", _TEXT, Address.INNER_SRC, Known.INNER_IP, "inner.ip.src", "id.orig_h", "source.ip",
     "source address"),
    ("inner_dst", _TEXT, Address.INNER_DST, Known.INNER_IP, "inner.ip.dst", "id.resp_h", "destination.ip",
     "destination address"),
    ("inner_protocol", _U8, "inner_protocol", Known.INNER_IP, "inner.ip.proto", "ip_proto", "network.iana_number",
     "number of the protocol in IP"),
    ("inner_src_port", _U16, "inner_src_port", Known.INNER_PORTS, "inner.srcport", "id.orig_p", "source.port",
     "TCP or UDP source port; null where both are 0, too"),
    ("inner_dst_port", _U16, "inner_dst_port", Known.INNER_PORTS, "inner.dstport", "id.resp_p", "destination.port",
     "the destination's"),
    ("inner_tcp_flags", _U16, "inner_tcp_flags", Known.INNER_TCP, "inner.tcp.flags", "tcp_flags",
     "vxlan.inner.tcp_flags", "TCP's flags and reserved bits; null where none is set"),
))  # fmt: skip
"""Every column of its own accord, in order."""

FILE = CaptureColumn(
    "file", _TEXT, "file", None, "frame.file_name", "file", "log.file.path",
    "the name of the file that the record is from; only if it is asked for",
)  # fmt: skip

_BY_NAME = {column.name: column for column in (*COLUMNS, FILE)}
_NAMES = ("vxlanpkt", "tshark", "zeek", "ecs")
_ADDRESSES = ("text", "binary")
_BINARY_FORMATS: Mapping[type, str] = {Address: "w:16", MAC: "w:6"}
_LINK_SIZES: Mapping[LinkType | None, int] = {
    LinkType.ETHERNET: 14, LinkType.LINUX_SLL: 16, LinkType.LINUX_SLL2: 20, LinkType.NULL: 4, LinkType.LOOP: 4,
    None: 0xFFFFFFFF,  # no frame is as long as a header that nobody knows
}  # fmt: skip
MAC_TEXT = 17  # bytes of a MAC address as text
_PIECE_ROWS, _PIECE_BYTES = 65_536, 1 << 27
_NAMES_BYTES = 1 << 24
"""The most that names of interfaces take in a batch: one may be a thousand times as long as its packets."""


class TableOptions(TypedDict, total=False):
    """The keywords of `Capture.table`."""

    columns: Iterable[str] | None
    names: Names
    policy: DecapPolicy | None
    vni: int | Iterable[int] | None
    filter: RowFilter | None
    addresses: Addresses


class CaptureTable(ArrowTable):
    """A capture as a table: whatever reads Arrow streams takes it, as often as the capture can be read.

    Made by `Capture.table`. `column_names`: those of its columns.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        columns: Iterable[str] | None = None,
        names: Names = "vxlanpkt",
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
        filter: RowFilter | None = None,
        addresses: Addresses = "text",
    ) -> None:
        """The arguments are those of `Capture.table`."""
        _require("names", names, _NAMES)
        _require("addresses", addresses, _ADDRESSES)
        if filter is not None:
            require_filter(filter)
        self._capture = capture
        self._names: Names = names
        self._chosen = _chosen_columns(columns, names)
        self._policy = policy
        self._vni = vni if vni is None or isinstance(vni, int) else tuple(vni)
        self._filter = filter
        self._binary = addresses == "binary"
        self._names_interfaces = any(column.source == "interface_name" for column in self._chosen)
        super().__init__([_field(column, names, self._binary) for column in self._chosen], self._filled)

    @property
    def column_names(self) -> tuple[str, ...]:
        """What its columns are called."""
        return tuple(field.name for field in self.fields)

    def place_of(self, name: str) -> int | None:
        """Which of its columns the one is that is called *name* here, whatever the table calls it; None if none is."""
        return next((at for at, column in enumerate(self._chosen) if column.name == name), None)

    def of_columns(self, columns: Iterable[str]) -> CaptureTable:
        """The same rows with other columns, under the same names."""
        return CaptureTable(
            self._capture, columns=columns, names=self._names, policy=self._policy, vni=self._vni, filter=self._filter,
            addresses="binary" if self._binary else "text",
        )  # fmt: skip

    def to_arrow(self) -> pyarrow.Table:
        """The whole of it in pyarrow. Raises CaptureError if the file is broken: `pieces` has what is before that."""
        return joined_arrow(self._all_pieces())

    def to_polars(self) -> polars.DataFrame:
        """The whole of it in polars. Raises as `to_arrow`."""
        return joined_polars(self._all_pieces())

    def to_pandas(self) -> pandas.DataFrame:
        """The whole of it in pandas, with its own types: integers that may be missing, strings, times with a zone.

        Raises as `to_arrow`.
        """
        return as_pandas(self.to_arrow())

    def _all_pieces(self) -> Iterator[ArrowTable]:
        """No rows, so that there is a table whatever there is; then all."""
        yield ArrowTable(self.fields, ())
        yield from self.pieces(_PIECE_ROWS)

    def pieces(self, rows: int = 1) -> Iterator[ArrowTable]:
        """The table cut into tables of at least so many rows, the last one of what is left; one pass.

        A piece of fewer rows ends where these take more than 128 MiB of memory.
        A fault of the file is raised after everything before it was handed out.
        """
        batches: list[ArrowBatch] = []
        count = size = 0
        fault = None
        try:
            for batch in self._filled():
                batches.append(batch)
                count += batch.rows
                size += sum(map(len, batch.kept))
                if count >= rows or size >= _PIECE_BYTES:
                    yield ArrowTable(self.fields, batches)
                    batches = []
                    count = size = 0
        except CaptureError as error:
            fault = error
        if batches:
            yield ArrowTable(self.fields, batches)
        if fault is not None:
            raise fault

    def _filled(self) -> Iterator[ArrowBatch]:
        interfaces = _InterfaceNames()
        unread = (self._capture.policy if self._policy is None else self._policy).gpe == "linux"
        for rows in _gathered(self._wanted()):
            for part in interfaces.cut(rows) if self._names_interfaces else (rows,):
                filler = _Filler(part, interfaces, self._binary, unread)
                yield ArrowBatch(part.count, [filler.fill(column) for column in self._chosen], filler.kept)

    def _wanted(self) -> Iterator[_Rows]:
        for batch in self._capture.decap_batches(self._policy, self._vni):
            rows, mask = _rows_of(batch), self._mask(batch.result)
            if mask is not None:
                rows = rows.chosen(mask)
            if rows.count:
                yield rows

    def _mask(self, result: DecapBatch) -> memoryview | None:
        """Which rows are wanted, or None for all of them."""
        chosen = None if self._filter is None else selected(self._filter, result)
        if self._vni is None:
            return chosen
        accepted = bytes(result.status).translate(_IS_ZERO)
        if chosen is None:
            return memoryview(accepted)
        both = int.from_bytes(accepted, "big") & int.from_bytes(bytes(chosen).translate(_IS_SET), "big")
        return memoryview(both.to_bytes(len(accepted), "big"))


_IS_ZERO = bytes((1,)) + bytes(255)
_IS_SET = bytes(1) + bytes((1,)) * 255


def _chosen_columns(columns: Iterable[str] | None, names: Names) -> tuple[CaptureColumn, ...]:
    """The columns asked for, by their own names or those of the scheme, in that order."""
    if columns is None:
        return tuple(COLUMNS)
    if isinstance(columns, str):
        columns = (columns,)
    known = {name_in(column, names): column for column in _BY_NAME.values()} | _BY_NAME
    chosen = []
    for name in columns:
        if name not in known:
            raise _refused("columns", name, f"a column: these are {', '.join(_BY_NAME)}")
        chosen.append(known[name])
    if len(set(chosen)) < len(chosen):
        raise _refused("columns", [column.name for column in chosen], "a list of different columns")
    return tuple(chosen)


def name_in(column: CaptureColumn, names: Names) -> str:
    """What a column is called."""
    name: str = column.name if names == "vxlanpkt" else getattr(column, names)
    return name


def _field(column: CaptureColumn, names: Names, binary: bool) -> ArrowField:
    of_bytes = _BINARY_FORMATS.get(type(column.source)) if binary else None
    values = _TEXT if column.source == "status" else None
    return ArrowField(name_in(column, names), of_bytes or column.format, values)


@dataclass(frozen=True)
class _Rows:
    """Rows that are wanted, and what their columns are made of.

    held        the buffer of the result's columns
    frames      what they lie in
    columns     of the records: those of `_RECORD_CODES`
    interfaces  of the capture so far
    file        that they are from
    more        whether the next ones can be had without waiting
    """

    count: int
    held: Any
    frames: FrameBatch
    columns: Mapping[str, memoryview]
    interfaces: Sequence[Interface]
    file: str | None
    more: bool

    def chosen(self, mask: memoryview) -> _Rows:
        """Those of them that a mask names."""
        count = len(mask) - bytes(mask).count(0)
        if count == self.count:
            return self
        held = new_buffer(count * DECAP_LAYOUT.row_size)
        written(pick(view(self.held), _DECAP_WIDTHS, mask, held))
        columns = _Made(lambda name: _picked(self.columns[name], mask, count))
        return replace(self, count=count, held=held, frames=_frames(self.frames, columns), columns=columns)

    def follows(self, few: _Few) -> bool:
        """Whether these are few, too, and may be put behind others: they lie in the same memory."""
        return self.count <= _FEW_ROWS and self.frames.data.obj is few.rows.frames.data.obj


def _rows_of(batch: CaptureBatch) -> _Rows:
    """All rows of a batch."""
    records = batch.records
    columns = _Made(lambda name: _of_records(name, batch))
    return _Rows(
        len(records), batch.result.held, records.frames, columns, records.interfaces, records.file, records.more
    )


class _Made(dict[str, memoryview]):
    """Columns that are made when they are asked for."""

    def __init__(self, make: Callable[[str], memoryview]) -> None:
        self._make = make

    def __missing__(self, name: str) -> memoryview:
        made = self[name] = self._make(name)
        return made


def _of_records(name: str, batch: CaptureBatch) -> memoryview:
    records, rows = batch.records, len(batch.records)
    if name == "record":
        out = new_buffer(8 * rows)
        written(numbers(records.first + 1, rows, out))
        return view(out).cast("Q")
    if name == "link_type":
        return memoryview(struct.pack("=H", records.link_type) * rows).cast("H")
    if name == "link":
        return memoryview(struct.pack("=I", _LINK_SIZES.get(batch.start, 0)) * rows).cast("I")
    column: memoryview = getattr(records, name)
    return column


def _picked(column: memoryview, mask: memoryview, count: int) -> memoryview:
    out = new_buffer(column.itemsize * count)
    written(pick(column, (column.itemsize,), mask, out))
    return view(out).cast(column.format) if count else column[:0]  # type: ignore[call-overload]


def _frames(frames: FrameBatch, columns: Mapping[str, memoryview]) -> FrameBatch:
    """Others of the frames that lie in the same memory."""
    return FrameBatch(frames.data, columns["offset"], columns["length"])


_RECORD_CODES: Mapping[str, Literal["Q", "q", "I", "H"]] = {
    "record": "Q", "timestamp_ns": "q", "frame_length": "I", "length": "I", "interface": "I", "offset": "Q",
    "link_type": "H", "link": "I",
}  # fmt: skip
_RECORD_SOURCES = {
    "record": "record", "timestamp": "timestamp_ns", "frame_length": "frame_length", "capture_length": "length",
    "interface": "interface", "link_type": "link_type",
}  # fmt: skip
_DECAP_WIDTHS = tuple(WIDTHS[code] for code in DECAP_COLUMNS.values())
_FEW_ROWS, _MOST_ROWS = 512, 4096


class _Few:
    """Rows of small batches, copied, to be one batch: as much memory and time a row as those of large ones take."""

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows
        self.count = 0
        self._results: list[tuple[int, bytes]] = []
        self._columns: dict[str, list[bytes]] = {name: [] for name in _RECORD_CODES}
        self.add(rows)

    def add(self, rows: _Rows) -> None:
        """Put more of them behind these."""
        self.rows = rows
        self.count += rows.count
        self._results.append((rows.count, bytes(view(rows.held))))
        for name, parts in self._columns.items():
            parts.append(rows.columns[name].tobytes())

    def joined(self) -> _Rows:
        """All of them."""
        if self.count == self.rows.count:
            return self.rows
        columns = {name: memoryview(b"".join(of)).cast(_RECORD_CODES[name]) for name, of in self._columns.items()}
        frames = _frames(self.rows.frames, columns)
        return replace(self.rows, count=self.count, held=self._result(), frames=frames, columns=columns)

    def _result(self) -> Any:
        held = new_buffer(self.count * DECAP_LAYOUT.row_size)
        to = view(held)
        before = 0
        for width in _DECAP_WIDTHS:
            parts = (result[before * rows : (before + width) * rows] for rows, result in self._results)
            to[before * self.count : (before + width) * self.count] = b"".join(parts)
            before += width
        return held


def _gathered(batches: Iterable[_Rows]) -> Iterator[_Rows]:
    """Batches with as many rows as can be: a capture whose link types alternate has batches of one.

    Nothing is held back while the next batch may be a long time coming, nor at a fault.
    """
    few: _Few | None = None
    fault = None
    try:
        for rows in batches:
            if few is not None and not (rows.follows(few) and few.count + rows.count <= _MOST_ROWS):
                yield few.joined()
                few = None
            if few is not None:
                few.add(rows)
            elif rows.count <= _FEW_ROWS and rows.more:
                few = _Few(rows)
            else:
                yield rows
            if few is not None and not rows.more:
                yield few.joined()
                few = None
    except CaptureError as error:
        fault = error
    if few is not None:
        yield few.joined()
    if fault is not None:
        raise fault


class _Filler:
    """Makes the columns of one batch. `kept`: the memory that they lie in, which is theirs alone."""

    def __init__(self, rows: _Rows, interfaces: _InterfaceNames, binary: bool, unread: bool) -> None:
        self.kept: list[Any] = []
        self._rows = rows
        self._interfaces = interfaces
        self._binary = binary
        self._unread = unread
        self._bitmaps = 0
        self._nulls: Sequence[int] = ()

    def fill(self, column: CaptureColumn) -> ArrowColumn:
        """One column."""
        rows, source = self._rows, column.source
        if source == "interface_name":
            return self._interface_names()
        if source == "file":
            return self._file_names()
        nulls, bitmap = self._validity(column.known)
        if isinstance(source, (Address, MAC)):
            buffers = self._binary_of(source) if self._binary else self._text_of(source)
        elif isinstance(source, Derived):
            out = new_buffer(rows.count * (4 if column.format == _U32 else 2))
            written(derived(rows.held, rows.frames.held, source, out))
            buffers = (self._keep(out),)
        else:
            buffers = (self._keep(self._values(source)),)
        values = _REASONS if source == "status" else None
        return ArrowColumn(rows.count, nulls, (bitmap, *buffers), values)

    def _keep(self, buffer: Any) -> int:
        """Where a buffer lies, which is kept."""
        self.kept.append(buffer)
        return address_of(buffer)

    def _values(self, source: str) -> bytes:
        """The items of a column that is as the records or the result have it, in memory of its own."""
        if source in _RECORD_SOURCES:
            return self._rows.columns[_RECORD_SOURCES[source]].tobytes()
        return DECAP_LAYOUT.column(source, self._rows.count, view(self._rows.held)).tobytes()

    def _validity(self, what: Known | None) -> tuple[int, int]:
        """How many rows of a column are null, and where its bitmap is; none if no row is."""
        if what is None:
            return 0, 0
        rows = self._rows
        stride = (rows.count + 63) // 64 * 8
        if not self._bitmaps:
            out = new_buffer(len(Known) * (8 + stride))
            times, links = rows.columns["timestamp_ns"], rows.columns["link"]
            written(known(rows.held, rows.frames.held, times, links, self._unread, out))
            self._nulls = view(out)[: 8 * len(Known)].cast("q").tolist()
            self._bitmaps = self._keep(out) + 8 * len(Known)
        nulls = self._nulls[what]
        return nulls, self._bitmaps + what * stride if nulls else 0

    def _text_of(self, source: Address | MAC) -> tuple[int, ...]:
        rows = self._rows
        offsets = 4 * (rows.count + 1)
        if isinstance(source, MAC):
            out = new_buffer(offsets + MAC_TEXT * rows.count)
            written(mac_text(rows.held, rows.frames.held, source, out))
        else:
            out = new_buffer(address_room(rows.held, rows.count, source))
            written(address_text(rows.held, rows.count, source, out))
        address = self._keep(out)
        return address, address + offsets

    def _binary_of(self, source: Address | MAC) -> tuple[int, ...]:
        rows = self._rows
        if isinstance(source, Address):
            return (self._keep(self._values(source.name.lower())),)
        out = new_buffer(6 * rows.count)
        written(mac_bytes(rows.held, rows.frames.held, source, out))
        return (self._keep(out),)

    def _interface_names(self) -> ArrowColumn:
        rows = self._rows
        table = self._interfaces.known_by(rows.interfaces)
        items = rows.columns["interface"]
        out = new_buffer(names_room(items, table))
        nulls = written(names(items, table, out))
        address = self._keep(out)
        bitmap = address + 4 * (rows.count + 1)
        return ArrowColumn(rows.count, nulls, (bitmap if nulls else 0, address, bitmap + (rows.count + 7) // 8))

    def _file_names(self) -> ArrowColumn:
        count, name = self._rows.count, (self._rows.file or "").encode("utf-8", "replace")
        ends = self._keep(array("i", (len(name) * row for row in range(count + 1))).tobytes())
        texts = self._keep(name * count or bytes(1))
        if self._rows.file is None:
            return ArrowColumn(count, count, (self._keep(bytes((count + 7) // 8)), ends, texts))
        return ArrowColumn(count, 0, (0, ends, texts))


class _Words:
    """A dictionary: texts, each of them once."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode() for text in texts]
        ends = [0, *accumulate(map(len, encoded))]
        self._memory = struct.pack(f"={len(ends)}i", *ends), b"".join(encoded) or bytes(1)
        addresses = map(address_of, self._memory)
        self.column = ArrowColumn(len(texts), 0, (0, *addresses))


class _InterfaceNames:
    """The name of each interface seen so far, in UTF-8."""

    def __init__(self) -> None:
        self._of: Sequence[Interface] = ()
        self._count = 0
        self._table = hold_names()

    def known_by(self, interfaces: Sequence[Interface]) -> Any:
        """The names of *interfaces*, of which there are more and more, as the kernel holds them."""
        if interfaces is not self._of:  # those of another file, which are counted anew
            self._of, self._count, self._table = interfaces, 0, hold_names()
        for interface in interfaces[self._count :]:
            add_name(self._table, None if interface.name is None else interface.name.encode())
            self._count += 1
        return self._table

    def cut(self, rows: _Rows) -> Iterator[_Rows]:
        """The rows, in halves of halves where their names take too much room."""
        room = names_room(rows.columns["interface"], self.known_by(rows.interfaces))
        if room <= _NAMES_BYTES or rows.count == 1:
            yield rows
            return
        half = rows.count // 2
        for first, end in ((0, half), (half, rows.count)):
            mask = bytes(first) + b"\1" * (end - first) + bytes(rows.count - end)
            yield from self.cut(rows.chosen(memoryview(mask)))


_REASON_WORDS = _Words(tuple(reason.name for reason in sorted(Reason)))
_REASONS = _REASON_WORDS.column


def _require(field: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise _refused(field, value, f"one of {', '.join(allowed)}")


def _refused(field: str, value: object, expected: str) -> FieldError:
    return FieldError(f"{field}: {value!r} is not {expected}", layer="capture", field=field, value=value, bits=None)
