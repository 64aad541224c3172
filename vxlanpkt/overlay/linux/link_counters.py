"""The kernel's counters of network devices, from /proc/net/dev of the calling thread's namespace."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_TABLE = Path("/proc/thread-self/net/dev")
_RX, _TX = 0, 8  # where each direction's eight columns begin: bytes, packets, errors, dropped, ...


class LinkCounters(NamedTuple):
    """What passed a device, in the kernel's direction: rx came from it to this node."""

    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0

    @property
    def losses(self) -> dict[str, int]:
        """Errors and drops that there were."""
        names = ("rx_errors", "rx_dropped", "tx_errors", "tx_dropped")
        return {name: count for name in names if (count := getattr(self, name))}


def link_counters() -> dict[str, LinkCounters]:
    """The counters of every device, by its name."""
    lines = _TABLE.read_text(encoding="ascii").splitlines()[2:]
    return {name.strip(): _counters(values.split()) for name, _, values in (line.partition(":") for line in lines)}


def _counters(values: list[str]) -> LinkCounters:
    rx, tx = (list(map(int, values[at : at + 4])) for at in (_RX, _TX))
    return LinkCounters(rx[1], rx[0], tx[1], tx[0], rx[2], rx[3], tx[2], tx[3])
