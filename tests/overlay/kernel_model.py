"""A kernel in a few lines: what it does with a step, and what goes along with it. It refuses what Linux refuses."""

from __future__ import annotations

from collections.abc import Iterable

from vxlanpkt import MACAddress
from vxlanpkt.overlay import FDBEntry, KernelState, LinkAddress, NeighbourEntry, OverlayLink, Route, Step
from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.plans.kernel_state import Entry

UNDERLAY = "eth0"


class Refused(Exception):
    """Linux would say no."""


class KernelModel:
    """Tables as Linux has them."""

    def __init__(self, state: KernelState) -> None:
        self.links = {link.name: link for link in state.links}
        self.addresses = set(state.addresses)
        self.neighbours: dict[tuple[str, Address], MACAddress] = {}
        self.fdb: dict[tuple[str, MACAddress], set[Address]] = {}
        self.routes: dict[tuple[Network, int], Route] = {}
        entries: list[Entry] = [*state.neighbours, *state.fdb, *state.routes]
        for entry in entries:
            self.put(entry)

    @property
    def state(self) -> KernelState:
        return KernelState(
            frozenset(self.links.values()),
            frozenset(self.addresses),
            frozenset(NeighbourEntry(*key, mac) for key, mac in self.neighbours.items()),
            frozenset(FDBEntry(*key, remote) for key, remotes in self.fdb.items() for remote in remotes),
            frozenset(self.routes.values()),
        )

    def put(self, entry: Entry) -> None:
        """As with NLM_F_CREATE | NLM_F_REPLACE. Groups and the default entry of an FDB have several places."""
        if entry.link not in (*self.links, UNDERLAY):
            raise Refused(f"no device for {entry}")
        if isinstance(entry, LinkAddress):
            self.addresses.add(entry)
        elif isinstance(entry, NeighbourEntry):
            self.neighbours[entry.link, entry.address] = entry.mac
        elif isinstance(entry, FDBEntry):
            many = not int(entry.mac) or entry.mac.is_multicast
            places = self.fdb.setdefault((entry.link, entry.mac), set())
            if not many:
                places.clear()
            places.add(entry.remote)
        else:
            self.routes[entry.destination, entry.metric] = entry

    def do(self, step: Step) -> None:
        """Carry out a step."""
        item = step.item
        if isinstance(item, OverlayLink):
            self._do_link(step.action, item)
        elif step.action == "remove":
            self._remove(item)
        else:
            is_there = isinstance(item, Route) and (item.destination, item.metric) in self.routes
            if is_there and step.action == "make":
                raise Refused(f"{step}: another is there")
            self.put(item)

    def _do_link(self, action: str, link: OverlayLink) -> None:
        if (link.name in self.links) == (action == "make"):
            raise Refused(f"{action} {link.name}")
        if action == "remove":
            self._flush(link.name, (4, 6))
            self.addresses = {entry for entry in self.addresses if entry.link != link.name}
            self.fdb = {key: places for key, places in self.fdb.items() if key[0] != link.name}
            del self.links[link.name]
            return
        before = self.links.get(link.name, link)
        if action == "replace" and before.kind == link.kind == "vxlan":
            fixed = [(one.vni, one.local, one.port, one.gbp, one.learning, one.underlay) for one in (before, link)]
            if fixed[0] != fixed[1]:
                raise Refused(f"{link.name} cannot be changed so")
        if before.mac != link.mac and link.mac is not None:
            self._flush_neighbours(link.name, (4, 6))
        self.links[link.name] = link

    def _flush(self, name: str, versions: Iterable[int]) -> None:
        self._flush_neighbours(name, versions)
        self.routes = {
            key: route
            for key, route in self.routes.items()
            if route.link != name or route.destination.version not in versions
        }

    def _flush_neighbours(self, name: str, versions: Iterable[int]) -> None:
        self.neighbours = {
            key: mac for key, mac in self.neighbours.items() if key[0] != name or key[1].version not in versions
        }

    def _remove(self, entry: Entry) -> None:
        """What is not there was taken along with something else."""
        if isinstance(entry, LinkAddress):
            self.addresses.remove(entry)
            version = entry.address.version
            if not any(entry.link == other.link and other.address.version == version for other in self.addresses):
                self._flush(entry.link, (version,) if version == 4 else ())
        elif isinstance(entry, NeighbourEntry):
            self.neighbours.pop((entry.link, entry.address), None)
        elif isinstance(entry, FDBEntry):
            self.fdb[entry.link, entry.mac].remove(entry.remote)
        else:
            if self.routes.get((entry.destination, entry.metric)) not in (None, entry):
                raise Refused(f"another route than {entry}")
            self.routes.pop((entry.destination, entry.metric), None)
