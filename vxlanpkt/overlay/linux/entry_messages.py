"""Addresses, neighbours, FDB entries and routes as rtnetlink messages: asked for, made, and read again."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.linux.rtnetlink import Message
from vxlanpkt.overlay.plans.kernel_state import Entry, FDBEntry, LinkAddress, NeighbourEntry, Route

AF_BRIDGE = 7
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
SCOPE_LINK = 253  # RT_SCOPE_LINK: an address or route that is of use on its own link only
ROUTE_PROTOCOL = 89  # of our routes: free in iproute2's rt_protos and in the kernel's rtnetlink.h

_IP = tuple(FAMILIES.values())
_PERMANENT, _STATIC, _NTF_SELF = 0x80, 0x40, 0x02  # NUD_PERMANENT, NUD_NOARP; the entry is the device's own
_IFA_F_NODAD = 0x02
_UDP = 17
_TABLE_MAIN, _PROTOCOL_KERNEL, _UNICAST, _ONLINK, _CLONED = 254, 2, 1, 4, 0x200
_SCOPE_UNIVERSE, _SCOPE_NOWHERE = 0, 255
_LOOKUP_TABLE, _FIB_MATCH = 0x1000, 0x2000  # RTM_F_: the answer names its table, and is the route itself
_USUAL_METRICS = {socket.AF_INET: 0, socket.AF_INET6: 1024}


# -- what to dump


def addresses_on(family: int, index: int = 0) -> Message:
    """Asks for the addresses of one family on a link, or on all."""
    message = ifaddrmsg()
    message["family"], message["index"] = family, index
    return message


def neighbours_on(family: int, index: int) -> Message:
    """Asks for the neighbours on a link, or for the FDB, whose family is AF_BRIDGE."""
    message = ndmsg()
    message["family"] = family
    message["attrs"] = [["NDA_IFINDEX", index]]
    return message


def routes_by(family: int, index: int) -> Message:
    """Asks for the main table's routes by a link."""
    message = rtmsg()
    message["family"] = family
    message["attrs"] = [["RTA_TABLE", _TABLE_MAIN], ["RTA_OIF", index]]
    return message


def routes_of_protocol(family: int, protocol: int = ROUTE_PROTOCOL) -> Message:
    """Asks for the main table's routes of a protocol, or of all, by any link."""
    message = rtmsg()
    message["family"], message["proto"] = family, protocol
    message["attrs"] = [["RTA_TABLE", _TABLE_MAIN]]
    return message


def route_to(address: Address) -> Message:
    """Asks for the one route that is taken to an address."""
    message = rtmsg()
    message["family"], message["dst_len"] = FAMILIES[address.version], address.max_prefixlen
    # The answer of IPv6 names its table in any case, and the flag is refused.
    message["flags"] = _FIB_MATCH | (_LOOKUP_TABLE if address.version == 4 else 0)
    message["attrs"] = [["RTA_DST", str(address)]]
    return message


def route_between(source: Address, destination: Address) -> Message:
    """Asks for the way that datagrams of UDP take from one address to another, with what ICMP errors said of it."""
    message = rtmsg()
    message["family"] = FAMILIES[destination.version]
    message["dst_len"] = message["src_len"] = destination.max_prefixlen
    message["attrs"] = [["RTA_DST", str(destination)], ["RTA_SRC", str(source)], ["RTA_IP_PROTO", _UDP]]
    return message


# -- addresses, neighbours, routes: as requests


def entry_message(entry: Entry, index: int) -> Message:
    """The message that makes an entry on the link *index*, or takes it away; a route that is of our protocol."""
    if isinstance(entry, LinkAddress):
        return _address_message(entry, index)
    if isinstance(entry, NeighbourEntry):
        return _neighbour_message(FAMILIES[entry.address.version], index, entry.mac, entry.address, 0)
    if isinstance(entry, FDBEntry):
        return _neighbour_message(AF_BRIDGE, index, entry.mac, entry.remote, _NTF_SELF)
    return _route_message(entry, index)


def _address_message(entry: LinkAddress, index: int) -> Message:
    message = ifaddrmsg()
    message["family"] = FAMILIES[entry.address.version]
    message["index"] = index
    message["prefixlen"] = entry.address.network.prefixlen
    message["flags"] = _IFA_F_NODAD if entry.address.version == 6 else 0  # nobody could answer
    text = str(entry.address.ip)
    message["attrs"] = [["IFA_LOCAL", text], ["IFA_ADDRESS", text]]
    return message


def _neighbour_message(family: int, index: int, mac: MACAddress, address: Address, flags: int) -> Message:
    message = ndmsg()
    message["family"], message["ifindex"] = family, index
    message["state"], message["flags"] = _PERMANENT, flags
    message["attrs"] = [["NDA_DST", str(address)], ["NDA_LLADDR", str(mac)]]
    return message


def _route_message(entry: Route, index: int) -> Message:
    message = rtmsg()
    message["family"] = FAMILIES[entry.destination.version]
    message["dst_len"] = entry.destination.prefixlen
    message["table"], message["proto"], message["type"] = _TABLE_MAIN, ROUTE_PROTOCOL, _UNICAST
    is_far = entry.gateway is not None or entry.destination.version == 6
    message["scope"] = _SCOPE_UNIVERSE if is_far else SCOPE_LINK
    message["flags"] = _ONLINK if entry.onlink else 0
    message["attrs"] = [["RTA_DST", str(entry.destination.network_address)], ["RTA_OIF", index]]
    if entry.gateway is not None:
        message["attrs"].append(["RTA_GATEWAY", str(entry.gateway)])
    if entry.metric:
        message["attrs"].append(["RTA_PRIORITY", entry.metric])
    return message


def unspecific(route: Message) -> Message:
    """The same for a route of any protocol and scope: to take away what others left on a link of ours."""
    route["proto"], route["scope"] = 0, _SCOPE_NOWHERE
    return route


# -- and as the kernel tells of them


def read_address(message: Message, names: Mapping[int, str]) -> LinkAddress | None:
    """An address; None for what the kernel gives to a device itself."""
    link = names.get(message["index"])
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    if link is None or text is None or message["scope"] == SCOPE_LINK:
        return None
    return LinkAddress(link, ip_interface(f"{text}/{message['prefixlen']}"))


def read_neighbour(message: Message, names: Mapping[int, str]) -> NeighbourEntry | FDBEntry | None:
    """A permanent neighbour, or an FDB entry of the device itself that was not learnt; None for all else."""
    link, address, mac = names.get(message["ifindex"]), message.get_attr("NDA_DST"), message.get_attr("NDA_LLADDR")
    family, state = message["family"], message["state"]
    if link is None or not address or not mac:
        return None
    if family == AF_BRIDGE:
        is_fixed = message["flags"] & _NTF_SELF and state & (_PERMANENT | _STATIC)
        return FDBEntry(link, MACAddress(mac), ip_address(address)) if is_fixed else None
    is_fixed = family in _IP and state & _PERMANENT
    return NeighbourEntry(link, ip_address(address), MACAddress(mac)) if is_fixed else None


def read_lost_neighbour(message: Message, names: Mapping[int, str]) -> NeighbourEntry | None:
    """A neighbour that is permanent no longer; where its MAC address went with it, it has the address 0."""
    link, address = names.get(message["ifindex"]), message.get_attr("NDA_DST")
    if link is None or not address or message["family"] not in _IP:
        return None
    return NeighbourEntry(link, ip_address(address), MACAddress(message.get_attr("NDA_LLADDR") or 0))


def is_ours(message: Message) -> bool:
    """Whether a route has our protocol number."""
    return bool(message["proto"] == ROUTE_PROTOCOL)


def is_default(route: Message) -> bool:
    """Whether a route is a default route of the main table."""
    return not route["dst_len"] and (route.get_attr("RTA_TABLE") or route["table"]) == _TABLE_MAIN


def first_hop(route: Message) -> int:
    """The number of the link that a route leads to, the first of several; 0 for none."""
    several = route.get_attr("RTA_MULTIPATH") or [{"oif": 0}]
    return int(route.get_attr("RTA_OIF") or several[0]["oif"])


def read_route(message: Message, names: Mapping[int, str]) -> Route | None:
    """A route of the main table by one link; None for what the kernel made itself."""
    link = names.get(message.get_attr("RTA_OIF") or 0)
    if (
        link is None
        or message["family"] not in _IP
        or message["proto"] == _PROTOCOL_KERNEL
        or message["type"] != _UNICAST
        or message["flags"] & _CLONED
        or (message.get_attr("RTA_TABLE") or message["table"]) != _TABLE_MAIN
    ):
        return None
    any_address = IPv4Address(0) if message["family"] == socket.AF_INET else IPv6Address(0)
    destination = ip_network(f"{message.get_attr('RTA_DST') or any_address}/{message['dst_len']}")
    gateway = message.get_attr("RTA_GATEWAY")
    metric = message.get_attr("RTA_PRIORITY") or 0
    return Route(
        destination,
        link,
        None if gateway is None else ip_address(gateway),
        bool(message["flags"] & _ONLINK),
        0 if metric == _USUAL_METRICS[message["family"]] else metric,
    )
