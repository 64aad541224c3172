"""The status of an agent as lines for people: the node, its links with rates and drops, its peers."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from itertools import islice
from typing import NamedTuple

from rich.text import Text

from vxlanpkt.analysis.words import counted
from vxlanpkt.cli.errors_said import printable
from vxlanpkt.cli.listings import fitted
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus

_LABEL = 9  # columns of what is left of a line's content
_LINKS = ("link", "kind", "at", "pps in", "bit/s in", "pps out", "bit/s out", "drops")
_DROPS = ("drops of", "reason", "packets", "pps")
_PEERS = ("subnet", "node", "path", "VTEP")
_SPARED_PEERS = ("VTEP",)
_SPARED_LINKS = ("kind", "at")
_PREFIXES = ("", " k", " M", " G", " T", " P")
_PATHS = {"tunnel": "by tunnel", "direct": "direct", "none": "not reached"}
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def status_lines(
    now: AgentStatus, before: AgentStatus | None, width: int, *, peers: int | None = None, height: int | None = None
) -> list[Text]:
    """All that there is to say. *before*: an earlier look, for rates. *peers*: how many to list at most.

    With *height* as many peers are listed as there are lines for.
    """
    lines = [
        *_head(now, width),
        Text(),
        *_links(now, before, width),
        *_drops(now, before, width),
        Text(),
        _counted_peers(now.peers),
    ]
    if height is None:
        lines += _peers(now.peers, width, peers)
    else:
        lines += _fitting_peers(now.peers, width, height - len(lines))
    return [Text(printable(line.plain), line.style) for line in lines]


# -- the node


def _head(now: AgentStatus, width: int) -> Iterator[Text]:
    yield Text(
        f"{now.backend} over {now.underlay}, MTU {now.mtu}, up {span(now.now - now.started)}, pid {now.pid}", "bold"
    )
    yield from _said("subnets", ", ".join(now.subnets), width)
    yield from _lease(now, width)
    yield from _said("store", now.store, width)
    if now.store_fault:
        yield from _said("", f"does not answer: {now.store_fault}", width, "red")
    failed = f", {now.failed:,} failed" if now.failed else ""
    events = counted(now.events, "change") + " of leases"
    yield from _said("kernel", f"{counted(now.programmed, 'request')}{failed}; {events}", width)
    for fault in now.faults:
        yield from _said("", fault, width, "red")
    for link in now.links:
        if link.missing:
            yield from _said("", f"{link.name} would be faster with {', '.join(link.missing)}", width)
        if link.tunnel_gso_frames:
            yield from _said("", f"{link.name} has sent {counted(link.tunnel_gso_frames, 'long frame')} as one", width)


def _lease(now: AgentStatus, width: int) -> Iterator[Text]:
    if now.lease_expiry is None:
        return _said("lease", "does not end", width)
    left = now.lease_expiry - now.now
    if left <= 0:
        return _said("lease", f"ended {span(-left)} ago", width, "red")
    return _said("lease", f"ends in {span(left)}", width)


def _said(label: str, text: str, width: int, style: str = "") -> Iterator[Text]:
    """A label and its content, which may take more lines."""
    indent = " " * _LABEL
    wrapped = textwrap.wrap(text, width, initial_indent=label.ljust(_LABEL), subsequent_indent=indent)
    return (Text(line, style) for line in wrapped)


# -- links


class _Rates(NamedTuple):
    """What passes a link in a second."""

    packets_in: float
    bits_in: float
    packets_out: float
    bits_out: float


def _links(now: AgentStatus, before: AgentStatus | None, width: int) -> Iterator[Text]:
    rows = [_link_cells(link, _rates(link, now, before)) for link in now.links]
    lines, _ = fitted(_LINKS, "lllrrrrr", rows, _SPARED_LINKS, width)
    return iter(lines)


def _link_cells(link: LinkStatus, rates: _Rates | None) -> list[str]:
    told = ["-"] * 4 if rates is None else [in_thousands(rate) for rate in rates]
    return [link.name, link.kind, link.endpoint, *told, f"{sum(link.drops.values()):,}"]


def _rates(link: LinkStatus, now: AgentStatus, before: AgentStatus | None) -> _Rates | None:
    """The rates since an earlier look; None where there was none, or what was counted began anew since."""
    earlier = _earlier(link, before)
    if earlier is None or before is None or not _is_later(now, before):
        return None
    seconds = now.now - before.now
    grown = (
        link.rx_packets - earlier.rx_packets, 8 * (link.rx_bytes - earlier.rx_bytes),
        link.tx_packets - earlier.tx_packets, 8 * (link.tx_bytes - earlier.tx_bytes),
    )  # fmt: skip
    return None if min(grown) < 0 else _Rates(*(count / seconds for count in grown))


def _is_later(now: AgentStatus, before: AgentStatus) -> bool:
    """Whether both are of one agent, and time has passed."""
    return (now.pid, now.started) == (before.pid, before.started) and now.now > before.now


def _earlier(link: LinkStatus, before: AgentStatus | None) -> LinkStatus | None:
    return None if before is None else next((was for was in before.links if was.name == link.name), None)


def _drops(now: AgentStatus, before: AgentStatus | None, width: int) -> Iterator[Text]:
    """A row for each cause that there was, the most frequent first."""
    rows = [
        [link.name, reason, f"{count:,}", _drop_rate(link, reason, now, before)]
        for link in now.links
        for reason, count in sorted(link.drops.items(), key=lambda item: (-item[1], item[0]))
        if count
    ]
    if rows:
        yield Text()
        yield from fitted(_DROPS, "llrr", rows, (), width)[0]


def _drop_rate(link: LinkStatus, reason: str, now: AgentStatus, before: AgentStatus | None) -> str:
    earlier = _earlier(link, before)
    if earlier is None or before is None or not _is_later(now, before):
        return "-"
    grown = link.drops[reason] - earlier.drops.get(reason, 0)
    return "-" if grown < 0 else in_thousands(grown / (now.now - before.now))


# -- peers


def _counted_peers(peers: Sequence[PeerStatus]) -> Text:
    by_path = Counter(peer.path for peer in peers)
    told = [f"{by_path[path]:,} {words}" for path, words in _PATHS.items() if by_path[path]]
    subnets = counted(len(peers), "subnet")
    return Text(f"{subnets} of other nodes{': ' if told else ''}{', '.join(told)}", "bold")


def _peers(peers: Sequence[PeerStatus], width: int, most: int | None) -> Iterator[Text]:
    """What is not reached, and why; then the others."""
    ordered = sorted(peers, key=lambda peer: (peer.path != "none", _place(peer.subnet)))
    shown = list(islice(ordered, most))
    yield from _unreached((peer for peer in shown if peer.path == "none"), width)
    rows = [[peer.subnet, peer.node, peer.path, peer.mac or ""] for peer in shown if peer.path != "none"]
    if rows:
        yield from fitted(_PEERS, "llll", rows, _SPARED_PEERS, width)[0]
    if len(shown) < len(peers):
        yield Text(f"{len(peers) - len(shown):,} more are not shown: --all")


def _place(subnet: str) -> tuple[int, int, str]:
    """Where a subnet stands in a list: by its address."""
    try:
        network = ip_network(subnet)
    except ValueError:
        return 0, 0, subnet
    return network.version, int(network.network_address), subnet


def _fitting_peers(peers: Sequence[PeerStatus], width: int, height: int) -> list[Text]:
    """As many as there is room for in so many lines."""
    most = max(0, height)
    while len(lines := list(_peers(peers, width, most))) > height and most:
        most -= 1
    return lines


def _unreached(peers: Iterable[PeerStatus], width: int) -> Iterator[Text]:
    for peer in peers:
        sentence = f"{peer.subnet} of {peer.node} is not reached: {peer.why}"
        for line in textwrap.wrap(sentence, width, subsequent_indent="  "):
            yield Text(line, "red")


# -- words


def in_thousands(value: float) -> str:
    """A number with at most four digits and the prefix of its unit: 82.1 k."""
    power = 0
    while value >= 999.95 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f}{_PREFIXES[power]}" if power or value % 1 else f"{value:.0f}"


def span(seconds: float) -> str:
    """A time in its two greatest units: 22 h 48 min."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for length, unit in _SPANS:
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
