"""The tunnels of a forwarding table: each by a number, and those that lead to a peer by its address."""

from __future__ import annotations

from array import array
from ipaddress import IPv4Address, IPv6Address

from vxlanpkt.kernel import new_buffer, view
from vxlanpkt.kernel.contract.tables import KEY_BITS, NO_VALUE, Asked, Senders
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.tables.numbering import GrowingMap, Numbers, as_tunnels
from vxlanpkt.tunnel import Tunnel, TunnelTable

_MAPPED = bytes(10) + b"\xff\xff"


class PeerTunnels(Numbers[Tunnel]):
    """Tunnels by their numbers, each there as long as somebody has taken it."""

    def __init__(self) -> None:
        super().__init__()
        self._peers: Numbers[Address] = Numbers()
        self._peer_map = GrowingMap([KEY_BITS])
        self._owners = array("I")  # the peer of each tunnel, by their numbers
        self._by_peer: dict[tuple[int, Address], dict[Tunnel, None]] = {}
        self._table: tuple[int, TunnelTable] | None = None

    def take(self, value: Tunnel) -> int:
        """The number of a tunnel, one use more."""
        is_new = self.number(value) is None
        number = super().take(value)
        if is_new:
            peer = self._peers.take(value.dst)
            self._peer_map.put(mapped(value.dst), KEY_BITS, array("I", [peer]))
            if number == len(self._owners):
                self._owners.append(peer)
            self._owners[number] = peer
            self._by_peer.setdefault((value.vni, value.dst), {})[value] = None
        return number

    def release(self, number: int, uses: int = 1) -> Tunnel | None:
        """Let go of a number; returns its tunnel if nobody has it any more."""
        tunnel = super().release(number, uses)
        if tunnel is None:
            return None
        if self._peers.release(self._owners[number]) is not None:
            self._peer_map.drop(mapped(tunnel.dst), KEY_BITS)
        self._owners[number] = NO_VALUE
        same = self._by_peer[tunnel.vni, tunnel.dst]
        del same[tunnel]
        if not same:
            del self._by_peer[tunnel.vni, tunnel.dst]
        return tunnel

    def first_to(self, vni: int, peer: Address) -> Tunnel | None:
        """The tunnel of a VNI that leads to a peer; of several the one that was taken first."""
        return next(iter(self._by_peer.get((vni, peer), ())), None)

    def as_table(self) -> TunnelTable:
        """All of them under their numbers, for `encap_batch`; what changes these may change the table."""
        if self._table is None or self._table[0] != self.version:
            self._table = self.version, as_tunnels(self.values)
        return self._table[1]

    def senders(self, sources: memoryview, stamp: int) -> Senders:
        """Who sent each of many frames, from the peers' addresses of 16 bytes, as the kernel takes it."""
        rows = sources.nbytes // 16
        found = new_buffer(4 * rows)
        self._peer_map.look_up(Asked(rows, sources, 16, 0, 16), found)
        return Senders(view(found).cast("I"), memoryview(self._owners), stamp)


def mapped(address: Address) -> bytes:
    """An address in 16 bytes, IPv4 as ::ffff:a.b.c.d."""
    return _MAPPED + address.packed if address.version == 4 else address.packed


def unmapped(address: bytes) -> Address:
    """The address that 16 bytes stand for."""
    return IPv4Address(address[12:]) if address.startswith(_MAPPED) else IPv6Address(address)
