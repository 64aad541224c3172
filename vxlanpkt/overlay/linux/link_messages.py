"""A device as rtnetlink messages: asked for, made, changed, and read as the kernel tells of it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from typing import Literal

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from vxlanpkt import MACAddress
from vxlanpkt.overlay.linux.rtnetlink import GETLINK, Message, Request, Rtnetlink
from vxlanpkt.overlay.plans.kernel_state import OverlayLink

_IFF_UP, _ARPHRD_ETHER = 0x1, 1
_ADDR_GEN_MODE_NONE = 1
_TUN_TYPE_TUN = 1
_UNKNOWN = IPv4Address(0)  # the kernel does not know where a TUN's or TAP's datagrams go


def named_link(name: str) -> Message:
    """Names a link by its name."""
    message = ifinfmsg()
    message["attrs"] = [["IFLA_IFNAME", name]]
    return message


def link_of_name(kernel: Rtnetlink, name: str) -> Message | None:
    """The link of a name as the kernel has it, None where there is none."""
    try:
        return kernel.get(Request(GETLINK, named_link(name)))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None


def numbered_link(index: int) -> Message:
    """Names a link by its number."""
    message = ifinfmsg()
    message["index"] = index
    return message


def new_vxlan(link: OverlayLink, underlay: int) -> Message:
    """Makes a vxlan device on the link *underlay*."""
    data: list[list[object]] = [
        ["IFLA_VXLAN_ID", link.vni],
        ["IFLA_VXLAN_LINK", underlay],
        [f"IFLA_VXLAN_LOCAL{'6' if link.local.version == 6 else ''}", str(link.local)],
        ["IFLA_VXLAN_PORT", link.port],
        ["IFLA_VXLAN_LEARNING", int(link.learning)],
    ]
    if link.gbp:
        data.append(["IFLA_VXLAN_GBP", True])
    message = named_link(link.name)
    message["attrs"] += [
        ["IFLA_ADDRESS", str(link.mac)],
        ["IFLA_MTU", link.mtu],
        ["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", "vxlan"], ["IFLA_INFO_DATA", {"attrs": data}]]}],
    ]
    return message


def quiet_link(index: int) -> Message:
    """Spares a link the link-local address that it would get when it comes up."""
    message = numbered_link(index)
    mode = ["IFLA_INET6_ADDR_GEN_MODE", _ADDR_GEN_MODE_NONE]
    message["attrs"] = [["IFLA_AF_SPEC", {"attrs": [["AF_INET6", {"attrs": [mode]}]]}]]
    return message


def changed_link(link: OverlayLink, found: Message) -> Message:
    """Sets what can be set of a link that was found. Setting even the same MAC address would cost it its neighbours."""
    message = numbered_link(found["index"])
    message["attrs"] = [["IFLA_MTU", link.mtu]]
    if link.mac is not None and link.mac != MACAddress(found.get_attr("IFLA_ADDRESS")):
        message["attrs"].append(["IFLA_ADDRESS", str(link.mac)])
    return message


def raised_link(index: int) -> Message:
    """Brings a link up."""
    message = numbered_link(index)
    message["change"] = message["flags"] = _IFF_UP
    return message


def device_kind(message: Message) -> str:
    """What a device is: "vxlan", "tun", "tap", "bridge", ...; "" for a plain one."""
    info = message.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    if kind != "tun":
        return kind or ""
    data = info.get_attr("IFLA_INFO_DATA")
    is_tun = data.get_attr("IFLA_TUN_TYPE") == _TUN_TYPE_TUN if data is not None else message["ifi_type"] != 1
    return "tun" if is_tun else "tap"


def is_up(link: Message) -> bool:
    """Whether a device is up."""
    return bool(link["flags"] & _IFF_UP)


def read_link(message: Message, names: Mapping[int, str]) -> OverlayLink | None:
    """A device as it was found; None for one of a kind that no overlay has."""
    kind = device_kind(message)
    name, mtu = message.get_attr("IFLA_IFNAME"), message.get_attr("IFLA_MTU")
    mac = MACAddress(message.get_attr("IFLA_ADDRESS")) if message["ifi_type"] == _ARPHRD_ETHER else None
    if kind in ("tun", "tap"):
        known: Literal["tun", "tap"] = "tun" if kind == "tun" else "tap"
        return OverlayLink(name, known, mtu, "", _UNKNOWN, 0, mac, is_up=is_up(message))
    if kind != "vxlan":
        return None
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    local = data.get_attr("IFLA_VXLAN_LOCAL6") or data.get_attr("IFLA_VXLAN_LOCAL") or "0.0.0.0"
    return OverlayLink(
        name,
        "vxlan",
        mtu,
        names.get(data.get_attr("IFLA_VXLAN_LINK") or 0, ""),
        ip_address(local),
        data.get_attr("IFLA_VXLAN_PORT"),
        mac,
        data.get_attr("IFLA_VXLAN_ID"),
        bool(data.get_attr("IFLA_VXLAN_GBP")),
        bool(data.get_attr("IFLA_VXLAN_LEARNING")),
        is_up(message),
    )


def vxlan_underlay(message: Message) -> int:
    """The number of the device that a vxlan device sends by; 0 for none."""
    if device_kind(message) != "vxlan":
        return 0
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    return int(data.get_attr("IFLA_VXLAN_LINK") or 0)
