"""The presets of `DecapPolicy`: what each makes of the odd inputs, and what real receivers made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt import (
    UDP,
    VXLAN,
    DecapPolicy,
    FieldError,
    FrameBatch,
    ParseError,
    Reason,
    TruncatedError,
    decap,
    decap_batch,
)

from .live.odd_inputs import listed
from .live.receivers import LINUX, OVS, Receiver

INPUTS = {one.name: one for one in listed()}
RECORDED = json.loads((Path(__file__).parent / "data" / "odd_verdicts.json").read_text("ascii"))
PRESETS = {name: value for name, value in vars(DecapPolicy).items() if isinstance(value, DecapPolicy)}
RECEIVERS = {**LINUX, **OVS}

# Which presets accept an input. One line for each decision that implementations take in different ways.
ACCEPTED_BY = {
    "plain": "RFC7348 LINUX LINUX_GBP OVS VPP STRICT",
    "i-clear": "",
    "byte-0-bit-0": "RFC7348",
    "byte-0-bit-1": "RFC7348",
    "byte-0-bit-6": "RFC7348",
    "byte-0-bit-7": "RFC7348 LINUX_GBP",
    "byte-1-bit-0": "RFC7348 LINUX_GBP VPP",
    "byte-2-bit-7": "RFC7348 LINUX_GBP VPP",
    "byte-3-bit-0": "RFC7348 LINUX_GBP VPP",
    "byte-7-bit-0": "RFC7348",
    "gbp-both-marks": "RFC7348 LINUX_GBP",
    "gbp-g-clear-with-id": "RFC7348 LINUX_GBP VPP",
    "gbp-and-p": "RFC7348",
    "gpe-next-protocol-1": "RFC7348 LINUX_GPE",
    "gpe-next-protocol-3": "RFC7348 LINUX_GPE OVS",
    "gpe-next-protocol-6": "RFC7348",
    "gpe-version-1": "RFC7348",
    "gpe-oam": "RFC7348",
    "gpe-bum": "RFC7348",
    "ip-option-nop": "RFC7348 LINUX LINUX_GBP STRICT",
    "ip-option-strict-source-route": "RFC7348",
    "ip6-hop-by-hop": "RFC7348 LINUX LINUX_GBP STRICT",
    "ip6-hop-by-hop-no-checksum": "RFC7348 OVS",
    "ip6-destination-options": "RFC7348 LINUX LINUX_GBP STRICT",
    "ip6-fragment-atomic": "LINUX LINUX_GBP",
    "fragment-first": "",
    "fragment-last": "",
    "ip-checksum-wrong": "RFC7348",
    "udp-checksum-wrong": "RFC7348",
    "udp-checksum-partial": "RFC7348",
    "udp-checksum-zero": "RFC7348 LINUX LINUX_GBP OVS VPP STRICT",
    "udp-checksum-zero-ipv6": "RFC7348 OVS VPP",
    "udp-length-7": "OVS",
    "udp-length-0-ipv6": "LINUX LINUX_GBP OVS",
    "udp-length-0-without-checksum-ipv6": "OVS",
    "udp-length-one-over": "OVS VPP",
    "udp-length-20-over": "OVS VPP",
    "udp-length-21-over": "OVS",
    "udp-length-one-over-ipv6": "OVS",
    "udp-length-one-short": "RFC7348 LINUX LINUX_GBP OVS VPP STRICT",
    "inner-of-13": "",
    "inner-of-14": "RFC7348 LINUX LINUX_GBP OVS VPP STRICT",
    "inner-ipv4-of-19": "RFC7348 OVS VPP",
    "inner-ipv6-of-39": "RFC7348 OVS VPP",
    "inner-source-zero": "RFC7348 OVS VPP",
    "inner-source-multicast": "RFC7348 OVS VPP",
    "inner-tags-1": "LINUX LINUX_GBP OVS VPP",
    "ecn-3-outside-0-inside-ipv4": "RFC7348 VPP",
    "ecn-3-outside-0-inside-tagged": "LINUX LINUX_GBP VPP",
    "ip-source-multicast": "RFC7348 OVS VPP",
    "padding-nonzero": "RFC7348 LINUX LINUX_GBP OVS VPP STRICT",
}


@pytest.mark.parametrize("name", ACCEPTED_BY)
def test_decisions(name: str) -> None:
    """Each preset decides as the table says that its implementation does."""
    accepted = {preset for preset, policy in PRESETS.items() if _inner(INPUTS[name].frame, policy) is not None}
    assert accepted == set(ACCEPTED_BY[name].split())


def test_every_preset_is_named_once() -> None:
    """The default is RFC 7348 with inner tags kept, and no two presets are the same policy."""
    assert DecapPolicy() == DecapPolicy.RFC7348.replace(inner_vlan="keep")
    assert len({*PRESETS.values()}) == len(PRESETS) == 7


def test_martian_sources() -> None:
    """RFC 1122 section 3.2.1.3, and of 0.0.0.0/8 what Linux makes of it: the check is one of its own."""
    policy = DecapPolicy(check_outer_source=True)
    sources = {name: one.frame for name, one in INPUTS.items() if name.startswith(("ip-source-", "ip6-source-"))}
    assert all(_inner(frame, DecapPolicy()) is not None for frame in sources.values())
    refused = {name for name, frame in sources.items() if _inner(frame, policy) is None}
    assert refused == {
        "ip-source-loopback", "ip-source-multicast", "ip-source-broadcast", "ip-source-zero",
        "ip6-source-loopback", "ip6-source-multicast",
    }  # fmt: skip


def test_a_udp_length_of_zero() -> None:
    """RFC 2675 section 4: over IPv6 it stands for all bytes there, and the checksum has their number."""
    policy = DecapPolicy(udp_length="jumbo", verify_udp_checksum=True)
    frame = INPUTS["udp-length-0-ipv6"].frame
    assert _inner(frame, policy) == _inner(INPUTS["plain-ipv6"].frame, policy) is not None
    assert _inner(frame[:-1] + bytes([frame[-1] ^ 1]), policy) is None
    assert _inner(INPUTS["udp-length-0"].frame, policy) is None
    assert _inner(frame, DecapPolicy()) is None


@pytest.mark.parametrize("version", range(4))
def test_gpe_versions(version: int) -> None:
    """Open vSwitch does not look at the version of a header with P; without P the same bits are reserved ones."""
    ovs = DecapPolicy.OVS.replace(verify_udp_checksum=False)
    frame = bytearray(INPUTS["gpe-next-protocol-3"].frame)
    frame[42] |= version << 4
    assert _inner(bytes(frame), ovs) is not None
    assert (_inner(bytes(frame), DecapPolicy(gpe=True)) is not None) is (version == 0)
    frame[42] &= ~0x04
    frame[45] = 0
    assert (_inner(bytes(frame), ovs) is not None) is (version == 0)


@pytest.mark.parametrize("preset", ["RFC7348", "LINUX", "LINUX_GBP"])
def test_strict_is_the_strictest(preset: str) -> None:
    """STRICT refuses what these refuse, but for a mark around what is no IP: Linux believes the EtherType."""
    passed = {
        name for name, one in INPUTS.items()
        if _inner(one.frame, DecapPolicy.STRICT) is not None and _inner(one.frame, PRESETS[preset]) is None
    }  # fmt: skip
    assert passed <= {"ecn-3-around-wrong-version", "ecn-3-around-wrong-version-over-ipv6"}


def test_ports_are_numbers() -> None:
    """True is no port."""
    with pytest.raises(FieldError, match="True is not a number of 16 bits"):
        DecapPolicy(ports=(True,))


@pytest.mark.parametrize("receiver", RECEIVERS.values(), ids=RECEIVERS)
def test_recorded_verdicts(receiver: Receiver) -> None:
    """`decap` and `decap_batch` give what the receiver gave, as it was recorded; what is excepted is named there."""
    recorded = RECORDED[receiver.name]
    inputs = [one for one in receiver.inputs([*INPUTS.values()]) if one.name not in recorded["excepted"]]
    frames = [one.frame for one in inputs]
    batch = decap_batch(FrameBatch.from_frames(frames), policy=receiver.policy)
    for row, one in enumerate(inputs):
        inner = _inner(one.frame, receiver.policy)
        assert (None if inner is None else inner.hex()) == recorded["accepted"].get(one.name), one.name
        assert (batch.status[row] == Reason.OK) is (inner is not None), one.name
        if inner is not None:
            assert bytes(batch.inner[row]) == inner, one.name


def test_what_ignores_udp_is_limited_by_ip() -> None:
    """Where UDP's length is not looked at, an error does not name it."""
    with pytest.raises(TruncatedError) as caught:
        decap(INPUTS["ip-total-length-36"].frame, policy=DecapPolicy.OVS)
    assert (caught.value.reason, caught.value.limited_by) == (Reason.INNER_TRUNCATED, "IPv4.total_length")


def test_outer_headers_of_what_ignores_udp() -> None:
    """The outer headers can be read, and built again, whatever UDP's length says."""
    frame = INPUTS["udp-length-65535"].frame
    got = decap(frame, policy=DecapPolicy.OVS)
    assert got.outer[UDP].length == 65535
    assert got.outer.build() + got.inner == frame


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpe", "gbp"), ("check_inner_length", "ovs"), ("ip_options", "some"), ("udp_length", 0), ("ecn", "vpp"),
     ("fragments", True), ("gbp", "no"), ("zero_checksum6", None), ("gpe", 2), ("check_inner_source", "linux")],
)  # fmt: skip
def test_words(field: str, value: object) -> None:
    """A word that a parameter does not have is refused, and the error names those that it has."""
    with pytest.raises(FieldError, match=f"DecapPolicy.{field}: .* is not one of") as caught:
        DecapPolicy(**{field: value})  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.value) == (field, value)


def _inner(frame: bytes, policy: DecapPolicy) -> bytes | None:
    try:
        return decap(frame, policy=policy).inner
    except ParseError as error:
        assert error.reason is not Reason.OK
        return None


def test_a_prefix_that_is_no_list() -> None:
    with pytest.raises(FieldError, match=r"'10\.0\.0\.0/8' is not an iterable of prefixes: \['10\.0\.0\.0/8'\] is$"):
        DecapPolicy(allowed_sources="10.0.0.0/8")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("linux", "policy: 'linux' is not a DecapPolicy: DecapPolicy.presets()['linux'] is one"),
        ("LINUX_GBP", "policy: 'LINUX_GBP' is not a DecapPolicy: DecapPolicy.presets()['linux-gbp'] is one"),
        ("mine", "policy: 'mine' is not a DecapPolicy"),
        (None, "policy: None is not a DecapPolicy"),
        (DecapPolicy, f"policy: {DecapPolicy!r} is not a DecapPolicy"),
    ],
)
def test_what_is_no_policy(value: Any, said: str) -> None:
    """The error names the argument, and the preset whose name was given in its place."""
    frame = INPUTS["plain"].frame
    batch = FrameBatch.from_frames([frame])
    calls: list[Callable[[], object]] = [
        lambda: decap(frame, policy=value),
        lambda: decap(frame[42:], policy=value, start=VXLAN, source="192.0.2.1"),
        lambda: decap_batch(batch, policy=value),
        lambda: decap_batch(batch, policy=value, columns="brief"),
    ]
    for call in calls:
        with pytest.raises(FieldError) as caught:
            call()
        assert (str(caught.value), caught.value.field, caught.value.value) == (said, "policy", value)


def test_a_fault_that_is_not_the_policys(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed on as it is."""

    def faulty(*_: object) -> None:
        raise TypeError("a fault of our own")

    monkeypatch.setattr("vxlanpkt.decapsulation.locate_inner", faulty)
    with pytest.raises(TypeError, match="a fault of our own"):
        decap(INPUTS["plain"].frame)
