"""What the `ip` and `bridge` programs say that a kernel holds: the oracle for what was programmed."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from vxlanpkt import MACAddress
from vxlanpkt.overlay import FDBEntry, KernelState, LinkAddress, NeighbourEntry, OverlayLink, Route

from .namespaces import Namespace

_PASSING = ("stats", "stats64", "valid_life_time", "preferred_life_time", "ifindex", "link_index", "used", "updated",
            "inet6_addr_gen_mode", "operstate", "state", "flags")  # fmt: skip


def dump(namespace: Namespace, *arguments: str) -> list[dict[str, Any]]:
    """One table, as the programs have it."""
    program, *rest = arguments
    command = (program, "-j", *rest)
    out = namespace.exec(*command).stdout
    return [entry for entry in json.loads(out or "[]") if entry]


def everything(namespace: Namespace) -> dict[str, list[str]]:
    """All tables, without what changes by itself: for a comparison of before and after."""
    tables = {
        "links": dump(namespace, "ip", "-d", "link"),
        "addresses": dump(namespace, "ip", "addr"),
        "neighbours": dump(namespace, "ip", "neigh", "show", "nud", "permanent"),
        "fdb": dump(namespace, "bridge", "fdb"),
        "routes": dump(namespace, "ip", "route", "show", "table", "all"),
        "routes6": dump(namespace, "ip", "-6", "route", "show", "table", "all"),
    }
    return {name: sorted(json.dumps(_lasting(entry), sort_keys=True) for entry in table)
            for name, table in tables.items()}  # fmt: skip


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in _PASSING}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


def overlay_state(namespace: Namespace, *links: str) -> KernelState:
    """All that is on some links and was not put there by the kernel, and routes of protocol 89 by others."""
    routes = [
        route
        for family in ("-4", "-6")
        for route in dump(namespace, "ip", family, "-d", "route")
        if (route.get("dev") in links and route["protocol"] != "kernel") or route["protocol"] == "89"
    ]
    return KernelState(
        links=frozenset(_link(entry) for entry in dump(namespace, "ip", "-d", "link") if entry["ifname"] in links),
        addresses=frozenset(
            LinkAddress(entry["ifname"], ip_interface(f"{address['local']}/{address['prefixlen']}"))
            for entry in dump(namespace, "ip", "addr")
            for address in entry["addr_info"]
            if entry["ifname"] in links and address["scope"] != "link"
        ),
        neighbours=frozenset(
            NeighbourEntry(entry["dev"], ip_address(entry["dst"]), MACAddress(entry["lladdr"]))
            for entry in dump(namespace, "ip", "neigh", "show", "nud", "permanent")
            if entry["dev"] in links
        ),
        fdb=frozenset(
            FDBEntry(entry["ifname"], MACAddress(entry["mac"]), ip_address(entry["dst"]))
            for entry in dump(namespace, "bridge", "fdb")
            if entry["ifname"] in links and "self" in entry["flags"] and "dst" in entry
        ),
        routes=frozenset(map(_route, routes)),
    )


def _link(entry: dict[str, Any]) -> OverlayLink:
    data = entry["linkinfo"]["info_data"]
    kind = entry["linkinfo"]["info_kind"]
    is_up = "UP" in entry["flags"]
    if kind == "tun":
        station = MACAddress(entry["address"]) if data["type"] == "tap" else None
        return OverlayLink(entry["ifname"], data["type"], entry["mtu"], "", ip_address(0), 0, station, is_up=is_up)
    local = data.get("local") or data["local6"]
    mac = MACAddress(entry["address"])
    return OverlayLink(
        entry["ifname"], kind, entry["mtu"], data["link"], ip_address(local), data["port"], mac, data["id"],
        data.get("gbp", False), data["learning"], is_up,
    )  # fmt: skip


def _route(entry: dict[str, Any]) -> Route:
    metric = entry.get("metric", 0)
    return Route(
        ip_network(entry["dst"]),
        entry["dev"],
        ip_address(entry["gateway"]) if "gateway" in entry else None,
        "onlink" in entry["flags"],
        0 if ":" in entry["dst"] and metric == 1024 else metric,
    )
