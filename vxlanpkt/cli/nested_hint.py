"""What verbs say of tunnels inside of tunnels."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from vxlanpkt.analysis.words import counted
from vxlanpkt.capture.opening import is_pattern


def nested_hint(packets: int, source: str | Sequence[str], ports: Sequence[int]) -> str:
    """How to look into tunnels that are inside of tunnels."""
    same = "".join(f" --port {port}" for port in ports)
    named = shlex.quote(source) if isinstance(source, str) and not is_pattern(source) else "FILE"
    return (
        f"{counted(packets, 'packet holds', 'packets hold')} a datagram to a VXLAN port, another tunnel: "
        f"vxlanpkt decap -r {named}{same} -w - | vxlanpkt flows -r -{same}"
    )
