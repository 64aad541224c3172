"""From what the kernel holds to what it should hold: the steps, in an order that leaves no hole. Pure functions.

Stale routes go first, so that nothing is sent to what goes next. Then come links and addresses: a stale address goes
after the new one has come, as a device that loses its last one loses all its routes. Then, peer by peer, come the FDB
entry, the neighbour and the route: each needs what is before it. (flannel has the neighbour first, so a VTEP's new MAC
address leads nowhere for a moment.) What no route uses any more goes last: a peer that is now reached directly has its
new route before its neighbour entry goes. What has changed is replaced and not made anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Set
from typing import Literal, NamedTuple

from vxlanpkt.overlay.plans.kernel_state import (
    Entry,
    FDBEntry,
    KernelState,
    LinkAddress,
    NeighbourEntry,
    OverlayLink,
    Route,
)
from vxlanpkt.overlay.plans.kernel_words import in_words


class Step(NamedTuple):
    """One thing to do. A link is changed, all else replaced, where something with the same key is there."""

    action: Literal["make", "replace", "remove"]
    item: OverlayLink | Entry

    def __str__(self) -> str:
        return f"{self.action} {in_words(self.item)}"


class _Difference(NamedTuple):
    """What of one kind of entry is to be done."""

    stale: list[Entry]
    wanted: dict[Hashable, Step]


def is_same_device(wanted: OverlayLink, found: OverlayLink) -> bool:
    """Whether *found* can be made *wanted*: the kernel changes none of these of a device that is there."""
    if wanted.kind != "vxlan" or found.kind != "vxlan":
        return wanted.kind == found.kind
    return _identity(wanted) == _identity(found)


def _identity(link: OverlayLink) -> tuple[object, ...]:
    return link.vni, link.underlay, link.local, link.port, link.gbp, link.learning


def is_as_wanted(wanted: OverlayLink, found: OverlayLink) -> bool:
    """Whether nothing has to be changed. Where the datagrams of a TUN or TAP go, the kernel does not know."""
    return (
        is_same_device(wanted, found)
        and (wanted.mtu, wanted.is_up) == (found.mtu, found.is_up)
        and wanted.mac in (None, found.mac)
    )


def steps(wanted: KernelState, found: KernelState) -> tuple[Step, ...]:
    """What makes *wanted* of *found*. A TUN or TAP that is not there is not made, nor anything on it."""
    links = {link.name: link for link in found.links}
    targets = {link.name: link for link in wanted.links}
    removed = {name for name, link in links.items() if not (new := targets.get(name)) or not is_same_device(new, link)}
    kept = links.keys() - removed
    absent = {name for name, link in targets.items() if name not in kept and link.kind != "vxlan"}
    # A new MAC address costs a device its neighbours.
    forgetful = {name for name in kept if targets[name].mac not in (None, links[name].mac)}

    def differ(old: Set[Entry], new: Set[Entry], lost: Set[str] = removed) -> _Difference:
        return _difference(_without(old, lost), _without(new, absent))

    routes = differ(found.routes, wanted.routes)
    addresses = differ(found.addresses, wanted.addresses)
    neighbours = differ(found.neighbours, wanted.neighbours, removed | forgetful)
    fdb = differ(found.fdb, wanted.fdb)
    return (
        *_removals(routes.stale),
        *_removals(link for name, link in links.items() if name in removed),
        *(
            Step("replace" if name in kept else "make", link)
            for name, link in sorted(targets.items())
            if name not in absent and not (name in kept and is_as_wanted(link, links[name]))
        ),
        *(addresses.wanted[key] for key in sorted(addresses.wanted, key=str)),
        *_removals(addresses.stale),
        *_peer_by_peer(wanted, neighbours.wanted, fdb.wanted, routes.wanted),
        *_removals(fdb.stale + neighbours.stale),
    )


def _key(entry: Entry) -> Hashable:
    """Of two entries with the same key the kernel holds one."""
    if isinstance(entry, NeighbourEntry):
        return entry.link, entry.address
    if isinstance(entry, FDBEntry):
        return entry.link, entry.mac
    if isinstance(entry, Route):
        return entry.destination, entry.metric
    return entry


def _without(entries: Set[Entry], links: Set[str]) -> Set[Entry]:
    """Those that are not on one of *links*: mostly all, as they are, with the hashes that they have."""
    return frozenset(entry for entry in entries if entry.link not in links) if links else entries


def _difference(old: Set[Entry], new: Set[Entry]) -> _Difference:
    made = {_key(entry): entry for entry in new - old}
    replaced: set[Hashable] = set()
    stale: list[Entry] = []
    for entry in sorted(old - new, key=str):
        name = _key(entry)
        if name in made and name not in replaced:
            replaced.add(name)  # one entry is what the new one takes the place of
        else:
            stale.append(entry)
    wanted = {name: Step("replace" if name in replaced else "make", entry) for name, entry in made.items()}
    return _Difference(stale, wanted)


def _removals(items: Iterable[OverlayLink | Entry]) -> Iterator[Step]:
    return (Step("remove", item) for item in items)


def _peer_by_peer(
    wanted: KernelState, neighbours: dict[Hashable, Step], fdb: dict[Hashable, Step], routes: dict[Hashable, Step]
) -> Iterator[Step]:
    """The steps of one route after the other, each behind what it needs; then what no route asks for."""
    macs: dict[Hashable, object] = (
        {(entry.link, entry.address): entry.mac for entry in wanted.neighbours} if routes else {}
    )
    for key in sorted(routes, key=str):
        step = routes[key]
        route = step.item
        assert isinstance(route, Route)
        gateway: Hashable = (route.link, route.gateway)
        if (station := (route.link, macs.get(gateway))) in fdb:
            yield fdb.pop(station)
        if gateway in neighbours:
            yield neighbours.pop(gateway)
        yield step
    yield from fdb.values()
    yield from neighbours.values()


def applied(found: KernelState, done: Iterable[Step]) -> KernelState:
    """What the kernel holds when *done* is done to *found*."""
    links = {link.name: link for link in found.links}
    entries: dict[Hashable, set[Entry]] = {}
    for entry in _entries(found):
        entries.setdefault(_key(entry), set()).add(entry)
    for action, item in done:
        if not isinstance(item, OverlayLink):
            if action == "remove":
                entries.get(_key(item), set()).discard(item)
            else:
                entries[_key(item)] = {item}
            continue
        before = links.pop(item.name, item)
        if action != "remove":
            links[item.name] = item
        for held in entries.values():
            held -= {entry for entry in held if _goes_with(entry, before, links.get(item.name))}
    return _state(links.values(), [entry for held in entries.values() for entry in held])


def _goes_with(entry: Entry, before: OverlayLink, after: OverlayLink | None) -> bool:
    """Whether the kernel takes an entry away when its link goes, or gets another MAC address."""
    if entry.link != before.name:
        return False
    return after is None or (isinstance(entry, NeighbourEntry) and after.mac not in (None, before.mac))


def _entries(state: KernelState) -> Iterator[Entry]:
    yield from state.addresses
    yield from state.neighbours
    yield from state.fdb
    yield from state.routes


def _state(links: Iterable[OverlayLink], entries: Iterable[Entry]) -> KernelState:
    entries = tuple(entries)
    return KernelState(
        frozenset(links),
        frozenset(entry for entry in entries if isinstance(entry, LinkAddress)),
        frozenset(entry for entry in entries if isinstance(entry, NeighbourEntry)),
        frozenset(entry for entry in entries if isinstance(entry, FDBEntry)),
        frozenset(entry for entry in entries if isinstance(entry, Route)),
    )
