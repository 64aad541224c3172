"""What holds of every value that is no layer: as frozen dataclasses, but for the time that these take to load."""

from __future__ import annotations

import copy
import pickle
import sys
from collections import Counter
from dataclasses import FrozenInstanceError
from ipaddress import ip_address
from typing import Any

import pytest

from vxlanpkt import DecapPolicy, FieldError, Flow, Interface, Record, Tunnel
from vxlanpkt.analysis import VTEP
from vxlanpkt.capture import CaptureStats, JobResult, VNIStats
from vxlanpkt.capture.origins import Part

_A, _B = ip_address("192.0.2.1"), ip_address("192.0.2.2")
VALUES = (
    Record(1_000_000_000, b"abc", 5, interface=1, options=((1, b"a comment"),)),
    Interface(101, 96, tsresol=9, tsoffset=-1, fcslen=4, options=((2, b"eth0"),)),
    Part("a.pcap", 24, 1000),
    Flow(1, _A, _B, 1024, 80, 6, 0x0800, 7, 700, 1, 2, 3, 0x12),
    VTEP(_A, _B, 7, 700, 1050, (1, 2), None, None, 3),
    DecapPolicy(vnis=(1, 2), ecn="rfc6040"),
    Tunnel(1, "192.0.2.1", "192.0.2.2", ttl="inherit"),
)
named = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__match_args__}


@named
def test_equal_by_its_fields(value: Any) -> None:
    again = type(value)(**_fields(value))
    assert again == value and hash(again) == hash(value) and again is not value
    assert value != tuple(_fields(value).values())


@named
def test_each_field_counts(value: Any) -> None:
    for name in value.__match_args__:
        other = copy.copy(value)
        object.__setattr__(other, name, "something else")
        assert other != value


@named
def test_frozen(value: Any) -> None:
    from dataclasses import FrozenInstanceError

    for name in (*value.__match_args__, "unknown"):
        with pytest.raises(FrozenInstanceError, match=name):
            setattr(value, name, 1)
        with pytest.raises(AttributeError, match=name):
            delattr(value, name)


@named
def test_shown_with_its_fields(value: Any) -> None:
    said = ", ".join(f"{name}={field!r}" for name, field in _fields(value).items())
    assert repr(value) == f"{type(value).__name__}({said})"


@named
def test_copied_and_pickled(value: Any) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value and type(again) is type(value)


@named
def test_the_constructor_takes_its_fields_in_order(value: Any) -> None:
    """So that `match` takes apart what was put together."""
    annotated = [name for name in type(value).__annotations__ if name in value.__match_args__]
    assert tuple(annotated) == value.__match_args__


@pytest.mark.skipif(sys.version_info < (3, 13), reason="it came with Python 3.13")
@named
def test_copy_replace(value: Any) -> None:  # pragma: no cover
    assert copy.replace(value) == value  # type: ignore[attr-defined,unused-ignore]


def test_replace() -> None:
    """A changed copy, checked as the constructor does."""
    record, interface = VALUES[0], VALUES[1]
    assert isinstance(record, Record) and isinstance(interface, Interface)
    assert record.replace(data=b"abcde") == Record(
        1_000_000_000, b"abcde", 5, interface=1, options=((1, b"a comment"),)
    )  # fmt: skip
    assert interface.replace(fcslen=0, options=()) == Interface(101, 96, tsresol=9, tsoffset=-1)
    with pytest.raises(FieldError, match="16 bits"):
        record.replace(link_type=1 << 16)
    with pytest.raises(TypeError, match="colour"):
        interface.replace(colour="red")  # type: ignore[call-arg]


def test_match() -> None:
    match VALUES[3]:
        case Flow(vni, src, dst, _, port):
            assert (vni, src, dst, port) == (1, _A, _B, 80)
        case _:
            pytest.fail("no flow")


def test_counts_change() -> None:
    """What is counted into is equal by its fields too, but no key."""
    first, second = VNIStats(1, 2), VNIStats(1, 2)
    assert first == second and pickle.loads(pickle.dumps(first)) == first
    second.packets += 1
    assert first != second
    assert repr(second) == "VNIStats(packets=2, inner_bytes=2)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)
    stats = CaptureStats()
    stats.vnis[1] = first
    assert copy.deepcopy(stats) == stats != CaptureStats()
    assert JobResult(stats, ("a.pcap",), 1) == JobResult(copy.deepcopy(stats), ("a.pcap",), 1, 0)


class Named(Tunnel):
    """A tunnel with a name beside its fields."""

    def __init__(self, name: str, *fields: Any, **others: Any) -> None:
        super().__init__(*fields, **others)
        self.name = name


def test_what_is_derived_from_a_value_has_more_of_its_own() -> None:
    """Its fields stay as they are, and what it has beside them does not."""
    named = Named("uplink", 7, "192.0.2.1", "192.0.2.2", src_mac=1, dst_mac=2)
    named.name = "downlink"
    del named.name
    with pytest.raises(FrozenInstanceError, match="cannot change field 'vni'"):
        setattr(named, "vni", 8)  # noqa: B010 - type checkers know better
    with pytest.raises(FrozenInstanceError, match="cannot change field 'vni'"):
        delattr(named, "vni")


def test_counts_are_made_with_their_fields() -> None:
    """As those of whoever puts them together."""
    stats = CaptureStats(3, 2, {7: VNIStats(2, 100)}, error=None)
    assert (stats.records, stats.vxlan, stats.vnis[7].inner_bytes, stats.reasons) == (3, 2, 100, Counter())
    assert stats.__replace__(records=4).records == 4
