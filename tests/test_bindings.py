"""Bindings: who follows whom is data, and a layer of the user's own is a layer like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from typing import ClassVar

import pytest

from vxlanpkt import (
    ARP,
    DEFAULT,
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    Around,
    Bindings,
    Dot1Q,
    Ethernet,
    Fault,
    FieldError,
    IPv4,
    IPv6,
    Layer,
    LayerNotFound,
    LinkType,
    MalformedError,
    Packet,
    Span,
    TruncatedError,
    dissect,
    parse,
)
from vxlanpkt.errors import Reason

_HEADER = Struct("!BBHI")
_ETHERNET_TYPE = 0x6558


@dataclass(frozen=True)
class Geneve:
    """Generic Network Virtualization Encapsulation, RFC 8926, as a user would write it."""

    NAME: ClassVar[str] = "Geneve"
    DERIVED: ClassVar[tuple[str, ...]] = ("option_words", "protocol_type")
    TUNNEL: ClassVar[bool] = True

    vni: int
    options: bytes = b""
    flags: int = 0
    option_words: int | None = None
    protocol_type: int | None = None

    @classmethod
    def scan(cls, buf: bytes | bytearray | memoryview, start: int, end: int) -> Span | Fault:
        if end - start < 8:
            return Fault(Reason.LAYER_TRUNCATED, 8)
        if buf[start] >> 6:
            return Fault(Reason.LAYER_MALFORMED, 8, "version", buf[start] >> 6)
        header_end = start + 8 + 4 * (buf[start] & 0x3F)
        if header_end > end:
            return Fault(Reason.LAYER_TRUNCATED, header_end - start, "option_words")
        return Span(start, header_end, end, buf[start + 2] << 8 | buf[start + 3])

    @classmethod
    def decode(cls, buf: bytes | bytearray | memoryview, span: Span) -> Geneve:
        first, flags, protocol, last = _HEADER.unpack_from(buf, span.start)
        return cls(last >> 8, bytes(buf[span.start + 8 : span.header_end]), flags, first & 0x3F, protocol)

    def encode(self, around: Around) -> tuple[Geneve, bytes]:
        words = len(self.options) // 4 if self.option_words is None else self.option_words
        protocol = around.next_key if self.protocol_type is None else self.protocol_type
        full = replace(self, option_words=words, protocol_type=protocol)
        return full, _HEADER.pack(words, self.flags, protocol or 0, self.vni << 8) + self.options


@dataclass(frozen=True)
class Label:
    """An MPLS label, which is no tunnel and is followed by IPv4 at the bottom of the stack."""

    NAME: ClassVar[str] = "Label"
    DERIVED: ClassVar[tuple[str, ...]] = ()
    TUNNEL: ClassVar[bool] = False

    entry: int

    @classmethod
    def scan(cls, buf: bytes | bytearray | memoryview, start: int, end: int) -> Span | Fault:
        if end - start < 4:
            return Fault(Reason.LAYER_TRUNCATED, 4)
        return Span(start, start + 4, end, buf[start + 2] & 1)

    @classmethod
    def decode(cls, buf: bytes | bytearray | memoryview, span: Span) -> Label:
        return cls(int.from_bytes(buf[span.start : span.header_end], "big"))

    def encode(self, around: Around) -> tuple[Label, bytes]:
        return self, self.entry.to_bytes(4, "big")


@dataclass(frozen=True)
class Witness:
    """A layer of no bytes that keeps what it saw around it."""

    NAME: ClassVar[str] = "Witness"
    DERIVED: ClassVar[tuple[str, ...]] = ()
    TUNNEL: ClassVar[bool] = False

    seen: list[Around]

    @classmethod
    def scan(cls, buf: bytes | bytearray | memoryview, start: int, end: int) -> Span | Fault:
        return Span(start, start, end, None)

    @classmethod
    def decode(cls, buf: bytes | bytearray | memoryview, span: Span) -> Witness:
        return cls([])

    def encode(self, around: Around) -> tuple[Witness, bytes]:
        self.seen.append(around)
        return self, b""


GENEVE = DEFAULT.bind(UDP, 6081, Geneve).bind(Geneve, _ETHERNET_TYPE, Ethernet)
OUTER = (Ethernet(1, 2), IPv4("192.0.2.1", "192.0.2.2"), UDP(1, 6081))
INNER = Packet(Ethernet(3, 4), IPv4("10.0.0.1", "10.0.0.2"), TCP(1, 80), payload=b"data")
FRAME = Packet(*OUTER, Geneve(7, b"\1\1\0\0"), payload=INNER)


def test_it_is_a_layer() -> None:
    """A plain frozen dataclass with three methods meets the protocol."""
    assert isinstance(Geneve(1), Layer)


def test_what_a_layer_sees() -> None:
    """The layers below, the bytes that it wraps, the key of what follows; it may keep them."""
    table = DEFAULT.bind(UDP, 6081, Witness).bind(Witness, 9, Ethernet)
    witness = Witness([])
    wire = Packet(*OUTER, witness, payload=INNER, trailers=[b"", b"", b"", b"end"]).build(bindings=table)
    assert wire.endswith(INNER.build() + b"end")
    assert witness.seen == [Around(OUTER, INNER.build(), 9)]


def test_a_layer_of_ones_own() -> None:
    """Bound, it is parsed, built, resolved and found like any other, with what is inside."""
    wire = FRAME.build(bindings=GENEVE)
    assert wire[42:54].hex() == "0100655800000700" "01010000"  # fmt: skip
    packet = parse(wire, bindings=GENEVE)
    assert [layer.NAME for layer in packet] == ["Ethernet", "IPv4", "UDP", "Geneve", "Ethernet", "IPv4", "TCP"]
    assert packet[Geneve] == Geneve(7, b"\1\1\0\0", 0, 1, _ETHERNET_TYPE)
    assert packet == FRAME.resolve(bindings=GENEVE)
    assert packet.build(bindings=GENEVE) == wire
    assert packet.inner == parse(INNER.build())
    assert packet.outer.layers == packet.layers[:4]
    assert packet.checksum_errors(bindings=GENEVE) == ()
    assert "Geneve" in str(packet)
    changed = packet.replace(Geneve, vni=9).recompute(bindings=GENEVE)
    assert parse(changed.build(bindings=GENEVE), bindings=GENEVE)[Geneve].vni == 9


def test_without_the_binding_it_is_payload() -> None:
    """Bindings are an argument: the default table knows nothing of another."""
    packet = parse(FRAME.build(bindings=GENEVE))
    assert Geneve not in packet
    assert packet.layers[-1] == packet[UDP]
    with pytest.raises(LayerNotFound):
        packet.inner  # noqa: B018


def test_every_cut_of_it() -> None:
    """Whatever is cut off, the error is of the class that its reason has, and names the layer."""
    wire = FRAME.build(bindings=GENEVE)
    for cut in range(len(wire)):
        assert isinstance(dissect(wire[:cut], bindings=GENEVE).error, TruncatedError)
    payload = wire[42:]
    for cut in range(12):
        error = dissect(payload[:cut], start=Geneve, bindings=GENEVE).error
        assert isinstance(error, TruncatedError)
        assert (error.layer, error.reason, error.available) == ("Geneve", Reason.LAYER_TRUNCATED, cut)
    bad = dissect(b"\xc0" + payload[1:], start=Geneve, bindings=GENEVE).error
    assert isinstance(bad, MalformedError)
    assert (bad.layer, bad.field, bad.value) == ("Geneve", "version", 3)


def test_it_can_be_the_start() -> None:
    """A layer of one's own can be what the bytes begin with, and equal values have equal starts."""
    payload = FRAME.build(bindings=GENEVE)[42:]
    packet = parse(payload, start=Geneve, bindings=GENEVE)
    assert packet.start is Geneve
    assert packet.inner[TCP].dst_port == 80
    assert packet == Packet(*packet.layers, payload=b"data")


def test_it_counts_as_a_tunnel() -> None:
    """max_tunnels counts a user's tunnel header together with the built-in ones."""
    nested = Packet(*OUTER, Geneve(7), Ethernet(1, 2), *OUTER[1:2], UDP(1, 4789), VXLAN(8), payload=INNER)
    wire = nested.build(bindings=GENEVE)
    for allowed in range(4):
        found = dissect(wire, bindings=GENEVE, max_tunnels=allowed)
        assert sum(layer.TUNNEL for layer in found.layers) == min(allowed, 2)
        assert Packet.from_dissection(found).build(bindings=GENEVE) == wire
    packet = parse(wire, bindings=GENEVE)
    assert packet.inner.inner == parse(INNER.build())
    other = Packet(Ethernet(1, 2), OUTER[1], UDP(1, 4789), VXLAN(8), payload=FRAME).build(bindings=GENEVE)
    assert [layer.NAME for layer in parse(other, bindings=GENEVE) if layer.TUNNEL] == ["VXLAN", "Geneve"]
    assert Geneve not in parse(other, bindings=GENEVE, max_tunnels=1)


def test_a_layer_that_is_no_tunnel() -> None:
    """A stack of a user's layers, bound to itself, ends in a built-in one."""
    table = DEFAULT.bind(Ethernet, 0x8847, Label).bind(Label, 0, Label).bind(Label, 1, IPv4)
    packet = Packet(Ethernet(1, 2), Label(100 << 12), Label(62 << 12 | 0x100), payload=b"")
    wire = packet.build(bindings=table) + Packet(OUTER[1].replace(protocol=59)).build()
    names = [layer.NAME for layer in parse(wire, bindings=table)]
    assert names == ["Ethernet", "Label", "Label", "IPv4"]
    assert parse(wire, bindings=table).build(bindings=table) == wire


def test_an_occupied_key() -> None:
    """Taking a bound key has to be meant; binding the same pair again is no change."""
    with pytest.raises(FieldError) as caught:
        DEFAULT.bind(UDP, 4789, Geneve)
    assert (caught.value.layer, caught.value.value) == ("UDP", 4789)
    assert "VXLAN" in str(caught.value)
    assert DEFAULT.bind(UDP, 4789, VXLAN).get(UDP, 4789) is VXLAN
    taken = DEFAULT.bind(UDP, 4789, Geneve, replace=True)
    assert taken.get(UDP, 4789) is Geneve
    assert DEFAULT.get(UDP, 4789) is VXLAN
    wire = Packet(*OUTER[:2], UDP(1, 4789), Geneve(7, protocol_type=0), payload=b"x").build(bindings=taken)
    assert parse(wire, bindings=taken)[Geneve].vni == 7


@dataclass(frozen=True)
class Shout:
    """A layer that takes the place of a built-in one."""

    NAME: ClassVar[str] = "Shout"
    DERIVED: ClassVar[tuple[str, ...]] = ()
    TUNNEL: ClassVar[bool] = False

    text: bytes

    @classmethod
    def scan(cls, buf: bytes | bytearray | memoryview, start: int, end: int) -> Span | Fault:
        return Span(start, end, end, None)

    @classmethod
    def decode(cls, buf: bytes | bytearray | memoryview, span: Span) -> Shout:
        return cls(bytes(buf[span.start : span.end]))

    def encode(self, around: Around) -> tuple[Shout, bytes]:
        return self, self.text


@pytest.mark.parametrize(
    ("below", "key"), [(Ethernet, 0x0800), (IPv4, 17), (Dot1Q, 0x86DD), (VXLAN, 0), (UDP, 4789)]
)  # fmt: skip
def test_overriding_a_built_in(below: type[Layer], key: int) -> None:
    """Any built-in binding can be replaced, wherever the bytes start, and layers below it are read as ever."""
    table = DEFAULT.bind(below, key, Shout, replace=True)
    packet = Packet(
        Ethernet(1, 2), Dot1Q(3), IPv4("192.0.2.1", "192.0.2.2"), UDP(1, 4789), VXLAN(5),
        Ethernet(3, 4), Dot1Q(6), IPv6("2001:db8::1", "2001:db8::2", next_header=59),
    )  # fmt: skip
    if below is Ethernet:
        packet = Packet(packet.layers[0], *packet.layers[2:])
    wire = packet.build()
    found = parse(wire, bindings=table)
    assert type(found.layers[-1]) is Shout
    assert type(found.layers[-2]) is below
    assert found.build(bindings=table) == wire
    assert Shout not in parse(wire)


def test_override_and_every_start() -> None:
    """With a replaced binding, link types begin with the layer that they always began with."""
    table = DEFAULT.bind(IPv4, 17, Shout, replace=True)
    ip = Packet(OUTER[1].replace(protocol=17), payload=b"hello")
    for start in (LinkType.RAW, LinkType.IPV4, IPv4):
        assert parse(ip.build(), start=start, bindings=table)[Shout].text == b"hello"
    wire = Packet(IPv6("::1", "::2", next_header=59)).build()
    for start in (LinkType.RAW, LinkType.IPV6):
        assert parse(wire, start=start, bindings=table)[IPv6].next_header == 59
    assert dissect(b"\x55", start=LinkType.RAW).error is not None
    assert dissect(b"\x55" + bytes(40), start=LinkType.RAW, bindings=table).error is not None


def test_the_same_error_on_either_path() -> None:
    """What cannot be read is refused alike whether or not a binding was replaced that it does not meet."""
    table = DEFAULT.bind(Ethernet, 0x0806, Shout, replace=True)
    wire = Packet(*OUTER[:2], UDP(1, 4789), VXLAN(5), payload=INNER).build()
    for data in [wire[:cut] for cut in range(len(wire))] + [wire[:14] + b"\x44" + wire[15:]]:
        ours, theirs = dissect(data).error, dissect(data, bindings=table).error
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert str(ours) == str(theirs)
            assert ours.reason is theirs.reason
    for data in (b"", b"\x55" + bytes(40), b"\x45", b"\x60"):
        ours = dissect(data, start=LinkType.RAW).error
        theirs = dissect(data, start=LinkType.RAW, bindings=table).error
        assert str(ours) == str(theirs)


def test_vxlan_ports() -> None:
    """ports= says exactly which destination ports carry VXLAN; GPE keeps its own unless it is taken."""
    table = DEFAULT.with_vxlan_ports([5000])
    assert [table.get(UDP, port) for port in (5000, 4789, 8472, 4790)] == [VXLAN, None, None, VXLANGPE]
    assert DEFAULT.with_vxlan_ports([4790]).get(UDP, 4790) is VXLAN
    assert DEFAULT.with_vxlan_ports([]).key(UDP, VXLAN) is None
    wire = Packet(*OUTER[:2], UDP(4789, 5000), VXLAN(5), payload=INNER).build()
    assert VXLAN in parse(wire, ports=[5000])
    assert VXLAN not in parse(wire)
    for port in (-1, 65536, "4789"):
        with pytest.raises(FieldError):
            DEFAULT.with_vxlan_ports([port])  # type: ignore[list-item]


def test_the_table() -> None:
    """get says who follows, key gives the first key of a pair, bind leaves the table that it was called on alone."""
    assert DEFAULT.get(Ethernet, 0x0806) is ARP
    assert DEFAULT.get(Ethernet, 0x1234) is None
    assert DEFAULT.get(Ethernet, None) is None
    assert DEFAULT.key(Ethernet, Dot1Q) == 0x8100
    assert DEFAULT.key(UDP, VXLAN) == 4789
    assert DEFAULT.key(ARP, IPv4) is None
    assert len(GENEVE) == len(DEFAULT) + 2
    assert isinstance(GENEVE, Bindings)
    assert DEFAULT.get(UDP, 6081) is None


def test_unknown_link_types() -> None:
    """A link type without a layer is the caller's mistake, not a fault of the bytes."""
    for start in (147, LinkType(147), -1):
        with pytest.raises(FieldError) as caught:
            dissect(b"", start=start)
        assert caught.value.field == "start"


@dataclass(frozen=True)
class Framed:
    """A layer that says in one byte how many are its content: what is behind them is a trailer."""

    NAME: ClassVar[str] = "Framed"
    DERIVED: ClassVar[tuple[str, ...]] = ()
    TUNNEL: ClassVar[bool] = False

    length: int

    @classmethod
    def scan(cls, buf: bytes | bytearray | memoryview, start: int, end: int) -> Span | Fault:
        return Span(start, start + 1, min(start + 1 + buf[start], end), 1)

    @classmethod
    def decode(cls, buf: bytes | bytearray | memoryview, span: Span) -> Framed:
        return cls(buf[span.start])

    def encode(self, around: Around) -> tuple[Framed, bytes]:
        return self, bytes((self.length,))


def test_a_limit_of_a_layer_of_ones_own() -> None:
    """The library does not know the field that set it: the error says where it is, and blames no field."""
    found = dissect(b"\5" + bytes(20), start=Framed, bindings=DEFAULT.bind(Framed, 1, UDP))
    assert isinstance(found.error, TruncatedError)
    assert (found.error.layer, found.error.needed, found.error.available) == ("UDP", 8, 5)
    assert found.error.limited_by == "capture"
