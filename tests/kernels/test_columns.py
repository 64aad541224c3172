"""Columns of captures: both kernels make the same bytes of any result, and addresses as the standard library does."""

from __future__ import annotations

import threading
from array import array
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import DecapPolicy, FrameBatch, MACAddress, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.captures import MAC, Address, Derived, Known
from vxlanpkt.kernel.contract.columns import DECAP_COLUMNS, DECAP_LAYOUT, WIDTHS
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.python import columns
from vxlanpkt.strategies import batches, policies

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))
BOTH = (python, c)
WIDTHS_OF_DERIVED = {Derived.INNER_OFFSET: 4, Derived.CUT_OFF: 1}
KINDS = st.sampled_from((Kind.ETHERNET, Kind.ETHERNET, Kind.RAW, Kind.LINUX_SLL2, Kind.NOTHING))
ANY_OF_BOTH: tuple[Any, ...] = BOTH
LINKS = st.sampled_from((0, 4, 14, 20, 0xFFFFFFFF))
TIMES = st.one_of(st.just(-(1 << 63)), st.integers(-(1 << 63), (1 << 63) - 1))
MAC_ROW = 4 + 17


class Result:
    """A batch and its result as one kernel holds them."""

    def __init__(self, kernel: ModuleType, batch: FrameBatch, policy: DecapPolicy, kind: Kind) -> None:
        self.kernel: Any = kernel
        self.rows = len(batch)
        self.frames = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)
        self.columns = kernel.new_buffer(self.rows * DECAP_LAYOUT.row_size)
        kernel.decap(self.frames, kind, kernel.hold_rules(policy.rules), False, self.columns)

    def made(self, size: int, function: str, *arguments: Any) -> tuple[int, bytes]:
        """What a function returns, and what it writes into so many bytes."""
        out = self.kernel.new_buffer(size)
        self.kernel.view(out)[:] = bytes((0xAA,)) * size
        done = getattr(self.kernel, function)(*arguments, out)
        return done, bytes(self.kernel.view(out))


def of_both(batch: FrameBatch, policy: DecapPolicy, kind: Kind) -> list[Result]:
    return [Result(kernel, batch, policy, kind) for kernel in BOTH]


def agreed(results: list[Result], size: int, function: str, *arguments: Any) -> tuple[int, bytes]:
    """What both make, of these arguments or of those that each result has for them."""
    ours, theirs = (
        result.made(size, function, *(of(result) if callable(of) else of for of in arguments)) for result in results
    )
    assert ours == theirs
    return ours


def columns_of(result: Result) -> Any:
    return result.columns


def frames_of(result: Result) -> Any:
    return result.frames


@law
@given(
    batch=batches(outside=True), policy=policies(), kind=KINDS, unread=st.booleans(), data=st.data()
)  # fmt: skip
def test_known(batch: FrameBatch, policy: DecapPolicy, kind: Kind, unread: bool, data: st.DataObject) -> None:
    """Every bitmap and every count of nulls."""
    results = of_both(batch, policy, kind)
    rows = len(batch)
    drawn = memoryview(array("q", data.draw(st.lists(TIMES, min_size=rows, max_size=rows))))
    links = memoryview(array("I", data.draw(st.lists(LINKS, min_size=rows, max_size=rows))))
    stride = (rows + 63) // 64 * 8
    size = len(Known) * (8 + stride)
    done, out = agreed(results, size, "known", columns_of, frames_of, drawn, links, unread)
    assert done == 0
    nulls = memoryview(out)[: 8 * len(Known)].cast("q")
    for what in Known:
        bitmap = out[8 * len(Known) + what * stride :][:stride]
        assert nulls[what] == rows - int.from_bytes(bitmap, "little").bit_count()
    assert agreed(results, size - 1, "known", columns_of, frames_of, drawn, links, unread)[0] == NO_SPACE
    if rows:
        assert agreed(results, size, "known", columns_of, frames_of, drawn[:-1], links, unread)[0] == NO_SPACE
        assert agreed(results, size, "known", columns_of, frames_of, drawn, links[:-1], unread)[0] == NO_SPACE


@law
@given(batch=batches(outside=True), policy=policies(), kind=KINDS)
def test_numbers_and_text(batch: FrameBatch, policy: DecapPolicy, kind: Kind) -> None:
    """What is derived, addresses and MAC addresses in both forms."""
    results = of_both(batch, policy, kind)
    rows = len(batch)
    for what in Derived:
        size = rows * WIDTHS_OF_DERIVED.get(what, 2)
        assert agreed(results, size, "derived", columns_of, frames_of, what)[0] == 0
    for address in Address:
        room = python.address_room(results[0].columns, rows, address)
        assert c.address_room(results[1].columns, rows, address) == room
        text_of_both(results, room, "address_text", columns_of, rows, address)
    for mac in MAC:
        text_of_both(results, rows * MAC_ROW + 4, "mac_text", columns_of, frames_of, mac)
        assert agreed(results, rows * 6, "mac_bytes", columns_of, frames_of, mac)[0] == 0
        if rows:
            assert agreed(results, rows * 6 - 1, "mac_bytes", columns_of, frames_of, mac)[0] == NO_SPACE


def text_of_both(results: list[Result], size: int, function: str, *arguments: Any) -> None:
    """Texts are equal up to their end: what lies behind is nobody's."""
    made = [
        result.made(size, function, *(of(result) if callable(of) else of for of in arguments)) for result in results
    ]
    assert made[0][0] == made[1][0] >= 0
    end = 4 * (results[0].rows + 1) + made[0][0]
    assert made[0][1][:end] == made[1][1][:end]
    assert agreed(results, size - 1, function, *arguments)[0] == NO_SPACE


def texts(kernel: Any, addresses: list[tuple[int, bytes]]) -> list[str]:
    """Addresses as a kernel writes them."""
    rows = len(addresses)
    columns = kernel.new_buffer(rows * DECAP_LAYOUT.row_size)
    view = kernel.view(columns)
    view[:] = bytes(len(view))
    for row, (family, raw) in enumerate(addresses):
        DECAP_LAYOUT.column("inner_family", rows, view)[row] = family
        DECAP_LAYOUT.column("inner_dst", rows, view)[16 * row : 16 * row + 16] = raw
    out = kernel.new_buffer(kernel.address_room(columns, rows, Address.INNER_DST))
    length = kernel.address_text(columns, rows, Address.INNER_DST, out)
    made = bytes(kernel.view(out))
    offsets = memoryview(made)[: 4 * (rows + 1)].cast("i").tolist()
    text = made[4 * (rows + 1) :][:length].decode("ascii")
    assert offsets[-1] == length
    return [text[start:end] for start, end in pairwise(offsets)]


MAPPED = bytes(10) + b"\xff\xff"
# Groups are often zero, so that there are runs of them of every length and place.
v6 = st.lists(st.sampled_from((0, 0, 0, 1, 0xF, 0x10, 0xABC, 0xFFFF)) | st.integers(0, 0xFFFF), min_size=8, max_size=8)


@law
@given(addresses=st.lists(st.one_of(st.binary(min_size=4, max_size=4), v6.map(lambda g: array("H", g).tobytes()))))
@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_addresses_are_written_as_the_standard_library_does(kernel: Any, addresses: list[bytes]) -> None:
    """RFC 5952 for IPv6. An IPv4-mapped address ends in dots, as since Python 3.13."""
    raw = [(4, MAPPED + address) if len(address) == 4 else (6, address) for address in addresses]
    found = texts(kernel, raw)
    for text, address in zip(found, addresses, strict=True):
        expected: IPv4Address | IPv6Address = IPv4Address(address) if len(address) == 4 else IPv6Address(address)
        if isinstance(expected, IPv6Address) and expected.ipv4_mapped is not None:
            assert text == f"::ffff:{expected.ipv4_mapped}"
        else:
            assert text == str(expected)
        assert ip_address(text) == expected


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_longest_addresses(kernel: Any) -> None:
    """The room is enough for nothing but the longest there are, and a row without an address is empty."""
    longest = [(4, MAPPED + b"\xff" * 4), (6, b"\xff" * 16), (6, MAPPED + b"\xff" * 4), (0, bytes(16))]
    assert texts(kernel, longest) == ["255.255.255.255", ":".join(["ffff"] * 8), "::ffff:255.255.255.255", ""]
    assert texts(kernel, [(4, MAPPED + b"\xff" * 4)] * 100) == ["255.255.255.255"] * 100
    assert texts(kernel, []) == []


@law
@given(
    items=st.lists(st.integers(0, 5) | st.integers(0, 0xFFFFFFFF)),
    table=st.lists(st.none() | st.binary(max_size=9), max_size=6),
)
def test_names(items: list[int], table: list[bytes | None]) -> None:
    """Names of interfaces; one without a name, or beyond the table, has none."""
    column = memoryview(array("I", items))
    made = []
    for kernel in ANY_OF_BOTH:
        held = kernel.hold_names()
        for name in table:
            kernel.add_name(held, name)
        room = kernel.names_room(column, held)
        out = kernel.new_buffer(room)
        made.append((kernel.names(column, held, out), bytes(kernel.view(out))))
        assert kernel.names(column, held, kernel.new_buffer(room - 1)) == NO_SPACE
    assert made[0] == made[1]
    found = [table[item] if item < len(table) else None for item in items]
    assert made[0][0] == found.count(None)
    assert made[0][1].endswith(b"".join(name or b"" for name in found))


@law
@given(batch=batches(), policy=policies(), data=st.data())
def test_pick(batch: FrameBatch, policy: DecapPolicy, data: st.DataObject) -> None:
    """Rows that a mask names, out of all columns of a result at once."""
    results = of_both(batch, policy, Kind.ETHERNET)
    rows = len(batch)
    mask = bytes(data.draw(st.lists(st.sampled_from((0, 0, 1, 255)), min_size=rows, max_size=rows)))
    widths = [WIDTHS[code] for code in DECAP_COLUMNS.values()]
    count = rows - mask.count(0)
    size = count * DECAP_LAYOUT.row_size

    def whole(result: Result) -> memoryview:
        view: memoryview = result.kernel.view(result.columns)
        return view

    done, out = agreed(results, size, "pick", whole, widths, memoryview(mask))
    assert done == count
    for name in ("inner_offset", "inner_src_port", "status"):
        before = DECAP_LAYOUT.column(name, rows, python.view(results[0].columns))
        expected = [value for value, wanted in zip(before, mask, strict=True) if wanted]
        assert list(DECAP_LAYOUT.column(name, count, memoryview(bytearray(out)))) == expected
    if count:
        assert agreed(results, size - 1, "pick", whole, widths, memoryview(mask))[0] == NO_SPACE


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_numbers(kernel: Any) -> None:
    """Records are counted in 64 bits."""
    out = kernel.new_buffer(24)
    assert kernel.numbers((1 << 32) - 1, 3, out) == 0
    assert kernel.view(out).cast("Q").tolist() == [(1 << 32) - 1, 1 << 32, (1 << 32) + 1]
    assert kernel.numbers(1, 4, out) == NO_SPACE


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_memory_that_is_shared(kernel: Any) -> None:
    """An output over the columns that are read is refused before a byte of it is written."""
    batch = FrameBatch.from_frames([bytes(60)] * 3)
    result = Result(kernel, batch, DecapPolicy(), Kind.ETHERNET)
    columns, frames = result.columns, result.frames
    before = bytes(kernel.view(columns))
    assert kernel.derived(columns, frames, Derived.GROUP_POLICY, columns) == OVERLAP
    assert kernel.address_text(columns, 3, Address.INNER_SRC, columns) == OVERLAP
    assert kernel.mac_text(columns, frames, MAC.SRC, columns) == OVERLAP
    assert kernel.mac_bytes(columns, frames, MAC.SRC, columns) == OVERLAP
    assert kernel.pick(kernel.view(columns), [1], memoryview(bytes(3)), columns) == OVERLAP
    times, links = memoryview(array("q", [1] * 3)), memoryview(array("I", [14] * 3))
    assert kernel.known(columns, frames, times, links, False, columns) == OVERLAP
    of_links = kernel.view(columns)[:12].cast("I")
    others = kernel.new_buffer(3 * DECAP_LAYOUT.row_size)
    assert kernel.known(others, frames, times, of_links, False, columns) == OVERLAP
    assert kernel.names(of_links, kernel.hold_names(), columns) == OVERLAP
    assert bytes(kernel.view(columns)) == before


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_columns_that_are_too_few(kernel: Any) -> None:
    """Columns of fewer rows than there are frames are not read beyond their end."""
    result = Result(kernel, FrameBatch.from_frames([bytes(60)] * 3), DecapPolicy(), Kind.ETHERNET)
    short, out = kernel.new_buffer(2 * DECAP_LAYOUT.row_size), kernel.new_buffer(10_000)
    assert kernel.derived(short, result.frames, Derived.GROUP_POLICY, out) == NO_SPACE
    assert kernel.address_text(short, 3, Address.INNER_SRC, out) == NO_SPACE
    assert kernel.address_room(short, 3, Address.INNER_SRC) == 0
    assert kernel.mac_text(short, result.frames, MAC.SRC, out) == NO_SPACE
    assert kernel.mac_bytes(short, result.frames, MAC.SRC, out) == NO_SPACE
    times, links = memoryview(array("q", [1] * 3)), memoryview(array("I", [14] * 3))
    assert kernel.known(short, result.frames, times, links, False, out) == NO_SPACE


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_families_that_change_meanwhile(kernel: Any) -> None:
    """Another thread writes to the column that the room was reckoned by: nothing is written beyond its end."""
    rows = 1 << 14
    columns = kernel.new_buffer(rows * DECAP_LAYOUT.row_size)
    view = kernel.view(columns)
    view[:] = b"\xff" * len(view)
    families = DECAP_LAYOUT.column("inner_family", rows, view)
    none, longest, over = bytes(rows), b"\x06" * rows, threading.Event()

    def change() -> None:
        while not over.is_set():
            families[:] = none
            families[:] = longest

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200 if kernel is c else 3):
            room = kernel.address_room(columns, rows, Address.INNER_SRC)
            out = kernel.new_buffer(room)
            length = kernel.address_text(columns, rows, Address.INNER_SRC, out)
            assert length == NO_SPACE or 4 * (rows + 1) + length <= room == len(out)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("kernel", BOTH, ids=lambda kernel: kernel.__name__)
def test_families_that_are_none(kernel: Any) -> None:
    """Whatever else stands in the column is no address."""
    assert texts(kernel, [(5, b"\xff" * 16), (4, MAPPED + b"\1\2\3\4"), (255, bytes(16))]) == ["", "1.2.3.4", ""]


def test_mac_text_is_that_of_the_library() -> None:
    """As `MACAddress` writes it."""
    assert str(MACAddress(bytes.fromhex("0200abcdef01"))) == bytes.fromhex("0200abcdef01").hex(":")


def test_numbers_of_no_rows() -> None:
    """Nothing is written, and nothing is wrong with that."""
    for kernel in ANY_OF_BOTH:
        assert kernel.numbers(7, 0, kernel.new_buffer(0)) == 0
        assert kernel.numbers(7, 1, kernel.new_buffer(7)) == NO_SPACE


def test_text_that_grew_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread makes an IPv4 address one of IPv6 after the room was reckoned: nothing is written beyond it."""
    batch = FrameBatch.from_frames([Tunnel(7, "192.0.2.1", "192.0.2.2").encap(bytes(14))])
    result = Result(python, batch, DecapPolicy(), Kind.ETHERNET)
    room: int = python.address_room(result.columns, 1, Address.OUTER_SRC)

    def meanwhile(*of: Any) -> int:
        DECAP_LAYOUT.column("outer_family", 1, memoryview(result.columns))[0] = 6
        return room

    monkeypatch.setattr(columns, "address_room", meanwhile)
    source = DECAP_LAYOUT.column("outer_src", 1, memoryview(result.columns))
    source[:] = bytes.fromhex("20010db8000000010002000300040005")
    assert result.made(room, "address_text", result.columns, 1, Address.OUTER_SRC) == (NO_SPACE, b"\xaa" * room)
