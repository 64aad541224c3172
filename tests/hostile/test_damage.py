"""Every good frame there is, damaged at every place: both kernels agree, nothing leaks out, nothing reaches too far.

The frames are those of all captures and the hostile cases that are accepted. The damage is one cut, one bit or one
byte; policies are eleven. A developer's run does a sample, CI more, and the profile `nightly` all of it: the Python
kernel reads some 60,000 frames a second, the C kernel millions.

On the Python kernel, and where each frame is read by itself, one frame of each shape stands for all, and only the
bytes of its headers are changed. What is behind the headers is counted, not read: no verdict and no column can depend
on it, but the UDP checksum, which is a sum of all. `test_payload_does_not_matter` proves that for all bytes of all
frames, on the C kernel; the kernels' sums are held to each other in tests/kernels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, compress
from operator import not_
from typing import Any

import pytest
from hypothesis import settings

from vxlanpkt import UDP, VXLAN, DecapPolicy, FrameBatch, IPv4, Loopback, decap, decap_batch, dissect, parse
from vxlanpkt.bindings import DEFAULT
from vxlanpkt.errors import ParseError, Reason
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.columns import DECAP_COLUMNS
from vxlanpkt.kernel.contract.spans import Kind, Reading, place_at
from vxlanpkt.reasons import REASONS
from vxlanpkt.starts import Start, kind_of

from .damage import (
    EDGES,
    POLICIES,
    Change,
    Columns,
    Frame,
    as_sent,
    bits,
    byte_values,
    changed,
    frames,
    reach,
    shapes,
    truncations,
)
from .outside import datagram_of

EXAMPLES = settings().max_examples
NIGHTLY = EXAMPLES >= 100_000
# Of so many rows one is taken, under each policy another one; of so many where a frame is read by itself, which takes
# ten times as long; and of so many frames one, beside one of each shape. With sanitizers all takes four times as long.
# The rows are not always of the same bit: a byte has eight.
STEP, LONG_STEP, FRAME_STEP = 67, 1601, 200
if EXAMPLES >= 100:
    STEP, LONG_STEP, FRAME_STEP = 17, 401, 32
if EXAMPLES >= 1_000:
    STEP, LONG_STEP, FRAME_STEP = 3, 23, 16
if NIGHTLY:
    STEP, LONG_STEP, FRAME_STEP = 1, 1, 1

NAMES = tuple(POLICIES)
every_policy = pytest.mark.parametrize("name", POLICIES)
WALK_PORTS = {4789: Kind.VXLAN, 8472: Kind.VXLAN, 51820: Kind.VXLAN, 4790: Kind.VXLANGPE}


def c_kernel() -> Any:
    """The C kernel, whichever the library runs on."""
    pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
    from vxlanpkt.kernel import c

    return c


def damaged(frame: Frame, changes: Iterable[Change], step: int = 1, first: int = 0) -> Iterator[FrameBatch]:
    """The frame as it is, cut everywhere, and with each change: of all rows one in *step*, counted from *first*.

    Of the four frames with hundreds of tags fewer are taken: they take as long as all others.
    """
    step *= 401 if reach(frame) > 512 else 1
    yield as_sent(frame)
    for batch in (truncations(frame), *changed(frame, changes)):
        yield batch[first % step :: step] if step > 1 else batch


def header_changes(frame: Frame) -> Iterator[Change]:
    """All changes of the headers that are affordable on the Python kernel: each bit, at night each byte's values."""
    return byte_values(frame, end=reach(frame)) if NIGHTLY else bits(frame, end=reach(frame))


# -- the kernels


@every_policy
def test_both_kernels_agree(name: str) -> None:
    """One frame of each shape: every column of every row is the same, and so are the inner frames, which they place."""
    c, policy, count = c_kernel(), POLICIES[name], 0
    for frame in shapes():
        for batch in damaged(frame, header_changes(frame), STEP, NAMES.index(name)):
            assert_agreement(c, batch, frame, policy)
            count += len(batch)
    assert count > 1_000


@pytest.mark.skipif(not NIGHTLY, reason="for the night: HYPOTHESIS_PROFILE=nightly")
@every_policy
def test_both_kernels_agree_on_every_frame(name: str) -> None:
    """Every frame, cut everywhere, and with every bit of its headers turned and every byte at its edges."""
    c, policy = c_kernel(), POLICIES[name]
    for frame in frames():
        end = reach(frame)
        for batch in damaged(frame, chain(bits(frame, end=end), byte_values(frame, EDGES, end=end))):
            assert_agreement(c, batch, frame, policy)


def assert_agreement(c: Any, batch: FrameBatch, frame: Frame, policy: DecapPolicy) -> None:
    """Both kernels say the same of every row."""
    ours, theirs = Columns(python, batch, frame, policy), Columns(c, batch, frame, policy)
    if ours != theirs:
        differing = [
            (row, column, ours[column][row], theirs[column][row])
            for column in DECAP_COLUMNS for row in range(len(batch)) if ours[column][row] != theirs[column][row]
        ]  # fmt: skip
        raise AssertionError(f"{frame.start!r} {frame.data.hex()}: row, column, Python, C: {differing[:5]}")


# -- the bounds


def test_no_inner_frame_reaches_past_its_datagram() -> None:
    """Every frame, under every policy: what is accepted is the datagram behind the VXLAN header, all and no more.

    The datagram's bounds are read off the outer bytes by another reading than the library's.
    """
    c = c_kernel()
    values = range(256) if NIGHTLY else EDGES
    for frame in (*shapes(), *frames()[::FRAME_STEP]):
        end = reach(frame)
        for batch in damaged(frame, chain(bits(frame, end=end), byte_values(frame, values, end=end))):
            inside: dict[str, dict[int, Place]] = defaultdict(dict)
            for policy in POLICIES.values():
                found = Columns(c, batch, frame, policy)
                assert_inside(batch, frame, found, policy.udp_length, inside[policy.udp_length])


Place = tuple[int, int, int]  # where an inner frame begins, the bytes of it that are here, and how many there were


def assert_inside(batch: FrameBatch, frame: Frame, found: Columns, udp_length: str, inside: dict[int, Place]) -> None:
    """The accepted rows have the inner frame that *inside* says, which is filled in as needed."""
    places = zip(found["inner_offset"], found["inner_length"], found["inner_original_length"], strict=True)
    for row, got in compress(enumerate(places), map(not_, found["status"])):
        if row not in inside:
            inside[row] = behind_tunnel_header(batch, row, frame.start, udp_length)
        if got != inside[row]:
            raise AssertionError(f"{frame.start!r} {batch[row].hex()}: {got} where {inside[row]} is right")


def behind_tunnel_header(batch: FrameBatch, row: int, start: Start, udp_length: str) -> Place:
    """What of a row is its inner frame, by the reading that is not the library's."""
    at, length = batch.offsets[row], batch.lengths[row]
    assert batch.original_lengths is not None
    on_wire = max(batch.original_lengths[row], length)
    begin, end = 0, on_wire  # of a bare payload
    if isinstance(start, int):
        begin, end = datagram_of(bytes(batch.data[at : at + length]), start, on_wire, udp_length)
    return at + begin + 8, min(end, length) - begin - 8, end - begin - 8


def test_payload_does_not_matter() -> None:
    """What stands behind the headers changes no column of any frame, as long as no UDP checksum is verified."""
    c = c_kernel()
    for frame in (*shapes(), *frames()[::FRAME_STEP]):
        begin = reach(frame)
        sent = {name: Columns(c, as_sent(frame), frame, policy) for name, policy in POLICIES.items()}
        for batch in changed(frame, chain(bits(frame, begin), byte_values(frame, EDGES, begin))):
            for name, policy in POLICIES.items():
                found = Columns(c, batch, frame, policy)
                if policy.verify_udp_checksum:
                    assert {*found["status"]} <= {sent[name]["status"][0], Reason.OK, Reason.UDP_CHECKSUM}
                else:
                    assert_same(found, sent[name], len(frame.data))


def assert_same(found: Columns, sent: Columns, size: int) -> None:
    """All rows, which lie *size* bytes apart, are as the one that was sent."""
    for name in DECAP_COLUMNS:
        if name == "inner_offset":
            first = sent[name][0]
            assert found[name].tolist() == [first and first + size * row for row in range(found.rows)]
        else:
            assert found[name].tobytes() == sent[name].tobytes() * found.rows, name


# -- frame by frame


# The library's own, with the port of one of the captures; and with a binding of loopback headers replaced, so that no
# kernel walks, and layers are asked one by one.
TABLE = DEFAULT.bind(UDP, 51820, VXLAN)
LAYERWISE = TABLE.bind(Loopback, 28, IPv4, replace=True)


@pytest.mark.parametrize("part", range(4))
def test_frame_by_frame(part: int) -> None:
    """Each damaged frame by itself: no exception but ours, text for all, and every way of reading it says the same."""
    for number, frame in enumerate(shapes()[part::4]):
        end = reach(frame)
        changes = chain(bits(frame, end=end), byte_values(frame, EDGES, end=end) if NIGHTLY else ())
        for batch in damaged(frame, changes, LONG_STEP, number):
            assert batch.original_lengths is not None
            for row, data in enumerate(batch):
                one = Frame(bytes(data), frame.start, batch.original_lengths[row])
                check_reading(one)
                check_walks(one)
                check_decap(one, POLICIES[NAMES[(row + number) % len(NAMES)]])


def check_reading(one: Frame) -> None:
    """dissect, the text of it, and parse; layer by layer it is the same."""
    found = dissect(one.data, start=one.start, bindings=TABLE, original_length=one.on_wire)
    assert str(found) and repr(found)
    again = dissect(one.data, start=one.start, bindings=LAYERWISE, original_length=one.on_wire)
    if Loopback not in again:
        assert again.spans == found.spans
        assert str(again.error) == str(found.error)
        assert again.trailers == found.trailers
    try:
        packet = parse(one.data, start=one.start, bindings=TABLE, original_length=one.on_wire)
    except ParseError as error:
        assert type(error) is REASONS[error.reason].exception
        assert str(error) == str(found.error)
    else:
        assert found.error is None
        assert str(packet)
        assert packet.build(bindings=TABLE) == one.data


def check_walks(one: Frame) -> None:
    """The walk of one kernel is that of the other."""
    c, kind, missing = c_kernel(), kind_of(one.start) or Kind.ETHERNET, max(one.on_wire - len(one.data), 0)
    for reading in Reading:
        ours = python.walk(one.data, missing, kind, python.hold_ports(WALK_PORTS), 4, reading)
        theirs = c.walk(one.data, missing, kind, c.hold_ports(WALK_PORTS), 4, reading)
        assert written_out(ours) == written_out(theirs)


def written_out(walk: Any) -> Any:
    """A walk with every place."""
    kinds, places, last, fault = walk
    return kinds, [place_at(places, index) for index in range(len(kinds))], last, fault


def check_decap(one: Frame, policy: DecapPolicy) -> None:
    """decap ends as a batch of this one frame does, to the bytes and to the words."""
    batch = decap_batch(as_sent(one), policy=policy, start=one.start)
    try:
        got = decap(one.data, policy=policy, start=one.start, original_length=one.on_wire)
    except ParseError as error:
        assert type(error) is REASONS[error.reason].exception
        assert batch.status[0] == error.reason is not Reason.OK
        assert str(error) == str(batch.error(0))
    else:
        assert batch.status[0] == Reason.OK
        assert got.inner == batch.inner[0]
        assert got.record == batch.record(0)
        assert str(got.outer)
