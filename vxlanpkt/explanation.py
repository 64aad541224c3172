"""Why a frame is accepted or dropped: the verdicts of several policies on it, and what decides each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from vxlanpkt.decapsulation import Address, decap
from vxlanpkt.errors import FieldError, ParseError, Reason, refused_argument
from vxlanpkt.layers.base import as_bytes
from vxlanpkt.layers.udp import UDP
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.starts import Start

_PRESETS = DecapPolicy.presets()


class OfFrame(Enum):
    """In a `Change`: a value that the frame has, added to those that the policy accepts."""

    UDP_PORT = "the UDP destination port of the frame"


class Change(NamedTuple):
    """A parameter of `DecapPolicy`, and the value with which a refusal goes away."""

    parameter: str
    value: Any

    def __str__(self) -> str:
        return (
            f"{self.parameter}: {self.value.value}"
            if isinstance(self.value, OfFrame)
            else f"{self.parameter}={self.value!r}"
        )


class Remedy(NamedTuple):
    """One row of `REMEDIES`.

    changes  what takes the reason away: any of these, each alone; none where no policy accepts such a frame
    hint     what the sender, the receiver or the capture would have to do; may be empty
    only     the frames that the changes help; empty if all that are refused so
    """

    changes: tuple[Change, ...]
    hint: str
    only: str = ""


def _remedy(hint: str = "", *changes: Change, **change: Any) -> Remedy:
    return Remedy((*(Change(*one) for one in change.items()), *changes), hint)


_IGNORE_LENGTH = Change("udp_length", "ignore")
_OFFLOAD = "a length of 0 is left to the network card: capture on the wire, or switch offload off"
_OVS = "Open vSwitch's user-space datapath"
_SHORT = "to ignore the UDP length helps where it says less than there is, not where the frame ends"
_NOBODY = "no policy accepts it"
_HEADER = "a header has to be there whole, whatever the capture cut: no policy accepts it"
_LIE = "it says more than the frame had on the wire: no policy accepts it"

REMEDIES: Mapping[Reason, Remedy] = MappingProxyType({
    Reason.NOT_VXLAN: _remedy(
        "of a UDP datagram, only whoever set a tunnel up knows whether its port carries VXLAN", ports=OfFrame.UDP_PORT
    ),
    Reason.FRAGMENT: Remedy(
        (Change("fragments", "atomic"),),
        "the receiver's IP puts fragments together before VXLAN, and here each is judged by itself; to have none, "
        "raise the underlay's MTU, or lower the overlay's",
        only="whole packets with an IPv6 fragment header",
    ),
    Reason.CAPTURE_CUT: _remedy("capture with a longer snap length", lengths="snapped"),
    Reason.ROW_OUT_OF_RANGE: _remedy("the batch says what its buffer does not hold"),
    Reason.ETHERNET_TRUNCATED: _remedy(_HEADER),
    Reason.DOT1Q_TRUNCATED: _remedy(_HEADER),
    Reason.LINUX_SLL_TRUNCATED: _remedy(_HEADER),
    Reason.LINUX_SLL2_TRUNCATED: _remedy(_HEADER),
    Reason.LOOPBACK_TRUNCATED: _remedy(_HEADER),
    Reason.IPV4_HEADER_TRUNCATED: _remedy(_HEADER),
    Reason.IPV4_VERSION: _remedy(_NOBODY),
    Reason.IPV4_IHL: _remedy(_NOBODY),
    Reason.IPV4_OPTIONS_TRUNCATED: _remedy(_HEADER),
    Reason.IPV4_TOTAL_LENGTH: _remedy(_OFFLOAD, lengths="captured"),
    Reason.IPV4_TRUNCATED: _remedy(_LIE),
    Reason.IPV6_HEADER_TRUNCATED: _remedy(_HEADER),
    Reason.IPV6_VERSION: _remedy(_NOBODY),
    Reason.IPV6_TRUNCATED: _remedy(_LIE),
    Reason.IPV6_EXTENSION_TRUNCATED: _remedy(_OFFLOAD, lengths="captured"),
    Reason.IPV6_AH_LENGTH: _remedy(_NOBODY),
    Reason.IP_VERSION: _remedy(_NOBODY),
    Reason.UDP_HEADER_TRUNCATED: _remedy(_OFFLOAD, lengths="captured"),
    Reason.UDP_LENGTH: _remedy(_OFFLOAD, _IGNORE_LENGTH, lengths="captured"),
    Reason.UDP_TRUNCATED: _remedy(f"{_OVS} does not look at this field", _IGNORE_LENGTH),
    Reason.VXLAN_TRUNCATED: _remedy(_SHORT, _IGNORE_LENGTH),
    Reason.IPV4_OPTIONS: _remedy("the sender would have to leave them out", ip_options="accept"),
    Reason.IPV6_OPTIONS: _remedy("the sender would have to leave them out", ip_options="accept"),
    Reason.IPV4_CHECKSUM: _remedy("on the sending host it may be left to the network card", verify_ip_checksum=False),
    Reason.UDP_CHECKSUM: _remedy(
        "on the sending host it may be left to the network card: capture on the wire, or switch offload off; "
        f"{_OVS} has padding and IPv6 extension headers count, too",
        verify_udp_checksum=False,
    ),
    Reason.UDP_CHECKSUM_ZERO: _remedy(
        "Linux: a device with udp6zerocsumrx accepts it, one without udp6zerocsumtx does not send it",
        zero_checksum6=True,
    ),
    Reason.VXLAN_I_FLAG: _remedy("no policy accepts a header that says that it has no VNI"),
    Reason.VXLAN_RESERVED: _remedy(
        "the bits may be those of one extension, group policy or the generic protocol extension, and sender and "
        "receiver have to agree on which; Linux: a device with gbp, or one with gpe",
        gbp=True,
        gpe=True,
        reserved_mask=0,
    ),
    Reason.GBP_WITH_GPE: _remedy("the sender has to decide for one of the two", gbp=False, gpe=False),
    Reason.GPE_VERSION: _remedy(f"{_OVS} takes any version", Change("gpe", False), gpe="ovs"),
    Reason.GPE_OAM: _remedy("such packets are for the tunnel's end itself", gpe=False),
    Reason.GPE_NEXT_PROTOCOL: _remedy(
        f"{_OVS} takes Ethernet alone, Linux what has a number from 1 to 5", Change("gpe", False), gpe=True
    ),
    Reason.GPE_P_FLAG: _remedy(
        "this receiver takes only the generic protocol extension; plain VXLAN needs another", Change("gpe", True),
        gpe=False,
    ),
    Reason.VNI_REFUSED: _remedy("the receiver has no such network", vnis=None),
    Reason.SOURCE_REFUSED: _remedy("the receiver does not know this sender", allowed_sources=None),
    Reason.OUTER_SOURCE: _remedy("a host drops it before a tunnel sees it", check_outer_source=False),
    Reason.INNER_TRUNCATED: _remedy(_SHORT, _IGNORE_LENGTH),
    Reason.INNER_VLAN: _remedy("RFC 7348 section 6.1 asks for it, unless it is configured otherwise",
                               Change("inner_vlan", "strip"), inner_vlan="keep"),
    Reason.INNER_SOURCE: _remedy("Linux: a device with nolearning accepts it", check_inner_source=False),
    Reason.INNER_OWN_MAC: _remedy("a loop, or two machines with one address", own_macs=()),
    Reason.INNER_LENGTH: _remedy("", check_inner_length=False),
    Reason.ECN_CONGESTION: _remedy(
        "the sender's end of the tunnel should not claim ECN outside where there is none inside (RFC 6040)",
        ecn="ignore",
    ),
})  # fmt: skip
"""What decides each `Reason` that a policy can refuse a frame for."""


class _Frame(NamedTuple):
    """What `decap` is called with, but for the policy."""

    data: bytes
    start: Start
    source: Address | str | None
    tos: int | None
    original_length: int | None

    def error(self, policy: DecapPolicy) -> ParseError | None:
        """Why *policy* refuses the frame, or None."""
        try:
            decap(
                self.data, policy=policy, start=self.start, source=self.source, tos=self.tos,
                original_length=self.original_length,
            )  # fmt: skip
        except ParseError as error:
            return error
        return None


@dataclass(frozen=True)
class Verdict:
    """What one policy says of a frame.

    policy  the policy
    reason  OK, or why it refuses the frame
    text    "" or the sentence of the error: layer, offset, what was wrong
    error   the error that `decap` raises, or None
    """

    policy: DecapPolicy
    reason: Reason
    text: str
    error: ParseError | None = field(compare=False, repr=False)
    _frame: _Frame = field(compare=False, repr=False)

    @property
    def accepted(self) -> bool:
        """Whether the frame is accepted."""
        return self.reason is Reason.OK

    @cached_property
    def changes(self) -> dict[str, Any]:
        """What in the policy would have to change: `policy.replace(**changes)` accepts the frame.

        The first of them takes `reason` away, the others what follows. Empty if the frame is accepted, or nothing
        helps. Found by trying, when it is asked for.
        """
        return _changes(self._frame, self.policy, self.error, ()) or {}


class Explanation(Mapping[str, Verdict]):
    """The verdicts on one frame, by the names of the policies; `print` shows a line for each."""

    __slots__ = ("_of_presets", "_verdicts")

    def __init__(self, verdicts: Mapping[str, Verdict], *, of_presets: bool = False) -> None:
        self._verdicts = MappingProxyType(dict(verdicts))
        self._of_presets = of_presets

    def __getitem__(self, name: str) -> Verdict:
        return self._verdicts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._verdicts)

    def __len__(self) -> int:
        return len(self._verdicts)

    @property
    def accepted_by(self) -> tuple[str, ...]:
        """The names of the policies that accept the frame."""
        return tuple(name for name, verdict in self.items() if verdict.accepted)

    @property
    def disagree(self) -> bool:
        """Whether some policies accept what others refuse.

        Where nobody chose the policies, GPE_P_FLAG does not count: the one for nothing but the generic protocol
        extension would disagree with all others on every plain frame.
        """
        counted = (
            verdict for verdict in self.values() if not (self._of_presets and verdict.reason is Reason.GPE_P_FLAG)
        )
        return len({verdict.accepted for verdict in counted}) > 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _explanation, (dict(self._verdicts), self._of_presets)

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:{width}}  {_line(verdict)}" for name, verdict in self.items())

    def __repr__(self) -> str:
        said = ", ".join(f"{name}: {verdict.reason.name}" for name, verdict in self.items())
        return f"<Explanation {said}>"


def _explanation(verdicts: Mapping[str, Verdict], of_presets: bool) -> Explanation:
    return Explanation(verdicts, of_presets=of_presets)


def explain(
    data: bytes | bytearray | memoryview,
    policies: Mapping[str, DecapPolicy] | None = None,
    *,
    start: Start = LinkType.ETHERNET,
    source: Address | str | None = None,
    tos: int | None = None,
    original_length: int | None = None,
) -> Explanation:
    """Say for each policy whether it accepts a frame, and why not.

    policies  by names of your own; by default those of `DecapPolicy.presets()`
    others    as `decap` takes them

    Raises no `ParseError`: they are what is explained. Raises `FieldError` as `decap` does.
    """
    of_presets = policies is None
    if policies is None:
        policies = _PRESETS
    elif not isinstance(policies, Mapping):
        raise refused_argument("explain", "policies", policies, "a mapping of names to policies")
    for name, policy in policies.items():
        if not isinstance(policy, DecapPolicy):
            raise FieldError(
                f"policies: {name!r}: {policy!r} is not a DecapPolicy",
                layer="explain", field="policies", value=policy, bits=None,
            )  # fmt: skip
    copied = data if type(data) is bytes else as_bytes("explain", "data", data)
    frame = _Frame(copied, start, source, tos, original_length)
    return Explanation({name: _verdict(frame, policy) for name, policy in policies.items()}, of_presets=of_presets)


def _verdict(frame: _Frame, policy: DecapPolicy) -> Verdict:
    error = frame.error(policy)
    return Verdict(
        policy, Reason.OK if error is None else error.reason, "" if error is None else str(error), error, frame
    )


def _line(verdict: Verdict) -> str:
    return "ok" if verdict.accepted else f"{verdict.reason.name}  {verdict.text}"


def _changes(
    frame: _Frame, policy: DecapPolicy, error: ParseError | None, tried: tuple[str, ...]
) -> dict[str, Any] | None:
    """Change *policy* step by step, no parameter twice, until it accepts the frame; None if nothing helps."""
    if error is None:
        return {}
    for change in REMEDIES[error.reason].changes:
        value = _value(change, policy, error)
        if change.parameter in tried or isinstance(value, OfFrame):
            continue
        changed = policy.replace(**{change.parameter: value})
        after = frame.error(changed)
        if after is not None and after.reason is error.reason:
            continue
        further = _changes(frame, changed, after, (*tried, change.parameter))
        if further is not None:
            return {change.parameter: value, **further}
    return None


def _value(change: Change, policy: DecapPolicy, error: ParseError) -> Any:
    """What to change a parameter to; as it is if the frame has nothing that could be added."""
    if not isinstance(change.value, OfFrame):
        return change.value
    port = _udp_port(error)
    return change.value if port is None else (*policy.ports, port)


def _udp_port(error: ParseError) -> int | None:
    """The destination port of a frame that is no VXLAN; None if it is no UDP datagram, either."""
    header = None if error.packet is None else error.packet.get(UDP)
    return None if header is None else header.dst_port
