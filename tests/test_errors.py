"""The exception tree, and the table that gives each Reason its class, its layer and its sentence."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from vxlanpkt.bindings import LAYERS
from vxlanpkt.errors import (
    BuildError,
    CaptureError,
    ChecksumError,
    DecapError,
    FieldError,
    LayerNotFound,
    MalformedError,
    PacketError,
    ParseError,
    Reason,
    TruncatedError,
)
from vxlanpkt.packet import Packet, parse
from vxlanpkt.reasons import REASONS

PARSED: dict[str, Any] = {"reason": Reason.UDP_TRUNCATED, "layer": "UDP", "offset": 34, "packet": None}
EXAMPLES: list[tuple[PacketError, dict[str, Any]]] = [
    (cls("what is wrong", **parts), parts)
    for cls, parts in (
        (PacketError, {}),
        (FieldError, {"layer": "VXLAN", "field": "vni", "value": 1 << 24, "bits": 24}),
        (FieldError, {"layer": "Tunnel", "field": "src", "value": [1, "x"], "bits": None}),
        (BuildError, {"layer": "UDP", "field": "length"}),
        (ParseError, PARSED),
        (TruncatedError, {**PARSED, "needed": 100, "available": 60, "limited_by": "IPv4.total_length"}),
        (MalformedError, {**PARSED, "reason": Reason.UDP_LENGTH, "field": "length", "value": 7}),
        (ChecksumError, {**PARSED, "reason": Reason.UDP_CHECKSUM, "expected": 1, "found": 2}),
        (DecapError, {**PARSED, "reason": Reason.VNI_REFUSED, "packet": Packet(payload=b"x")}),
        (LayerNotFound, {}),
        (CaptureError, {"offset": 24}),
        (CaptureError, {"offset": None}),
    )
]
every_example = pytest.mark.parametrize(("error", "parts"), EXAMPLES, ids=lambda value: type(value).__name__)


def test_tree() -> None:
    """Everything descends from PacketError, and from the standard class that callers would expect."""
    assert all(
        issubclass(cls, PacketError) for cls in (FieldError, BuildError, ParseError, LayerNotFound, CaptureError)
    )
    assert all(issubclass(cls, ParseError) for cls in (TruncatedError, MalformedError, ChecksumError, DecapError))
    assert all(issubclass(cls, ValueError) for cls in (FieldError, BuildError, ParseError))
    assert issubclass(LayerNotFound, KeyError)
    assert not issubclass(CaptureError, ValueError)


@every_example
def test_attributes(error: PacketError, parts: dict[str, Any]) -> None:
    """What an error is told it says; its text is the message alone, also where KeyError would quote it."""
    assert {name: getattr(error, name) for name in parts} == parts
    assert str(error) == "what is wrong"
    assert "what is wrong" in repr(error)


@every_example
def test_pickle_and_copy(error: PacketError, parts: dict[str, Any]) -> None:
    """Errors cross process boundaries with everything that they say."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert {name: getattr(other, name) for name in parts} == parts


def test_raised_errors_pickle() -> None:
    """So does one that was raised, with the layers before the fault."""
    frame = bytes.fromhex("020000000002 020000000001 0800 4500")
    with pytest.raises(TruncatedError) as caught:
        parse(frame)
    error = caught.value
    assert error.packet is not None
    other = pickle.loads(pickle.dumps(error))
    assert (other.reason, other.layer, other.offset) == (Reason.IPV4_HEADER_TRUNCATED, "IPv4", 14)
    assert (other.needed, other.available, other.limited_by) == (20, 2, "capture")
    assert other.packet == error.packet
    assert other.packet.layers == parse(frame[:12] + b"\x88\xb5").replace(LAYERS[0], ethertype=0x0800).layers


def test_table_is_complete() -> None:
    """Every Reason but OK has a row."""
    assert set(REASONS) == set(Reason) - {Reason.OK}
    assert Reason.OK.value == 0


def test_codes() -> None:
    """Codes fit the uint8 of status columns, and are counted through without gaps."""
    assert sorted(Reason) == list(range(len(Reason)))
    assert max(Reason) < 256
    assert len(Reason.__members__) == len(Reason)


@pytest.mark.parametrize("reason", list(REASONS), ids=lambda reason: reason.name)
def test_rows(reason: Reason) -> None:
    """A row's class is one that is raised, its layer one that exists, its sentence one for people."""
    info = REASONS[reason]
    assert issubclass(info.exception, (ParseError, BuildError))
    assert info.exception is not ParseError
    assert info.layer in {layer.NAME for layer in LAYERS} | {"", "IP", "Tunnel"}
    assert info.text[0].islower() or info.text.startswith("IP ")
    assert not info.text.endswith(".")
    if reason.name.endswith("TRUNCATED"):
        assert info.exception is TruncatedError
    if reason.name.endswith("CHECKSUM"):
        assert info.exception is ChecksumError


def test_table_is_read_only() -> None:
    """The table cannot be changed."""
    with pytest.raises(TypeError):
        REASONS[Reason.OK] = REASONS[Reason.FRAGMENT]  # type: ignore[index]
