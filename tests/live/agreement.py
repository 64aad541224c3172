"""Agreement of policies with the receivers that they are named after, input by input.

`python -m tests.live.agreement` (as root) writes the tables of docs/agreement.md anew, and what the receivers passed on
into tests/data/odd_verdicts.json, for tests without a receiver.
"""

from __future__ import annotations

import json
import platform
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vxlanpkt import ParseError, Reason, decap

from . import encapsulators, ovs
from .drops import watched
from .encapsulators import Row, linux_gpe_row, linux_row, ovs_row
from .namespaces import run
from .odd_inputs import Input, every_option, mutated
from .odd_inputs import listed as read_inputs
from .ovs import Switch
from .receivers import LINUX, OVS, Receiver, linux_ends, ovs_ends, verdicts
from .rig import Rig

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "agreement.md"
RECORD = ROOT / "tests" / "data" / "odd_verdicts.json"
DAMAGED = 1500

# What Open vSwitch's bridge decides, and not the tunnel.
_OF_THE_BRIDGE = {
    "mac-destination-broadcast": "the bridge's own address",
    "outer-priority-tag": "the bridge's VLAN settings",
}
# What is no IPv6 packet under any policy: RFC 8200 has the hop-by-hop header behind the fixed one, and nowhere else.
_OUT_OF_PLACE = ("ip6-hop-by-hop-twice-no-checksum", "ip6-destination-then-hop-by-hop-no-checksum")
# Open vSwitch reads no length of IP beyond that the VXLAN header is in it.
_BEYOND_IP = ("ip-total-length-36", "ip-total-length-49")
_SHORTEST_TAGGED = 20  # the kernel keeps shorter tagged frames from the socket that reads what Open vSwitch passes on
_TAGS = (b"\x81\x00", b"\x88\xa8")


# The reasons that the kernel gives beside ours. Where it has none of its own it says NOT_SPECIFIED.
KERNEL_REASONS: dict[Reason, tuple[str, ...]] = {
    Reason.NOT_VXLAN: ("IP_NOPROTO", "NO_SOCKET", "NOT_SPECIFIED", "PKT_TOO_SMALL", "UDP_CSUM", "UNHANDLED_PROTO"),
    Reason.FRAGMENT: ("DUP_FRAG", "FRAG_REASM_TIMEOUT", "NOT_SPECIFIED"),
    Reason.DOT1Q_TRUNCATED: ("NOT_SPECIFIED",),
    Reason.IPV4_VERSION: ("IP_INHDR",),
    Reason.IPV4_IHL: ("IP_INHDR",),
    Reason.IPV4_TOTAL_LENGTH: ("IP_INHDR",),
    Reason.IPV4_TRUNCATED: ("PKT_TOO_SMALL",),
    Reason.IPV6_VERSION: ("UNHANDLED_PROTO",),
    Reason.IPV6_TRUNCATED: ("PKT_TOO_SMALL",),
    Reason.IPV6_EXTENSION_TRUNCATED: ("NOT_SPECIFIED",),
    Reason.UDP_HEADER_TRUNCATED: ("NOT_SPECIFIED",),
    Reason.UDP_LENGTH: ("PKT_TOO_SMALL",),
    Reason.UDP_TRUNCATED: ("PKT_TOO_SMALL",),
    Reason.VXLAN_TRUNCATED: ("PKT_TOO_SMALL",),
    Reason.IPV4_OPTIONS: ("IP_CSUM", "IP_INHDR", "NOT_SPECIFIED"),
    Reason.IPV6_OPTIONS: ("IP_INHDR", "IP_NOPROTO", "NOT_SPECIFIED", "UNHANDLED_PROTO"),
    Reason.IPV4_CHECKSUM: ("IP_CSUM",),
    Reason.UDP_CHECKSUM: ("UDP_CSUM",),
    Reason.UDP_CHECKSUM_ZERO: ("UDP_CSUM",),
    Reason.VXLAN_I_FLAG: ("VXLAN_INVALID_HDR",),
    Reason.VXLAN_RESERVED: ("VXLAN_INVALID_HDR",),
    Reason.GBP_WITH_GPE: ("VXLAN_INVALID_HDR",),
    Reason.GPE_VERSION: ("NOT_SPECIFIED",),
    Reason.GPE_OAM: ("NOT_SPECIFIED",),
    Reason.GPE_NEXT_PROTOCOL: ("NOT_SPECIFIED",),
    Reason.VNI_REFUSED: ("VXLAN_VNI_NOT_FOUND",),
    Reason.INNER_TRUNCATED: ("NOMEM",),
    Reason.INNER_SOURCE: ("MAC_INVALID_SOURCE",),
    Reason.INNER_OWN_MAC: ("LOCAL_MAC",),
    Reason.INNER_LENGTH: ("NOT_SPECIFIED", "PKT_TOO_SMALL"),
    Reason.ECN_CONGESTION: ("IP_TUNNEL_ECN",),
    Reason.GPE_P_FLAG: ("IP_INVALID_SOURCE", "IP_LOCALNET", "NOT_SPECIFIED", "VXLAN_INVALID_HDR"),
    Reason.OUTER_SOURCE: ("IP_INHDR", "IP_INVALID_SOURCE", "IP_LOCALNET"),
}


class Case(NamedTuple):
    """One input, what the receiver passed on, the kernel's reason where there is one, and our own verdict."""

    input: Input
    seen: bytes | None
    dropped_for: str
    ours: bytes | None
    reason: Reason


@dataclass
class Agreement:
    """The cases of one receiver: those alike, those excepted with why, and those that differ."""

    receiver: Receiver
    accepted: list[Case] = field(default_factory=list)
    refused: list[Case] = field(default_factory=list)
    excepted: list[tuple[Case, str]] = field(default_factory=list)
    with_tail: list[Case] = field(default_factory=list)
    differ: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Put a case where it belongs."""
        why = _exception(self.receiver, case)
        if case.seen == case.ours:
            (self.accepted if case.ours is not None else self.refused).append(case)
        elif self.receiver.passes_tail and case.seen and case.ours and case.seen.startswith(case.ours):
            self.with_tail.append(case)
        elif why and (case.seen is None) is not (case.ours is None):
            self.excepted.append((case, why))
        else:
            self.differ.append(case)

    @property
    def total(self) -> int:
        """All cases."""
        alike = len(self.accepted) + len(self.refused)
        return alike + len(self.with_tail) + len(self.excepted) + len(self.differ)

    @property
    def reasons(self) -> Counter[tuple[Reason, str]]:
        """How often our reason for a refusal stands beside each of the kernel's."""
        return Counter(
            (case.reason, case.dropped_for) for case in self.refused if case.dropped_for and not case.input.cannot_know
        )


def _exception(receiver: Receiver, case: Case) -> str:
    """Why a policy cannot know, or will not follow, what becomes of an input; empty if it can and does."""
    if receiver.preset.startswith("OVS"):
        if case.ours and len(case.ours) < _SHORTEST_TAGGED and case.ours[12:14] in _TAGS:
            return "the reading kernel hides it"
        if case.input.name in _OF_THE_BRIDGE:
            return _OF_THE_BRIDGE[case.input.name]
        if case.input.name in _BEYOND_IP:
            return "an inner frame never reaches beyond its IP packet here, and is too short then"
        if case.input.name in _OUT_OF_PLACE:
            return "a hop-by-hop header in another's place is no IPv6 here, whatever the policy"
    return case.input.cannot_know


def damaged(receiver: Receiver, listed: Sequence[Input], count: int) -> list[Input]:
    """So many inputs with bytes changed by chance, always the same; of those that a policy can judge alone."""
    chance = random.Random(f"{receiver.name} {count}")
    sound = [
        one for one in receiver.inputs(listed)
        if not one.cannot_know and not one.name.startswith("mac-") and not one.name.startswith("outer-")
    ]  # fmt: skip
    return [mutated(chance.choice(sound), chance) for _ in range(count)]


def with_linux(rig: Rig, receiver: Receiver, listed: Sequence[Input]) -> Agreement:
    """Send the inputs to the kernel's device and to the policy."""
    with linux_ends(rig, receiver) as ends, watched() as drops:
        seen = verdicts(receiver, ends, receiver.inputs(listed), drops.mark if drops else None)
        reasons = drops.reasons() if drops else {}
    return _compare(receiver, listed, seen, reasons)


def with_ovs(switch: Switch, receiver: Receiver, listed: Sequence[Input]) -> Agreement:
    """Send the inputs to Open vSwitch and to the policy."""
    with ovs_ends(switch, receiver) as ends:
        seen = verdicts(receiver, ends, receiver.inputs(listed))
    return _compare(receiver, listed, seen, {})


def _compare(
    receiver: Receiver, listed: Sequence[Input], seen: dict[str, bytes | None], reasons: dict[str, list[str]]
) -> Agreement:
    found = Agreement(receiver)
    for one in receiver.inputs(listed):
        ours, reason = _judge(receiver, one.frame)
        found.add(Case(one, seen[one.name], " ".join(reasons.get(one.name, ())), ours, reason))
    return found


def _judge(receiver: Receiver, frame: bytes) -> tuple[bytes | None, Reason]:
    try:
        return decap(frame, policy=receiver.policy).inner, Reason.OK
    except ParseError as error:
        return None, error.reason


# -- the page


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _verdicts_table(found: Iterable[Agreement]) -> str:
    head = (
        "receiver",
        "policy",
        "inputs",
        "accepted by both",
        "refused by both",
        "more passed on",
        "excepted",
        "differ",
    )
    return _table(
        head,
        (
            (
                f"`{one.receiver.setup}`", f"`{one.receiver.preset}`", one.total, len(one.accepted), len(one.refused),
                len(one.with_tail), len(one.excepted), len(one.differ),
            )
            for one in found
        ),
    )  # fmt: skip


def _exceptions_table(found: Iterable[Agreement]) -> str:
    whys: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for case, why in one.excepted:
            whys.setdefault((case.input.name, why), []).append(one.receiver.name)
    return _table(
        ("input", "at", "why"),
        ((f"`{name}`", ", ".join(names), why) for (name, why), names in whys.items()),
    )


def _reasons_table(found: Iterable[Agreement]) -> str:
    counts: Counter[tuple[Reason, str]] = sum((one.reasons for one in found), Counter())
    return _table(
        ("our reason", "the kernel's", "inputs"),
        ((f"`{ours.name}`", f"`{theirs}`", count) for (ours, theirs), count in sorted(counts.items())),
    )


def _encap_table(rows: Sequence[Row]) -> str:
    return _table(
        ("setting", "inner frames", "equal", "not"),
        ((f"`{row.setting}`", row.frames, row.equal, len(row.exceptions)) for row in rows),
    )


def record(found: Iterable[Agreement]) -> dict[str, dict[str, dict[str, str]]]:
    """What each receiver passed on, by input, and why some inputs are left out."""
    return {
        one.receiver.name: {
            "accepted": {case.input.name: case.seen.hex() for case in one.accepted if case.seen is not None},
            "excepted": {case.input.name: why for case, why in one.excepted}
            | {case.input.name: "passed on with what lies behind the datagram" for case in one.with_tail},
        }
        for one in found
    }


def tables(
    linux: Sequence[Agreement],
    hurt: Sequence[Agreement],
    options: Sequence[Agreement],
    switches: Sequence[Agreement],
    made: Mapping[str, Sequence[Row]],
) -> dict[str, str]:
    """All tables of the page, by name."""
    return {
        "versions": f"Linux {platform.release()}; {run('ovs-vswitchd', '--version').stdout.splitlines()[0]}",
        "linux": _verdicts_table(linux),
        "damaged": _verdicts_table(hurt),
        "options": _verdicts_table(options),
        "ovs": _verdicts_table(switches),
        "exceptions": _exceptions_table([*linux, *switches]),
        "reasons": _reasons_table(linux),
        **{name: _encap_table(rows) for name, rows in made.items()},
    }


def _put(text: str, name: str, table: str) -> str:
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, found, rest = text.partition(start)
    if not found:
        sys.exit(f"agreement: {PAGE} has no place for the table {name}")
    return before + start + table + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Ask the receivers, and write down what they say."""
    if (reason := ovs.missing()) is not None:
        sys.exit(f"agreement: {reason}")
    inputs = read_inputs()
    with closing(Rig()) as rig, closing(Switch()) as switch:
        linux = [with_linux(rig, receiver, inputs) for receiver in LINUX.values()]
        hurt = [with_linux(rig, receiver, damaged(receiver, inputs, DAMAGED)) for receiver in LINUX.values()]
        options = [with_linux(rig, LINUX[name], [*every_option()]) for name in ("default", "ipv6")]
        switches = [with_ovs(switch, receiver, inputs) for receiver in OVS.values()]
        made = {
            "linux-made": [linux_row(rig, setting) for setting in encapsulators.LINUX],
            "linux-gpe-made": [linux_gpe_row(rig, setting) for setting in encapsulators.LINUX_GPE],
            "ovs-made": [ovs_row(switch, setting) for setting in encapsulators.OVS],
        }
    RECORD.write_text(json.dumps(record([*linux, *switches]), indent=0) + "\n", "ascii")
    text = PAGE.read_text("utf-8")
    for name, table in tables(linux, hurt, options, switches, made).items():
        text = _put(text, name, table)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
