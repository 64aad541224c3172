"""What fields of flows and endpoints are called: protocols, flags, times, for terminals and for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from vxlanpkt.kernel.contract.protocols import IEEE_802_3, TCP_PROTOCOL, UDP_PROTOCOL

if TYPE_CHECKING:
    from vxlanpkt.analysis.flow_tables import Flow

_WITH_PORTS = (TCP_PROTOCOL, UDP_PROTOCOL)


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 flow, 2 flows."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ip_protocol_name(number: int) -> str:
    """What IP carries."""
    return _protocols().get(number) or f"IP protocol {number}"


def ethertype_name(number: int) -> str:
    """What an Ethernet frame carries."""
    return _ethertypes().get(number) or f"EtherType 0x{number:04x}"


def protocol(flow: Flow) -> str:
    """What a flow is of."""
    return ethertype_name(flow.ethertype) if flow.src is None else ip_protocol_name(flow.protocol)


def ends(flow: Flow) -> tuple[str, str]:
    """Both ends of a flow."""
    ports = flow.protocol in _WITH_PORTS and (flow.src_port or flow.dst_port)
    return _end(flow.src, flow.src_port if ports else None), _end(flow.dst, flow.dst_port if ports else None)


def _end(address: object, port: int | None) -> str:
    """An address, with its port as in a URL."""
    if address is None:
        return ""
    told = str(address)
    if port is None:
        return told
    return f"[{told}]:{port}" if ":" in told else f"{told}:{port}"


def initials(flags: int) -> str:
    """TCP's flags by their initials, which are all different."""
    return "".join(initial for flag, initial in _tcp_flags() if flags & flag)


def iso_time(timestamp_ns: int | None) -> str:
    """A time as ISO 8601 has it, in UTC, down to microseconds."""
    if timestamp_ns is None:
        return ""
    from datetime import datetime, timezone

    seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{nanoseconds // 1000:06}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1000:06}Z"


# Of the assigned numbers, which not everybody who counts has to load.


@cache
def _protocols() -> Mapping[int, str]:
    from vxlanpkt.assigned import IPProtocol

    return {int(protocol): protocol.name for protocol in IPProtocol}


@cache
def _ethertypes() -> Mapping[int, str]:
    from vxlanpkt.assigned import EtherType

    return {int(ethertype): ethertype.name for ethertype in EtherType} | {IEEE_802_3: "802.3"}


@cache
def _tcp_flags() -> Sequence[tuple[int, str]]:
    from vxlanpkt.assigned import TCPFlags

    return [(int(flag), (flag.name or "")[0]) for flag in TCPFlags]
