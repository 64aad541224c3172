"""Many frames at once: batches, and files of records."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

from hypothesis import strategies as st

from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter, Record
from vxlanpkt.strategies.damage import hostile_frames, wire
from vxlanpkt.strategies.packets import frames, vxlan_frames
from vxlanpkt.strategies.values import payloads, shared


@shared
def _any_frames() -> st.SearchStrategy[bytes]:
    return st.one_of(vxlan_frames().map(wire), frames().map(wire), hostile_frames())


@st.composite
def batches(
    draw: st.DrawFn,
    rows: st.SearchStrategy[bytes] | None = None,
    *,
    max_size: int = 8,
    headroom: int = 0,
    originals: bool = True,
    outside: bool = False,
) -> FrameBatch:
    """Batches of up to *max_size* rows in any order, with gaps between them, some twice.

    rows       the frames; by default sound, damaged and hostile ones mixed
    headroom   free bytes in front of every row; no row is then there twice
    originals  perhaps with a column of original lengths, some longer than the rows
    outside    perhaps with rows that reach outside the buffer
    """
    data = bytearray(draw(payloads(8)))
    places: list[tuple[int, int]] = []
    for frame in draw(st.lists(_any_frames() if rows is None else rows, max_size=max_size)):
        data += bytes(headroom)
        places.append((len(data), len(frame)))
        data += frame + draw(payloads(4))
    if places and not headroom:
        places += draw(st.lists(st.sampled_from(places), max_size=2))
    if outside:
        beyond = ((len(data), 1), (0, len(data) + 1), ((1 << 64) - 1, 2), (1 << 63, 0), (1, 1 << 20))
        places += draw(st.lists(st.sampled_from(beyond), max_size=2))
    places = draw(st.permutations(places))
    lengths = [length for _, length in places]
    known: list[int] | None = None
    if originals and draw(st.booleans()):
        known = [min(length + draw(st.sampled_from((0, 0, 1, 20, 1000))), (1 << 32) - 1) for length in lengths]
    return FrameBatch(data, [offset for offset, _ in places], lengths, known, headroom=headroom)


@shared
def _options() -> st.SearchStrategy[tuple[tuple[int, bytes], ...]]:
    flags = st.tuples(st.just(2), st.binary(min_size=4, max_size=4))
    return st.lists(flags | st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=9)), max_size=3).map(tuple)


def _interfaces(link_types: Sequence[int], tsresols: st.SearchStrategy[int]) -> st.SearchStrategy[Interface]:
    return st.builds(
        Interface,
        link_type=st.sampled_from(link_types),
        snaplen=st.sampled_from((0, 0, 64, 262144)),
        tsresol=tsresols,
        tsoffset=st.sampled_from((0, 0, 3600, -3600, 2**62, -(2**63))),
        fcslen=st.sampled_from((0, 0, 0, 4)),
    )


@st.composite
def _records(draw: st.DrawFn, frames: st.SearchStrategy[bytes], interfaces: Sequence[Interface]) -> Record:
    """A record of one of these interfaces, with a timestamp that its container can say."""
    number = draw(st.integers(0, len(interfaces) - 1))
    interface, data = interfaces[number], draw(frames)
    raw = draw(st.integers(0, 2**32 * interface.units_per_second - 1).map(lambda raw: raw & (1 << 64) - 1))
    kept = draw(st.integers(0, len(data)) | st.just(len(data)))
    return Record(
        interface.to_nanoseconds(raw), data[:kept], len(data), interface.link_type, number, raw
    )  # fmt: skip


@st.composite
def _pcap_files(draw: st.DrawFn, frames: st.SearchStrategy[bytes], link_types: Sequence[int]) -> bytes:
    interface = draw(_interfaces(link_types, st.sampled_from((6, 9)))).replace(tsoffset=0)
    file = io.BytesIO()
    with PcapWriter(file, interface, nanoseconds=interface.tsresol == 9, byteorder=draw(_BYTEORDERS)) as writer:
        for record in draw(st.lists(_records(frames, [interface]), max_size=6)):
            writer.write(record)
    return file.getvalue()


@st.composite
def _pcapng_sections(draw: st.DrawFn, frames: st.SearchStrategy[bytes], link_types: Sequence[int]) -> bytes:
    interfaces = draw(st.lists(_interfaces(link_types, st.integers(0, 255)), min_size=1, max_size=3))
    file = io.BytesIO()
    with PcapngWriter(file, interfaces, byteorder=draw(_BYTEORDERS)) as writer:
        for record in draw(st.lists(_records(frames, interfaces), max_size=6)):
            timed = draw(st.integers(0, 7))
            writer.write(record.replace(options=draw(_options())) if timed else record.replace(timestamp_ns=None))
    return file.getvalue()


_BYTEORDERS: Any = st.sampled_from(("little", "big"))


def captures(
    frames: st.SearchStrategy[bytes] | None = None,
    link_types: Sequence[int] = (1, 1, 1, 101, 113, 276, 105),
    container: Literal["pcap", "pcapng"] | None = None,
) -> st.SearchStrategy[bytes]:
    """Capture files of records with these frames as data: pcap, and pcapng of several sections and interfaces.

    The link types that their interfaces say are some of those given; 105 is one that is not understood. Their numbers
    are in either byte order, their timestamps of any resolution; some records are cut. *container*: the only one, if it
    is named.
    """
    data = _any_frames() if frames is None else frames
    of_pcap = _pcap_files(data, link_types)
    of_pcapng = st.lists(_pcapng_sections(data, link_types), min_size=1, max_size=3).map(b"".join)
    return {"pcap": of_pcap, "pcapng": of_pcapng, None: of_pcap | of_pcapng}[container]


_YEAR_2024, _DAY = 1_704_067_200_000_000_000, 86_400_000_000_000  # nanoseconds


@st.composite
def recordings(draw: st.DrawFn, frames: st.SearchStrategy[bytes] | None = None, max_size: int = 8) -> bytes:
    """Capture files as programs record them: of one interface, with whole packets of one moment, none empty.

    frames    the packets; by default sound, damaged and hostile ones mixed
    max_size  the most of them

    Such a file can be read in parts, unless packets hold what looks like records: as those of recordings of recordings.
    """
    packets = draw(st.lists((_any_frames() if frames is None else frames).filter(len), max_size=max_size))
    time, order, file = _YEAR_2024 + draw(st.integers(0, _DAY)), draw(_BYTEORDERS), io.BytesIO()
    writer: PcapWriter | PcapngWriter
    if draw(st.booleans()):
        writer = PcapWriter(file, Interface(), byteorder=order)
    else:
        writer = PcapngWriter(file, [Interface()], byteorder=order)
    with writer:
        for data in packets:
            writer.write(Record(time, data, len(data)))
    return file.getvalue()
