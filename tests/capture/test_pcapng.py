"""The pcapng container: sections, interfaces, clocks and options; every way to be cut or to lie."""

from __future__ import annotations

import io
import struct
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import CaptureError, FieldError
from vxlanpkt.capture import Interface, PcapngWriter, Record

from .builders import block, enhanced, interface, interfaces, option, read, read_until_fault, section, simple

NS = 1_000_000_000
HEAD = section() + interface()


@pytest.mark.parametrize("order", "<>")
def test_each_kind_of_packet_block(order: str) -> None:
    obsolete = struct.pack(order + "HHIIII", 0, 7, 0, 3000, 3, 60) + b"old\0"
    data = section(order) + interface(order=order) + enhanced(b"abcde", raw=5, original=9, order=order)
    data += simple(b"abc", order=order) + block(2, obsolete, order)
    assert read(data) == [
        Record(5000, b"abcde", 9, raw_timestamp=5),
        Record(None, b"abc", 3),
        Record(3_000_000, b"old", 60, raw_timestamp=3000),
    ]


def test_simple_packets_are_cut_by_the_snapshot_length() -> None:
    data = section() + interface(snaplen=4) + simple(b"abcd", original=1000) + simple(b"ab")
    assert [(record.data, record.original_length) for record in read(data)] == [(b"abcd", 1000), (b"ab", 2)]


def test_sections_of_both_byte_orders() -> None:
    data = HEAD + enhanced(b"a", raw=1)
    data += (
        section(">") + interface(276, order=">") + interface(101, order=">") + enhanced(b"b", index=1, raw=2, order=">")
    )
    data += section() + interface(113) + enhanced(b"c", raw=3)
    assert [(record.data, record.link_type, record.interface, record.timestamp_ns) for record in read(data)] == [
        (b"a", 1, 0, 1000), (b"b", 101, 2, 2000), (b"c", 113, 3, 3000),
    ]  # fmt: skip
    assert [one.link_type for one in interfaces(data)] == [1, 276, 101, 113]


def test_interfaces_end_with_their_section() -> None:
    records, error = read_until_fault(HEAD + enhanced(b"a") + section() + enhanced(b"b"))
    assert len(records) == 1
    assert error is not None
    assert "interface 0 of 0" in str(error)


@pytest.mark.parametrize(
    ("tsresol", "raw", "timestamp"),
    [
        (0, 3, 3 * NS), (3, 3, 3_000_000), (6, 3, 3000), (9, 3, 3), (12, 3999, 3), (127, 1 << 63, 0),
        (0x80, 3, 3 * NS), (0x80 | 10, 512, NS // 2), (0x80 | 32, 3, 0), (0x80 | 32, 1 << 31, NS // 2),
        (0x80 | 127, 1 << 63, 0), (0, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF * NS),
    ],
)  # fmt: skip
def test_resolutions_floor_and_keep_the_raw_value(tsresol: int, raw: int, timestamp: int) -> None:
    data = section() + interface(1, option(9, bytes([tsresol]))) + enhanced(b"", raw=raw)
    (record,) = read(data)
    assert (record.timestamp_ns, record.raw_timestamp) == (timestamp, raw)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("seconds", [1, -1, 1_600_000_000])
def test_the_offset_is_added(order: str, seconds: int) -> None:
    options = option(14, struct.pack(order + "q", seconds), order) + option(9, b"\x09", order)
    data = section(order) + interface(1, options, order=order) + enhanced(b"", raw=5, order=order)
    assert read(data)[0].timestamp_ns == 5 + seconds * NS


@pytest.mark.parametrize("order", "<>")
def test_fcs_length_of_the_interface_and_of_the_packet(order: str) -> None:
    flags = option(2, struct.pack(order + "I", 2 << 5 | 1), order)
    data = section(order) + interface(1, option(13, b"\x04", order), order=order)
    data += enhanced(b"frameFCS!", order=order) + enhanced(b"frameFC", flags, order=order)
    assert [(record.fcs_length, record.frame) for record in read(data)] == [(4, b"frame"), (2, b"frame")]


@pytest.mark.parametrize("order", "<>")
def test_options_are_kept_with_numbers_in_one_byte_order(order: str) -> None:
    data = section(order) + interface(
        1, option(2, b"eth0", order), option(3, b"upl\xffnk", order), option(8, struct.pack(order + "Q", 10**9), order),
        option(0, b"", order), b"junk", order=order,
    )  # fmt: skip
    data += enhanced(
        b"x", option(1, "é".encode(), order), option(4, struct.pack(order + "Q", 77), order),
        option(2988, struct.pack(order + "I", 32473) + b"text", order), order=order,
    )  # fmt: skip
    (record,), (one,) = read(data), interfaces(data)
    assert (one.name, one.description) == ("eth0", "upl\ufffdnk")
    assert one.options[2] == (8, (10**9).to_bytes(8, "little"))
    assert record.comment == "é"
    assert record.options[1:] == ((4, (77).to_bytes(8, "little")), (2988, (32473).to_bytes(4, "little") + b"text"))


def test_other_blocks_are_skipped() -> None:
    others = b"".join(block(kind, bytes(8)) for kind in (4, 5, 10, 0xBAD, 0x40000BAD, 0x7FFFFFFF)) + block(9, b"")
    assert [record.data for record in read(section() + others + interface() + others + enhanced(b"a") + others)] == [
        b"a"
    ]


def sized(kind: int, size: int, *, trailing: int | None = None, room: int = 64) -> bytes:
    return struct.pack("<II", kind, size) + bytes(room) + struct.pack("<I", size if trailing is None else trailing)


OVERRUN = struct.pack("<HH", 1, 9) + b"abcd"


@pytest.mark.parametrize(
    ("broken", "offset", "words"),
    [
        (sized(5, 0), 0, "0 bytes long"),
        (sized(5, 11), 0, "takes 12"),
        (sized(6, 28), 0, "takes 32"),
        (sized(1, 16), 0, "takes 20"),
        (sized(3, 12), 0, "takes 16"),
        (sized(5, 77), 0, "no multiple of 4"),
        (sized(5, 0xFFFFFFFC), 0, "is the most"),
        (sized(5, 76, trailing=72), 72, "72 at its end"),
        (block(9, b"")[:-4] + b"\x10\0\0\0", 8, "16 at its end"),
        (enhanced(b"abcd", captured=5), 0, "room for 4"),
        (enhanced(b"abcd", captured=0xFFFFFFFF), 0, "room for 4"),
        (simple(b"abcd", original=5), 0, "room for 4"),
        (block(2, struct.pack("<HHIIII", 0, 0, 0, 0, 5, 5) + b"abcd"), 0, "room for 4"),
        (block(2, struct.pack("<HHIIII", 9, 0, 0, 0, 0, 0)), 0, "interface 9 of 1"),
        (enhanced(b"abcd", index=1), 0, "interface 1 of 1"),
        (enhanced(b"abcd", OVERRUN), 32, "9 bytes long, 4 are there"),
        (interface(1, OVERRUN), 16, "9 bytes long, 4 are there"),
        (interface(1, option(9, b"\x06\x06")), 0, "option 9"),
        (interface(1, option(14, b"\x06")), 0, "option 14"),
        (interface(1, option(13, b"")), 0, "option 13"),
        (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), 12, "version 2.0"),
        (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4E, 1, 0, -1)), 8, "byte-order magic"),
        (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + OVERRUN), 24, "9 bytes long"),
        (section()[:4] + b"\x10\0\0\0" + section()[8:], 0, "takes 28"),
    ],
)
def test_broken_blocks(broken: bytes, offset: int, words: str) -> None:
    sound = HEAD + enhanced(b"whole")
    records, error = read_until_fault(sound + broken + enhanced(b"behind"))
    assert [record.data for record in records] == [b"whole"]
    assert error is not None
    assert words in str(error)
    assert error.offset == len(sound) + offset


def test_packets_before_any_interface() -> None:
    for packet in (enhanced(b"a"), simple(b"a")):
        with pytest.raises(CaptureError, match="interface 0 of 0"):
            read(section() + packet)


@pytest.mark.parametrize("order", "<>")
def test_cut_at_every_byte(order: str) -> None:
    blocks = [
        section(order), interface(order=order), enhanced(b"abc", option(1, b"comment", order), order=order),
        block(5, bytes(12), order), simple(b"de", order=order), enhanced(b"", order=order),
    ]  # fmt: skip
    starts = [sum(map(len, blocks[:index])) for index in range(len(blocks) + 1)]
    data = b"".join(blocks)
    for end in range(len(data)):
        records, error = read_until_fault(data[:end])
        whole = sum(start <= end for start in starts[1:])
        assert [record.data for record in records] == [b"abc", b"de", b""][: (whole >= 3) + (whole >= 5)]
        if end in starts[1:]:
            assert error is None
            continue
        assert error is not None
        assert error.offset == starts[whole]
        needed, available = vars(error)["needed"], vars(error)["available"]
        assert available == end - starts[whole] < needed


OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([1, 3, 2988, 32000]), st.binary(min_size=4, max_size=9)),
        st.tuples(st.just(4), st.binary(min_size=8, max_size=8)),
    ),
    max_size=3,
).map(tuple)
INTERFACES = st.lists(
    st.builds(
        Interface, st.integers(0, 0xFFFF), st.just(0), st.integers(0, 255), st.integers(-(1 << 63), (1 << 63) - 1),
        st.integers(0, 255), st.just(((2, b"eth0"), (8, bytes(range(8))))),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
PACKETS = st.tuples(
    st.integers(0, 2), st.integers(0, (1 << 64) - 1), st.binary(max_size=40), st.integers(0, 0xFFFFFFFF), OPTIONS
)


@given(INTERFACES, st.lists(PACKETS, max_size=5), st.sampled_from(["little", "big"]))
def test_what_is_written_reads_back(
    declared: list[Interface],
    packets: list[tuple[int, int, bytes, int, tuple[tuple[int, bytes], ...]]],
    byteorder: Literal["little", "big"],
) -> None:
    records = []
    for index, raw, data, original, options in packets:
        one = declared[index % len(declared)]
        records.append(Record(
            one.to_nanoseconds(raw), data, original, one.link_type, index % len(declared), raw, one.fcslen, options
        ))  # fmt: skip
    out = io.BytesIO()
    with PcapngWriter(out, declared, byteorder=byteorder) as writer:
        for record in records:
            writer.write(record)
    assert read(out.getvalue()) == records
    assert interfaces(out.getvalue()) == tuple(declared)


@given(st.integers(0, 255), st.integers(-(10**9), 10**9), st.integers(0, (1 << 64) - 1))
def test_nanoseconds_to_units_and_back(tsresol: int, tsoffset: int, timestamp: int) -> None:
    one = Interface(tsresol=tsresol, tsoffset=tsoffset)
    raw = one.from_nanoseconds(timestamp)
    assert one.to_nanoseconds(raw) <= timestamp < one.to_nanoseconds(raw + 1) or one.to_nanoseconds(raw) == timestamp
    if one.units_per_second >= NS:
        assert one.to_nanoseconds(raw) == timestamp


def test_a_stale_raw_timestamp_does_not_win() -> None:
    out = io.BytesIO()
    with PcapngWriter(out, [Interface(tsresol=9)]) as writer:
        writer.write(Record(5000, b"", 0, raw_timestamp=5))
    assert read(out.getvalue()) == [Record(5000, b"", 0, raw_timestamp=5000)]


def test_packets_without_a_timestamp() -> None:
    whole = Record(None, b"abc", 3)
    cut = Record(None, b"abc", 30)
    out = io.BytesIO()
    with PcapngWriter(out, [Interface()]) as writer:
        writer.write(whole)
        writer.write(cut)
    assert read(out.getvalue()) == [whole, Record(0, b"abc", 30, raw_timestamp=0)]
    out = io.BytesIO()
    with PcapngWriter(out, [Interface(snaplen=3)]) as writer:
        writer.write(cut)
    assert read(out.getvalue()) == [cut]


def test_what_cannot_be_written_is_refused() -> None:
    writer = PcapngWriter(io.BytesIO(), [Interface(tsresol=9)])
    with pytest.raises(CaptureError, match="not been declared"):
        writer.write(Record(0, b"", 0, interface=1))
    with pytest.raises(CaptureError, match="link type"):
        writer.write(Record(0, b"", 0, link_type=101))
    for timestamp in (-1, 1 << 64):
        with pytest.raises(CaptureError, match="does not fit"):
            writer.write(Record(timestamp, b"", 0))
    with pytest.raises(FieldError, match="options"):
        Record(0, b"", 0, options=((1, bytes(1 << 16)),))


@given(st.binary(max_size=200))
def test_whatever_follows_a_section_header_is_read_or_refused(data: bytes) -> None:
    read_until_fault(HEAD + data)
    read_until_fault(data)


@given(st.data())
def test_a_mutated_file_is_read_or_refused(source: st.DataObject) -> None:
    data = bytearray(
        HEAD + enhanced(b"abc", option(1, b"comment")) + section(">") + interface(order=">") + simple(b"d", order=">")
    )
    for _ in range(source.draw(st.integers(1, 4))):
        data[source.draw(st.integers(0, len(data) - 1))] = source.draw(st.integers(0, 255))
    read_until_fault(bytes(data))


@pytest.mark.parametrize("order", "<>")
def test_options_that_are_too_many(order: str) -> None:
    """As values they take thirty times the room: 64 KiB of gzip would be 2 GB of them."""
    most = option(2988, b"", order) * (1 << 16)
    head = section(order) + interface(order=order)
    (record,) = read(head + enhanced(b"a", most, order=order))
    assert len(record.options) == 1 << 16
    for data in (
        head + enhanced(b"a", most + option(2988, b"", order), order=order),
        section(order) + interface(1, most + option(2988, b"", order), order=order),
    ):
        records, error = read_until_fault(data)
        assert not records
        assert error is not None
        assert "more than 65536 options" in str(error)


def test_interfaces_that_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept, so that those of a bomb are not to be; those of one file do not count for the next one."""
    monkeypatch.setattr("vxlanpkt.capture.pcapng.MAX_DECLARED", 10_000)
    few, many = HEAD * 50 + enhanced(b"a"), HEAD * 100 + enhanced(b"a")
    assert len(read(few)) == 1
    for data in (many, section() + interface(1, *[option(1, b"") for _ in range(100)])):
        records, error = read_until_fault(data)
        assert not records
        assert error is not None
        assert "take more than 10000 bytes of memory" in str(error)
