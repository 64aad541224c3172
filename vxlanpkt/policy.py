"""DecapPolicy: what a receiver refuses, as a value. Every implementation draws the line elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from vxlanpkt import kernel
from vxlanpkt._values import Value
from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError, is_number, misfit, refused_argument, refused_field
from vxlanpkt.kernel.contract.decapsulation import (
    DecapRules,
    ECNRule,
    GPERule,
    InnerLength,
    InnerVLAN,
    IPOptions,
    Lengths,
    UDPLength,
)
from vxlanpkt.layers.base import as_mac

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

_refused = partial(refused_field, "DecapPolicy")

_T = TypeVar("_T")
_R = TypeVar("_R", GPERule, InnerLength)
Network = IPv4Network | IPv6Network

ALL_RESERVED = 0xF7FFFFFF_000000FF  # the 39 bits of the header that are neither I nor the VNI
_GBP_BITS = 0x8048FFFF_00000000  # G, D, A and the group policy ID
_GBP_IGNORED = 0x80FFFFFF_00000000
_GPE_BITS = 0x340000FF_00000000  # version, P and the next protocol
_P_BIT = 0x04000000_00000000
_SWITCH = (False, True)
_CHOICES: dict[str, tuple[str | bool, ...]] = {
    "gbp": _SWITCH,
    "gpe": (*_SWITCH, "linux", "ovs"),
    "verify_ip_checksum": _SWITCH,
    "verify_udp_checksum": _SWITCH,
    "zero_checksum6": _SWITCH,
    "check_inner_source": _SWITCH,
    "check_inner_length": (*_SWITCH, "linux"),
    "check_outer_source": _SWITCH,
    "fragments": ("drop", "atomic"),
    "ip_options": ("accept", "drop", "host", "ovs"),
    "udp_length": ("check", "jumbo", "ignore", "overrun"),
    "inner_vlan": ("keep", "strip", "drop"),
    "ecn": ("ignore", "rfc6040", "linux", "ovs"),
    "lengths": ("strict", "snapped", "captured"),
}


if TYPE_CHECKING:

    class DecapPolicyFields(TypedDict, total=False):
        """What `DecapPolicy` and `DecapPolicy.replace` take."""

        ports: Iterable[int]
        vnis: Iterable[int] | None
        allowed_sources: Iterable[str | Network] | None
        reserved_mask: int
        gbp: bool
        gpe: bool | Literal["linux", "ovs"]
        verify_ip_checksum: bool
        verify_udp_checksum: bool
        zero_checksum6: bool
        fragments: Literal["drop", "atomic"]
        ip_options: Literal["accept", "drop", "host", "ovs"]
        inner_vlan: Literal["keep", "strip", "drop"]
        check_inner_source: bool
        check_inner_length: bool | Literal["linux"]
        own_macs: Iterable[MACAddress | str | bytes | int]
        ecn: Literal["ignore", "rfc6040", "linux", "ovs"]
        lengths: Literal["strict", "snapped", "captured"]
        check_outer_source: bool
        udp_length: Literal["check", "jumbo", "ignore", "overrun"]


class DecapPolicy(Value):
    """What is accepted as VXLAN. The default is RFC 7348, with inner tags kept, as networks send them.

    ports                the UDP destination ports that carry VXLAN
    vnis                 the VNIs accepted; None for all
    allowed_sources      the prefixes that outer sources have to be in; None for all
    reserved_mask        the bits of the 64-bit header that have to be zero; those that `gbp` and `gpe` define
                         are taken out
    gbp, gpe             understand the group policy, the generic protocol extension; GPE's own port is 4790, and
                         has to be among *ports*; gpe "linux" accepts nothing else, and passes on Ethernet unread;
                         "ovs" takes any version, and only Ethernet inside
    verify_ip_checksum   refuse a wrong outer IPv4 header checksum
    verify_udp_checksum  refuse a wrong outer UDP checksum (RFC 7348 section 5)
    zero_checksum6       accept a UDP checksum of zero over IPv6 (RFC 6935)
    fragments            "drop" all outer fragments, or all but "atomic" ones (RFC 6946)
    ip_options           "accept" or "drop" outer IPv4 options and IPv6 extension headers, or judge them as a "host":
                         source routes, labels, malformed ones, and those that ask for it are dropped (RFC 791,
                         RFC 8200);
                         "ovs" drops IPv4 options, and reads no extension header
    inner_vlan           "keep" the inner tag, "strip" it, or "drop" the frame (RFC 7348 section 6.1)
    check_inner_source   refuse an inner source address that is zero or multicast
    check_inner_length   refuse an inner IP packet shorter than its fixed header; "linux" looks at no packet behind
                         a tag, but refuses a tagged frame of less than 20 bytes
    own_macs             inner source addresses that are our own, and refused
    ecn                  "rfc6040" carries a congestion mark inwards, or refuses; "linux" does so but for tagged inner
                         frames, whatever the version inside; "ovs" carries only CE, past one tag at most, and takes
                         a broken IP header for Not-ECT; "ignore" looks at none
    lengths              "strict"; "snapped" accepts what the capture cut, if its lengths fit the frame as it was;
                         "captured" takes a length of 0 (offload) for all bytes there
    check_outer_source   refuse an outer source that no packet can come from: loopback, multicast, broadcast, 0.0.0.0
                         (RFC 1122 section 3.2.1.3)
    udp_length           "check" it (RFC 768); "jumbo" takes 0 over IPv6 for all bytes there (RFC 2675 section 4);
                         "overrun" up to 20 bytes too many over IPv4; "ignore" does not look at it, and verifies the
                         checksum over all bytes of the frame, by the length of IP's payload

    Raises `FieldError` for a value that none of these can have.
    """

    __match_args__ = (
        "ports", "vnis", "allowed_sources", "reserved_mask", "gbp", "gpe", "verify_ip_checksum", "verify_udp_checksum",
        "zero_checksum6", "fragments", "ip_options", "inner_vlan", "check_inner_source", "check_inner_length",
        "own_macs", "ecn", "lengths", "check_outer_source", "udp_length",
    )  # fmt: skip

    ports: tuple[int, ...]
    vnis: frozenset[int] | None
    allowed_sources: tuple[Network, ...] | None
    reserved_mask: int
    gbp: bool
    gpe: bool | Literal["linux", "ovs"]
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    fragments: Literal["drop", "atomic"]
    ip_options: Literal["accept", "drop", "host", "ovs"]
    inner_vlan: Literal["keep", "strip", "drop"]
    check_inner_source: bool
    check_inner_length: bool | Literal["linux"]
    own_macs: tuple[MACAddress, ...]
    ecn: Literal["ignore", "rfc6040", "linux", "ovs"]
    lengths: Literal["strict", "snapped", "captured"]
    check_outer_source: bool
    udp_length: Literal["check", "jumbo", "ignore", "overrun"]

    RFC7348: ClassVar[DecapPolicy]
    STRICT: ClassVar[DecapPolicy]
    LINUX: ClassVar[DecapPolicy]
    LINUX_GBP: ClassVar[DecapPolicy]
    LINUX_GPE: ClassVar[DecapPolicy]
    OVS: ClassVar[DecapPolicy]
    VPP: ClassVar[DecapPolicy]

    def __init__(
        self,
        ports: Iterable[int] = (4789, 8472),
        *,
        vnis: Iterable[int] | None = None,
        allowed_sources: Iterable[str | Network] | None = None,
        reserved_mask: int = 0,
        gbp: bool = False,
        gpe: bool | Literal["linux", "ovs"] = False,
        verify_ip_checksum: bool = False,
        verify_udp_checksum: bool = False,
        zero_checksum6: bool = True,
        fragments: Literal["drop", "atomic"] = "drop",
        ip_options: Literal["accept", "drop", "host", "ovs"] = "accept",
        inner_vlan: Literal["keep", "strip", "drop"] = "keep",
        check_inner_source: bool = False,
        check_inner_length: bool | Literal["linux"] = False,
        own_macs: Iterable[MACAddress | str | bytes | int] = (),
        ecn: Literal["ignore", "rfc6040", "linux", "ovs"] = "ignore",
        lengths: Literal["strict", "snapped", "captured"] = "strict",
        check_outer_source: bool = False,
        udp_length: Literal["check", "jumbo", "ignore", "overrun"] = "check",
    ) -> None:
        values: dict[str, Any] = {
            "ports": tuple(_check_int("ports", port, 16) for port in _iterate("ports", ports)),
            "vnis": None if vnis is None else frozenset(_check_int("vnis", vni, 24) for vni in _iterate("vnis", vnis)),
            "allowed_sources": None if allowed_sources is None else _networks(allowed_sources),
            "reserved_mask": _check_int("reserved_mask", reserved_mask, 64),
            "gbp": gbp,
            "gpe": gpe,
            "verify_ip_checksum": verify_ip_checksum,
            "verify_udp_checksum": verify_udp_checksum,
            "zero_checksum6": zero_checksum6,
            "fragments": fragments,
            "ip_options": ip_options,
            "inner_vlan": inner_vlan,
            "check_inner_source": check_inner_source,
            "check_inner_length": check_inner_length,
            "own_macs": tuple(as_mac("DecapPolicy", "own_macs", mac) for mac in _iterate("own_macs", own_macs)),
            "ecn": ecn,
            "lengths": lengths,
            "check_outer_source": check_outer_source,
            "udp_length": udp_length,
        }
        for name, choices in _CHOICES.items():
            values[name] = _choice(name, values[name], choices)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def rules(self) -> DecapRules:
        """This policy as kernels take it."""
        of_gpe = _P_BIT if self.gpe == "ovs" else _GPE_BITS if self.gpe else 0
        defined = (_GBP_BITS if self.gbp else 0) | of_gpe
        return DecapRules(
            ports=frozenset(self.ports),
            vnis=self.vnis,
            sources=None if self.allowed_sources is None else tuple(map(_prefix, self.allowed_sources)),
            reserved_mask=self.reserved_mask & ~defined,
            gbp=self.gbp,
            gpe=_rule(GPERule, self.gpe),
            verify_ip_checksum=self.verify_ip_checksum,
            verify_udp_checksum=self.verify_udp_checksum,
            zero_checksum6=self.zero_checksum6,
            atomic_fragments=self.fragments == "atomic",
            ip_options=IPOptions[self.ip_options.upper()],
            check_outer_source=self.check_outer_source,
            udp_length=UDPLength[self.udp_length.upper()],
            inner_vlan=InnerVLAN[self.inner_vlan.upper()],
            check_inner_source=self.check_inner_source,
            check_inner_length=_rule(InnerLength, self.check_inner_length),
            own_macs=frozenset(mac.packed for mac in self.own_macs),
            ecn=ECNRule[self.ecn.upper()],
            lengths=Lengths[self.lengths.upper()],
        )

    @cached_property
    def held_rules(self) -> Any:
        """These rules as the kernel holds them."""
        return kernel.hold_rules(self.rules)

    @property
    def alters(self) -> bool:
        """Whether inner bytes may be changed on the way out: a tag stripped, a congestion mark carried over."""
        return self.inner_vlan == "strip" or self.ecn != "ignore"

    def replace(self, **changes: Unpack[DecapPolicyFields]) -> DecapPolicy:
        """A copy with *changes*."""
        return self.__replace__(**changes)

    @staticmethod
    def presets() -> dict[str, DecapPolicy]:
        """Every preset by its name, in small letters as on the command line, behind the default policy, "default"."""
        named = {name.lower().replace("_", "-"): value for name, value in vars(DecapPolicy).items()
                 if isinstance(value, DecapPolicy)}  # fmt: skip
        return {"default": DecapPolicy(), **named}


def require_policy(layer: str, policy: object) -> None:
    """Raise `FieldError` for what is no policy."""
    if not isinstance(policy, DecapPolicy):
        raise not_a_policy(layer, policy)


def not_a_policy(layer: str, policy: object) -> FieldError:
    """The error for what is no policy, with the preset that was meant; *layer* is what asks for one."""
    name = policy.lower().replace("_", "-") if isinstance(policy, str) else ""
    hint = f": DecapPolicy.presets()[{name!r}] is one" if name in DecapPolicy.presets() else ""
    return refused_argument(layer, "policy", policy, f"a DecapPolicy{hint}")


def _rule(rules: type[_R], value: bool | str) -> _R:
    """A choice between off, on and a word, as the kernels number it."""
    return rules[value.upper()] if isinstance(value, str) else rules(int(value))


def _iterate(name: str, values: Iterable[_T]) -> Iterable[_T]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _refused(name, values, "an iterable")
    return values


def _choice(name: str, value: object, choices: tuple[str | bool, ...]) -> str | bool:
    for choice in choices:
        if value == choice:
            return choice
    raise _refused(name, value, f"one of {', '.join(map(str, choices))}")


def _check_int(name: str, value: int, bits: int) -> int:
    if not is_number(value, bits):
        raise misfit("DecapPolicy", name, value, bits)
    return value


def _networks(prefixes: Iterable[str | Network]) -> tuple[Network, ...]:
    if isinstance(prefixes, str):
        raise _refused("allowed_sources", prefixes, f"an iterable of prefixes: {[prefixes]!r} is")
    if not isinstance(prefixes, Iterable):
        raise _refused("allowed_sources", prefixes, "an iterable of prefixes")
    found = []
    for prefix in prefixes:
        try:
            found.append(ip_network(prefix))
        except ValueError:
            raise _refused("allowed_sources", prefix, "an IP prefix without host bits") from None
    return tuple(found)


def _prefix(network: Network) -> tuple[int, int, int]:
    """A prefix as IP version, network and mask."""
    return network.version, int(network.network_address), int(network.netmask)


DecapPolicy.RFC7348 = DecapPolicy(inner_vlan="drop")
DecapPolicy.STRICT = DecapPolicy(
    reserved_mask=ALL_RESERVED,
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    zero_checksum6=False,
    ip_options="host",
    inner_vlan="drop",
    check_inner_source=True,
    check_inner_length=True,
    ecn="rfc6040",
    check_outer_source=True,
)
# What the kernel's vxlan device does (drivers/net/vxlan) and the stack below it, as far as a policy can know it, with
# the device's default settings. One with "nolearning" does not check inner sources, one with "udp6zerocsumrx" takes
# zero checksums over IPv6; and a device knows its own MAC address.
DecapPolicy.LINUX = DecapPolicy(
    reserved_mask=ALL_RESERVED,
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    zero_checksum6=False,
    fragments="atomic",
    ip_options="host",
    check_inner_source=True,
    check_inner_length="linux",
    ecn="linux",
    check_outer_source=True,
    udp_length="jumbo",
)
# With group policy the kernel ignores the low 24 bits of the first word, whether G is set or not.
DecapPolicy.LINUX_GBP = DecapPolicy.LINUX.replace(gbp=True, reserved_mask=ALL_RESERVED & ~_GBP_IGNORED)
# Devices with the generic protocol extension exist in the external form only, which takes any VNI and reads no MACs.
DecapPolicy.LINUX_GPE = DecapPolicy.LINUX.replace(gpe="linux", ports=(4789, 8472, 4790))
# The user-space datapath of Open vSwitch 3.1, with a tunnel port as it is made. What it passes on is bounded by the
# frame alone; here an inner frame never reaches beyond its IP packet.
DecapPolicy.OVS = DecapPolicy(
    reserved_mask=ALL_RESERVED,
    gpe="ovs",
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    fragments="atomic",
    ip_options="ovs",
    ecn="ovs",
    udp_length="ignore",
)
# FD.io VPP (src/vnet/vxlan/decap.c): one byte of flags, and the byte behind the VNI as a part of the tunnel's key. With
# options it looks for the tunnel in the wrong place; over IPv4 it measures UDP's length by that of the whole packet.
DecapPolicy.VPP = DecapPolicy(
    reserved_mask=0xF7000000_000000FF,
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    ip_options="drop",
    udp_length="overrun",
)
