"""Maps of prefixes: the kernels agree, and agree with a list of prefixes that is searched from end to end."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Sequence
from ipaddress import IPv6Network
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.tables import (
    KEY_BITS,
    LISTED,
    MAC_KEY,
    MAP_SEED_SIZE,
    NO_VALUE,
    STATIC,
    Asked,
    AskedMACs,
    Mapped,
    Senders,
)

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))
BOTH = (python, c)
ANY_OF_BOTH: tuple[Any, ...] = BOTH
SEED = bytes(range(MAP_SEED_SIZE))

# Few different bits, so that prefixes lie in each other.
key_bytes = st.sampled_from((0, 0, 1, 128, 255))
keys = st.lists(key_bytes, min_size=16, max_size=16).map(bytes)
lengths = st.sampled_from((1, 3, 8, 16, 24, 32, 33, 48, 63, 64, 65, 127, 128))


class Change(NamedTuple):
    """A prefix that is put, or dropped where it has no number."""

    key: bytes
    length: int
    value: int | None


changes = st.builds(Change, keys, lengths | st.just(0), st.none() | st.integers(0, 5))


def numbers(values: Sequence[int]) -> memoryview:
    return memoryview(array("I", values))


def words(kernel: Any, out: Any) -> list[int]:
    return list(array("I", bytes(kernel.view(out))))


def asked(keys: Sequence[bytes], width: int = 16) -> Asked:
    return Asked(len(keys), memoryview(b"".join(keys)), width, 0, width)


def look_up(kernel: Any, prefixes: Any, keys: Sequence[bytes]) -> list[int]:
    out = kernel.new_buffer(4 * len(keys))
    found = kernel.look_up(prefixes, asked(keys), out)
    result = words(kernel, out)
    assert found == sum(value != NO_VALUE for value in result)
    return result


def cut(key: bytes, length: int) -> int:
    return int.from_bytes(key, "big") >> KEY_BITS - length


def longest(known: dict[tuple[int, int], int], key: bytes) -> int:
    """The number of the longest prefix: every one is tried."""
    fitting = [(length, value) for (prefix, length), value in known.items() if cut(key, length) == prefix]
    return max(fitting, default=(0, NO_VALUE))[1]


@law
@given(done=st.lists(changes, max_size=40), wanted=st.lists(keys, max_size=40), settles=st.booleans())
def test_longest_prefix(done: list[Change], wanted: list[bytes], settles: bool) -> None:
    """After changes of all kinds, in both kernels, whether or not the map was put in order."""
    known: dict[tuple[int, int], int] = {}
    made = [kernel.new_map(sorted({change.length for change in done} - {0}), 64, SEED) for kernel in BOTH]
    for key, length, value in done:
        was = known.pop((cut(key, length), length), None)
        for kernel, prefixes in zip(BOTH, made, strict=True):
            found = kernel.find_prefix(prefixes, key, length)
            assert found == (Mapped(was, STATIC) if was is not None and length else None)
            if value is None:
                assert kernel.drop_prefixes(prefixes, memoryview(key), length) == (was is not None)
            else:
                assert kernel.put_prefixes(prefixes, memoryview(key), length, numbers([value]), STATIC) == 1
        if value is not None:
            known[cut(key, length), length] = value
    expected = [longest(known, key) for key in wanted]
    for kernel, prefixes in zip(BOTH, made, strict=True):
        if settles:
            kernel.settle(prefixes)
        assert look_up(kernel, prefixes, wanted) == expected
        assert kernel.count_prefixes(prefixes) == sum(1 for _, length in known if length)
        assert kernel.prefix_of_none(prefixes) == known.get((0, 0), NO_VALUE)
        listed = [
            entry for part in kernel.list_prefixes(prefixes, STATIC, NO_VALUE) for entry in LISTED.iter_unpack(part)
        ]
        assert {(cut(key, length), length): value for key, value, length, _ in listed} == {
            entry: value for entry, value in known.items() if entry[1]
        }


@law
@given(done=st.lists(changes, max_size=60), wanted=st.lists(keys, max_size=20))
def test_moving(done: list[Change], wanted: list[bytes]) -> None:
    """A map that others are moved to, of more lengths, finds what the old one found."""
    used = sorted({change.length for change in done} - {0})
    for kernel in BOTH:
        old = kernel.new_map(used, 64, SEED)
        for key, length, value in done:
            if value is None:
                kernel.drop_prefixes(old, memoryview(key), length)
            else:
                kernel.put_prefixes(old, memoryview(key), length, numbers([value]), STATIC)
        new = kernel.new_map(sorted({*used, 20, 100}), 200, SEED[::-1])
        assert kernel.move_prefixes(old, new) == kernel.count_prefixes(old)
        kernel.settle(new)
        assert look_up(kernel, new, wanted) == look_up(kernel, old, wanted)


@pytest.mark.parametrize("kernel", BOTH)
def test_filling_and_emptying(kernel: Any) -> None:
    """A map takes what it was made for; what is dropped leaves the others where they are found."""
    count = 20_000 if kernel is c else 2_000
    made = kernel.new_map([KEY_BITS], count, SEED)
    all_keys = [at.to_bytes(16, "big") for at in range(count)]
    put = kernel.put_prefixes(made, memoryview(b"".join(all_keys)), KEY_BITS, numbers(range(count)), 7)
    assert put == count
    rest = kernel.put_prefixes(made, memoryview(bytes(15) * 1000), KEY_BITS, numbers([0] * 900), 7)
    assert rest <= 900
    gone = all_keys[1::2]
    assert kernel.drop_prefixes(made, memoryview(b"".join(gone)), KEY_BITS) == len(gone)
    assert kernel.drop_prefixes(made, memoryview(b"".join(gone)), KEY_BITS) == 0
    expected = [at if at % 2 == 0 else NO_VALUE for at in range(count)]
    expected[0] = 0
    assert look_up(kernel, made, all_keys) == expected
    assert kernel.find_prefix(made, all_keys[2], KEY_BITS) == Mapped(2, 7)


def test_full() -> None:
    """There is an end to what a map holds, and it says how far it got."""
    for kernel in BOTH:
        made = kernel.new_map([64, 128], 3, SEED)
        all_keys = b"".join(at.to_bytes(16, "big") for at in range(500))
        done = kernel.put_prefixes(made, memoryview(all_keys), 128, numbers(range(500)), STATIC)
        assert 3 <= done < 500
        assert kernel.count_prefixes(made) == done
        assert kernel.move_prefixes(made, kernel.new_map([128], 1000, SEED)) == done
    large = python.new_map([128], 4, SEED)
    assert python.put_prefixes(large, memoryview(bytes(range(64))), 128, numbers(range(4)), STATIC) == 4
    assert python.move_prefixes(large, python.new_map([128], 3, SEED)) == NO_SPACE


def test_every_length_at_once() -> None:
    """128 lengths: seven steps of a bisection, each of them in its place."""
    wanted = [
        IPv6Network((0xFFFF << 112 | 1, 128)).network_address.packed,
        b"\xff" * 16,
        bytes(16),
        b"\xff\xff" + bytes(14),
    ]
    for kernel in BOTH:
        made = kernel.new_map(range(1, 129), 400, SEED)
        for length in (*range(128, 0, -3), *range(1, 129)):
            kernel.put_prefixes(made, memoryview(b"\xff" * 16), length, numbers([length]), STATIC)
        assert look_up(kernel, made, wanted) == [16, 128, NO_VALUE, 16]
        kernel.settle(made)
        assert look_up(kernel, made, wanted) == [16, 128, NO_VALUE, 16]
        for length in range(1, 129, 2):
            assert kernel.drop_prefixes(made, memoryview(b"\xff" * 16), length) == 1
        for _ in range(2):
            assert look_up(kernel, made, [b"\xff" * width + bytes(16 - width) for width in (0, 1, 9, 16)]) == [
                NO_VALUE, 8, 72, 128,
            ]  # fmt: skip
            kernel.settle(made)


@law
@given(
    rows=st.lists(st.tuples(st.sampled_from((0, 4, 6, 9)), keys), max_size=80),
    known=st.lists(st.tuples(keys, st.sampled_from((8, 16, 24, 32))), max_size=20),
)
def test_families(rows: list[tuple[int, bytes]], known: list[tuple[bytes, int]]) -> None:
    """A column of addresses of two families: the rows of others keep what was there."""
    raw, families = b"".join(key for _, key in rows), bytes(family for family, _ in rows)
    results = []
    for kernel in BOTH:
        made = kernel.new_map([8, 16, 24, 32], 32, SEED)
        for at, (key, length) in enumerate(known):
            kernel.put_prefixes(made, memoryview(key), length, numbers([at]), STATIC)
        kernel.settle(made)
        out = kernel.new_buffer(4 * len(rows))
        kernel.view(out)[:] = b"\x07" * (4 * len(rows))
        question = Asked(len(rows), memoryview(raw), 16, 12, 4, memoryview(families), 4)
        assert kernel.look_up(made, question, out) >= 0
        expected = look_up(kernel, made, [key[12:] + bytes(12) for _, key in rows])
        results.append(words(kernel, out))
        assert results[-1] == [
            value if family == 4 else 0x07070707 for (family, _), value in zip(rows, expected, strict=True)
        ]
    assert results[0] == results[1]


# -- MAC addresses

some_macs = st.sampled_from([bytes.fromhex(mac) for mac in (
    "020000000001", "020000000002", "000000000000", "ffffffffffff", "01005e000001", "0000000000ff", "fe0000000000",
)])  # fmt: skip
some_frames = st.builds(lambda dst, src, rest: dst + src + rest, some_macs, some_macs, st.binary(max_size=4))


class Batch(NamedTuple):
    """Frames that may lie anywhere, with columns."""

    data: bytes
    offsets: array[int]
    lengths: array[int]
    vnis: array[int]
    status: bytes
    senders: array[int]

    def held(self, kernel: Any) -> Any:
        return kernel.hold_frames(memoryview(self.data), memoryview(self.offsets), memoryview(self.lengths), None)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    frames = draw(st.lists(some_frames, max_size=70))
    offsets, lengths, data = array("Q"), array("I"), b""
    for frame in frames:
        outside = draw(st.integers(0, 30)) == 0
        offsets.append(draw(st.sampled_from((1 << 63, len(data) + 999))) if outside else len(data))
        lengths.append(draw(st.sampled_from((len(frame), len(frame), 13, 14))))
        data += frame
    rows = len(frames)
    few = st.lists(st.integers(0, 2), min_size=rows, max_size=rows)
    senders = st.lists(st.sampled_from((0, 1, NO_VALUE)), min_size=rows, max_size=rows)
    status = bytes(value // 2 for value in draw(few))
    return Batch(data, offsets, lengths, array("I", draw(few)), status, array("I", draw(senders)))


entries = st.lists(
    st.tuples(st.integers(0, 2), some_macs, st.sampled_from((0, 0, 1, 3)), st.sampled_from((1, 5, 9, STATIC))),
    max_size=12,
)


def filled(kernel: Any, known: list[tuple[int, bytes, int, int]]) -> Any:
    made = kernel.new_map([KEY_BITS], 64, SEED)
    for vni, mac, value, stamp in known:
        kernel.put_prefixes(made, memoryview(MAC_KEY.pack(vni, mac)), KEY_BITS, numbers([value]), stamp)
    return made


def is_station(mac: bytes) -> bool:
    return not mac[0] & 1 and any(mac)


def frame_of(batch: Batch, row: int) -> bytes | None:
    """A frame of two stations, or at least from one."""
    offset, length = batch.offsets[row], batch.lengths[row]
    if offset + length > len(batch.data) or length < 14:
        return None
    frame = batch.data[offset : offset + length]
    return frame if is_station(frame[6:12]) else None


@law
@given(batch=batches(), known=entries, oldest=st.sampled_from((-STATIC, 5, 6)), one=st.booleans(), judged=st.booleans())
def test_destinations(
    batch: Batch, known: list[tuple[int, bytes, int, int]], oldest: int, one: bool, judged: bool
) -> None:
    """Each frame's destination by a dictionary, aged entries left out."""
    by_key = {(vni, mac): (value, stamp) for vni, mac, value, stamp in known}
    expected = []
    for row in range(len(batch.offsets)):
        frame = frame_of(batch, row)
        value, stamp = NO_VALUE, oldest
        if frame is not None and is_station(frame[:6]) and not (judged and batch.status[row]):
            value, stamp = by_key.get((1 if one else batch.vnis[row], frame[:6]), (NO_VALUE, oldest))
        expected.append(value if stamp >= oldest else NO_VALUE)
    for kernel in BOTH:
        vnis, status = memoryview(batch.vnis), memoryview(batch.status)
        question = AskedMACs(batch.held(kernel), 1, None if one else vnis, status if judged else None, oldest)
        out = kernel.new_buffer(4 * len(expected))
        found = kernel.look_up_macs(filled(kernel, known), question, out)
        assert words(kernel, out) == expected
        assert found == sum(value != NO_VALUE for value in expected)


@law
@given(batch=batches(), known=entries, owners=st.lists(st.integers(0, 1), max_size=4), now=st.sampled_from((4, 7)))
def test_refreshing(batch: Batch, known: list[tuple[int, bytes, int, int]], owners: list[int], now: int) -> None:
    """Sources that are where they were get the stamp, others a mark, static ones neither."""
    by_key = {(vni, mac): (value, stamp) for vni, mac, value, stamp in known}
    marks = []
    for row, sender in enumerate(batch.senders):
        frame = frame_of(batch, row)
        marks.append(0)
        if frame is None or batch.status[row]:
            continue
        key = batch.vnis[row], frame[6:12]
        value, stamp = by_key.get(key, (NO_VALUE, -STATIC))
        if stamp == STATIC:
            continue
        if stamp >= 2 and value < len(owners) and owners[value] == sender:
            by_key[key] = value, max(stamp, now)
            continue
        marks[-1] = 1
    for kernel in BOTH:
        made, out = filled(kernel, known), kernel.new_buffer(len(marks))
        question = AskedMACs(batch.held(kernel), 9, memoryview(batch.vnis), memoryview(batch.status), 2)
        who = Senders(memoryview(batch.senders), numbers(owners), now)
        assert kernel.refresh_macs(made, question, who, out) == sum(marks)
        assert list(kernel.view(out)) == marks
        for (vni, mac), (value, stamp) in by_key.items():
            assert kernel.find_prefix(made, MAC_KEY.pack(vni, mac), KEY_BITS) == Mapped(value, stamp)


def test_a_large_batch() -> None:
    """More than a cache holds, in random order: each destination, and each source that is where it was."""
    rows = 20_000
    macs = [(2 << 40 | at * 7919 % rows).to_bytes(6, "big") for at in range(rows)]
    data = b"".join(mac + macs[-1 - at] + bytes(48) for at, mac in enumerate(macs))
    offsets, lengths = array("Q", range(0, 60 * rows, 60)), array("I", [60]) * rows
    known = [at for at in range(rows) if at % 3]
    packed = b"".join(MAC_KEY.pack(5, macs[at]) for at in known)
    values = numbers([at % 2 for at in known])
    senders = numbers([(rows - 1 - at) % 2 if at % 5 else NO_VALUE for at in range(rows)])
    expected = [at % 2 if at % 3 else NO_VALUE for at in range(rows)]
    marks = [1 if not at % 5 or not (rows - 1 - at) % 3 else 0 for at in range(rows)]
    for kernel in BOTH:
        made = kernel.new_map([KEY_BITS], rows, SEED)
        assert kernel.put_prefixes(made, memoryview(packed), KEY_BITS, values, 10) == len(known)
        frames = kernel.hold_frames(memoryview(data), memoryview(offsets), memoryview(lengths), None)
        question, out = AskedMACs(frames, 5, None, None, 10), kernel.new_buffer(4 * rows)
        assert kernel.look_up_macs(made, question, out) == len(known)
        assert words(kernel, out) == expected
        out = kernel.new_buffer(rows)
        assert kernel.refresh_macs(made, question, Senders(senders, numbers([0, 1]), 20), out) == sum(marks)
        assert list(kernel.view(out)) == marks
        for at in range(0, rows, 97):
            stamp = 10 if marks[rows - 1 - at] else 20
            found = kernel.find_prefix(made, MAC_KEY.pack(5, macs[at]), KEY_BITS)
            assert found == (Mapped(at % 2, stamp) if at % 3 else None)


@pytest.mark.parametrize("kernel", BOTH)
def test_listing(kernel: Any) -> None:
    """By age and by number; more than fit into one piece."""
    count = 9000
    made = kernel.new_map([KEY_BITS], count, SEED)
    for at in range(3):
        part = [at * 3000 + number for number in range(3000)]
        packed = b"".join(number.to_bytes(16, "big") for number in part)
        assert (
            kernel.put_prefixes(made, memoryview(packed), KEY_BITS, numbers([at] * 3000), (10, 20, STATIC)[at]) == 3000
        )

    def listed(before: int, value: int) -> list[int]:
        pieces = kernel.list_prefixes(made, before, value)
        return sorted(int.from_bytes(key, "big") for part in pieces for key, *_ in LISTED.iter_unpack(part))

    assert listed(STATIC, NO_VALUE) == list(range(9000))
    assert listed(20, NO_VALUE) == list(range(3000))
    assert listed(21, NO_VALUE) == list(range(6000))
    assert listed(STATIC, 2) == list(range(6000, 9000))
    assert listed(15, 1) == []


# -- what is refused, and what strangers may write


@pytest.mark.parametrize("kernel", BOTH)
def test_which_senders_are_marked(kernel: Any) -> None:
    """Those that are new; not those that somebody put there for good, nor a frame that is too short to have one."""
    known, new = bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2))
    data = memoryview(b"".join(bytes(6) + mac + bytes(2) for mac in (known, new, new)))
    frames = kernel.hold_frames(data, memoryview(array("Q", [0, 14, 28])), numbers([14, 14, 13]), None)
    macs, out = kernel.new_map([KEY_BITS], 4, SEED), kernel.new_buffer(3)
    kernel.put_prefixes(macs, memoryview(MAC_KEY.pack(1, known)), KEY_BITS, numbers([5]), STATIC)
    senders = Senders(numbers([0, 0, 0]), numbers([]), 0)
    assert kernel.refresh_macs(macs, AskedMACs(frames, 1, None, None, 0), senders, out) == 1
    assert bytes(kernel.view(out)) == b"\0\1\0"


@pytest.mark.parametrize("kernel", BOTH)
def test_what_does_not_fit(kernel: Any) -> None:
    """Lengths that a map was not made for, keys out of their rows or too few, outputs that are too small."""
    made = kernel.new_map([24], 4, SEED)
    assert kernel.put_prefixes(made, memoryview(bytes(16)), 25, numbers([1]), STATIC) == WRONG_COLUMNS
    assert kernel.drop_prefixes(made, memoryview(bytes(16)), 25) == 0
    assert kernel.find_prefix(made, bytes(16), 25) is None
    assert kernel.put_prefixes(made, memoryview(bytes(16)), 24, numbers([1]), STATIC) == 1
    assert kernel.move_prefixes(made, kernel.new_map([23], 4, SEED)) == WRONG_COLUMNS
    assert kernel.move_prefixes(made, made) == OVERLAP
    out = kernel.new_buffer(16)
    for stride, offset, width in ((4, 1, 4), (32, 0, 17), (4, 5, 0)):
        assert kernel.look_up(made, Asked(1, memoryview(bytes(32)), stride, offset, width), out) == WRONG_COLUMNS
    assert kernel.look_up(made, Asked(2, memoryview(bytes(7)), 4, 0, 4), out) == WRONG_COLUMNS
    assert kernel.look_up(made, Asked(2, memoryview(bytes(8)), 4, 0, 4, memoryview(b"\4"), 4), out) == WRONG_COLUMNS
    assert kernel.look_up(made, Asked(5, memoryview(bytes(20)), 4, 0, 4), out) == NO_SPACE
    assert kernel.look_up(made, Asked(4, kernel.view(out), 4, 0, 4), out) == OVERLAP
    frames = kernel.hold_frames(memoryview(bytes(28)), memoryview(array("Q", [0, 14])), numbers([14, 14]), None)
    macs = kernel.new_map([KEY_BITS], 4, SEED)
    question = AskedMACs(frames, 1, None, None, 0)
    assert kernel.look_up_macs(macs, question, kernel.new_buffer(7)) == NO_SPACE
    senders = Senders(numbers([0, 0]), numbers([]), 0)
    assert kernel.refresh_macs(macs, question, senders, kernel.new_buffer(1)) == NO_SPACE
    column = kernel.view(out)[:8].cast("I")
    assert kernel.look_up_macs(macs, question._replace(vnis=column), out) == OVERLAP
    assert kernel.refresh_macs(macs, question, senders._replace(column=column), out) == OVERLAP
    assert kernel.refresh_macs(macs, question, senders._replace(owners=column), out) == OVERLAP


@law
@given(memory=st.binary(min_size=2112, max_size=2112), used=st.integers(0, 66), marker=st.integers(0, 128))
def test_a_map_that_somebody_wrote_over(memory: bytes, used: int, marker: int) -> None:
    """No number in a map is followed out of it, and no search is endless, whatever its memory holds."""
    made = c.new_map([1, 8, 64, 128], 0, SEED)
    assert len(c.view(made.kept)) == len(memory)
    c.view(made.kept)[:] = memory
    made.pointer.used, made.pointer.longest_marker = used, marker
    some = [bytes((at,)) * 16 for at in range(40)]
    packed = memoryview(b"".join(some))
    for length in (1, 8, 64, 128):
        c.put_prefixes(made, packed, length, numbers(range(40)), STATIC)
        c.drop_prefixes(made, packed[:160], length)
        c.find_prefix(made, some[0], length)
    for _ in range(2):
        c.look_up(made, asked(some), c.new_buffer(160))
        c.settle(made)
    frames = c.hold_frames(memoryview(bytes(28)), memoryview(array("Q", [0, 14])), numbers([14, 14]), None)
    c.refresh_macs(
        made, AskedMACs(frames, 1, None, None, 0), Senders(numbers([0, 0]), numbers([1]), 1), c.new_buffer(2)
    )
    with contextlib.suppress(MemoryError):
        list(c.list_prefixes(made, STATIC, NO_VALUE))
    c.move_prefixes(made, c.new_map([1, 8, 64, 128], 900, SEED))


def test_a_map_that_lies_about_its_size() -> None:
    """Room is computed from the memory that there is, and lengths are compared."""
    made = c.new_map([8, 24], 4, SEED)
    for field, value in (
        ("slots", made.pointer.slots + 3), ("slots", 1 << 40), ("size", 63), ("length_count", 129), ("length_count", 3),
        ("used", made.pointer.slots + 1),
    ):  # fmt: skip
        before = getattr(made.pointer, field)
        setattr(made.pointer, field, value)
        if field != "slots" or value != made.pointer.slots + 3:
            assert c.put_prefixes(made, memoryview(bytes(16)), 8, numbers([1]), STATIC) == NO_SPACE
        assert c.look_up(made, asked([bytes(16)]), c.new_buffer(4)) == NO_SPACE
        assert c.find_prefix(made, bytes(16), 8) is None
        setattr(made.pointer, field, before)
    made.pointer.lengths = [24, 8] + [0] * 126
    with pytest.raises(MemoryError, match="somebody wrote over"):
        list(c.list_prefixes(made, STATIC, NO_VALUE))
    assert c.look_up(made, asked([bytes(16)]), c.new_buffer(4)) == NO_SPACE


def test_keys_in_one_slot() -> None:
    """With secrets of one value every hash is the same: all is found all the same, and what goes leaves no gap."""
    made = c.new_map([KEY_BITS], 200, SEED)
    made.pointer.secrets = [0, 0, 0, 0]
    all_keys = [at.to_bytes(16, "big") for at in range(1, 201)]
    assert c.put_prefixes(made, memoryview(b"".join(all_keys)), KEY_BITS, numbers(range(200)), STATIC) == 200
    assert c.drop_prefixes(made, memoryview(b"".join(all_keys[::3])), KEY_BITS) == 67
    assert look_up(c, made, all_keys) == [at if at % 3 else NO_VALUE for at in range(200)]


def test_a_large_map() -> None:
    """One that asks for large pages finds what one of a few slots finds."""
    some = [at.to_bytes(16, "big") for at in range(0, 1000, 7)]
    for kernel in ANY_OF_BOTH:
        made = kernel.new_map([KEY_BITS], 1 << 17, SEED)
        assert kernel.put_prefixes(made, memoryview(b"".join(some)), KEY_BITS, numbers(range(len(some))), STATIC)
        assert look_up(kernel, made, [*some, bytes(15) + b"\1"]) == [*range(len(some)), NO_VALUE]
