"""What errors of layers say: the layer, the field, the value, its bits, and a sentence with all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest

from vxlanpkt import (
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    Authentication,
    BuildError,
    DestinationOptions,
    Ethernet,
    FieldError,
    Fragment,
    IPv4,
    IPv6,
    LinuxSLL,
    LinuxSLL2,
    Loopback,
    MalformedError,
    OpaqueExtension,
    Packet,
    Routing,
)
from vxlanpkt.errors import Reason
from vxlanpkt.layers.base import Around, Header, drafted

from .laws import BELOW, encoded

WRONG: Any = "text"
UNBUILT: Any = Packet(UDP(1, 2))


@pytest.mark.parametrize(
    ("call", "layer", "field", "value", "bits", "expected"),
    [
        (lambda: VXLAN(1 << 24), "VXLAN", "vni", 1 << 24, 24, "a number of 24 bits"),
        (lambda: VXLAN.with_group_policy(1, 1 << 16), "VXLAN", "policy_id", 1 << 16, 16, "a number of 16 bits"),
        (lambda: VXLANGPE(1, flags=0x10), "VXLANGPE", "flags", 0x10, 8,
         "clear in the bits 0x30, which are the version's"),
        (lambda: LinuxSLL(address=bytes(9)), "LinuxSLL", "address", bytes(9), 64, "at most 8 bytes"),
        (lambda: LinuxSLL2(1, address=bytes(9)), "LinuxSLL2", "address", bytes(9), 64, "at most 8 bytes"),
        (lambda: Loopback(2, WRONG), "Loopback", "byte_order", WRONG, None, '"big" or "little"'),
        (lambda: Ethernet(1, WRONG), "Ethernet", "src", WRONG, 48, "a MAC address"),
        (lambda: IPv4(WRONG, 2), "IPv4", "src", WRONG, 32, "an IPv4 address"),
        (lambda: IPv6(1, WRONG), "IPv6", "dst", WRONG, 128, "an IPv6 address"),
        (lambda: IPv6(1, "fe80::1%1"), "IPv6", "dst", "fe80::1%1", 128, "an IPv6 address without a zone"),
        (lambda: IPv4(1, 2, options=WRONG), "IPv4", "options", WRONG, None, "bytes"),
        (lambda: IPv4(1, 2, options=UNBUILT), "IPv4", "options", UNBUILT, None, "bytes: build() makes bytes of it"),
        (lambda: OpaqueExtension(135, WRONG), "OpaqueExtension", "data", WRONG, None, "bytes"),
        (lambda: OpaqueExtension(135, b"", length_field=256), "OpaqueExtension", "length_field", 256, 8,
         "a number of 8 bits"),
        (lambda: IPv6(1, 2, extension_headers=(WRONG,)), "IPv6", "extension_headers", WRONG, None,
         "an IPv6 extension header"),
        (lambda: DestinationOptions(WRONG), "DestinationOptions", "options", WRONG, None, "bytes"),
        (lambda: Routing(0, 0, WRONG), "Routing", "data", WRONG, None, "bytes"),
        (lambda: Routing(0, 0, b"", next_header=256), "Routing", "next_header", 256, 8, "a number of 8 bits"),
        (lambda: Routing(0, 0, b"", length_field=256), "Routing", "length_field", 256, 8, "a number of 8 bits"),
        (lambda: Fragment(0, 0, 0, next_header=256), "Fragment", "next_header", 256, 8, "a number of 8 bits"),
        (lambda: Authentication(1, 2, WRONG), "Authentication", "icv", WRONG, None, "bytes"),
        (lambda: Authentication(1, 2, next_header=256), "Authentication", "next_header", 256, 8, "a number of 8 bits"),
        (lambda: UDP(1, 2).require("length"), "UDP", "length", None, 16, None),
        (lambda: IPv4(1, 2).require("options"), "IPv4", "options", b"", None, None),
    ],
)  # fmt: skip
def test_fields(
    call: Callable[[], object], layer: str, field: str, value: object, bits: int | None, expected: str | None
) -> None:
    """A value that its field cannot carry."""
    with pytest.raises(FieldError) as caught:
        call()
    error = caught.value
    assert (error.layer, error.field, error.value, error.bits) == (layer, field, value, bits)
    said = f": {value!r} is not {expected}" if expected else f" is {value!r}: resolve the packet first"
    assert str(error) == f"{layer}.{field}{said}"


@pytest.mark.parametrize(
    ("value", "content", "below", "next_key", "layer", "field", "said"),
    [
        (UDP(1, 2), bytes(65528), BELOW, None, "UDP", "length", "UDP.length: 65536 does not fit 16 bits"),
        (IPv4(1, 2), bytes(65516), (), 17, "IPv4", "total_length",
         "IPv4.total_length: 65536 does not fit 16 bits"),
        (IPv6(1, 2), bytes(65536), (), 17, "IPv6", "payload_length",
         "IPv6.payload_length: 65536 does not fit 16 bits"),
        (UDP(1, 2), b"", (), None, "UDP", "checksum",
         "UDP.checksum: there is no IP layer below to take a pseudo-header from"),
        (TCP(1, 2, options=bytes(44)), b"", BELOW, None, "TCP", "data_offset",
         "TCP.data_offset: 16 does not fit 4 bits"),
        (IPv4(1, 2), b"", (), None, "IPv4", "protocol", "IPv4.protocol cannot be derived: say what follows"),
        (IPv4(1, 2), b"", (), 256, "IPv4", "protocol", "IPv4.protocol: 256 does not fit 8 bits"),
        (IPv4(1, 2, options=bytes(44)), b"", (), 17, "IPv4", "ihl", "IPv4.ihl: 16 does not fit 4 bits"),
        (IPv6(1, 2, extension_headers=(Routing(0, 0, bytes(2052)),)), b"", (), 17, "IPv6", "length_field",
         "IPv6 extension header: 2056 bytes are too long"),
        (IPv6(1, 2, extension_headers=(Authentication(1, 2, bytes(1020)),)), b"", (), 17, "Authentication",
         "length_field", "Authentication.length_field: 256 does not fit 8 bits"),
    ],
)  # fmt: skip
def test_what_cannot_be_derived(
    value: Header, content: bytes, below: Any, next_key: int | None, layer: str, field: str, said: str
) -> None:
    """A length beyond its field, an IP layer that is not there, a protocol that nobody names."""
    with pytest.raises(BuildError) as caught:
        encoded(value, content, below, next_key)
    assert (caught.value.layer, caught.value.field, str(caught.value)) == (layer, field, said)


@pytest.mark.parametrize(
    ("options", "kind", "at", "length", "left"),
    [(b"\x94", 0x94, 20, 0, 1), (b"\1\x94\1", 0x94, 21, 1, 2), (b"\x94\2\x83\5\0", 0x83, 22, 5, 3)],
)
def test_options_of_ipv4(options: bytes, kind: int, at: int, length: int, left: int) -> None:
    """Which option, where, what it says and what there is; two bytes are an option, and so are the last ones."""
    with pytest.raises(MalformedError) as caught:
        IPv4(1, 2, options=options).parsed_options()
    error = caught.value
    assert str(error) == f"IPv4 option {kind} at byte {at}: length {length} of {left} bytes left"
    assert (error.reason, error.offset, error.value) == (Reason.IPV4_OPTION_LENGTH, at, length)
    assert error.packet is None
    assert [option.data for option in IPv4(1, 2, options=b"\x94\2\x83\2").parsed_options()] == [b"", b""]


@pytest.mark.parametrize(
    ("options", "kind", "at", "length", "left"), [(b"\0\5", 5, 1, 0, 0), (b"\5\2\0\0\7\3\0", 7, 4, 3, 1)]
)
def test_options_of_ipv6(options: bytes, kind: int, at: int, length: int, left: int) -> None:
    """The same of an extension header, whose lengths count what is behind them."""
    with pytest.raises(MalformedError) as caught:
        DestinationOptions(options).parsed_options()
    error = caught.value
    assert str(error) == f"IPv6 option {kind} at byte {at}: length {length} of {left} bytes left"
    assert (error.reason, error.offset, error.value) == (Reason.IPV6_OPTION_LENGTH, at, length)
    assert error.packet is None


def test_a_header_made_here() -> None:
    """What `drafted` gives a class: widths that are checked, derived fields that may wait, addresses made on demand."""

    @drafted
    @dataclass(frozen=True, slots=True)
    class Label(Header):
        NAME: ClassVar[str] = "Label"
        BITS: ClassVar[dict[str, int]] = {"number": 4, "length": 8}
        ADDRESSES: ClassVar[Any] = {"owner": IPv4Address}
        DERIVED: ClassVar[tuple[str, ...]] = ("length",)

        number: int
        owner: Any
        length: int | None = None

        def derive(self, below: Any, content: bytes, next_key: int | None) -> Any:
            return ({"length": len(content)} if self.length is None else {}), b""

    label: Any = Label(15, bytes((192, 0, 2, 1)))
    assert label._resolved({"length": 3}).length == 3
    assert label._owner == bytes((192, 0, 2, 1))  # copies make no address
    assert label.owner == IPv4Address("192.0.2.1")
    assert label._owner is label.owner
    assert type(label).owner.__doc__ == "The field as `IPv4Address`, made of its bytes when it is first read."
    assert label.length is None
    resolved, _ = label.encode(Around((), b"abc"))
    assert (type(resolved), resolved.number, resolved.owner, resolved.length) == (Label, 15, label.owner, 3)
    assert resolved.encode(Around((), b"ab"))[0] is resolved  # with nothing to derive there is no copy
    assert label._changed({"number": 1}).number == 1
    assert Label.GETTER(label) == (15, IPv4Address("192.0.2.1"), None)
    for field, wrong in (("number", 16), ("number", None), ("number", "1"), ("length", 256), ("length", -1)):
        with pytest.raises(FieldError) as caught:
            label._changed({field: wrong})
        assert (caught.value.field, caught.value.value) == (field, wrong)
    with pytest.raises(TypeError, match="Label has no field colour, name"):
        label._changed({"name": 1, "colour": 2})
    draft = Label.DRAFT()
    draft.number = 99  # nobody checks a draft
    assert (Label.DRAFT.__name__, draft.number, hasattr(draft, "__dict__")) == ("Label", 99, False)
