"""Tunnel, the recipe of an outer header, and encapsulation of one frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, overload

from vxlanpkt import kernel
from vxlanpkt._values import Value
from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import BuildError, Reason, is_number, refused_field
from vxlanpkt.kernel import clears_df, encap_one
from vxlanpkt.kernel.contract.encapsulation import DF, ECNMode, EncapRecipe, FlowLabel, InnerIP, UDPChecksum
from vxlanpkt.kernel.contract.protocols import IPV4_TYPE, IPV6_TYPE, SERVICE_TAG_TYPE, TAG_TYPE, UDP_PROTOCOL
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.layers.base import as_bytes, as_mac
from vxlanpkt.link_types import LinkType
from vxlanpkt.starts import Start, kind_of

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

    from vxlanpkt.layers.dot1q import Dot1Q
    from vxlanpkt.layers.vxlan import GroupPolicy

_refused = partial(refused_field, "Tunnel")
_ETHERNET = LinkType.ETHERNET

Address = IPv4Address | IPv6Address
Frame = bytes | bytearray | memoryview
EPHEMERAL = (49152, 65536)  # RFC 6335 dynamic ports, as a half-open range

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_UDP = Struct("!HHHH")
_VXLAN = Struct("!II")
_GPE_FLAGS = 0x0C
_BARE_IP = (Kind.RAW, Kind.IPV4, Kind.IPV6)


class Datagram(NamedTuple):
    """What to send from a UDP socket: destination address and port, source port, TOS, TTL, and the payload."""

    dst: Address
    dst_port: int
    src_port: int
    tos: int
    ttl: int
    payload: bytes


if TYPE_CHECKING:

    class TunnelOptions(TypedDict, total=False):
        """What `Tunnel`, `Tunnel.linux` and `Tunnel.ovs` take by keyword."""

        dst_port: int
        src_port: int | tuple[int, int] | None
        ttl: int | Literal["inherit"]
        dscp: int | Literal["inherit"]
        ecn: Literal["rfc6040", "linux", "none"]
        df: Literal["set", "unset", "inherit"]
        flow_label: int | Literal["inherit", "hash"]
        udp_checksum: Literal["zero", "full", "inner"] | None
        vlans: Iterable[int | Dot1Q]
        group_policy: GroupPolicy | int | None
        gpe: bool
        symmetric: bool
        inner_ip: Literal["sound", "linux", "ovs"]

    class TunnelFields(TunnelOptions, total=False):
        """What `Tunnel.replace` takes."""

        vni: int
        src: Address | str
        dst: Address | str
        src_mac: MACAddress | str | bytes | int
        dst_mac: MACAddress | str | bytes | int


# What the implementations do unless told otherwise. The ranges are half-open: Linux reads the two ends of
# net.ipv4.ip_local_port_range like that, and so never takes its last port.
_LINUX: TunnelOptions = {"src_port": (32768, 60999), "ecn": "linux", "df": "unset", "inner_ip": "linux"}
_OVS: TunnelOptions = {"src_port": (32768, 61000), "ecn": "linux", "inner_ip": "ovs"}


class Tunnel(Value):
    """How inner frames are wrapped on their way to one peer.

    vni              24 bits  VXLAN network identifier
    src, dst         outer IP addresses, both of one version; dst may be a multicast group
    src_mac, dst_mac outer MAC addresses; not needed for `encap_payload`
    dst_port         16 bits  UDP destination port
    src_port         None for 49152-65535 by a hash of the inner flow (RFC 7348 section 5); a fixed port; or a
                     half-open range (low, high) for the hash
    ttl              TTL or hop limit; "inherit" takes that of an inner IP packet (64 if it is 0 or there is none)
    dscp             6 bits; "inherit" takes that of an inner IP packet (0 if there is none)
    ecn              "rfc6040" copies the inner ECN, "linux" too but CE becomes ECT(0), "none" sends Not-ECT
    df               "set" (a VTEP MUST NOT fragment, RFC 7348 section 4.3), "unset", or "inherit": that of an inner
                     IPv4 packet, set for IPv6, else clear; DF clear needs an identification for each frame (RFC 6864)
    flow_label       20 bits, IPv6 only; "inherit" takes an inner IPv6 packet's, "hash" the low bits of the flow hash
    udp_checksum     "zero", "full", or "inner": as "full", but a TCP or UDP checksum inside is believed, which saves
                     reading the segment. None is "zero" over IPv4 and "full" over IPv6 (RFC 8200 section 8.1)
    vlans            outer tags, as VID or `Dot1Q`: one goes under 0x8100, of two the first under 0x88a8
    group_policy     a group policy ID, or a `GroupPolicy`
    gpe              the generic protocol extension's header
    symmetric        both directions of a flow get the same source port
    inner_ip         the inner IP packet that TTL, DSCP, ECN, DF and flow label are taken from: "sound" is one whose
                     lengths hold, behind any tags; "linux" and "ovs" are what these take for one (docs/tunnels.md)

    `Tunnel.linux` and `Tunnel.ovs` have the defaults of these implementations. The hash is described in
    docs/flow-hash.md. Raises `FieldError` for what cannot be sent.
    """

    __match_args__ = (
        "vni", "src", "dst", "src_mac", "dst_mac", "dst_port", "src_port", "ttl", "dscp", "ecn", "df", "flow_label",
        "udp_checksum", "vlans", "group_policy", "gpe", "symmetric", "inner_ip",
    )  # fmt: skip

    vni: int
    src: Address
    dst: Address
    src_mac: MACAddress
    dst_mac: MACAddress
    dst_port: int
    src_port: int | tuple[int, int] | None
    ttl: int | Literal["inherit"]
    dscp: int | Literal["inherit"]
    ecn: Literal["rfc6040", "linux", "none"]
    df: Literal["set", "unset", "inherit"]
    flow_label: int | Literal["inherit", "hash"]
    udp_checksum: Literal["zero", "full", "inner"] | None
    vlans: tuple[Dot1Q, ...]
    group_policy: GroupPolicy | None
    gpe: bool
    symmetric: bool
    inner_ip: Literal["sound", "linux", "ovs"]

    def __init__(
        self,
        vni: int,
        src: Address | str,
        dst: Address | str,
        src_mac: MACAddress | str | bytes | int = 0,
        dst_mac: MACAddress | str | bytes | int = 0,
        *,
        dst_port: int = 4789,
        src_port: int | tuple[int, int] | None = None,
        ttl: int | Literal["inherit"] = 64,
        dscp: int | Literal["inherit"] = 0,
        ecn: Literal["rfc6040", "linux", "none"] = "rfc6040",
        df: Literal["set", "unset", "inherit"] = "set",
        flow_label: int | Literal["inherit", "hash"] = 0,
        udp_checksum: Literal["zero", "full", "inner"] | None = None,
        vlans: Iterable[int | Dot1Q] = (),
        group_policy: GroupPolicy | int | None = None,
        gpe: bool = False,
        symmetric: bool = False,
        inner_ip: Literal["sound", "linux", "ovs"] = "sound",
    ) -> None:
        values: dict[str, Any] = {
            "vni": _number("vni", vni, 24),
            "src": _address("src", src),
            "dst": _address("dst", dst),
            "src_mac": as_mac("Tunnel", "src_mac", src_mac),
            "dst_mac": as_mac("Tunnel", "dst_mac", dst_mac),
            "dst_port": _number("dst_port", dst_port, 16),
            "src_port": _ports(src_port),
            "ttl": _number("ttl", ttl, 8, "inherit"),
            "dscp": _number("dscp", dscp, 6, "inherit"),
            "ecn": _choice("ecn", ecn, "rfc6040", "linux", "none"),
            "df": _choice("df", df, "set", "unset", "inherit"),
            "flow_label": _number("flow_label", flow_label, 20, "inherit", "hash"),
            "udp_checksum": _choice("udp_checksum", udp_checksum, None, "zero", "full", "inner"),
            "vlans": _tags(vlans),
            "group_policy": _group_policy(group_policy),
            "gpe": _switch("gpe", gpe),
            "symmetric": _switch("symmetric", symmetric),
            "inner_ip": _choice("inner_ip", inner_ip, "sound", "linux", "ovs"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_together()

    @classmethod
    def linux(
        cls,
        vni: int,
        src: Address | str,
        dst: Address | str,
        src_mac: MACAddress | str | bytes | int = 0,
        dst_mac: MACAddress | str | bytes | int = 0,
        **options: Unpack[TunnelOptions],
    ) -> Tunnel:
        """As the Linux kernel's vxlan device sends, made by `ip link add ... type vxlan` with nothing else said.

        Sets src_port=(32768, 60999), ttl=64 (1 to a multicast dst), ecn="linux", df="unset", udp_checksum="full"
        ("zero" with gpe), inner_ip="linux"; *options* go before these. DF is clear, so number the packets.
        """
        options = {**_LINUX, **options}
        options.setdefault("ttl", 1 if _address("dst", dst).is_multicast else 64)
        options.setdefault("udp_checksum", "zero" if options.get("gpe") else "full")
        return cls(vni, src, dst, src_mac, dst_mac, **options)

    @classmethod
    def ovs(
        cls,
        vni: int,
        src: Address | str,
        dst: Address | str,
        src_mac: MACAddress | str | bytes | int = 0,
        dst_mac: MACAddress | str | bytes | int = 0,
        **options: Unpack[TunnelOptions],
    ) -> Tunnel:
        """As Open vSwitch's datapath in user space sends through a port of type vxlan with nothing else said.

        Sets src_port=(32768, 61000), ecn="linux", inner_ip="ovs"; *options* go before these.
        """
        options = {**_OVS, **options}
        return cls(vni, src, dst, src_mac, dst_mac, **options)

    def _check_together(self) -> None:
        if self.src.version != self.dst.version:
            raise _refused("dst", self.dst, f"an IPv{self.src.version} address, as src is")
        if self.src.is_multicast:
            raise _refused("src", self.src, "a unicast address")
        if self.dst_port == 0:
            raise _refused("dst_port", 0, "a port to send to", 16)
        if self.gpe and self.group_policy is not None:
            raise _refused("group_policy", self.group_policy, "compatible with gpe: the two exclude each other")

    def replace(self, **changes: Unpack[TunnelFields]) -> Tunnel:
        """A copy with *changes*."""
        return self.__replace__(**changes)

    # -- sizes

    @property
    def overhead(self) -> int:
        """The bytes before the inner frame: 50 over IPv4, 70 over IPv6, 4 more for an outer tag."""
        return len(self._template)

    def inner_mtu(self, mtu: int, *, start: Start = LinkType.ETHERNET) -> int:
        """The IP MTU inside, where the underlay's is *mtu*: 50 or 70 less, 36 or 56 for bare IP in GPE (*start* RAW).

        Outer tags do not count against an IP MTU; a tag inside takes 4 more.
        """
        inner_header = 0 if self._is_raw(start) else 14
        return mtu - (20 if self.src.version == 4 else 40) - 16 - inner_header

    # -- one frame

    def encap(self, inner: Frame, *, identification: int | None = None, start: Start = LinkType.ETHERNET) -> bytes:
        """The whole outer frame around *inner*.

        identification  16 bits  the outer IPv4 header's; 0 if not given, but DF clear needs it
        start           what *inner* begins with: Ethernet, or (only with `gpe`) IP

        Raises `BuildError` for an inner frame that does not fit one datagram, `FieldError` for a
        missing identification.
        """
        inner = inner if type(inner) is bytes else as_bytes("Tunnel", "inner", inner)
        held = self.held if start is _ETHERNET else self.held_recipe(start)
        if identification is None:
            if self.df != "set" and clears_df(inner, held):
                asked = "a number of 16 bits: DF is clear (RFC 6864), so encap(frame, identification=N)"
                raise _refused("identification", None, asked, 16)
            identification = 0
        elif not is_number(identification, 16):
            raise _refused("identification", identification, "a number of 16 bits", 16)
        frame = encap_one(inner, held, identification)
        return frame if type(frame) is bytes else self._refuse(inner, frame)

    @staticmethod
    def _refuse(inner: bytes, reason: Any) -> NoReturn:
        from vxlanpkt.reasons import REASONS  # which nobody needs whose frames fit

        info = REASONS[reason]
        message = f"{info.layer}.length: {info.text}: {len(inner)} bytes"
        raise BuildError(message, layer=info.layer, field="length", reason=Reason(reason))

    def encap_payload(self, inner: Frame, *, start: Start = LinkType.ETHERNET) -> Datagram:
        """What to send from a UDP socket: the kernel below writes the headers outside of VXLAN.

        Raises `BuildError` for an inner frame that does not fit one datagram.
        """
        frame = self.encap(inner, identification=0, start=start)
        ip = self._recipe.ip_offset
        udp = ip + (20 if self.src.version == 4 else 40)
        if self.src.version == 4:
            tos, ttl = frame[ip + 1], frame[ip + 8]
        else:
            tos, ttl = (frame[ip] << 4 | frame[ip + 1] >> 4) & 0xFF, frame[ip + 7]
        src_port = frame[udp] << 8 | frame[udp + 1]
        return Datagram(self.dst, self.dst_port, src_port, tos, ttl, frame[udp + 8 :])

    # -- as kernels take it

    def held_recipe(self, start: Start = LinkType.ETHERNET) -> Any:
        """This tunnel as the kernel holds it, for inner frames that begin with *start*."""
        return self._held_raw if self._is_raw(start) else self.held

    @cached_property
    def can_clear_df(self) -> bool:
        """Whether the outer header may be one with DF clear, which needs an identification."""
        return self.src.version == 4 and self.df != "set"

    def _is_raw(self, start: Start) -> bool:
        kind = kind_of(start)
        if kind is Kind.ETHERNET:
            return False
        if kind not in _BARE_IP or not self.gpe:
            raise _refused("start", start, "Ethernet, or IP with gpe")
        return True

    @cached_property
    def held(self) -> Any:
        """This tunnel as the kernel holds it, for Ethernet frames."""
        return kernel.hold_recipe(self._recipe)

    @cached_property
    def _held_raw(self) -> Any:
        return kernel.hold_recipe(self._raw_recipe)

    @cached_property
    def _raw_recipe(self) -> EncapRecipe:
        return self._recipe._replace(raw=True)

    @cached_property
    def _recipe(self) -> EncapRecipe:
        low, high = EPHEMERAL
        if isinstance(self.src_port, tuple):
            low, high = self.src_port
        elif self.src_port is not None:
            low, high = self.src_port, self.src_port + 1
        checksum = self.udp_checksum or ("zero" if self.src.version == 4 else "full")
        label = self.flow_label
        return EncapRecipe(
            template=self._template,
            ip_offset=14 + 4 * len(self.vlans),
            family=self.src.version,
            low_port=low,
            high_port=high,
            ttl=0 if self.ttl == "inherit" else self.ttl,
            inherit_ttl=self.ttl == "inherit",
            dscp=0 if self.dscp == "inherit" else self.dscp,
            inherit_dscp=self.dscp == "inherit",
            ecn=ECNMode[self.ecn.upper()],
            df=DF[self.df.upper()],
            flow_label=label if isinstance(label, int) else 0,
            flow_label_mode=FlowLabel.FIXED if isinstance(label, int) else FlowLabel[label.upper()],
            udp_checksum=UDPChecksum[checksum.upper()],
            symmetric=self.symmetric,
            gpe=self.gpe,
            raw=False,
            inner_ip=InnerIP[self.inner_ip.upper()],
        )

    @cached_property
    def _template(self) -> bytes:
        """The outer header with zeros where each frame has its own bytes."""
        parts = [self.dst_mac.packed, self.src_mac.packed]
        for position, tag in enumerate(self.vlans):
            service = len(self.vlans) == 2 and position == 0
            parts.append((SERVICE_TAG_TYPE if service else TAG_TYPE).to_bytes(2, "big"))
            parts.append((tag.pcp << 13 | tag.dei << 12 | tag.vid).to_bytes(2, "big"))
        if self.src.version == 4:
            parts.append(IPV4_TYPE.to_bytes(2, "big"))
            parts.append(_IPV4.pack(0x45, 0, 0, 0, 0, 0, UDP_PROTOCOL, 0, self.src.packed, self.dst.packed))
        else:
            parts.append(IPV6_TYPE.to_bytes(2, "big"))
            parts.append(_IPV6.pack(0, 0, UDP_PROTOCOL, 0, self.src.packed, self.dst.packed))
        parts.append(_UDP.pack(0, self.dst_port, 0, 0))
        parts.append(_VXLAN.pack(self._flags(), self.vni << 8))
        return b"".join(parts)

    def _flags(self) -> int:
        """The first word of the VXLAN header."""
        if self.gpe:
            return _GPE_FLAGS << 24
        if self.group_policy is None:
            return 0x08 << 24
        from vxlanpkt.layers.vxlan import VXLAN  # which few tunnels need

        policy = self.group_policy
        header = VXLAN.with_group_policy(
            0, policy.policy_id, dont_learn=policy.dont_learn, applied=policy.applied
        )  # fmt: skip
        return header.flags << 24 | header.reserved1


class TunnelTable(Sequence[Tunnel]):
    """Tunnels made ready for `encap_batch`, to be chosen from by an index: immutable.

    A list does as well, but is made ready again in each call.
    """

    __slots__ = ("_held_raw", "_tunnels", "can_clear_df", "held", "overhead")

    can_clear_df: bool  # whether an outer header may be one with DF clear
    overhead: int  # the bytes of the longest header
    held: Any  # the table as the kernel holds it, for Ethernet frames

    def __init__(self, tunnels: Iterable[Tunnel]) -> None:
        if not isinstance(tunnels, Iterable):
            raise _refused("tunnels", tunnels, "an iterable of tunnels")
        self._tunnels = tuple(tunnels)
        for tunnel in self._tunnels:
            if not isinstance(tunnel, Tunnel):
                raise _refused("tunnels", tunnel, "a Tunnel")
        self.held = kernel.hold_table([tunnel.held for tunnel in self._tunnels])
        self._held_raw: Any = None
        self.can_clear_df = any(tunnel.can_clear_df for tunnel in self._tunnels)
        self.overhead = max((tunnel.overhead for tunnel in self._tunnels), default=0)

    @overload
    def __getitem__(self, index: int) -> Tunnel: ...
    @overload
    def __getitem__(self, index: slice) -> TunnelTable: ...
    def __getitem__(self, index: int | slice) -> Tunnel | TunnelTable:
        found = self._tunnels[index]
        return TunnelTable(found) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._tunnels)

    def __eq__(self, other: object) -> bool:
        return self._tunnels == other._tunnels if isinstance(other, TunnelTable) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._tunnels)

    def __reduce__(self) -> tuple[Any, ...]:
        return TunnelTable, (self._tunnels,)

    def __repr__(self) -> str:
        return f"<TunnelTable of {len(self)} tunnels>"

    def held_recipe(self, start: Start = LinkType.ETHERNET) -> Any:
        """The table as the kernel holds it, for inner frames that begin with *start*."""
        if kind_of(start) is Kind.ETHERNET:
            return self.held
        if self._held_raw is None:
            self._held_raw = kernel.hold_table([tunnel.held_recipe(start) for tunnel in self._tunnels])
        return self._held_raw


def flow_hash(frame: Frame, *, symmetric: bool = False, start: Start = LinkType.ETHERNET) -> int:
    """The 32-bit hash of the flow that an inner frame belongs to: what source ports are made from.

    symmetric  both directions of a flow have the same
    start      what *frame* begins with: Ethernet, or IP; anything else is a `FieldError`
    """
    kind = kind_of(start)
    if kind is not Kind.ETHERNET and kind not in _BARE_IP:
        raise refused_field("flow_hash", "start", start, "Ethernet, or IP")
    if not isinstance(symmetric, bool):
        raise refused_field("flow_hash", "symmetric", symmetric, "True or False")
    frame = frame if type(frame) is bytes else as_bytes("flow_hash", "frame", frame)
    return kernel.flow_hash(frame, symmetric, kind in _BARE_IP)


def _number(name: str, value: int | str, bits: int, *words: str) -> int | str:
    if isinstance(value, str) and value in words:
        return value
    if not is_number(value, bits):
        raise _refused(name, value, " or ".join([f"a number of {bits} bits", *map(repr, words)]), bits)
    return value


def _switch(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise _refused(name, value, "True or False")
    return value


def _choice(name: str, value: str | None, *words: str | None) -> str | None:
    if value not in words:
        raise _refused(name, value, f"one of {', '.join(map(str, words))}")
    return value


def _address(name: str, value: Address | str) -> Address:
    try:
        address = ip_address(value)
    except ValueError:
        raise _refused(name, value, "an IP address") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise _refused(name, value, "an address without a zone")
    return address


def _ports(value: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
    if value is None or is_number(value, 16):
        return value
    ends = tuple(value) if isinstance(value, Iterable) else ()
    if len(ends) == 2 and all(is_number(port, 17) for port in ends) and ends[0] < ends[1] <= 1 << 16:
        return ends[0], ends[1]
    raise _refused("src_port", value, "a port, or (low, high) with low < high <= 65536", 16)


def _tags(vlans: Iterable[int | Dot1Q]) -> tuple[Dot1Q, ...]:
    if not isinstance(vlans, Iterable):
        raise _refused("vlans", vlans, "an iterable of tags")
    given = tuple(vlans)
    if not given:
        return ()
    from vxlanpkt.layers.dot1q import Dot1Q  # which few tunnels need

    tags = tuple(tag if isinstance(tag, Dot1Q) else Dot1Q(vid=tag) for tag in given)
    if len(tags) > 2:
        raise _refused("vlans", vlans, "at most two tags")
    return tags


def _group_policy(value: GroupPolicy | int | None) -> GroupPolicy | None:
    if value is None:
        return None
    from vxlanpkt.layers.vxlan import GroupPolicy  # which few tunnels need

    policy = value if isinstance(value, GroupPolicy) else GroupPolicy(value)
    _number("group_policy", policy.policy_id, 16)
    return policy
