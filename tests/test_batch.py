"""Batches: what the columns may be, what they may claim, and where results may go."""

from __future__ import annotations

import ctypes
import sys
from array import array
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from itertools import permutations
from typing import Any

import pytest

from vxlanpkt import (
    NO_TUNNEL,
    TCP,
    UDP,
    VXLAN,
    BuildError,
    DecapPolicy,
    Ethernet,
    FieldError,
    FrameBatch,
    IPv4,
    IPv6,
    Packet,
    PacketError,
    ParseError,
    TruncatedError,
    Tunnel,
    TunnelTable,
    decap,
    decap_batch,
    encap_batch,
    kernel,
)
from vxlanpkt.errors import Reason

MACS: dict[str, Any] = {"src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02"}
TUNNEL4 = Tunnel(5000, "192.0.2.1", "192.0.2.2", **MACS)
TUNNEL6 = Tunnel(6000, "2001:db8::1", "2001:db8::2", **MACS)
ETHERNET = Ethernet("02:00:00:00:0b:02", "02:00:00:00:0a:01")
INNER4 = Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), payload=b"four").build()
INNER6 = Packet(ETHERNET, IPv6("fd00::1", "fd00::2"), UDP(3, 4), payload=b"six").build()
FRAMES = {
    "ipv4": TUNNEL4.encap(INNER4),
    "ipv6 in ipv4": TUNNEL4.replace(vlans=(7,), group_policy=9).encap(INNER6),
    "ipv6": TUNNEL6.encap(INNER6),
    "tagged": TUNNEL6.encap(INNER4[:12] + b"\x81\0\0\7" + INNER4[12:]),
    "no vxlan": INNER4,
    "cut": TUNNEL4.encap(INNER4)[:45],
    "nothing": b"",
}
UINT64 = (1 << 64) - 1


def refused(call: Callable[[], object], field: str) -> FieldError:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
    return caught.value


# -- columns


def test_from_frames() -> None:
    """Frames are copied behind each other, with headroom in front of each, and given out as views."""
    batch = FrameBatch.from_frames([b"ab", b"", bytearray(b"cde")], headroom=4)
    assert bytes(batch.data) == b"\0\0\0\0ab\0\0\0\0\0\0\0\0cde"
    assert list(batch.offsets) == [4, 10, 14]
    assert list(batch.lengths) == [2, 0, 3]
    assert batch.to_frames() == [b"ab", b"", b"cde"]
    assert [bytes(frame) for frame in batch] == batch.to_frames()
    assert isinstance(batch[0], memoryview)
    assert bytes(batch[-1]) == b"cde"
    with pytest.raises(IndexError):
        batch[3]


def test_slices_and_equality() -> None:
    """A slice is a batch over the same bytes; batches are equal by frames and original lengths."""
    batch = FrameBatch.from_frames([b"ab", b"c", b"d"], original_lengths=[2, 9, 1])
    assert batch[1:].to_frames() == [b"c", b"d"]
    assert batch[::-1].to_frames() == [b"d", b"c", b"ab"]
    assert batch[1:].data.obj is batch.data.obj
    assert batch[:1] == FrameBatch(b"xab", [1], [2])
    assert batch[1:2] != FrameBatch(b"c", [0], [1])
    assert batch != FrameBatch.from_frames([b"ab"])
    assert batch != [b"ab", b"c", b"d"]
    with pytest.raises(TypeError):
        hash(batch)


@pytest.mark.parametrize("data", [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), array("H", b"abcd")])
def test_buffers(data: Any) -> None:
    """Any C-contiguous buffer will do, and is read as bytes."""
    assert FrameBatch(data, [1], [2]).to_frames() == [b"bc"]


def test_buffers_refused() -> None:
    """A strided buffer, and what is none, is refused."""
    refused(lambda: FrameBatch(memoryview(b"abcdef")[::2], [0], [1]), "data")
    refused(lambda: FrameBatch("text", [0], [1]), "data")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["B", "H", "I", "i", "q", "d", "b"])
def test_wrong_item_size_of_offsets(code: str) -> None:
    """Offsets are uint64: a buffer of other items is refused, never reinterpreted."""
    values = array(code, [0, 1])
    refused(lambda: FrameBatch(b"abcd", values, [1, 1]), "offsets")
    refused(lambda: FrameBatch(b"abcd", memoryview(values), [1, 1]), "offsets")


@pytest.mark.parametrize("code", ["B", "H", "Q", "i", "q", "f"])
def test_wrong_item_size_of_lengths(code: str) -> None:
    """Lengths are uint32, and so are original lengths and the index of tunnels."""
    values = array(code, [1, 1])
    batch = FrameBatch(b"abcd", [0, 1], [1, 1])
    refused(lambda: FrameBatch(b"abcd", [0, 1], values), "lengths")
    refused(lambda: FrameBatch(b"abcd", [0, 1], [1, 1], values), "original_lengths")
    refused(lambda: encap_batch(batch, [TUNNEL4], index=values), "index")


def test_non_contiguous_columns() -> None:
    """A column with a stride is refused."""
    offsets, lengths = array("Q", [0, 9, 1, 9]), array("I", [1, 9, 1, 9])
    refused(lambda: FrameBatch(b"abcd", memoryview(offsets)[::2], [1, 1]), "offsets")
    refused(lambda: FrameBatch(b"abcd", [0, 1], memoryview(lengths)[::2]), "lengths")
    refused(lambda: FrameBatch(b"abcd", memoryview(bytes(16)).cast("B", (2, 8)), [1, 1]), "offsets")


@pytest.mark.parametrize("values", [[-1], [1 << 64], ["1"], [1.5], [None], "1", 7])
def test_columns_of_what_is_no_number(values: Any) -> None:
    """A sequence is copied into a column if its numbers fit."""
    refused(lambda: FrameBatch(b"abcd", values, [1]), "offsets")


def test_columns_of_unequal_length() -> None:
    """Every column has a row for each frame."""
    refused(lambda: FrameBatch(b"abcd", [0, 1], [1]), "lengths")
    refused(lambda: FrameBatch(b"abcd", [0], [1], [1, 2]), "original_lengths")
    batch = FrameBatch(b"abcd", [0], [1])
    error = refused(lambda: encap_batch(batch, [TUNNEL4], index=["a"]), "index")  # type: ignore[list-item]
    assert (str(error), error.layer) == ("index: 'a' is not an unsigned 32-bit number, in row 0", "batch")
    refused(lambda: encap_batch(batch, [TUNNEL4], index=[0, 0]), "index")
    refused(lambda: encap_batch(batch, [TUNNEL4]), "index")


def test_columns_are_not_copied() -> None:
    """Arrays and views of the right items are used as they are."""
    offsets, lengths = array("Q", [0]), array("I", [2])
    batch = FrameBatch(b"abcd", offsets, memoryview(lengths))
    offsets[0], lengths[0] = 1, 3
    assert batch.to_frames() == [b"bcd"]


# -- rows outside the buffer

OUTSIDE = [
    (0, 1 << 31), (4, 1), (5, 0), (1, 4), (1 << 32, 1), (1 << 63, 1), (UINT64, 0), (UINT64, 1), (UINT64, 2),
    (UINT64 - 2, 4), (UINT64, (1 << 32) - 1),
]  # fmt: skip


@pytest.mark.parametrize(("offset", "length"), OUTSIDE)
def test_rows_outside_the_buffer(offset: int, length: int) -> None:
    """A row may claim anything, an end that wraps around 2**64 included: it is refused by itself, and never read."""
    batch = FrameBatch(b"abcd", [0, offset, 0], [4, length, 4])
    refused(lambda: batch[1], "row")
    assert bytes(batch[2]) == b"abcd"
    result = decap_batch(batch)
    assert list(result.status) == [
        Reason.ETHERNET_TRUNCATED, Reason.ROW_OUT_OF_RANGE, Reason.ETHERNET_TRUNCATED,
    ]  # fmt: skip
    error = result.error(1)
    assert isinstance(error, TruncatedError)
    assert error.reason is Reason.ROW_OUT_OF_RANGE
    assert result.inner.to_frames() == [b"", b"", b""]
    with pytest.raises(TruncatedError):
        result.raise_for_status()


@pytest.mark.parametrize("mode", ["copy", "headers"])
@pytest.mark.parametrize(("offset", "length"), [row for row in OUTSIDE if row[1] < 1 << 16])
def test_encap_of_rows_outside_the_buffer(mode: Any, offset: int, length: int) -> None:
    """Such a row cannot be sent either; those beside it are."""
    batch = FrameBatch(INNER4 + bytes(4), [0, offset + len(INNER4), 0], [len(INNER4), length, len(INNER4)]) if (
        offset < 1 << 62
    ) else FrameBatch(INNER4, [0, offset, 0], [len(INNER4), length, len(INNER4)])  # fmt: skip
    result = encap_batch(batch, TUNNEL4, mode=mode)
    assert list(result.status) == [Reason.OK, Reason.ROW_OUT_OF_RANGE, Reason.OK]
    assert [len(frame) > 0 for frame in result] == [True, False, True]
    with pytest.raises(BuildError):
        result.raise_for_status()


def test_a_length_is_not_allocated_before_it_is_checked() -> None:
    """What a row claims to be long does not decide how much memory is taken: it is compared with the buffer first."""
    batch = FrameBatch(INNER4, [0], [1 << 28])
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy counts no bytes")
    tracemalloc.start()
    try:
        result = encap_batch(batch, TUNNEL4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert list(result.status) == [Reason.ROW_OUT_OF_RANGE]
    assert peak < 1 << 20


def test_a_buffer_that_shrank() -> None:
    """A row is judged by the bounds at the time of the call."""
    offsets = array("Q", [0])
    batch = FrameBatch(FRAMES["ipv4"], offsets, [len(FRAMES["ipv4"])])
    assert decap_batch(batch).accepted == [0]
    offsets[0] = 1
    assert decap_batch(batch).status[0] == Reason.ROW_OUT_OF_RANGE


# -- no rows, mixed rows


def test_zero_rows() -> None:
    """A batch of nothing is a batch."""
    for batch in (FrameBatch(b"", [], []), FrameBatch.from_frames([]), FrameBatch(b"abc", (), array("I"))):
        result = decap_batch(batch)
        assert (len(result), result.accepted, result.counts()) == (0, [], {})
        result.raise_for_status()
        assert result.inner.to_frames() == []
        for mode in ("copy", "headers"):
            sent = encap_batch(batch, TUNNEL4, mode=mode)
            assert (len(sent), sent.accepted, sent.counts()) == (0, [], {})
    assert len(encap_batch(FrameBatch.from_frames([]), [], index=[])) == 0


@pytest.mark.parametrize("names", list(permutations(FRAMES, 3)), ids="-".join)
def test_rows_of_mixed_families(names: tuple[str, ...]) -> None:
    """No state leaks from row to row: in any order each row is what it is alone, in a used result too."""
    batch = FrameBatch.from_frames([FRAMES[name] for name in names])
    result = decap_batch(batch, out=decap_batch(FrameBatch.from_frames([FRAMES["tagged"]] * 3)))
    for row, name in enumerate(names):
        alone = decap_batch(FrameBatch.from_frames([FRAMES[name]])).record(0)
        record = result.record(row)
        if record.inner_length:
            record.inner_offset -= batch.offsets[row]
        assert record == alone


def test_columns_of_a_result() -> None:
    """What the columns say of one frame over each family."""
    names = ("ipv4", "ipv6 in ipv4", "ipv6", "tagged", "no vxlan")
    result = decap_batch(FrameBatch.from_frames([FRAMES[name] for name in names]))
    assert list(result.vni) == [5000, 5000, 6000, 6000, 0]
    assert result.accepted == [0, 1, 2, 3]
    assert result.counts() == {Reason.OK: 4, Reason.NOT_VXLAN: 1}
    assert result.outer_src[:4] == [TUNNEL4.src, TUNNEL4.src, TUNNEL6.src, TUNNEL6.src]
    assert result.inner_dst[0] == IPv4Address("10.0.0.2")
    assert result.inner_dst[-3] == IPv6Address("fd00::2")
    assert result.inner_dst[4] is None
    assert result.outer_src.raw[:16] == bytes(10) + b"\xff\xff" + TUNNEL4.src.packed
    assert list(result.outer_vlan) == [0xFFFF, 7, 0xFFFF, 0xFFFF, 0xFFFF]
    assert list(result.inner_vlan) == [0xFFFF, 0xFFFF, 0xFFFF, 7, 0xFFFF]
    assert list(result.inner_dst_port) == [2, 4, 4, 2, 0]
    assert list(result.flags) == [0x08000000, 0x88000009, 0x08000000, 0x08000000, 0]
    assert result.inner[0] == INNER4
    assert result.inner.data.obj is result.frames.data.obj


def tcp_frames(flags: int, reserved: int, size: int) -> list[bytes]:
    """A segment of which *size* bytes are there, in plain and in unusual packets."""
    ip = IPv4("10.0.0.1", "10.0.0.2", protocol=6)
    segment = Packet(TCP(1, 2, flags=flags, reserved=reserved, checksum=0)).build()[:size]
    plain4 = Packet(ETHERNET, ip, payload=segment)
    plain6 = Packet(ETHERNET, IPv6("fd00::1", "fd00::2", next_header=6), payload=segment)
    with_options = Packet(ETHERNET, ip.replace(options=b"\1\1\1\0"), payload=segment)
    tagged = plain6.build()[:12] + b"\x81\0\0\7" + plain6.build()[12:]
    first = Packet(ETHERNET, ip.replace(flags=1), payload=segment)
    return [plain4.build(), plain6.build(), with_options.build(), tagged, first.build()]


@pytest.mark.parametrize("outer", [TUNNEL4, TUNNEL6], ids=["v4", "v6"])
@pytest.mark.parametrize("size", [3, 4, 13, 14, 20])
@pytest.mark.parametrize(("flags", "reserved"), [(0x12, 0), (0xFF, 0xF), (0x80, 8), (0, 0)])
def test_flags_of_tcp(outer: Tunnel, size: int, flags: int, reserved: int) -> None:
    """As `TCP` has them, in every packet from whose header they can be read; padding of the frame is no header."""
    frames = [outer.encap(frame + bytes(padding)) for frame in tcp_frames(flags, reserved, size) for padding in (0, 30)]
    result = decap_batch(FrameBatch.from_frames(frames))
    assert set(result.status) == {0} and set(result.inner_protocol) == {6}
    assert set(result.inner_tcp_flags) == {reserved << 8 | flags if size >= 14 else 0}


def test_flags_of_what_is_no_tcp() -> None:
    """UDP, a later fragment, and what is not IP have none, whatever their bytes."""
    full: Any = {"payload": b"\xff" * 40}
    others = [
        Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), **full),
        Packet(ETHERNET, IPv6("fd00::1", "fd00::2"), UDP(1, 2), **full),
        Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2", protocol=6, fragment_offset=1), **full),
        Packet(ETHERNET.replace(ethertype=0x88B5), **full),
    ]
    result = decap_batch(FrameBatch.from_frames(TUNNEL4.encap(packet.build()) for packet in others))
    assert set(result.status) == {0} and list(result.inner_protocol) == [17, 17, 6, 0]
    assert set(result.inner_tcp_flags) == {0}


def test_overlapping_rows() -> None:
    """Rows may overlap, and one frame may be there many times."""
    data = FRAMES["ipv4"]
    batch = FrameBatch(data, [0, 0, 14], [len(data), len(data) - 1, len(data) - 14])
    result = decap_batch(batch)
    assert result.status[0] == Reason.OK
    assert result.status[1] == Reason.IPV4_TRUNCATED
    assert result.inner[0] == INNER4
    sent = encap_batch(FrameBatch(INNER4, [0] * 3, [len(INNER4)] * 3), TUNNEL4)
    assert sent.to_frames() == [TUNNEL4.encap(INNER4)] * 3


def test_stripped_inner_frames() -> None:
    """Under a policy that alters inner frames they are copies, the input stays as it is."""
    batch = FrameBatch.from_frames([FRAMES["tagged"], FRAMES["ipv4"]])
    before = bytes(batch.data)
    policy = DecapPolicy(inner_vlan="strip")
    result = decap_batch(batch, policy=policy)
    assert result.inner.to_frames() == [INNER4, INNER4] == [decap(bytes(frame), policy=policy).inner for frame in batch]
    assert bytes(batch.data) == before


# -- where results go


def test_out_of_another_size() -> None:
    """A result is used again only for as many rows."""
    batch = FrameBatch.from_frames([INNER4] * 2)
    refused(lambda: decap_batch(batch, out=decap_batch(batch[:1])), "out")
    refused(lambda: encap_batch(batch, TUNNEL4, out=encap_batch(batch[:1], TUNNEL4)), "out")


def test_an_output_that_is_one_byte_too_small() -> None:
    """An output holds every row with the largest header, or is refused before a byte is written."""
    batch = FrameBatch.from_frames([INNER4])
    fits = encap_batch(batch, TUNNEL4)
    assert len(fits.data) == len(INNER4) + 50
    assert encap_batch(batch, TUNNEL4, out=fits) is fits
    larger = FrameBatch.from_frames([INNER4 + b"x"])
    before = bytes(fits.data)
    refused(lambda: encap_batch(larger, TUNNEL4, out=fits), "out")
    refused(lambda: encap_batch(batch, TUNNEL6, out=fits), "out")
    assert bytes(fits.data) == before
    headers = encap_batch(batch, TUNNEL4, mode="headers")
    assert len(headers.data) == 50
    refused(lambda: encap_batch(batch, TUNNEL4.replace(vlans=(1,)), mode="headers", out=headers), "out")


def test_a_read_only_output() -> None:
    """What cannot be written is refused, in place as elsewhere."""
    fixed = FrameBatch(bytes(50) + INNER4, [50], [len(INNER4)], headroom=50)
    refused(lambda: encap_batch(fixed, TUNNEL4, mode="in_place"), "mode")


def test_an_output_that_overlaps_the_input() -> None:
    """Input and output must not share a buffer, whole or in part."""
    sent = encap_batch(FrameBatch.from_frames([INNER4] * 2), TUNNEL4)
    refused(lambda: encap_batch(FrameBatch(sent.data, [0, 1], [20, 20]), TUNNEL4, out=sent), "out")
    refused(lambda: encap_batch(FrameBatch(sent.data[30:], [0, 1], [20, 20]), TUNNEL4, out=sent), "out")
    result = decap_batch(sent)
    refused(lambda: decap_batch(FrameBatch(result.vni, [0, 1], [4, 4]), out=result), "out")


def test_an_output_that_overlaps_by_another_name() -> None:
    """It is memory that counts, whoever exports it."""
    sent = encap_batch(FrameBatch.from_frames([INNER4] * 2), TUNNEL4)
    alias = (ctypes.c_char * 40).from_buffer(sent.data)
    refused(lambda: encap_batch(FrameBatch(alias, [0, 1], [20, 20]), TUNNEL4, out=sent), "out")


def test_an_output_whose_columns_are_the_input() -> None:
    """Peeling two tunnels takes two results: the offsets of the inner frames lie in the first."""
    nested = FrameBatch.from_frames([TUNNEL6.encap(FRAMES["ipv4"])] * 3)
    first = decap_batch(nested)
    refused(lambda: decap_batch(first.inner, out=first), "out")
    assert decap_batch(first.inner).inner.to_frames() == [INNER4] * 3
    roomy = FrameBatch.from_frames([INNER4] * 2, headroom=120)
    placed = encap_batch(roomy, TUNNEL4, mode="in_place")
    refused(lambda: encap_batch(placed, TUNNEL4, mode="headers", out=placed), "out")
    column = array("I", [0, 0])
    index = memoryview(placed.offsets).cast("B")[:8].cast("I")
    refused(lambda: encap_batch(roomy, [TUNNEL4], index=index, mode="in_place", out=placed), "out")
    assert encap_batch(roomy, [TUNNEL4], index=column, mode="in_place", out=placed) is placed


def test_results_are_not_made_by_hand() -> None:
    """Nobody gets columns that no kernel wrote, nor writes into those that one did."""
    result = decap_batch(FrameBatch.from_frames([INNER4]))
    for kind in (type(result), type(encap_batch(FrameBatch.from_frames([INNER4]), TUNNEL4))):
        with pytest.raises(TypeError):
            kind(5)  # type: ignore[call-arg]
    assert result.status.readonly
    assert encap_batch(FrameBatch.from_frames([INNER4]), TUNNEL4).offsets.readonly
    refused(lambda: decap_batch(FrameBatch.from_frames([INNER4]), out="result"), "out")  # type: ignore[arg-type]
    refused(lambda: encap_batch(FrameBatch.from_frames([INNER4]), TUNNEL4, out=result), "out")  # type: ignore[arg-type]


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy lets an array grow whose memory is taken")
def test_arrays_keep_their_size() -> None:
    """A batch relies on the length of its columns, so an array that is one cannot be resized."""
    offsets, lengths = array("Q", [0]), array("I", [4])
    batch = FrameBatch(b"abcd", offsets, lengths)
    for column in (offsets, lengths):
        with pytest.raises(BufferError):
            column.append(0)
    assert len(batch) == 1


def test_frames_of_wide_items() -> None:
    """The bytes of a buffer count, not its items."""
    assert FrameBatch.from_frames([array("I", [1]), b"zz"]).to_frames() == [array("I", [1]).tobytes(), b"zz"]


def test_a_buffer_that_was_released() -> None:
    """What can no longer be read is refused as what never could."""
    view = memoryview(b"abcd")
    view.release()
    refused(lambda: FrameBatch(view, [0], [1]), "data")
    refused(lambda: FrameBatch(b"abcd", view, [1]), "offsets")
    refused(lambda: FrameBatch.from_frames([view]), "frames")
    refused(lambda: FrameBatch.from_frames(None), "frames")  # type: ignore[arg-type]
    refused(lambda: FrameBatch.from_frames([b"a"], headroom="x"), "headroom")  # type: ignore[arg-type]


def test_rows_that_can_never_be_sent_take_no_memory() -> None:
    """Rows too long for any datagram are refused one by one, however often they claim the same bytes."""
    batch = FrameBatch(bytes(1 << 20), [0] * 5000, [1 << 20] * 5000)
    result = encap_batch(batch, TUNNEL4)
    assert result.counts() == {Reason.INNER_TOO_LONG: 5000}
    with pytest.raises(BuildError) as caught:
        result.raise_for_status()
    assert (caught.value.layer, caught.value.field, caught.value.reason) == ("UDP", "length", Reason.INNER_TOO_LONG)


def test_what_is_wrong_with_a_row() -> None:
    """The error of a row names the column that is to blame."""
    batch = FrameBatch(INNER4, [0, 1 << 40], [len(INNER4)] * 2)
    with pytest.raises(BuildError, match=r"row 1: batch\.offsets") as caught:
        encap_batch(batch, TUNNEL4).raise_for_status()
    assert caught.value.reason is Reason.ROW_OUT_OF_RANGE
    with pytest.raises(BuildError) as caught:
        encap_batch(batch, [TUNNEL4], index=[1, 0]).raise_for_status()
    assert (caught.value.field, caught.value.reason) == ("index", Reason.TUNNEL_OUT_OF_RANGE)


def test_a_frame_that_changed_before_it_was_altered() -> None:
    """What a policy alters is done when it is asked for: on a buffer that changed it is an error, not another frame."""
    tunnel = TUNNEL4.replace(ecn="none", dscp=0)
    marked = Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2", ecn=1), UDP(1, 2), payload=b"four").build()
    wire = bytearray(tunnel.encap(marked))
    wire[15] |= 3
    wire[24:26] = bytes(2)
    result = decap_batch(FrameBatch(wire, [0], [len(wire)]), policy=DecapPolicy(ecn="rfc6040"))
    assert result.accepted == [0]
    wire[62:] = b"\x81\0" * ((len(wire) - 62) // 2)
    with pytest.raises(PacketError, match="changed after"):
        result.inner  # noqa: B018


def test_in_place() -> None:
    """The header goes into the headroom: one buffer, frames grown to the front, the inner bytes untouched."""
    batch = FrameBatch.from_frames([INNER4, INNER6], headroom=70)
    sent = encap_batch(batch, [TUNNEL4, TUNNEL6], index=[1, 0], mode="in_place")
    assert sent.data.obj is batch.data.obj
    assert sent.to_frames() == [TUNNEL6.encap(INNER4), TUNNEL4.encap(INNER6)]
    assert batch.to_frames() == [INNER4, INNER6]


def test_in_place_without_room() -> None:
    """Too little headroom is refused; headroom that is not there costs the row, and nothing else is written."""
    batch = FrameBatch.from_frames([INNER4], headroom=49)
    refused(lambda: encap_batch(batch, TUNNEL4, mode="in_place"), "mode")
    data = bytearray(10) + INNER4
    liar = FrameBatch(data, [10], [len(INNER4)], headroom=50)
    sent = encap_batch(liar, TUNNEL4, mode="in_place")
    assert list(sent.status) == [Reason.NO_ROOM]
    assert data == bytes(10) + INNER4
    assert sent.to_frames() == [b""]


def test_table_of_tunnels() -> None:
    """A row takes the tunnel that the index says; none, and one beyond the table, have reasons of their own."""
    batch = FrameBatch.from_frames([INNER4] * 4)
    sent = encap_batch(batch, [TUNNEL4, TUNNEL6], index=array("I", [1, NO_TUNNEL, 2, 0]))
    assert list(sent.status) == [Reason.OK, Reason.NO_TUNNEL, Reason.TUNNEL_OUT_OF_RANGE, Reason.OK]
    assert sent.to_frames() == [TUNNEL6.encap(INNER4), b"", b"", TUNNEL4.encap(INNER4)]
    assert sent.accepted == [0, 3]
    assert sent.counts() == {Reason.OK: 2, Reason.NO_TUNNEL: 1, Reason.TUNNEL_OUT_OF_RANGE: 1}


def test_rows_that_are_too_long() -> None:
    """A row that fits no datagram is refused by itself; its neighbours are sent."""
    batch = FrameBatch.from_frames([INNER4, bytes(65_500), bytes(65_499), bytes(65_536), INNER6])
    sent = encap_batch(batch, TUNNEL4)
    long = Reason.INNER_TOO_LONG
    assert list(sent.status) == [Reason.OK, long, Reason.OK, long, Reason.OK]
    assert sent[4] == TUNNEL4.encap(INNER6)


def test_identification() -> None:
    """Row i is numbered identification + i, modulo 2**16; where DF can be clear a number is needed."""
    batch = FrameBatch.from_frames([INNER4] * 3)
    tunnel = TUNNEL4.replace(df="unset")
    refused(lambda: encap_batch(batch, tunnel), "identification")
    for wrong in (-1, 65536, "1", True):
        error = refused(lambda: encap_batch(batch, tunnel, identification=wrong), "identification")  # type: ignore[arg-type] # noqa: B023
        assert error.bits == 16
    sent = encap_batch(batch, tunnel, identification=65535)
    assert [bytes(frame[18:20]).hex() for frame in sent] == ["ffff", "0000", "0001"]
    assert encap_batch(batch, TUNNEL6.replace(df="unset")).accepted == [0, 1, 2]


def test_allowed_sources_of_bare_payloads() -> None:
    """A batch of payloads does not say where they came from: a policy that asks is refused."""
    policy = DecapPolicy(allowed_sources=["192.0.2.0/24"])
    batch = FrameBatch.from_frames([FRAMES["ipv4"][42:]])
    error = refused(lambda: decap_batch(batch, policy=policy, start=VXLAN), "policy")
    assert str(error) == "policy: allowed_sources cannot be judged for bare payloads: decap takes source="
    assert decap_batch(batch, start=VXLAN).vni[0] == 5000
    assert decap_batch(FrameBatch.from_frames([FRAMES["ipv4"]]), policy=policy).accepted == [0]


def test_unknown_mode() -> None:
    """A mode that does not exist is the caller's mistake, and named as such."""
    refused(lambda: encap_batch(FrameBatch.from_frames([INNER4]), TUNNEL4, mode="move"), "mode")  # type: ignore[arg-type]


def test_what_is_no_batch() -> None:
    """A list of frames is what callers have in their hands: the error says what makes a batch of it."""
    frames: Any = [FRAMES["ipv4"]]
    for call in (lambda: decap_batch(frames), lambda: encap_batch(frames, TUNNEL4)):
        assert "FrameBatch.from_frames" in str(refused(call, "batch"))


def test_what_is_no_table() -> None:
    """Tunnels come as an iterable of tunnels, whatever else may be in it is named."""
    wrong: Any
    for wrong in (5, [TUNNEL4, "192.0.2.1"]):
        refused(partial(TunnelTable, wrong), "tunnels")


def test_tables_are_values() -> None:
    """Equal ones are one key, and one prints how many tunnels it has."""
    table = TunnelTable([TUNNEL4, TUNNEL6])
    assert {table: 1}[TunnelTable((TUNNEL4, TUNNEL6))] == 1
    assert repr(table) == "<TunnelTable of 2 tunnels>"


def test_a_table_for_bare_ip() -> None:
    """GPE carries IP without Ethernet: a table is held once more for that, as many batches as there are."""
    tunnel = TUNNEL4.replace(gpe=True)
    table, packet = TunnelTable([tunnel]), INNER4[14:]
    batch = FrameBatch.from_frames([packet])
    for _ in range(2):
        sent = encap_batch(batch, table, index=array("I", [0]), start=IPv4, identification=0)
        assert bytes(sent[0]) == tunnel.encap(packet, start=IPv4, identification=0)
    sent = encap_batch(FrameBatch.from_frames([INNER4]), table, index=array("I", [0]), start=Ethernet)
    assert bytes(sent[0]) == tunnel.encap(INNER4)


def test_brief_columns() -> None:
    """Others are not there, and the error says how to have them; nor are they enough to alter inner frames."""
    batch = FrameBatch.from_frames([FRAMES["ipv4"], FRAMES["no vxlan"]])
    brief = decap_batch(batch, columns="brief")
    assert brief.vni[0] == 5000
    with pytest.raises(AttributeError, match="columns='all'"):
        _ = brief.outer_src
    refused(lambda: decap_batch(batch, columns="brief", policy=DecapPolicy(inner_vlan="strip")), "columns")
    other: Any = "some"
    refused(lambda: decap_batch(batch, columns=other), "columns")


def test_how_batches_print() -> None:
    """In a line: rows and bytes, or rows and what became of them."""
    batch = FrameBatch.from_frames([FRAMES["ipv4"], FRAMES["no vxlan"], FRAMES["nothing"]])
    assert repr(batch) == f"<FrameBatch of 3 rows in {len(batch.data)} bytes>"
    found = decap_batch(batch)
    reasons = ", ".join(f"{reason.name} {count}" for reason, count in found.counts().items())
    assert repr(found) == f"<DecapBatch of 3 rows: {reasons}>"
    assert "OK 1" in reasons
    assert repr(decap_batch(FrameBatch.from_frames([]))) == "<DecapBatch of 0 rows: none>"


def test_a_row_that_was_mended_after_the_call() -> None:
    """The verdict is of what was there then: what is there now has no such error."""
    lengths = array("I", [len(INNER4) + 1])
    found = decap_batch(FrameBatch(INNER4, [0], lengths))
    assert found.counts() == {Reason.ROW_OUT_OF_RANGE: 1}
    lengths[0] = len(INNER4)
    with pytest.raises(PacketError, match="row 0 is inside the buffer now"):
        found.error(0)


def test_lengths_that_grow_during_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread writes into the column between the sum of its lengths and their use: nothing is written."""
    lengths = array("I", [10])
    batch = FrameBatch(bytes(1000), [0], lengths)
    new_buffer = kernel.new_buffer

    def meanwhile(size: int) -> Any:
        lengths[0] = 1000
        return new_buffer(size)

    monkeypatch.setattr(kernel, "new_buffer", meanwhile)
    assert "were changed while they were read" in str(refused(lambda: encap_batch(batch, TUNNEL4), "batch"))


def test_frames_of_no_known_link_type() -> None:
    """Every row is refused, and its error says what is not known; nothing is raised where nothing was refused."""
    frames = FrameBatch.from_frames([FRAMES["ipv4"]])
    found = decap_batch(frames, start=None)
    assert found.counts() == {Reason.NOT_VXLAN: 1}
    with pytest.raises(ParseError, match="nothing is known of what the frame begins with") as caught:
        found.raise_for_status()
    error: Any = caught.value
    assert (error.reason, error.row) == (Reason.NOT_VXLAN, 0)
    decap_batch(frames).raise_for_status()
    encap_batch(frames, TUNNEL4).raise_for_status()


def test_part_of_a_table() -> None:
    """A slice of a table of tunnels is one."""
    table = TunnelTable([TUNNEL4, TUNNEL6])
    assert table[1:] == TunnelTable([TUNNEL6])
    assert table[-1] == TUNNEL6
