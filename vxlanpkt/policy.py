"""DecapPolicy: what a receiver refuses, as a value. Every implementation draws the line elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, TypeVar

from vxlanpkt import kernel
from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract import DecapRules, ECNRule, InnerVLAN, Lengths
from vxlanpkt.layers.base import as_mac

if TYPE_CHECKING:
    from typing_extensions import Unpack

_T = TypeVar("_T")
Network = IPv4Network | IPv6Network

ALL_RESERVED = 0xF7FFFFFF_000000FF  # the 39 bits of the header that are neither I nor the VNI
_GBP_BITS = 0x8048FFFF_00000000  # G, D, A and the group policy ID
_GBP_IGNORED = 0x80FFFFFF_00000000
_GPE_BITS = 0x340000FF_00000000  # version, P and the next protocol
_ECN_RULES = {"ignore": ECNRule.IGNORE, "rfc6040": ECNRule.RFC6040, "linux": ECNRule.UNTAGGED}
_CHOICES: dict[str, tuple[str, ...]] = {
    "fragments": ("drop", "atomic"),
    "ip_options": ("accept", "drop"),
    "inner_vlan": ("keep", "strip", "drop"),
    "ecn": ("ignore", "rfc6040", "linux"),
    "lengths": ("strict", "snapped", "captured"),
}


class DecapPolicyFields(TypedDict, total=False):
    """What `DecapPolicy` and `DecapPolicy.replace` take."""

    ports: Iterable[int]
    vnis: Iterable[int] | None
    allowed_sources: Iterable[str | Network] | None
    reserved_mask: int
    gbp: bool
    gpe: bool
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    fragments: Literal["drop", "atomic"]
    ip_options: Literal["accept", "drop"]
    inner_vlan: Literal["keep", "strip", "drop"]
    check_inner_source: bool
    check_inner_length: bool
    own_macs: Iterable[MACAddress | str | bytes | int]
    ecn: Literal["ignore", "rfc6040", "linux"]
    lengths: Literal["strict", "snapped", "captured"]


@dataclass(frozen=True, init=False)
class DecapPolicy:
    """What is accepted as VXLAN. The default is RFC 7348, with inner tags kept, as networks send them.

    ports                the UDP destination ports that carry VXLAN
    vnis                 the VNIs accepted; None for all
    allowed_sources      the prefixes that outer sources have to be in; None for all
    reserved_mask        the bits of the 64-bit header that have to be zero; those that `gbp` and `gpe` define
                         are taken out
    gbp, gpe             understand the group policy, the generic protocol extension; GPE's own port is 4790, and
                         has to be among *ports*
    verify_ip_checksum   refuse a wrong outer IPv4 header checksum
    verify_udp_checksum  refuse a wrong outer UDP checksum (RFC 7348 section 5)
    zero_checksum6       accept a UDP checksum of zero over IPv6 (RFC 6935)
    fragments            "drop" all outer fragments, or all but "atomic" ones (RFC 6946)
    ip_options           "accept" or "drop" outer IPv4 options and IPv6 extension headers
    inner_vlan           "keep" the inner tag, "strip" it, or "drop" the frame (RFC 7348 section 6.1)
    check_inner_source   refuse an inner source address that is zero or multicast
    check_inner_length   refuse an inner IP packet shorter than its fixed header
    own_macs             inner source addresses that are our own, and refused
    ecn                  "rfc6040" carries a congestion mark inwards, or refuses; "linux" does so but for tagged inner
                         frames; "ignore" looks at none
    lengths              "strict"; "snapped" accepts what the capture cut, if its lengths fit the frame as it was;
                         "captured" takes a length of 0 (offload) for all bytes there

    Raises `FieldError` for a value that none of these can have.
    """

    ports: tuple[int, ...]
    vnis: frozenset[int] | None
    allowed_sources: tuple[Network, ...] | None
    reserved_mask: int
    gbp: bool
    gpe: bool
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    fragments: Literal["drop", "atomic"]
    ip_options: Literal["accept", "drop"]
    inner_vlan: Literal["keep", "strip", "drop"]
    check_inner_source: bool
    check_inner_length: bool
    own_macs: tuple[MACAddress, ...]
    ecn: Literal["ignore", "rfc6040", "linux"]
    lengths: Literal["strict", "snapped", "captured"]

    RFC7348: ClassVar[DecapPolicy]
    STRICT: ClassVar[DecapPolicy]
    LINUX: ClassVar[DecapPolicy]
    LINUX_GBP: ClassVar[DecapPolicy]

    def __init__(
        self,
        ports: Iterable[int] = (4789, 8472),
        vnis: Iterable[int] | None = None,
        allowed_sources: Iterable[str | Network] | None = None,
        reserved_mask: int = 0,
        gbp: bool = False,
        gpe: bool = False,
        verify_ip_checksum: bool = False,
        verify_udp_checksum: bool = False,
        zero_checksum6: bool = True,
        fragments: Literal["drop", "atomic"] = "drop",
        ip_options: Literal["accept", "drop"] = "accept",
        inner_vlan: Literal["keep", "strip", "drop"] = "keep",
        check_inner_source: bool = False,
        check_inner_length: bool = False,
        own_macs: Iterable[MACAddress | str | bytes | int] = (),
        ecn: Literal["ignore", "rfc6040", "linux"] = "ignore",
        lengths: Literal["strict", "snapped", "captured"] = "strict",
    ) -> None:
        values: dict[str, Any] = {
            "ports": tuple(_check_int("ports", port, 16) for port in _iterate("ports", ports)),
            "vnis": None if vnis is None else frozenset(_check_int("vnis", vni, 24) for vni in _iterate("vnis", vnis)),
            "allowed_sources": None if allowed_sources is None else _networks(allowed_sources),
            "reserved_mask": _check_int("reserved_mask", reserved_mask, 64),
            "gbp": bool(gbp),
            "gpe": bool(gpe),
            "verify_ip_checksum": bool(verify_ip_checksum),
            "verify_udp_checksum": bool(verify_udp_checksum),
            "zero_checksum6": bool(zero_checksum6),
            "fragments": fragments,
            "ip_options": ip_options,
            "inner_vlan": inner_vlan,
            "check_inner_source": bool(check_inner_source),
            "check_inner_length": bool(check_inner_length),
            "own_macs": tuple(as_mac("DecapPolicy", "own_macs", mac) for mac in _iterate("own_macs", own_macs)),
            "ecn": ecn,
            "lengths": lengths,
        }
        for name, choices in _CHOICES.items():
            if values[name] not in choices:
                raise _refused(name, values[name], f"one of {', '.join(choices)}")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def rules(self) -> DecapRules:
        """This policy as kernels take it."""
        defined = (_GBP_BITS if self.gbp else 0) | (_GPE_BITS if self.gpe else 0)
        return DecapRules(
            ports=frozenset(self.ports),
            vnis=self.vnis,
            sources=None if self.allowed_sources is None else tuple(map(_prefix, self.allowed_sources)),
            reserved_mask=self.reserved_mask & ~defined,
            gbp=self.gbp,
            gpe=self.gpe,
            verify_ip_checksum=self.verify_ip_checksum,
            verify_udp_checksum=self.verify_udp_checksum,
            zero_checksum6=self.zero_checksum6,
            atomic_fragments=self.fragments == "atomic",
            ip_options=self.ip_options == "accept",
            inner_vlan=InnerVLAN[self.inner_vlan.upper()],
            check_inner_source=self.check_inner_source,
            check_inner_length=self.check_inner_length,
            own_macs=frozenset(mac.packed for mac in self.own_macs),
            ecn=_ECN_RULES[self.ecn],
            lengths=Lengths[self.lengths.upper()],
        )

    @cached_property
    def held_rules(self) -> Any:
        """These rules as the kernel holds them."""
        return kernel.hold_rules(self.rules)

    def __getstate__(self) -> dict[str, Any]:
        """The fields: what the kernel holds is made anew from them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def alters(self) -> bool:
        """Whether inner bytes may be changed on the way out: a tag stripped, a congestion mark carried over."""
        return self.inner_vlan == "strip" or self.ecn != "ignore"

    def replace(self, **changes: Unpack[DecapPolicyFields]) -> DecapPolicy:
        """A copy with *changes*."""
        given: Any = changes  # what the constructor takes is wider than what the fields hold
        return dataclasses.replace(self, **given)


def _iterate(name: str, values: Iterable[_T]) -> Iterable[_T]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _refused(name, values, "an iterable")
    return values


def _check_int(name: str, value: int, bits: int) -> int:
    if not isinstance(value, int) or value >> bits:
        raise _refused(name, value, f"a number of {bits} bits", bits)
    return value


def _networks(prefixes: Iterable[str | Network]) -> tuple[Network, ...]:
    if isinstance(prefixes, str) or not isinstance(prefixes, Iterable):
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


def _refused(name: str, value: object, expected: str, bits: int | None = None) -> FieldError:
    return FieldError(
        f"DecapPolicy.{name}: {value!r} is not {expected}", layer="DecapPolicy", field=name, value=value, bits=bits
    )


DecapPolicy.RFC7348 = DecapPolicy(inner_vlan="drop")
DecapPolicy.STRICT = DecapPolicy(
    reserved_mask=ALL_RESERVED,
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    zero_checksum6=False,
    inner_vlan="drop",
    check_inner_source=True,
    check_inner_length=True,
    ecn="rfc6040",
)
# What the kernel's vxlan device does (drivers/net/vxlan), as far as a policy can know it.
DecapPolicy.LINUX = DecapPolicy(
    reserved_mask=ALL_RESERVED,
    verify_ip_checksum=True,
    verify_udp_checksum=True,
    zero_checksum6=False,
    fragments="atomic",
    check_inner_length=True,
    ecn="linux",
)
# With group policy the kernel ignores the low 24 bits of the first word, whether G is set or not.
DecapPolicy.LINUX_GBP = DecapPolicy.LINUX.replace(gbp=True, reserved_mask=ALL_RESERVED & ~_GBP_IGNORED)
