"""Tunnels inside of tunnels: inner datagrams to a port that carries VXLAN."""

from __future__ import annotations

import os
from collections.abc import Iterable

from vxlanpkt.analysis.flow_tables import FlowTable
from vxlanpkt.analysis.masks import mask, table_of
from vxlanpkt.assigned import IPProtocol
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.grouping import SEED_SIZE, Groups

_IS_UDP = table_of(lambda protocol: protocol == IPProtocol.UDP)


class NestedCounter:
    """Counts accepted packets with such a datagram inside, batch by batch."""

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports)
        self._met = Groups({"dst_port": "H"}, seed=os.urandom(SEED_SIZE))

    def add(self, result: DecapBatch) -> None:
        """Count the rows of a batch."""
        udp = mask(result.inner_protocol, _IS_UDP)
        if 1 in udp:
            self._met.add(len(result), [result.inner_dst_port], selected=udp, status=result.status)

    @property
    def packets(self) -> int:
        """How many there were."""
        found = self._met.columns()
        return sum(n for port, n in zip(found["dst_port"], found["packets"], strict=True) if port in self._ports)


def nested_packets(table: FlowTable, ports: Iterable[int]) -> int:
    """How many packets of flows are such datagrams, in either direction."""
    wanted, columns, packets = frozenset(ports), table.columns, 0
    ways = [("dst_port", "packets"), ("src_port", "reverse_packets")]
    for port, counted in ways if table.bidirectional else ways[:1]:
        rows = zip(columns["protocol"], columns[port], columns[counted], strict=True)
        packets += sum(n for protocol, number, n in rows if protocol == IPProtocol.UDP and number in wanted)
    return packets
