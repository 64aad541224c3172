"""The pcap container: every magic, every way to be cut or to lie, and what is written reads back."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import CaptureError, FieldError
from vxlanpkt.capture import Interface, PcapWriter, Record

from .builders import interfaces, pcap_header, pcap_record, read, read_until_fault

NS = 1_000_000_000
MAGICS = [(order, magic) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D)]


@pytest.mark.parametrize(("order", "magic"), MAGICS)
def test_all_four_magics(order: str, magic: int) -> None:
    data = pcap_header(magic, order) + pcap_record(b"abc", order, seconds=7, fraction=5, original=9)
    unit = 1000 if magic == 0xA1B2C3D4 else 1
    assert read(data) == [Record(7 * NS + 5 * unit, b"abc", 9, raw_timestamp=7 * NS // unit + 5)]


def test_link_type_and_fcs_length() -> None:
    data = pcap_header(network=2 << 28 | 1 << 26 | 113) + pcap_record(b"frameFCS!")
    (record,) = read(data)
    assert (record.link_type, record.fcs_length, record.frame, record.frame_length) == (113, 4, b"frame", 5)
    assert interfaces(data)[0].fcslen == 4


def test_fcs_bits_count_only_with_their_flag() -> None:
    assert read(pcap_header(network=2 << 28 | 1) + pcap_record(b"frame"))[0].fcs_length == 0


def test_part_of_the_fcs_is_cut() -> None:
    record = Record(0, b"frameFC", 9, fcs_length=4)
    assert (record.frame, record.frame_length) == (b"frame", 5)
    record = Record(0, b"fra", 9, fcs_length=4)
    assert (record.frame, record.frame_length) == (b"fra", 5)
    record = Record(0, b"F", 1, fcs_length=4)
    assert (record.frame, record.frame_length) == (b"", 0)


@pytest.mark.parametrize(
    ("header", "offset", "words"),
    [
        (b"", 0, "empty"),
        (b"\xd4\xc3\xb2", 0, "magic"),
        (b"GET / HTTP/1.1", 0, "neither pcap nor pcapng"),
        (pcap_header(0xA1B2CD34), 0, "modified"),
        (pcap_header(0xA1B2CD34, ">"), 0, "modified"),
        (pcap_header(version=(2, 3)), 4, "version 2.3"),
        (pcap_header(version=(543, 0)), 4, "version 543"),
        (pcap_header(network=1 << 16 | 1), 20, "reserved"),
    ],
)
def test_headers_that_are_refused(header: bytes, offset: int, words: str) -> None:
    with pytest.raises(CaptureError, match=words) as caught:
        read(header)
    assert caught.value.offset == offset


@pytest.mark.parametrize(("order", "magic"), MAGICS)
def test_cut_at_every_byte(order: str, magic: int) -> None:
    bodies = [b"first", b"", b"the third"]
    data = pcap_header(magic, order)
    starts = []
    for body in bodies:
        starts.append(len(data))
        data += pcap_record(body, order)
    for end in range(len(data)):
        records, error = read_until_fault(data[:end])
        whole = sum(start + 16 + len(body) <= end for start, body in zip(starts, bodies, strict=True))
        assert [record.data for record in records] == bodies[:whole]
        if end == 24 or end in starts[1:]:
            assert error is None
            continue
        assert error is not None
        assert error.offset == (0 if end < 24 else starts[whole])
        needed, available = vars(error)["needed"], vars(error)["available"]
        assert available == end - error.offset < needed


@pytest.mark.parametrize("captured", [1 << 18 | 1, 0xFFFFFFFF])
@pytest.mark.parametrize("snaplen", [0, 96, 0xFFFFFFFF])
def test_absurd_captured_length(captured: int, snaplen: int) -> None:
    data = pcap_header(snaplen=snaplen) + pcap_record(b"ok") + pcap_record(b"x" * 40, captured=captured)
    records, error = read_until_fault(data)
    assert [record.data for record in records] == [b"ok"]
    assert error is not None
    assert error.offset == 42
    assert str(captured) in str(error)


@pytest.mark.parametrize("snaplen", [0, 1, 96])
def test_a_snapshot_length_that_is_too_small_is_not_believed(snaplen: int) -> None:
    assert read(pcap_header(snaplen=snaplen) + pcap_record(bytes(70000)))[0].data == bytes(70000)


def test_a_great_snapshot_length_is() -> None:
    body = bytes(300_000)
    assert read(pcap_header(snaplen=1 << 20) + pcap_record(body))[0].data == body


def test_original_length_below_the_captured_one_is_handed_on() -> None:
    (record,) = read(pcap_header() + pcap_record(b"abcdef", original=2))
    assert (record.data, record.original_length, record.frame_length) == (b"abcdef", 2, 6)


def test_a_fraction_of_more_than_a_second_is_added() -> None:
    (record,) = read(pcap_header() + pcap_record(b"", seconds=1, fraction=0xFFFFFFFF))
    assert record.timestamp_ns == NS + 0xFFFFFFFF * 1000


RECORDS = st.lists(
    st.builds(
        lambda seconds, fraction, data, more: (seconds, fraction, data, len(data) + more),
        st.integers(0, 0xFFFFFFFF), st.integers(0, NS - 1), st.binary(max_size=80), st.sampled_from([0, 0, 1, 70000]),
    ),
    max_size=6,
)  # fmt: skip


@given(RECORDS, st.booleans(), st.sampled_from(["little", "big"]), st.sampled_from([0, 2, 4, 30]))
def test_what_is_written_reads_back(
    values: list[tuple[int, int, bytes, int]], nanoseconds: bool, byteorder: Literal["little", "big"], fcslen: int
) -> None:
    unit = 1 if nanoseconds else 1000
    records = [
        Record(
            seconds * NS + fraction // unit * unit,
            data,
            original,
            276,
            0,
            seconds * NS // unit + fraction // unit,
            fcslen,
        )
        for seconds, fraction, data, original in values
    ]
    out = io.BytesIO()
    interface = Interface(276, 65535, 9 if nanoseconds else 6, fcslen=fcslen)
    with PcapWriter(out, interface, nanoseconds=nanoseconds, byteorder=byteorder) as writer:
        for record in records:
            writer.write(record)
    assert read(out.getvalue()) == records
    assert interfaces(out.getvalue()) == (interface,)


def test_no_timestamp_is_written_as_zero() -> None:
    out = io.BytesIO()
    with PcapWriter(out, Interface()) as writer:
        writer.write(Record(None, b"abc", 3))
    assert read(out.getvalue())[0].timestamp_ns == 0


def test_what_pcap_cannot_hold_is_refused() -> None:
    writer = PcapWriter(io.BytesIO(), Interface())
    with pytest.raises(CaptureError, match="link type"):
        writer.write(Record(0, b"", 0, link_type=101))
    for timestamp in (-1, NS << 32):
        with pytest.raises(CaptureError, match="does not fit"):
            writer.write(Record(timestamp, b"", 0))
    for fcslen in (1, 32):
        with pytest.raises(FieldError, match="frame check sequence"):
            PcapWriter(io.BytesIO(), Interface(fcslen=fcslen))


@pytest.mark.parametrize(
    "fields",
    [{"original_length": 1 << 32}, {"original_length": -1}, {"link_type": 1 << 16}, {"raw_timestamp": 1 << 64}],
)
def test_values_that_no_container_holds(fields: dict[str, int]) -> None:
    values = {"timestamp_ns": 0, "data": b"", "original_length": 0, **fields}
    with pytest.raises(FieldError) as caught:
        Record(**values)  # type: ignore[arg-type]
    assert caught.value.field == next(iter(fields))
    with pytest.raises(FieldError, match="tsoffset"):
        Interface(tsoffset=1 << 63)
