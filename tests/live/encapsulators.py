"""Encapsulators whose outer frames are compared: the kernel's vxlan device and Open vSwitch, each set up in many ways.

Beside each way stands what `Tunnel.linux` or `Tunnel.ovs` is told to agree with it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from vxlanpkt import GroupPolicy, LinkType, Tunnel

from . import ovs
from .handmade import KERNEL_IP, KERNEL_IP6, KERNEL_MAC, PEER_IP, PEER_IP6, PEER_MAC, VNI, inner_frame, ipv6
from .inner_frames import FRAMES, PACKETS
from .ovs import Switch
from .rig import UNDERLAY, VXLAN_DEVICE, Rig
from .wire import Wire, one_processor

if TYPE_CHECKING:
    from vxlanpkt.tunnel import TunnelOptions

_GROUP, _GROUP_MAC = "239.1.2.3", "01:00:5e:01:02:03"
_GROUP6, _GROUP6_MAC = "ff05::1:2", "33:33:00:01:00:02"
LAST_VNI = (1 << 24) - 1

Sender = Callable[[bytes], None]


class Setting(NamedTuple):
    """A way to set an encapsulator up, as its own tools have it, and the options of the `Tunnel` that agrees."""

    name: str
    options: tuple[str, ...] = ()
    told: TunnelOptions = {}  # noqa: RUF012 - never changed
    ip_version: int = 4
    vni: int = VNI
    mark: int = 0
    group: tuple[str, str] = ("", "")
    inherit_flow_label: bool = False

    @property
    def port(self) -> int:
        """The UDP destination port."""
        return self.told.get("dst_port", 4789)

    def linux_tunnel(self) -> Tunnel:
        """The preset that is to agree with the kernel."""
        return Tunnel.linux(*self.tunnel_ends(), **self.told)

    def ovs_tunnel(self) -> Tunnel:
        """The preset that is to agree with Open vSwitch."""
        return Tunnel.ovs(*self.tunnel_ends(), **self.told)

    def tunnel_ends(self) -> tuple[int, str, str, str, str]:
        """VNI, addresses and MAC addresses, as `Tunnel` takes them."""
        src, dst = (KERNEL_IP, PEER_IP) if self.ip_version == 4 else (KERNEL_IP6, PEER_IP6)
        group, group_mac = self.group
        return self.vni, src, group or dst, KERNEL_MAC, group_mac or PEER_MAC


def _both(name: str, options: tuple[str, ...] = (), told: TunnelOptions | None = None) -> tuple[Setting, Setting]:
    """The same over IPv4 and over IPv6."""
    return (
        Setting(f"{name}, IPv4", options, told or {}),
        Setting(f"{name}, IPv6", options, told or {}, ip_version=6),
    )


_INHERIT: TunnelOptions = {"ttl": "inherit", "dscp": "inherit"}

LINUX = (
    *_both("default"),
    *_both("ttl 9", ("ttl", "9"), {"ttl": 9}),
    *_both("ttl 255", ("ttl", "255"), {"ttl": 255}),
    *_both("ttl auto", ("ttl", "auto")),
    *_both("ttl inherit", ("ttl", "inherit"), {"ttl": "inherit"}),
    *_both("tos 0xb8", ("tos", "0xb8"), {"dscp": 46}),
    *_both("tos 0xbb", ("tos", "0xbb"), {"dscp": 46}),
    *_both("tos inherit", ("tos", "inherit"), {"dscp": "inherit"}),
    *_both("df set", ("df", "set"), {"df": "set"}),
    *_both("df unset", ("df", "unset"), {"df": "unset"}),
    *_both("df inherit", ("df", "inherit"), {"df": "inherit"}),
    *_both("udpcsum", ("udpcsum",)),
    Setting("noudpcsum, IPv4", ("noudpcsum",), {"udp_checksum": "zero"}),
    Setting("noudpcsum, IPv6", ("noudpcsum",), ip_version=6),
    Setting("udp6zerocsumtx, IPv4", ("udp6zerocsumtx",)),
    Setting("udp6zerocsumtx, IPv6", ("udp6zerocsumtx",), {"udp_checksum": "zero"}, ip_version=6),
    Setting("flowlabel 0xabcde, IPv6", ("flowlabel", "0xabcde"), {"flow_label": 0xABCDE}, ip_version=6),
    Setting("flowlabel inherit, IPv6", (), {"flow_label": "inherit"}, ip_version=6, inherit_flow_label=True),
    Setting("id 0", vni=0),
    Setting("id 16777215", vni=LAST_VNI),
    *_both("dstport 8472", (), {"dst_port": 8472}),
    Setting("id 1 dev underlay dstport 8472, as flannel has it", ("dev", UNDERLAY), {"dst_port": 8472}, vni=1),
    *_both("srcport 50000 50010", ("srcport", "50000", "50010"), {"src_port": (50000, 50010)}),
    Setting("srcport 50000 50001", ("srcport", "50000", "50001"), {"src_port": 50000}),
    *_both("gbp, no mark", ("gbp",)),
    Setting("gbp, mark 0x1234", ("gbp",), {"group_policy": 0x1234}, mark=0x1234),
    Setting("gbp, mark 0x480007", ("gbp",), {"group_policy": GroupPolicy(7, True, True)}, mark=0x480007),
    Setting("gbp, mark 0x400000", ("gbp",), {"group_policy": GroupPolicy(0, dont_learn=True)}, mark=0x400000),
    Setting("gbp, mark 0x7f07ffff", ("gbp",), {"group_policy": 0xFFFF}, mark=0x7F07FFFF),
    Setting("gbp, mark 0x1234, IPv6", ("gbp",), {"group_policy": 0x1234}, ip_version=6, mark=0x1234),
    Setting("group 239.1.2.3", group=(_GROUP, _GROUP_MAC)),
    Setting("group 239.1.2.3, ttl 5", ("ttl", "5"), {"ttl": 5}, group=(_GROUP, _GROUP_MAC)),
    Setting("group 239.1.2.3, ttl inherit", ("ttl", "inherit"), {"ttl": "inherit"}, group=(_GROUP, _GROUP_MAC)),
    Setting("group ff05::1:2", ip_version=6, group=(_GROUP6, _GROUP6_MAC)),
    *_both("ttl inherit tos inherit df inherit", ("ttl", "inherit", "tos", "inherit", "df", "inherit"),
           {**_INHERIT, "df": "inherit"}),
    Setting("ttl inherit tos inherit flowlabel inherit, IPv6", ("ttl", "inherit", "tos", "inherit"),
            {**_INHERIT, "flow_label": "inherit"}, ip_version=6, inherit_flow_label=True),
    Setting("noudpcsum ttl inherit tos inherit df set dstport 8472, IPv4",
            ("noudpcsum", "ttl", "inherit", "tos", "inherit", "df", "set"),
            {**_INHERIT, "udp_checksum": "zero", "df": "set", "dst_port": 8472}),
)  # fmt: skip

_GPE: TunnelOptions = {"gpe": True, "dst_port": 4790}

# The device with the generic protocol extension takes its settings from routes: `encap ip id ... dst ... OPTIONS`.
LINUX_GPE = (
    *_both("external gpe", (), _GPE),
    *_both("external gpe, csum", ("csum",), {**_GPE, "udp_checksum": "full"}),
    Setting("external gpe, ttl 9, IPv4", ("ttl", "9"), {**_GPE, "ttl": 9}),
    Setting("external gpe, hoplimit 9, IPv6", ("hoplimit", "9"), {**_GPE, "ttl": 9}, ip_version=6),
    Setting("external gpe, tos 0xb8, IPv4", ("tos", "0xb8"), {**_GPE, "dscp": 46}),
    Setting("external gpe, tc 0xb8, IPv6", ("tc", "0xb8"), {**_GPE, "dscp": 46}, ip_version=6),
)

OVS = (
    *_both("default"),
    *_both("csum=true", ("csum=true",), {"udp_checksum": "full"}),
    *_both("csum=false", ("csum=false",)),
    *_both("exts=gpe", ("exts=gpe",), {"gpe": True}),
    *_both("df_default=true", ("df_default=true",)),
    *_both("df_default=false", ("df_default=false",), {"df": "unset"}),
    *_both("ttl=9", ("ttl=9",), {"ttl": 9}),
    *_both("ttl=inherit", ("ttl=inherit",), {"ttl": "inherit"}),
    *_both("tos=0xb8", ("tos=0xb8",), {"dscp": 46}),
    *_both("tos=inherit", ("tos=inherit",), {"dscp": "inherit"}),
    *_both("tos=0xb8 ttl=9", ("tos=0xb8", "ttl=9"), {"dscp": 46, "ttl": 9}),
    *_both("tos=inherit ttl=inherit", ("tos=inherit", "ttl=inherit"), _INHERIT),
    *_both("dst_port=8472", (), {"dst_port": 8472}),
    Setting("key=0", vni=0),
    Setting("key=16777215", vni=LAST_VNI),
    Setting("csum=true exts=gpe tos=inherit ttl=inherit df_default=false, dst_port=4790",
            ("csum=true", "exts=gpe", "tos=inherit", "ttl=inherit", "df_default=false"),
            {**_INHERIT, "udp_checksum": "full", "gpe": True, "df": "unset", "dst_port": 4790}),
)  # fmt: skip


@contextmanager
def linux_ends(rig: Rig, setting: Setting) -> Iterator[tuple[Sender, Wire]]:
    """The kernel's device in this setting: what sends an inner frame in, and where outer ones come out."""
    device = rig.device(
        *setting.options,
        ip_version=setting.ip_version,
        port=setting.port,
        vni=setting.vni,
        group=setting.group[0],
        inherit_flow_label=setting.inherit_flow_label,
    )
    with device, rig.wire(rig.kernel, VXLAN_DEVICE) as inside, rig.wire(rig.peer, UNDERLAY) as underlay:
        yield partial(inside.send, mark=setting.mark), underlay


@contextmanager
def ovs_ends(switch: Switch, setting: Setting) -> Iterator[tuple[Sender, Wire]]:
    """The same of a tunnel port of Open vSwitch."""
    with (
        switch.tunnel(*setting.options, ip_version=setting.ip_version, port=setting.port, vni=setting.vni),
        switch.wire(ovs.INNER) as inside,
        switch.wire(ovs.UNDERLAY) as underlay,
    ):
        yield inside.send, underlay


@contextmanager
def linux_gpe_ends(rig: Rig, setting: Setting) -> Iterator[tuple[Sender, Wire]]:
    """The kernel's device with the generic protocol extension: what routes an IP packet in, and where it comes out."""
    _, _, remote, _, _ = setting.tunnel_ends()
    encap = ("encap", "ip6" if setting.ip_version == 6 else "ip", "id", str(setting.vni), "dst", remote)
    with ExitStack() as stack:
        stack.enter_context(rig.gpe_device(setting.port))
        raw = {}
        for version, family, dst in ((4, socket.AF_INET, "10.0.0.2"), (6, socket.AF_INET6, "fd00::2")):
            rig.kernel.ip("route", "add", dst, *encap, *setting.options, "dev", VXLAN_DEVICE)
            # A raw socket of this protocol takes packets with their headers.
            raw[version] = rig.kernel.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW), (dst, 0)
            stack.callback(raw[version][0].close)

        def route(packet: bytes) -> None:
            end, address = raw[packet[0] >> 4]
            end.sendto(packet, address)

        yield route, stack.enter_context(rig.wire(rig.peer, UNDERLAY))


def outer_frames(
    send: Sender, underlay: Wire, inner: Mapping[str, bytes], fence: Callable[[bytes], bytes] = inner_frame
) -> dict[str, bytes | None]:
    """What came out of an encapsulator for each inner frame, or None where nothing did.

    A *fence* with a token of its own follows each, which comes out after it. What does not end with the frame is not
    what it became: the kernel says things of its own on the underlay, such as which groups it has joined.
    """
    found: dict[str, bytes | None] = {}
    with one_processor():
        for number, (name, frame) in enumerate(inner.items()):
            last = fence(b"fence %06d" % number)
            send(frame)
            send(last)
            seen = [one.data for one in underlay.receive_until(partial(_is_behind, last))]
            assert seen and seen[-1].endswith(last), "the fence did not come out"
            made = [data for data in seen[:-1] if data.endswith(frame)]
            assert len(made) <= 1, "one frame came out more than once"
            found[name] = made[0] if made else None
    return found


def _is_behind(end: bytes, data: bytes) -> bool:
    return data.endswith(end)


def is_made_by(tunnel: Tunnel, outer: bytes, inner: bytes, start: LinkType) -> bool:
    """Whether *tunnel* makes this outer frame once it is told the source port and the identification.

    The port has to be one that the tunnel may choose: the hash that it comes from is each implementation's own.
    """
    udp = 34 if tunnel.src.version == 4 else 54
    port = int.from_bytes(outer[udp : udp + 2], "big")
    ports = tunnel.src_port
    low, high = ports if isinstance(ports, tuple) else (ports or 49152, (ports or 65535) + 1)
    identification = int.from_bytes(outer[18:20], "big") if tunnel.src.version == 4 else 0
    made = tunnel.replace(src_port=port).encap(inner, identification=identification, start=start)
    return low <= port < high and made == outer


class Row(NamedTuple):
    """A line of a table of agreement; the exceptions are frames by name."""

    setting: str
    frames: int
    equal: int
    exceptions: list[str]


def row_of(
    name: str,
    tunnel: Tunnel,
    inner: Mapping[str, bytes],
    outer: Mapping[str, bytes | None],
    start: LinkType = LinkType.ETHERNET,
) -> Row:
    """How far *tunnel* agrees with what an encapsulator made."""
    exceptions = [
        frame for frame, made in outer.items() if made is None or not is_made_by(tunnel, made, inner[frame], start)
    ]
    return Row(name, len(outer), len(outer) - len(exceptions), exceptions)


# The EtherType says IP, and no whole IP header is there: the kernel drops the frame, a recipe drops nothing.
NOT_SENT_BY_LINUX = (
    "IPv4, 10 bytes", "IPv4, 19 bytes", "IPv6, 10 bytes", "IPv6, 39 bytes", "tag, IPv4, 10 bytes",
    "a tag and nothing behind it",
)  # fmt: skip
# The version is not that of the EtherType: the switch takes the fields all the same, a recipe takes none.
NOT_FOLLOWED_OF_OVS = ("IPv4 by EtherType, version 5", "IPv6 by EtherType, version 5", "IPv6 by EtherType, IPv4 inside")
# The kernel keeps one of the frames from the switch.
SENT_TO_OVS = {name: frame for name, frame in FRAMES.items() if name != "a tag and nothing behind it"}


def linux_row(rig: Rig, setting: Setting) -> Row:
    """Every inner frame through the kernel's device in this setting."""
    with linux_ends(rig, setting) as (send, underlay):
        seen = outer_frames(send, underlay, FRAMES)
    return row_of(setting.name, setting.linux_tunnel(), FRAMES, seen)


def linux_gpe_row(rig: Rig, setting: Setting) -> Row:
    """Every bare IP packet by a route into the device with the generic protocol extension."""
    with linux_gpe_ends(rig, setting) as (route, underlay):
        seen = outer_frames(route, underlay, PACKETS, _fence_packet)
    return row_of(setting.name, setting.linux_tunnel(), PACKETS, seen, LinkType.RAW)


def _fence_packet(token: bytes) -> bytes:
    return ipv6("fd00::1", "fd00::2", 253, token)


def ovs_row(switch: Switch, setting: Setting) -> Row:
    """Every inner frame that gets there through a tunnel port of Open vSwitch in this setting."""
    with ovs_ends(switch, setting) as (send, underlay):
        seen = outer_frames(send, underlay, SENT_TO_OVS)
    return row_of(setting.name, setting.ovs_tunnel(), SENT_TO_OVS, seen)
