"""Peers as one data path has them: with the next hop of each, by which long frames leave as one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.datapath.loops import load
from vxlanpkt.overlay.datapath.peers import Peers

_ffi, _lib = load()


class Hop(Protocol):
    """Who frames are addressed to, by whom, and the longest IP packet on the way there."""

    @property
    def mac(self) -> MACAddress:
        """Of the neighbour that takes them."""

    @property
    def own_mac(self) -> MACAddress:
        """Of the interface that they leave by."""

    @property
    def mtu(self) -> int:
        """In bytes."""


class PeerView(NamedTuple):
    """What the loops are handed: pointer is to a struct vxlanpkt_peers, the rest what it points into."""

    peers: Peers
    pointer: Any
    next_hops: Any = None
    made: Any = None


Find = Callable[[Address], "Hop | None"]


class NextHopTable:
    """The next hops of the peers of a data path at *local*; the loops read them while they are changed.

    A tunnel from another address has none, as its frames would not bear the address of the sockets.
    """

    def __init__(self, local: Address) -> None:
        self._local = local
        self._changing = threading.Lock()
        self._view: PeerView | None = None
        self._shown: list[Hop | None] = []
        self._made: dict[tuple[bytes, int], Any] = {}  # never freed, as a loop may have it: there are few

    def view(self, peers: Peers, find: Find) -> PeerView:
        """*peers* with the next hops that *find* knows; from now on `update` changes these."""
        pointer = _ffi.new("struct vxlanpkt_peers *")
        pointer[0] = peers.pointer[0]
        next_hops = _ffi.new("struct vxlanpkt_next_hop *[]", len(peers.tunnels) or 1)
        pointer.next_hops = _ffi.cast("const struct vxlanpkt_next_hop **", next_hops)
        with self._changing:
            self._view = PeerView(peers, pointer, next_hops, self._made)
            self._shown = [None] * len(peers.tunnels)
            self._show(find)
            return self._view

    def update(self, find: Find) -> None:
        """Have the loops use what *find* says now."""
        with self._changing:
            self._show(find)

    @property
    def addresses(self) -> frozenset[Address]:
        """Whose next hops are of use."""
        tunnels = self._view.peers.tunnels if self._view is not None else ()
        return frozenset(tunnel.dst for tunnel in tunnels if tunnel.src == self._local)

    def _show(self, find: Find) -> None:
        if self._view is None:
            return
        for number, tunnel in enumerate(self._view.peers.tunnels):
            hop = find(tunnel.dst) if tunnel.src == self._local else None
            if hop != self._shown[number]:
                self._shown[number] = hop
                _lib.vxlanpkt_set_next_hop(self._view.pointer, number, self._held(hop))

    def _held(self, hop: Hop | None) -> Any:
        if hop is None:
            return _ffi.NULL
        key = hop.mac.packed + hop.own_mac.packed, hop.mtu
        if key not in self._made:
            self._made[key] = _ffi.new("struct vxlanpkt_next_hop *", key)
        return self._made[key]
