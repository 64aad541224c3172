"""What an agent says of itself: values, and the JSON that goes over its control socket."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LinkStatus:
    """A device of the overlay, and what passed it.

    kind: "vxlan", "tap" or "tun". rx_packets, rx_bytes: what the device handed to this node, tx_packets, tx_bytes:
    what this node gave it, as the kernel counts them. drops: what was refused or lost, by its cause: of a data path
    `Reason` names of what came from peers and the loops' own counters; of the kernel's device its error counters.
    missing: what the kernel lacks that would have made it faster. tunnel_gso_frames: long frames that left as one.
    """

    name: str
    kind: str
    mtu: int
    local: str
    port: int
    vni: int | None = None
    mac: str | None = None
    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    tunnel_gso_frames: int = 0

    @property
    def endpoint(self) -> str:
        """Where datagrams are received, an address of IPv6 in brackets."""
        return f"[{self.local}]:{self.port}" if ":" in self.local else f"{self.local}:{self.port}"


@dataclass(frozen=True)
class PeerStatus:
    """A subnet of another node. path: "tunnel", "direct", or "none", with the reason in `why`."""

    subnet: str
    node: str
    path: str
    mac: str | None = None
    why: str = ""


@dataclass(frozen=True)
class AgentStatus:
    """An agent at one moment; times are seconds since 1970.

    store: what holds the leases; store_fault: "" while it answers, else what it said. lease_expiry: None for one that
    does not end.
    faults: what the kernel refused when it was last programmed. programmed, failed: requests to the kernel so far.
    """

    backend: str
    store: str
    underlay: str
    subnets: tuple[str, ...]
    mtu: int
    started: float
    now: float
    pid: int
    lease_expiry: float | None = None
    store_fault: str = ""
    faults: tuple[str, ...] = ()
    programmed: int = 0
    failed: int = 0
    events: int = 0
    links: tuple[LinkStatus, ...] = ()
    peers: tuple[PeerStatus, ...] = ()

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> AgentStatus:
        """What `to_json` wrote; raises `ValueError` for anything else."""
        try:
            read = json.loads(text)
            return cls(
                **{
                    **_tuples(read),
                    "links": tuple(LinkStatus(**_tuples(link)) for link in read["links"]),
                    "peers": tuple(PeerStatus(**peer) for peer in read["peers"]),
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"no status of an agent: {error}") from error


def _tuples(members: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in members.items()}
