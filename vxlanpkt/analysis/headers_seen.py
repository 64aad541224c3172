"""What IP headers say, outside and inside of tunnels: lengths and fragments, congestion marks, packets too big."""

from __future__ import annotations

import os
from collections.abc import Iterable

from vxlanpkt.analysis.findings import Address, Congestion, Numbers, Sizes, TooBig, TooBigs
from vxlanpkt.analysis.masks import Tally, both, mask, numbered, rows_of, table_of
from vxlanpkt.analysis.repetitions import Sums, pair_counts
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.errors import Reason
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.kernel.contract.sightings import Trait
from vxlanpkt.layers.icmp import ICMP
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.messages import PacketTooBig, Unreachable
from vxlanpkt.link_types import LinkType
from vxlanpkt.sightings import Traits

ASSUMED_MTU = 1500
_SMALLEST_MTU = 576  # smaller fragments are no sign of an MTU: every link carries these (RFC 791)
_STEPS = (128, 256, 512, 1024, 1280, 1400, 1450, 1500, 1550, 2048, 4096, 8950, 9000, 9050, 16384, 65535)
_PAIRS = 1 << 14
_LENGTHS = 1 << 18
_EXAMINED = 200
_CE = 3
_NO_IP = 4
_WITH_DF, _OF_IPV6 = 1, 2  # kinds of inner packets

_OK = table_of(lambda status: status == Reason.OK)
_IS_FRAGMENT_STATUS = table_of(lambda status: status == Reason.FRAGMENT)
_FRAGMENT = table_of(lambda traits: traits & Trait.FRAGMENT)
_HAS_DF = table_of(lambda traits: traits & Trait.DF)
_IS_IPV4, _IS_IPV6 = table_of(lambda family: family == 4), table_of(lambda family: family == 6)
_FIRST = table_of(lambda traits: traits & Trait.FRAGMENT and not traits & Trait.LATER)
_WHOLE = table_of(lambda traits: not traits & Trait.FRAGMENT)
_LATER = table_of(lambda traits: traits & Trait.LATER)
_TOO_BIG = table_of(lambda traits: traits & Trait.TOO_BIG)
_MARKED = table_of(lambda traits: traits & Trait.IP and traits & Trait.ECN == _CE)
_NOT_CAPABLE = table_of(lambda traits: traits & Trait.IP and not traits & Trait.ECN)
_OUTER_PAIR = {"src": ADDRESS, "dst": ADDRESS, "family": "B"}


class HeaderCounter:
    """Counts what the first IP headers say, batch by batch."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._traits = Groups({"outer": "B", "outer_family": "B", "inner": "B", "inner_family": "B"}, seed=b"")
        self._lengths = Groups({"length": "I", "kind": "B"}, seed=os.urandom(SEED_SIZE), limit=_LENGTHS)
        self._fragments = Groups({"length": "I"}, seed=os.urandom(SEED_SIZE), limit=_LENGTHS)
        self._fragmenting = Groups(_OUTER_PAIR, seed=os.urandom(SEED_SIZE), limit=_PAIRS)
        self._marking = Groups(_OUTER_PAIR, seed=os.urandom(SEED_SIZE), limit=_PAIRS)
        self._first, self._later, self._inner, self._marked, self._lost, self._atomic = (Tally(most) for _ in range(6))
        self.outside, self.inside = TooBigCounter(most), TooBigCounter(most)

    def add(self, batch: CaptureBatch, outer: Traits, inner: Traits) -> None:
        """Count a batch."""
        result, first = batch.result, batch.records.first
        self._traits.add(
            len(result), [outer.traits, result.outer_family, inner.traits, result.inner_family], status=result.status,
        )  # fmt: skip
        with_df = both(mask(inner.traits, _HAS_DF), mask(result.inner_family, _IS_IPV4))
        kinds = numbered(with_df, mask(result.inner_family, _IS_IPV6))
        self._lengths.add(len(result), [outer.length, kinds], status=result.status, number=first + 1)
        accepted = mask(result.status, _OK)
        self._inner.add(both(accepted, mask(inner.traits, _FRAGMENT)), first)
        self._count_fragments(batch, outer)
        self._count_marks(batch, outer, inner, accepted)
        self.outside.add(batch, mask(outer.traits, _TOO_BIG), inside=False)
        self.inside.add(batch, both(accepted, mask(inner.traits, _TOO_BIG)), inside=True)

    def _count_fragments(self, batch: CaptureBatch, outer: Traits) -> None:
        """Outer fragments: those that are refused for that, as only then they are of UDP."""
        result, records = batch.result, batch.records
        refused = mask(result.status, _IS_FRAGMENT_STATUS)
        if 1 not in refused:
            return
        first, later = (both(refused, mask(outer.traits, table)) for table in (_FIRST, _LATER))
        self._first.add(first, records.first)
        self._later.add(later, records.first)
        self._atomic.add(both(refused, mask(outer.traits, _WHOLE)), records.first)
        self._fragments.add(len(result), [outer.length], selected=first)
        self._fragmenting.add(
            len(result), [result.outer_src.raw, result.outer_dst.raw, result.outer_family], selected=first,
            number=records.first + 1,
        )  # fmt: skip

    def _count_marks(self, batch: CaptureBatch, outer: Traits, inner: Traits, accepted: bytes) -> None:
        result, records = batch.result, batch.records
        marked = both(accepted, mask(outer.traits, _MARKED))
        if 1 not in marked:
            return
        self._marked.add(marked, records.first)
        self._lost.add(both(marked, mask(inner.traits, _NOT_CAPABLE)), records.first)
        self._marking.add(
            len(result), [result.outer_src.raw, result.outer_dst.raw, result.outer_family], selected=marked,
            number=records.first + 1,
        )  # fmt: skip

    def sizes(self, totals: Sums, most_pairs: int) -> Sizes:
        """What is known of lengths and fragments."""
        lengths = self._rows(self._lengths, "length", "kind", "first_number")
        fragments = [length for length, _ in self._rows(self._fragments, "length")]
        outside, inside = self.outside.finish(), self.inside.finish()
        mtu, mtu_from = _mtu(outside, fragments)
        too_large = [row for row in lengths if row[0] > mtu]
        return Sizes(
            mtu, mtu_from, max((length for length, *_ in lengths), default=0),
            self._largest(lengths, mtu), _histogram((length, packets) for length, _, _, packets in lengths),
            sum(packets for *_, packets in too_large),
            sum(packets for _, kind, _, packets in too_large if kind == _WITH_DF),
            sum(packets for _, kind, _, packets in too_large if kind == _OF_IPV6),
            self._first.count, self._first.examples, self._atomic.count, self._later.count, self._later.examples,
            pair_counts(self._fragmenting, totals)[:most_pairs], self._fragmenting.left_out,
            self._inner.count, self._inner.examples,
            self._with_df("outer"), self._with_df("inner"), outside, inside, self._lengths.left_out,
        )  # fmt: skip

    def _largest(self, lengths: list[tuple[int, ...]], mtu: int) -> Numbers:
        """The first record of each of the greatest lengths beyond the MTU, or of the greatest there is."""
        longest = sorted(lengths, key=lambda row: (-row[0], row[2]))[: self._most]
        return tuple(number for length, _, number, _ in longest if length > mtu or length == longest[0][0])

    def congestion(self, totals: Sums, most_pairs: int) -> Congestion:
        """What is known of congestion marks."""
        table = [[0] * 5 for _ in range(4)]
        for outer, inner, packets in self._rows(self._traits, "outer", "inner"):
            table[outer & Trait.ECN][inner & Trait.ECN if inner & Trait.IP else _NO_IP] += packets
        return Congestion(
            tuple(map(tuple, table)), self._marked.count, sum(row[_CE] for row in table[:_CE]), self._lost.count,
            pair_counts(self._marking, totals)[:most_pairs], self._marked.examples, self._lost.examples,
            self._marking.left_out,
        )  # fmt: skip

    def _with_df(self, which: str) -> tuple[int, int]:
        """IPv4 packets with DF, and all."""
        rows = self._rows(self._traits, which, f"{which}_family")
        of_ipv4 = [(traits, packets) for traits, family, packets in rows if family == 4]
        return sum(packets for traits, packets in of_ipv4 if traits & Trait.DF), sum(packets for _, packets in of_ipv4)

    @staticmethod
    def _rows(groups: Groups, *names: str) -> list[tuple[int, ...]]:
        found = groups.columns()
        return list(zip(*(found[name] for name in (*names, "packets")), strict=True))


def _mtu(outside: TooBigs, fragments: list[int]) -> tuple[int, str]:
    """What the underlay carries: what a message says, or the largest fragment, or what is usual."""
    if outside.smallest_mtu:
        return outside.smallest_mtu, "message"
    largest = max(fragments, default=0)
    return (largest, "fragments") if largest >= _SMALLEST_MTU else (ASSUMED_MTU, "assumed")


def _histogram(lengths: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    counts = dict.fromkeys((*_STEPS, 1 << 32), 0)
    for length, packets in lengths:
        counts[next(step for step in counts if length <= step)] += packets
    return tuple((step, packets) for step, packets in counts.items() if packets)


class TooBigCounter:
    """Counts messages that a packet was too big; the first of them are read one by one, as there are few."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._messages: list[TooBig] = []

    def add(self, batch: CaptureBatch, found: bytes, *, inside: bool) -> None:
        """Count the rows of a mask."""
        self._count += found.count(1)
        for row in rows_of(found, _EXAMINED - len(self._messages)):
            number = batch.records.first + row + 1
            if inside:
                result = batch.result
                start = LinkType.ETHERNET if result.inner_link_type[row] == LinkType.ETHERNET else LinkType.RAW
                self._messages.append(_read(number, result.vni[row], dissect(bytes(result.inner[row]), start=start)))
            elif batch.start is not None:
                self._messages.append(_read(number, None, dissect(batch.records[row].frame, start=batch.start)))

    def finish(self) -> TooBigs:
        """What was counted."""
        mtus = [message.mtu for message in self._messages if message.mtu]
        shown = tuple(self._messages[: self._most])
        return TooBigs(self._count, len(self._messages), min(mtus, default=None), shown)


def _read(number: int, vni: int | None, found: Dissection) -> TooBig:
    ip = next((layer for layer in found.layers if isinstance(layer, (IPv4, IPv6))), None)
    message = next((layer for layer in found.layers if isinstance(layer, (ICMP, ICMPv6))), None)
    body = None if message is None else message.body
    mtu = quoted = None
    if isinstance(body, PacketTooBig):
        mtu, quoted = body.mtu, body.packet
    elif isinstance(body, Unreachable):
        mtu, quoted = body.next_hop_mtu or None, body.packet
    source, receiver = (None, None) if ip is None else (ip.src, ip.dst)
    return TooBig(number, vni, source, receiver, mtu, None if quoted is None else _ends(quoted))


def _ends(quoted: bytes) -> tuple[Address, Address] | None:
    """Source and destination of a quoted packet, of which often only the beginning is there."""
    version = quoted[0] >> 4 if quoted else 0
    kind, start, size = (IPv4, 12, 4) if version == 4 else (IPv6, 8, 16)
    if version not in (4, 6) or len(quoted) < start + 2 * size:
        return None
    first, second = quoted[start : start + size], quoted[start + size : start + 2 * size]
    ends = kind(src=first, dst=second)
    return ends.src, ends.dst
