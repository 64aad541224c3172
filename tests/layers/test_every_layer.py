"""What holds for every built-in layer: lossless, strict about widths, immutable, a value."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress
from vxlanpkt.bindings import LAYERS
from vxlanpkt.errors import BuildError, FieldError, TruncatedError
from vxlanpkt.kernel.contract.spans import Fault, Span
from vxlanpkt.layers.arp import ARP
from vxlanpkt.layers.base import Around, Layer
from vxlanpkt.layers.dot1q import Dot1Q
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.icmp import ICMP
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.linux_sll import LinuxSLL
from vxlanpkt.layers.linux_sll2 import LinuxSLL2
from vxlanpkt.layers.loopback import Loopback
from vxlanpkt.layers.messages import Echo
from vxlanpkt.layers.tcp import TCP
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.reasons import REASONS

MAC_A, MAC_B = "02:00:00:00:00:01", "02:00:00:00:00:02"

# One value of each layer, with every derived field given.
SAMPLES: dict[str, Any] = {
    "ARP": ARP(1, MAC_A, "192.0.2.1", MAC_B, "192.0.2.2", hardware_length=6, protocol_length=4),
    "Dot1Q": Dot1Q(5, 3, 1, 0x0800),
    "Ethernet": Ethernet(MAC_A, MAC_B, 0x0800),
    "ICMP": ICMP(8, 0, 0x1234, Echo(1, 2, b"data")),
    "ICMPv6": ICMPv6(128, 0, 0x1234, Echo(1, 2, b"data")),
    "IPv4": IPv4("192.0.2.1", "192.0.2.2", ihl=5, total_length=20, protocol=17, header_checksum=1),
    "IPv6": IPv6("2001:db8::1", "2001:db8::2", payload_length=0, next_header=17),
    "LinuxSLL": LinuxSLL(4, 1, 6, MACAddress(MAC_A), 0x0800),
    "LinuxSLL2": LinuxSLL2(0x0800, 7, 1, 4, 6, MACAddress(MAC_A), 9),
    "Loopback": Loopback(2, "little"),
    "TCP": TCP(1, 2, 3, 4, 0x12, 100, 5, b"\1\1\1\0", 6, 6, 0x1234),
    "UDP": UDP(49152, 4789, 8, 0),
    "VXLAN": VXLAN(5000, 0x88, 0x400001, 7),
    "VXLANGPE": VXLANGPE(5000, 3, 0x0C, 1, 2, 3),
}
# The fields of bits that no number can have in full: they are another field's.
LARGEST: dict[tuple[str, str], int] = {("VXLANGPE", "flags"): 0xCF}

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=[layer.NAME for layer in LAYERS])
# Of each of fourteen layers.
few = settings(max_examples=min(settings().max_examples, max(100, settings().max_examples // 100)))
every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
every_width = pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, sample in SAMPLES.items() for field in sample.BITS]
)
every_address = pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, sample in SAMPLES.items() for field in sample.ADDRESSES]
)


def _spliced(data: bytearray, at: int, *values: int) -> bytes:
    data[at : at + len(values)] = values
    return bytes(data)


def _likely(layer: type[Layer], data: bytes, small: int) -> bytes:
    """*data* with the few bytes changed that a layer would be refused for."""
    changed = bytearray(data)
    if layer is ARP:
        return _spliced(changed, 4, 6 if small & 1 else small & 7, 4 if small & 1 else small >> 3 & 7)
    if layer is IPv4:
        header = 5 + small % 6
        return _spliced(_bytes(changed, 0, 0x40 | header), 2, 0, max(header * 4, len(data) - small))
    if layer is IPv6:
        return _spliced(_bytes(changed, 0, 0x60 | small & 15), 4, 0, max(len(data) - 40 - small % 8, 0))
    if layer is UDP:
        return _spliced(changed, 4, 0, max(len(data) - small, 8))
    if layer is TCP:
        return bytes(_bytes(changed, 12, 0x50 + 0x10 * (small % 6) | small & 15))
    if layer is ICMP:
        return bytes(_bytes(changed, 0, (0, 3, 8, 11, 5)[small % 5]))
    if layer is ICMPv6:
        return bytes(_bytes(changed, 0, (1, 2, 3, 128, 129, 133, 134, 135, 136, 137, 4)[small % 11]))
    return data


def _bytes(data: bytearray, at: int, value: int) -> bytearray:
    data[at : at + 1] = (value,)
    return data


def check_lossless(layer: type[Layer], data: bytes) -> None:
    """If scan accepts, decode cannot fail, and the value encodes to the bytes that it was read from."""
    span = layer.scan(data, 0, len(data))
    if isinstance(span, Fault):
        assert REASONS[span.reason].layer in (layer.NAME, "IP")
        return
    assert 0 == span.start <= span.header_end <= span.end <= len(data)
    value = layer.decode(data, span)
    assert type(value) is layer
    full, header = value.encode(Around((), data[span.header_end : span.end], span.next_key))
    assert header == data[: span.header_end]
    assert full == value
    assert hash(full) == hash(value)
    for name in layer.DERIVED:
        assert getattr(value, name) is not None


@every_layer
@few
@given(data=st.binary(max_size=120), small=st.integers(0, 63))
def test_lossless(layer: type[Layer], data: bytes, small: int) -> None:
    """Arbitrary bytes: as they are, and with the bytes that bounds depend on made likely."""
    check_lossless(layer, data)
    check_lossless(layer, _likely(layer, data, small))


@every_layer
@few
@given(data=st.binary(min_size=40, max_size=100), small=st.integers(0, 63), before=st.binary(max_size=9))
def test_position_does_not_matter(layer: type[Layer], data: bytes, small: int, before: bytes) -> None:
    """A header reads the same wherever it lies, and in any kind of buffer; bytes outside are not looked at."""
    data = _likely(layer, data, small)
    span = layer.scan(data, 0, len(data))
    around = bytearray(before + data + b"\xff" * 7)
    shift = len(before)
    for buffer in (bytes(around), around, memoryview(around)):
        moved = layer.scan(buffer, shift, shift + len(data))
        if isinstance(span, Fault):
            assert moved == span
            continue
        start, header_end, end, key, missing = span
        assert moved == Span(start + shift, header_end + shift, end + shift, key, missing)
        assert layer.decode(buffer, moved) == layer.decode(data, span)


@every_sample
def test_cut(sample: Any) -> None:
    """Every prefix of a header is refused, and is a truncation."""
    _, header = sample.encode(Around((), b""))
    span = sample.scan(header, 0, len(header))
    assert isinstance(span, Span)
    whole = 4 if sample.NAME in ("ICMP", "ICMPv6") else len(header)
    for length in range(whole):
        fault = sample.scan(header, 0, length)
        assert isinstance(fault, Fault)
        info = REASONS[fault.reason]
        assert info.exception is TruncatedError
        assert info.layer == sample.NAME
        assert length < fault.needed <= len(header)


@every_sample
def test_decoded_is_constructed(sample: Any) -> None:
    """What is read equals what was built: in value, in hash, in type."""
    full, header = sample.encode(Around((), b""))
    assert full == sample
    span = sample.scan(header, 0, len(header))
    decoded = sample.decode(header, span)
    assert decoded == sample
    assert hash(decoded) == hash(sample)
    assert repr(decoded) == repr(sample)
    assert len({decoded, sample}) == 1


@every_width
def test_widths(name: str, field: str) -> None:
    """The largest number that a field's bits can hold is taken, and nothing beyond them."""
    sample = SAMPLES[name]
    bits = sample.BITS[field]
    largest = LARGEST.get((name, field), (1 << bits) - 1)
    for value in (0, largest):
        assert getattr(sample.replace(**{field: value}), field) == value
    for wrong in (1 << bits, -1, 1 << 200, "1", 1.0, b"\1"):
        with pytest.raises(FieldError) as caught:
            sample.replace(**{field: wrong})
        error = caught.value
        assert (error.layer, error.field, error.value, error.bits) == (name, field, wrong, bits)
        assert isinstance(error, ValueError)
        assert f"{name}.{field}" in str(error)


@every_width
def test_none_means_compute(name: str, field: str) -> None:
    """None is a value of derived fields alone, and `require` hands out numbers alone."""
    sample = SAMPLES[name]
    if field in sample.DERIVED:
        changed = sample.replace(**{field: None})
        assert getattr(changed, field) is None
        with pytest.raises(FieldError, match="resolve"):
            changed.require(field)
    else:
        with pytest.raises(FieldError):
            sample.replace(**{field: None})
    assert sample.require(field) == getattr(sample, field)


@every_width
def test_largest_survives(name: str, field: str) -> None:
    """The largest number of every field reaches the wire and comes back; nothing spills into a neighbour."""
    sample = SAMPLES[name]
    changed = sample.replace(**{field: LARGEST.get((name, field), (1 << sample.BITS[field]) - 1)})
    _, header = changed.encode(Around((), b""))
    _, other = sample.encode(Around((), b""))
    assert len(header) == len(other)
    difference = int.from_bytes(header, "big") ^ int.from_bytes(other, "big")
    spread = difference.bit_length() - (difference & -difference).bit_length() + 1 if difference else 0
    # GPE's flags lie around the version; a little-endian number is no run of bits.
    assert spread <= sample.BITS[field] + 2 * ((name, field) == ("VXLANGPE", "flags")) or field == "family"


@every_address
def test_held_address(name: str, field: str) -> None:
    """Packed bytes are the address in every respect, whether or not somebody asked for it before."""
    sample = SAMPLES[name]
    address = getattr(sample, field)

    def held() -> Any:
        return sample.replace(**{field: address.packed})

    assert held() == sample
    assert hash(held()) == hash(sample)
    assert repr(held()) == repr(sample)
    assert pickle.dumps(held()) == pickle.dumps(sample)
    assert copy.deepcopy(held()) == dataclasses.replace(held()) == held().replace() == sample
    assert held().encode(Around((), b"")) == sample.encode(Around((), b""))


@every_address
def test_address_is_made_once(name: str, field: str) -> None:
    """Who asks twice gets the same address, and an address that was given stays that very one."""
    address = getattr(SAMPLES[name], field)
    sample = SAMPLES[name].replace(**{field: address.packed})
    assert getattr(sample, field) is getattr(sample, field)
    assert type(getattr(sample, field)) is type(address)
    assert getattr(sample.replace(**{field: address}), field) is address
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sample, field, address)


@every_address
def test_held_address_is_checked(name: str, field: str) -> None:
    """Bytes are held only if they are as many as the address has: all else is refused at once."""
    sample = SAMPLES[name]
    packed = getattr(sample, field).packed
    for wrong in (b"", packed[:-1], packed + b"\0", bytearray(packed), None):
        with pytest.raises(FieldError) as caught:
            sample.replace(**{field: wrong})
        assert (caught.value.layer, caught.value.field, caught.value.value) == (name, field, wrong)


@every_sample
def test_replace(sample: Any) -> None:
    """`replace` changes what it is told to and leaves the value itself alone; an unknown field is a TypeError."""
    before = repr(sample)
    field = next(iter(sample.BITS))
    changed = sample.replace(**{field: 1 if getattr(sample, field) != 1 else 2})
    assert changed != sample
    assert repr(sample) == before
    for other in sample.__slots__:
        if other != field:
            assert getattr(changed, other) == getattr(sample, other)
    assert sample.replace() == sample
    with pytest.raises(TypeError, match="nothing_of_the_kind"):
        sample.replace(nothing_of_the_kind=1)


@every_sample
def test_value(sample: Any) -> None:
    """Frozen, pickled and copied; equal only to its own type."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sample, sample.__slots__[0], 0)
    with pytest.raises((AttributeError, TypeError)):
        sample.no_such_field = 1
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert copy.deepcopy(sample) == sample
    assert hash(copy.copy(sample)) == hash(sample)
    fields = tuple(getattr(sample, name) for name in sample.__slots__)
    assert sample != fields
    assert all(sample != other for other in SAMPLES.values() if other is not sample)
    assert sample.__match_args__ == sample.__slots__


@every_sample
def test_names(sample: Any) -> None:
    """Every layer has what the protocol asks for."""
    assert isinstance(sample, Layer)
    sample = cast("Any", sample)
    assert type(sample).__name__ == sample.NAME
    assert set(sample.DERIVED) <= set(sample.__slots__)
    assert set(sample.BITS) <= set(sample.__slots__)
    assert sample.NEXT_FIELD is None or sample.NEXT_FIELD in sample.DERIVED
    assert sample.TUNNEL is (sample.NAME in ("VXLAN", "VXLANGPE"))


def test_every_layer_has_a_sample() -> None:
    """No layer is left out of this file."""
    assert {layer.NAME for layer in LAYERS} == set(SAMPLES)


@pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if sample.NEXT_FIELD])
def test_next_is_derived(name: str) -> None:
    """The field that names what follows is taken from it, and cannot be made up."""
    sample = SAMPLES[name]
    blank = sample.replace(**{sample.NEXT_FIELD: None})
    full, header = blank.encode(Around((), b"", 3))
    assert getattr(full, sample.NEXT_FIELD) == 3
    assert sample.replace(**{sample.NEXT_FIELD: 3}).encode(Around((), b""))[1] == header
    with pytest.raises(BuildError) as caught:
        blank.encode(Around((), b""))
    assert (caught.value.layer, caught.value.field) == (name, sample.NEXT_FIELD)
    with pytest.raises(BuildError):
        blank.encode(Around((), b"", 1 << 40))
