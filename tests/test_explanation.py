"""`explain`: its verdicts are those of `decap` and `decap_batch`, and what it says would help does help."""

from __future__ import annotations

import itertools
import os
import pickle
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import (
    REASONS,
    REMEDIES,
    VXLAN,
    DecapPolicy,
    Explanation,
    FieldError,
    FrameBatch,
    LinkType,
    OfFrame,
    ParseError,
    Reason,
    Tunnel,
    Verdict,
    decap,
    decap_batch,
    explain,
)
from vxlanpkt.starts import Start
from vxlanpkt.strategies import frames, hostile_frames, mutated, policies, vxlan_frames

from .live.odd_inputs import Input, listed

EXAMPLES = int(os.environ.get("VXLANPKT_EXAMPLES", "100"))
law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
PRESETS = DecapPolicy.presets()
ODD = listed()
ODD_PORT = 50_000  # where the odd inputs come from, and answers go
TUNNEL = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2")
TUNNEL6 = Tunnel(vni=5000, src="2001:db8::1", dst="2001:db8::2", udp_checksum="zero")
INNER = bytes.fromhex("020000000002 020000000001 88b5") + bytes(46)
PLAIN = TUNNEL.encap(INNER)
PLAIN6 = TUNNEL6.encap(INNER)

# What takes these away depends on the frame: a fragment that is one, a port that is another's, a length that is
# neither 0 nor too small.
SOMETIMES = frozenset((
    Reason.NOT_VXLAN, Reason.FRAGMENT, Reason.IPV4_TOTAL_LENGTH, Reason.IPV6_EXTENSION_TRUNCATED,
    Reason.UDP_HEADER_TRUNCATED, Reason.VXLAN_TRUNCATED, Reason.INNER_TRUNCATED,
))  # fmt: skip
# What the odd inputs have none of, or no preset asks for.
ELSEWHERE = frozenset((
    Reason.CAPTURE_CUT, Reason.VNI_REFUSED, Reason.SOURCE_REFUSED, Reason.INNER_OWN_MAC,
    Reason.IPV6_EXTENSION_TRUNCATED,
))  # fmt: skip


def refused(frame: bytes, policy: DecapPolicy, **how: Any) -> ParseError | None:
    try:
        decap(frame, policy=policy, **how)
    except ParseError as error:
        return error
    return None


def alone(frame: bytes, policy: DecapPolicy, reason: Reason) -> Iterator[bool]:
    """For each change that is listed for a reason: whether it takes the reason away, made alone."""
    for change in REMEDIES[reason].changes:
        value = change.value
        if value is OfFrame.UDP_PORT:
            value = (*policy.ports, ODD_PORT)
        after = refused(frame, policy.replace(**{change.parameter: value}))
        yield after is None or after.reason is not reason


# -- what is said is what decap says


@law
@given(
    frame=st.one_of(vxlan_frames().map(bytes), frames().map(bytes), mutated(vxlan_frames()), hostile_frames()),
    chosen=st.lists(policies(), max_size=3),
    start=st.sampled_from((LinkType.ETHERNET, LinkType.RAW, VXLAN)),
    beyond=st.sampled_from((None, 0, 1, 1000)),
)
def test_verdicts_are_those_of_decap(frame: bytes, chosen: list[DecapPolicy], start: Start, beyond: int | None) -> None:
    """For presets and any other policies: one frame, a batch, and an explanation agree, to the last word."""
    if start is VXLAN:
        chosen = [policy.replace(allowed_sources=None) for policy in chosen]
    named = PRESETS | {str(number): policy for number, policy in enumerate(chosen)}
    original = None if beyond is None else len(frame) + beyond
    explanation = explain(frame, named, start=start, original_length=original)
    batch = FrameBatch.from_frames([frame], original_lengths=None if original is None else [original])
    assert list(explanation) == list(named)
    for name, policy in named.items():
        verdict = explanation[name]
        result = decap_batch(batch, policy=policy, start=start)
        error = refused(frame, policy, start=start, original_length=original)
        assert verdict.policy is policy
        assert verdict.reason == result.status[0]
        assert verdict.accepted == (error is None) == (name in explanation.accepted_by)
        assert verdict.text == ("" if error is None else str(error)) == str(result.error(0) or "")
        assert (verdict.error is None) == (error is None)
        assert verdict.error is None or vars(verdict.error) == vars(error)


@law
@given(frame=st.one_of(mutated(vxlan_frames()), hostile_frames()), policy=policies())
def test_changes_are_true(frame: bytes, policy: DecapPolicy) -> None:
    """The policy with the changes accepts the frame; and where there are none to make, none are named."""
    for verdict in explain(frame, {**PRESETS, "any": policy}).values():
        if verdict.changes:
            decap(frame, policy=verdict.policy.replace(**verdict.changes))
        assert not (verdict.accepted and verdict.changes)


# -- what decides a reason


@pytest.mark.parametrize("name", PRESETS)
def test_a_change_alone_takes_the_reason_away(name: str) -> None:
    """For each odd input that a preset refuses: one parameter, changed alone, and that refusal is gone."""
    met: Counter[Reason] = Counter()
    for odd in ODD:
        error = refused(odd.frame, PRESETS[name])
        if error is None or error.reason in SOMETIMES or not REMEDIES[error.reason].changes:
            continue
        met[error.reason] += 1
        assert any(alone(odd.frame, PRESETS[name], error.reason)), (odd.name, error.reason)
    assert met


@pytest.mark.parametrize("reason", sorted(SOMETIMES - ELSEWHERE), ids=lambda reason: reason.name)
def test_a_change_helps_sometimes(reason: Reason) -> None:
    """Where it depends on the frame, there is one for which it is so."""
    assert any(
        any(alone(odd.frame, policy, reason))
        for odd in ODD
        for policy in PRESETS.values()
        if (error := refused(odd.frame, policy)) is not None and error.reason is reason
    )


def test_every_change_is_of_use() -> None:
    """Of each reason, each of the changes listed takes it away from some odd input."""
    idle = {
        (reason, change) for reason in set(REMEDIES) - ELSEWHERE for change in REMEDIES[reason].changes
    }  # fmt: skip
    for odd, policy in itertools.product(ODD, PRESETS.values()):
        error = refused(odd.frame, policy)
        if error is not None:
            helps = zip(REMEDIES[error.reason].changes, alone(odd.frame, policy, error.reason), strict=True)
            idle -= {(error.reason, change) for change, helped in helps if helped}
    assert idle == set()


LENIENT: list[DecapPolicy] = []
for rules in itertools.product(
    (False, True, "linux", "ovs"), ("check", "jumbo", "ignore", "overrun"), ("strict", "snapped", "captured")
):  # fmt: skip
    chosen: dict[str, Any] = dict(zip(("gpe", "udp_length", "lengths"), rules, strict=True))
    LENIENT.append(DecapPolicy((4789, ODD_PORT), fragments="atomic", **chosen))


def test_nothing_helps_where_nothing_is_listed() -> None:
    """Where no change is listed, the most lenient policies refuse the frame, too."""
    hopeless = [odd for odd in ODD if _is_hopeless(odd)]
    assert len(hopeless) > 10
    for odd, policy in itertools.product(hopeless, LENIENT):
        assert refused(odd.frame, policy) is not None, odd.name


def _is_hopeless(odd: Input) -> bool:
    error = refused(odd.frame, DecapPolicy())
    return error is not None and not REMEDIES[error.reason].changes


@pytest.mark.parametrize(
    ("frame", "policy", "how", "reason"),
    [
        (PLAIN[:80], DecapPolicy(), {"original_length": len(PLAIN)}, Reason.CAPTURE_CUT),
        (PLAIN, DecapPolicy(vnis=(1,)), {}, Reason.VNI_REFUSED),
        (PLAIN, DecapPolicy(allowed_sources=("10.0.0.0/8",)), {}, Reason.SOURCE_REFUSED),
        (PLAIN, DecapPolicy(own_macs=("02:00:00:00:00:01",)), {}, Reason.INNER_OWN_MAC),
    ],
)
def test_what_no_preset_asks_for(frame: bytes, policy: DecapPolicy, how: dict[str, Any], reason: Reason) -> None:
    verdict = explain(frame, {"mine": policy}, **how)["mine"]
    assert verdict.reason is reason
    (change,) = REMEDIES[reason].changes
    assert verdict.changes == {change.parameter: change.value}


def test_a_length_that_was_left_to_the_network_card() -> None:
    """IPv6 with a payload length of 0 and extension headers behind it."""
    odd = bytearray(next(odd.frame for odd in ODD if odd.name == "ip6-hop-by-hop"))
    odd[18:20] = bytes(2)
    verdict = explain(bytes(odd))["default"]
    assert verdict.reason is Reason.IPV6_EXTENSION_TRUNCATED
    assert verdict.changes == {"lengths": "captured"}


def test_another_port() -> None:
    """A port is added to those that the policy has."""
    wire = TUNNEL.replace(dst_port=51820).encap(INNER)
    verdict = explain(wire, {"one": DecapPolicy((4789,))})["one"]
    assert verdict.reason is Reason.NOT_VXLAN
    assert verdict.changes == {"ports": (4789, 51820)}
    arp = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(28)
    assert explain(arp)["default"].changes == {}


def marked(first_word: int) -> bytes:
    """A plain frame with another first word of the VXLAN header."""
    return PLAIN[:42] + first_word.to_bytes(4, "big") + PLAIN[46:]


@pytest.mark.parametrize(
    ("first_word", "policy", "changes"),
    [
        (0x8800_1234, DecapPolicy.LINUX, {"gbp": True}),
        (0x8848_1234, DecapPolicy.STRICT, {"gbp": True}),
        (0x8800_1234, DecapPolicy.OVS, {"gbp": True}),
        (0x0C00_0003, DecapPolicy.LINUX, {"gpe": True}),
        (0x0801_0000, DecapPolicy.LINUX, {"reserved_mask": 0}),
        (0x8801_1234, DecapPolicy.LINUX, {"reserved_mask": 0}),
        (0x0800_0000, DecapPolicy.LINUX_GPE, {"gpe": False}),
        (0x8800_1234, DecapPolicy.LINUX_GPE, {"gbp": True, "gpe": False}),
    ],
)
def test_extensions(first_word: int, policy: DecapPolicy, changes: dict[str, Any]) -> None:
    """Reserved bits that are those of an extension need it, and no more; others need the mask."""
    verdict = explain(marked(first_word), {"one": policy})["one"]
    assert verdict.reason is not Reason.OK
    assert verdict.changes == changes


def test_remedies_are_plain() -> None:
    """Each change has a parameter that there is and a value that can be printed; hints stand alone."""
    for reason, (changes, hint, only) in REMEDIES.items():
        assert not only or reason is Reason.FRAGMENT  # what names it has to know of which frames that holds
        assert not hint.startswith(("that ", "this helps"))
        for change in changes:
            assert change.value is not ...
            assert "..." not in str(change)
            if isinstance(change.value, OfFrame):
                assert (reason, change) == (Reason.NOT_VXLAN, ("ports", OfFrame.UDP_PORT))
            else:
                DecapPolicy().replace(**{change.parameter: change.value})
        if "Open vSwitch" in hint:
            assert "user-space datapath" in hint


def test_every_reason_of_decapsulation_is_listed() -> None:
    """What `decap` can raise has a row; what only encapsulation, `parse` or inner layers say has none."""
    others = {
        Reason.NO_TUNNEL, Reason.TUNNEL_OUT_OF_RANGE, Reason.INNER_TOO_LONG, Reason.NO_ROOM, Reason.ARP_TRUNCATED,
        Reason.IPV4_OPTION_LENGTH, Reason.IPV6_OPTION_LENGTH, Reason.TCP_HEADER_TRUNCATED, Reason.TCP_DATA_OFFSET,
        Reason.TCP_TRUNCATED, Reason.TCP_OPTION_LENGTH, Reason.ICMP_TRUNCATED, Reason.ICMPV6_TRUNCATED,
        Reason.ND_OPTION_LENGTH, Reason.VXLANGPE_TRUNCATED, Reason.TCP_CHECKSUM, Reason.ICMP_CHECKSUM,
        Reason.ICMPV6_CHECKSUM, Reason.LAYER_TRUNCATED, Reason.LAYER_MALFORMED, Reason.LAYER_CHECKSUM,
    }  # fmt: skip
    assert set(REASONS) - set(REMEDIES) == others
    assert not set(REMEDIES) & others


# -- as values


def test_an_explanation() -> None:
    """What the docstrings say."""
    explanation = explain(PLAIN6)
    linux = explanation["linux"]
    assert (linux.reason, linux.accepted) == (Reason.UDP_CHECKSUM_ZERO, False)
    assert linux.text == str(linux.error) == "UDP at byte 54: no checksum over IPv6"
    assert linux.changes == {"zero_checksum6": True}
    assert explanation["ovs"].changes == {}
    assert explanation["linux-gpe"].changes == {"zero_checksum6": True, "gpe": False}
    assert explanation.accepted_by == ("default", "rfc7348", "ovs", "vpp")
    assert explanation.disagree
    assert str(explanation).splitlines()[2:4] == [
        "strict     UDP_CHECKSUM_ZERO  UDP at byte 54: no checksum over IPv6",
        "linux      UDP_CHECKSUM_ZERO  UDP at byte 54: no checksum over IPv6",
    ]
    assert "ovs: OK" in repr(explanation)
    assert "nobody" not in explanation
    with pytest.raises(AttributeError):
        linux.reason = Reason.OK  # type: ignore[misc]


def test_disagreement() -> None:
    """Among all presets, the one for nothing but GPE does not count; two refusals for different reasons are none."""
    assert not explain(PLAIN).disagree
    assert explain(PLAIN)["linux-gpe"].reason is Reason.GPE_P_FLAG
    assert not explain(PLAIN, {"a": DecapPolicy(vnis=()), "b": DecapPolicy(ports=())}).disagree
    assert explain(PLAIN, {"a": DecapPolicy(vnis=()), "b": DecapPolicy()}).disagree
    assert not explain(PLAIN, {}).disagree
    assert explain(PLAIN, {"a": DecapPolicy.LINUX, "b": DecapPolicy.LINUX_GPE}).disagree
    assert explain(PLAIN, PRESETS).disagree
    assert not pickle.loads(pickle.dumps(explain(PLAIN))).disagree


def test_explanations_are_values() -> None:
    """Equal, and picklable with their errors."""
    explanation = explain(PLAIN6)
    again: Explanation = pickle.loads(pickle.dumps(explanation))
    assert again == explanation == explain(PLAIN6)
    assert explanation != explain(PLAIN)
    assert again["linux"].changes == {"zero_checksum6": True}
    assert isinstance(again["linux"], Verdict)
    assert str(explain(bytearray(PLAIN))) == str(explain(memoryview(PLAIN)))


def test_bare_payloads() -> None:
    """As `decap` takes them: with a source, where the policy asks for one."""
    payload = TUNNEL.encap_payload(INNER).payload
    near = {"near": DecapPolicy(allowed_sources=("192.0.2.0/24",))}
    assert explain(payload, near, start=VXLAN, source="192.0.2.1")["near"].accepted
    far = explain(payload, near, start=VXLAN, source="10.0.0.1")["near"]
    assert far.reason is Reason.SOURCE_REFUSED
    assert far.changes == {"allowed_sources": None}
    with pytest.raises(FieldError):
        explain(payload, near, start=VXLAN)


@pytest.mark.parametrize(
    ("data", "named", "how"),
    [
        ("text", None, {}),
        (PLAIN, [DecapPolicy()], {}),
        (PLAIN, {"a": "linux"}, {}),
        (PLAIN, None, {"source": "192.0.2.1"}),
        (PLAIN, None, {"start": "vxlan"}),
        (PLAIN, None, {"original_length": -1}),
    ],
)
def test_wrong_calls(data: Any, named: Any, how: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        explain(data, named, **how)


def test_presets() -> None:
    """By the names of the command line; each call gives a dict of its own."""
    assert list(PRESETS) == ["default", "rfc7348", "strict", "linux", "linux-gbp", "linux-gpe", "ovs", "vpp"]
    assert PRESETS["default"] == DecapPolicy()
    assert PRESETS["linux-gbp"] is DecapPolicy.LINUX_GBP
    DecapPolicy.presets().clear()
    assert DecapPolicy.presets() == PRESETS
