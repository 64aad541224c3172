"""Find the interface that tunnels leave by, as flannel does: that of the default route, unless told otherwise."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import TypeVar

from vxlanpkt.overlay.addresses import Address, Interface
from vxlanpkt.overlay.linux import entry_messages, link_messages, rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Message, Request, Rtnetlink
from vxlanpkt.overlay.plans.kernel_state import Underlay

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# Where no route leads but a default one: reserved by RFC 1112 4, and for documentation by RFC 9637.
_NOWHERE: dict[int, Address] = {socket.AF_INET: IPv4Address("240.0.0.1"), socket.AF_INET6: IPv6Address("3fff::1")}
_UNSUITED = 0x20 | 0x40 | 0x08  # IFA_F_DEPRECATED, IFA_F_TENTATIVE, IFA_F_DADFAILED
_A = TypeVar("_A", IPv4Address, IPv6Address)


def find_underlay(
    interface: str | None = None,
    *,
    public_ip: IPv4Address | str | None = None,
    public_ipv6: IPv6Address | str | None = None,
) -> Underlay:
    """The interface that tunnels leave by, in the network namespace of the calling thread.

    interface               its name, or an address that it has; None for that of the default route, IPv4 before IPv6
    public_ip, public_ipv6  what peers send to, where it is not the interface's first global address: another that it
                            has, or one that a router translates into it

    Raises `OSError`, which says what is missing.
    """
    with Rtnetlink() as kernel:
        found = _addresses(kernel)
        link = _link(kernel, interface, found)
    name: str = link.get_attr("IFLA_IFNAME")
    if not link_messages.is_up(link):
        raise OSError(errno.ENETDOWN, "the interface is down: bring it up, or name another", name)
    own = [address for number, address in found if number == link["index"]]
    # An address that is named is the one of its family.
    own.sort(key=lambda address: str(address.ip) != str(_as_address(interface)))
    local_ip, public = _local_and_public(public_ip, IPv4Address, own, name)
    local_ipv6, public6 = _local_and_public(public_ipv6, IPv6Address, own, name)
    underlay = Underlay(name, link.get_attr("IFLA_MTU"), public, public6, frozenset(own), local_ip, local_ipv6)
    if underlay.public_ip is None and underlay.public_ipv6 is None:
        raise OSError(errno.EADDRNOTAVAIL, "the interface has no global address that peers could send to", name)
    return underlay


def _local_and_public(
    given: Address | str | None, kind: type[_A], own: Sequence[Interface], name: str
) -> tuple[_A | None, _A | None]:
    """The address of one family that tunnels leave by, and the one that peers send to."""
    addresses = [address.ip for address in own if isinstance(address.ip, kind)]
    if given is None:
        return (addresses[0], addresses[0]) if addresses else (None, None)
    public = kind(str(given))
    if not addresses:
        reason = f"the interface has no global IPv{public.version} address that tunnels for {public} could leave by"
        raise OSError(errno.EADDRNOTAVAIL, reason, name)
    return public if public in addresses else addresses[0], public


def _addresses(kernel: Rtnetlink) -> list[tuple[int, Interface]]:
    """The global addresses of all links that may be sent from, each with its link's number, in the kernel's order."""
    found = []
    for family in _FAMILIES:
        for message in kernel.dump(Request(rtnetlink.GETADDR, entry_messages.addresses_on(family))):
            text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            flags = message.get_attr("IFA_FLAGS") or message["flags"]
            if message["scope"] < entry_messages.SCOPE_LINK and not flags & _UNSUITED:
                found.append((message["index"], ip_interface(f"{text}/{message['prefixlen']}")))
    return found


def _link(kernel: Rtnetlink, interface: str | None, addresses: Sequence[tuple[int, Interface]]) -> Message:
    """The link itself."""
    if interface is None:
        return kernel.get(Request(rtnetlink.GETLINK, link_messages.numbered_link(_default_link(kernel))))
    address = _as_address(interface)
    if address is not None:
        numbers = [number for number, own in addresses if own.ip == address]
        if not numbers:
            raise OSError(errno.EADDRNOTAVAIL, "no interface has this address", interface)
        return kernel.get(Request(rtnetlink.GETLINK, link_messages.numbered_link(numbers[0])))
    try:
        return kernel.get(Request(rtnetlink.GETLINK, link_messages.named_link(interface)))
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.ERANGE, errno.EINVAL):
            raise
        raise OSError(errno.ENODEV, "there is no such interface", interface) from error


def _default_link(kernel: Rtnetlink) -> int:
    """The number of the link that the best default route leads to."""
    for family in _FAMILIES:
        number = _looked_up(kernel, family) or _searched(kernel, family)
        if number:
            return number
    raise OSError(errno.ENETUNREACH, "there is no default route: name the interface that tunnels are to leave by")


def _looked_up(kernel: Rtnetlink, family: int) -> int:
    """The same, asked of the kernel in one look-up: a node may have ten thousand other routes. 0 where that says no."""
    try:
        route = kernel.get(Request(rtnetlink.GETROUTE, entry_messages.route_to(_NOWHERE[family])))
    except OSError:
        return 0
    return entry_messages.first_hop(route) if entry_messages.is_default(route) else 0


def _searched(kernel: Rtnetlink, family: int) -> int:
    """The same among all routes: another one may lead to nowhere, or a rule to another table. 0 for none."""
    routes = [
        (message.get_attr("RTA_PRIORITY") or 0, hop)
        for message in kernel.dump(Request(rtnetlink.GETROUTE, entry_messages.routes_of_protocol(family, 0)))
        if entry_messages.is_default(message) and (hop := entry_messages.first_hop(message))
    ]
    return min(routes)[1] if routes else 0


def _as_address(interface: str | None) -> Address | None:
    try:
        return None if interface is None else ip_address(interface)
    except ValueError:
        return None
