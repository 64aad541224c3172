"""What is to hold of the library on any bytes: it raises nothing but its own errors, and loses nothing."""

from __future__ import annotations

from typing import Any

from vxlanpkt import (
    VXLAN,
    DecapPolicy,
    FieldError,
    FrameBatch,
    LinkType,
    Packet,
    ParseError,
    Tunnel,
    decap,
    decap_batch,
    dissect,
    encap_batch,
    flow_hash,
    parse,
)
from vxlanpkt.errors import BuildError, Reason

from .inputs import Input

STARTS: tuple[Any, ...] = (*LinkType, VXLAN)
POLICIES = (
    DecapPolicy(lengths="captured", ecn="rfc6040", gpe=True), DecapPolicy.STRICT, DecapPolicy.LINUX_GBP,
    DecapPolicy.LINUX_GPE, DecapPolicy.OVS, DecapPolicy.VPP,
    DecapPolicy(lengths="snapped", inner_vlan="strip", ecn="linux", fragments="atomic"),
)  # fmt: skip
TUNNELS = (
    Tunnel(7, "192.0.2.1", "192.0.2.2", df="inherit", ttl="inherit", dscp="inherit", udp_checksum="inner"),
    Tunnel(7, "2001:db8::1", "2001:db8::2", flow_label="hash", symmetric=True),
)


def check(data: bytes) -> None:
    """What is to hold of the frame of an input."""
    one = Input(data)
    frame = one.data()
    start = STARTS[one.kind % len(STARTS)]
    policy = POLICIES[one.number % len(POLICIES)]
    original = len(frame) + one.number % 64
    _check_parsers(frame, start, original)
    _check_decap(frame, start, policy, original)
    for tunnel in TUNNELS:
        _check_encap(frame, tunnel)


def _check_parsers(frame: bytes, start: Any, original: int) -> None:
    """Any frame can be dissected and printed; what parses is built again as it was."""
    found = dissect(frame, start=start, original_length=original)
    assert str(found) and repr(found)
    try:
        packet = parse(frame, start=start)
    except ParseError as error:
        assert str(error)
    else:
        assert isinstance(packet, Packet) and packet.build() == frame
        assert str(packet)


def _check_decap(frame: bytes, start: Any, policy: DecapPolicy, original: int) -> None:
    """One frame and a batch of it end the same way."""
    batch = decap_batch(
        FrameBatch.from_frames([frame], original_lengths=[original]), policy=policy, start=start
    )  # fmt: skip
    try:
        got = decap(frame, policy=policy, start=start, original_length=original)
    except ParseError as error:
        assert batch.status[0] == error.reason is not Reason.OK
        assert str(error) == str(batch.error(0))
    else:
        assert batch.status[0] == Reason.OK
        assert batch.inner[0] == got.inner


def _check_encap(frame: bytes, tunnel: Tunnel) -> None:
    """What goes into a tunnel comes out, and a batch is encapsulated as one frame is."""
    try:
        wire = tunnel.encap(frame, identification=1)
    except (BuildError, FieldError) as error:
        assert str(error)
        return
    assert encap_batch(FrameBatch.from_frames([frame]), tunnel, identification=1)[0] == wire
    assert 0 <= flow_hash(frame) < 1 << 32
    if len(frame) >= 14:
        assert decap(wire).inner == frame
