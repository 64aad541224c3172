"""Hostile and broken input: what tests/data/hostile_cases.jsonl says of each frame, the library does.

The cases were written down from the rules, by a generator that knows nothing of the library.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt import VXLAN, DecapPolicy, FrameBatch, LinkType, decap, decap_batch, dissect, parse
from vxlanpkt.errors import ParseError, Reason
from vxlanpkt.reasons import REASONS

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "hostile_cases.jsonl").read_text("ascii").splitlines()
]
STARTS: dict[str, Any] = {
    "ethernet": LinkType.ETHERNET,
    "raw": LinkType.RAW,
    "ipv4": LinkType.IPV4,
    "ipv6": LinkType.IPV6,
    "sll": LinkType.LINUX_SLL,
    "sll2": LinkType.LINUX_SLL2,
    "null": LinkType.NULL,
    "loop": LinkType.LOOP,
    "vxlan": VXLAN,
}

every_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def policy_of(spec: dict[str, Any]) -> DecapPolicy:
    changes = {key: value for key, value in spec.items() if key != "preset"}
    policy: DecapPolicy = getattr(DecapPolicy, spec["preset"]) if "preset" in spec else DecapPolicy()
    return policy.replace(**changes) if changes else policy


def decap_options(case: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"start": STARTS[case["start"]], "policy": policy_of(case.get("policy", {}))}
    for key in ("original_length", "source"):
        if key in case:
            options[key] = case[key]
    return options


def check_error(error: ParseError | None, reason: str, said: dict[str, Any]) -> None:
    """The error is of the class that its reason has, and says what the case demands."""
    assert error is not None
    assert error.reason is Reason[reason]
    assert type(error) is REASONS[error.reason].exception
    assert str(error)
    assert {key: getattr(error, key) for key in said} == said


def test_every_point_is_there() -> None:
    """The list of hostile input has twelve items that are about received bytes; each has cases, no two of one name."""
    assert {case["point"] for case in CASES} == set(range(13))
    assert len({case["name"] for case in CASES}) == len(CASES)


@every_case
def test_decap(case: dict[str, Any]) -> None:
    """decap accepts exactly what the policy accepts, hands out exactly the inner frame, and else says why not."""
    frame = bytes.fromhex(case["frame"])
    options = decap_options(case)
    if case["decap"] != "OK":
        with pytest.raises(ParseError) as caught:
            decap(frame, **options)
        check_error(caught.value, case["decap"], case.get("decap_error", {}))
        return
    got = decap(frame, **options)
    assert got.inner == bytes.fromhex(case["inner"])
    assert got.vni == case["vni"]


@every_case
def test_dissect(case: dict[str, Any]) -> None:
    """dissect finds the sound layers of any bytes, and names the first fault."""
    frame = bytes.fromhex(case["frame"])
    found = dissect(frame, start=STARTS[case["start"]])
    if case["dissect"] == "OK":
        assert found.error is None
    else:
        check_error(found.error, case["dissect"], case.get("dissect_error", {}))
    if "layers" in case:
        assert [layer.NAME for layer in found.layers] == case["layers"]
    if "tunnels" in case:
        assert sum(layer.TUNNEL for layer in found.layers) == case["tunnels"]
    if "trailer" in case:
        assert b"".join(found.trailers).hex() == case["trailer"]
    if "group_policy" in case:
        policy = found[VXLAN].group_policy
        assert (None if policy is None else policy.policy_id) == case["group_policy"]
    assert str(found)


@every_case
def test_parse(case: dict[str, Any]) -> None:
    """parse is dissect and a raise: what it accepts builds the same bytes, and its error holds the layers before."""
    frame = bytes.fromhex(case["frame"])
    start = STARTS[case["start"]]
    if case["dissect"] == "OK":
        assert parse(frame, start=start).build() == frame
        return
    with pytest.raises(ParseError) as caught:
        parse(frame, start=start)
    check_error(caught.value, case["dissect"], case.get("dissect_error", {}))
    assert caught.value.packet is not None
    assert caught.value.packet.layers == dissect(frame, start=start).layers


ON_WIRE = [case for case in CASES if "on_wire_error" in case]


@pytest.mark.parametrize("case", ON_WIRE, ids=[case["name"] for case in ON_WIRE])
def test_dissect_with_original_length(case: dict[str, Any]) -> None:
    """Where the length on the wire is known, a length beyond it is told from a cut: limited_by is "frame"."""
    said = dict(case["on_wire_error"])
    found = dissect(bytes.fromhex(case["frame"]), start=STARTS[case["start"]], original_length=case["original_length"])
    check_error(found.error, said.pop("reason"), said)


def _groups() -> dict[tuple[str, str, str | None, bool], list[dict[str, Any]]]:
    groups: dict[tuple[str, str, str | None, bool], list[dict[str, Any]]] = defaultdict(list)
    for case in CASES:
        if "source" not in case:
            key = (case["start"], json.dumps(case.get("policy", {})), None, "original_length" in case)
            groups[key].append(case)
    return groups


GROUPS = _groups()


@pytest.mark.parametrize("group", GROUPS, ids=[f"{key[0]}-{key[1]}{'-cut' * key[3]}" for key in GROUPS])
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_decap_batch(group: tuple[str, str, str | None, bool], turned: bool) -> None:
    """decap_batch gives each row the verdict that decap gives the frame, in whatever order the rows come."""
    cases = GROUPS[group][::-1] if turned else GROUPS[group]
    start, policy = STARTS[group[0]], policy_of(json.loads(group[1]))
    frames = [bytes.fromhex(case["frame"]) for case in cases]
    batch = FrameBatch.from_frames(frames)
    if group[3]:
        originals = array("I", [case["original_length"] for case in cases])
        batch = FrameBatch(batch.data, batch.offsets, batch.lengths, originals)
    result = decap_batch(batch, policy=policy, start=start)
    got = [Reason(status).name for status in result.status]
    assert dict(zip([case["name"] for case in cases], got, strict=True)) == {
        case["name"]: case["decap"] for case in cases
    }
    accepted = [i for i, case in enumerate(cases) if case["decap"] == "OK"]
    assert list(result.accepted) == accepted
    for i in accepted:
        case = cases[i]
        assert bytes(result.inner[i]).hex() == case["inner"], case["name"]
        assert (result.vni[i], result.flags[i], result.reserved[i]) == (case["vni"], case["flags"], case["reserved"])
    for i, case in enumerate(cases):
        if case["decap"] != "OK":
            check_error(result.error(i), case["decap"], case.get("decap_error", {}))
    assert sum(result.counts().values()) == len(cases)
