"""Leases: which node has which subnets until when, as frozen values and as flannel's text."""

from __future__ import annotations

import dataclasses
import json
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, NamedTuple, NoReturn

from vxlanpkt import MACAddress
from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError

LEASE_SECONDS = 24 * 3600.0
_RENEWAL_MARGIN = 3600.0  # how long before its end a lease is renewed

_KEY = re.compile(r"(\d+\.\d+\.\d+\.\d+)-(\d{1,2})(?:&([0-9a-f:]+)-(\d{1,3}))?", re.ASCII)
_NO_IPV4 = "0.0.0.0-0"  # what flannel writes for a node without IPv4
_NO_ADDRESS = IPv4Address(0)
_DEEPEST = 16  # how far a backend's data may be nested: flannel's is once, and who reads it may be deep in the stack
_VNI_LIMIT = 1 << 24
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}  # by Go, for HTML's sake


@dataclass(frozen=True)
class Subnets:
    """What a node has of a network: an IPv4 subnet, an IPv6 subnet, or both."""

    ipv4: IPv4Network | None = None
    ipv6: IPv6Network | None = None

    def __post_init__(self) -> None:
        if self.ipv4 is None and self.ipv6 is None:
            _refuse("Subnets", "ipv4", None, "a node has a subnet of one family at least")
        if self.ipv4 is not None and not self.ipv4.prefixlen:
            _refuse("Subnets", "ipv4", self.ipv4, "the whole of IPv4 is no subnet")  # its key stands for no subnet

    @cached_property
    def key(self) -> str:
        """The name that flannel has for them: `10.5.52.0-24`, `10.5.52.0-24&fc00:5:52::-64`."""
        ipv4 = _NO_IPV4 if self.ipv4 is None else f"{self.ipv4.network_address}-{self.ipv4.prefixlen}"
        return ipv4 if self.ipv6 is None else f"{ipv4}&{self.ipv6.network_address}-{self.ipv6.prefixlen}"

    @classmethod
    def from_key(cls, key: str) -> Subnets:
        """The subnets that *key* names; raises `LeaseFormatError` if it is no such name."""
        match = _KEY.fullmatch(key)
        if match is None:
            raise LeaseFormatError(f"{key!r} names no subnet", what="key", text=key)
        address, length, address6, length6 = match.groups()
        try:
            ipv6 = IPv6Network(f"{address6}/{length6}") if address6 else None
            ipv4 = None if f"{address}-{length}" == _NO_IPV4 else IPv4Network(f"{address}/{length}")
            found = cls(ipv4, ipv6)
        except ValueError as error:
            raise LeaseFormatError(f"{key!r} names no subnet: {error}", what="key", text=key) from error
        if found.key != key:  # another spelling would be another key for the same subnets
            raise LeaseFormatError(f"{key!r} is spelt {found.key!r}", what="key", text=key)
        return found

    def overlaps(self, other: Subnets) -> bool:
        """Whether the two share an address."""
        return (self.ipv4 is not None and other.ipv4 is not None and _overlap(self.ipv4, other.ipv4)) or (
            self.ipv6 is not None and other.ipv6 is not None and _overlap(self.ipv6, other.ipv6)
        )

    def __iter__(self) -> Iterator[IPv4Network | IPv6Network]:
        return (subnet for subnet in (self.ipv4, self.ipv6) if subnet is not None)

    def __str__(self) -> str:
        return " and ".join(map(str, self))


class _Vtep(NamedTuple):
    """What a backend's data says of a VTEP, and what is wrong with its MAC address, "" if nothing."""

    vni: int | None = None
    mac: MACAddress | None = None
    fault: str = ""


@dataclass(frozen=True)
class LeaseAttributes:
    """What a node says of itself: where it is reached, and what its backend has to know.

    public_ip, public_ipv6: the node on the underlay. backend_type: "vxlan", "udp", ... backend_data,
    backend_v6_data: JSON text, without spaces, None where there is none; `vxlan` makes them for that backend.
    """

    public_ip: IPv4Address | None
    public_ipv6: IPv6Address | None = None
    backend_type: str = ""
    backend_data: str | None = None
    backend_v6_data: str | None = None
    _vtep: _Vtep = field(init=False, repr=False, compare=False)
    _vtep6: _Vtep = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.public_ip is None and self.public_ipv6 is None:
            _refuse("LeaseAttributes", "public_ip", None, "a node has a public address of one family at least")
        if self.public_ipv6 is not None and self.public_ipv6.scope_id is not None:
            _refuse("LeaseAttributes", "public_ipv6", self.public_ipv6, "a zone means nothing to other nodes")
        self._read("backend_data", "_vtep")
        self._read("backend_v6_data", "_vtep6")

    def _read(self, name: str, vtep: str) -> None:
        """Read a backend's data: once, here, and as Go writes it from now on."""
        text, found = getattr(self, name), _Vtep()
        if text is not None:
            try:
                data = json.loads(text)
                _check_depth(data)
                object.__setattr__(self, name, _compact(data))
            except (ValueError, RecursionError) as error:
                _refuse("LeaseAttributes", name, text, f"no JSON: {error}")
            found = _vtep_in(data)
        object.__setattr__(self, vtep, found)

    @classmethod
    def vxlan(
        cls,
        public_ip: str | IPv4Address | None,
        vtep_mac: str | MACAddress | None,
        *,
        vni: int = 1,
        public_ipv6: str | IPv6Address | None = None,
        vtep_mac6: str | MACAddress | None = None,
        backend_type: str = "vxlan",
    ) -> LeaseAttributes:
        """A node of the vxlan backend: its VTEP's address for each family that it has."""
        return cls(
            None if public_ip is None else IPv4Address(public_ip),
            None if public_ipv6 is None else IPv6Address(public_ipv6),
            backend_type,
            None if vtep_mac is None else _vxlan_data(vni, MACAddress(vtep_mac)),
            None if vtep_mac6 is None else _vxlan_data(vni, MACAddress(vtep_mac6)),
        )

    @property
    def vni(self) -> int | None:
        """`VNI` of the backend's data; None where it has none that is a number of 24 bits."""
        return self._vtep6.vni if self._vtep.vni is None else self._vtep.vni

    @property
    def vtep_mac(self) -> MACAddress | None:
        """`VtepMAC` of the backend's data; None where it has none; `LeaseFormatError` for one that is no address."""
        return _mac(self._vtep, self.backend_data)

    @property
    def vtep_mac6(self) -> MACAddress | None:
        """`VtepMAC` of the backend's IPv6 data; None where it has none."""
        return _mac(self._vtep6, self.backend_v6_data)

    def same_node(self, other: LeaseAttributes) -> bool:
        """Whether the two are of one node: the IPv4 address says so, and where there is none the IPv6 address."""
        if self.public_ip is None or other.public_ip is None:
            return self.public_ip is other.public_ip and self.public_ipv6 == other.public_ipv6
        return self.public_ip == other.public_ip

    def replace(self, **changes: Any) -> LeaseAttributes:
        """The same with other fields."""
        return dataclasses.replace(self, **changes)

    def to_value(self) -> str:
        """The text that flannel writes for it, byte for byte."""
        value: dict[str, object] = {
            "PublicIP": str(self.public_ip or _NO_ADDRESS),
            "PublicIPv6": None if self.public_ipv6 is None else str(self.public_ipv6),
        }
        if self.backend_type:
            value["BackendType"] = self.backend_type
        texts = [_compact(value)[:-1]]
        for name, data in (("BackendData", self.backend_data), ("BackendV6Data", self.backend_v6_data)):
            if data is not None:
                texts.append(f'"{name}":{data}')
        return ",".join(texts) + "}"

    @classmethod
    def from_value(cls, value: str | bytes) -> LeaseAttributes:
        """What flannel wrote; raises `LeaseFormatError` if it is something else."""
        try:
            read = json.loads(value)
            if not isinstance(read, dict):
                raise ValueError("no JSON object")
            return cls._from_members({key.lower(): member for key, member in read.items()})
        except (ValueError, RecursionError) as error:
            text = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
            raise LeaseFormatError(f"no value of a lease: {error}", what="value", text=text) from error

    @classmethod
    def _from_members(cls, members: Mapping[str, Any]) -> LeaseAttributes:
        texts = [members.get(name) for name in ("publicip", "publicipv6", "backendtype")]
        for text in texts:
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{reprlib.repr(text)} is no text")
        address, address6, kind = texts
        public_ip = IPv4Address(address) if address else _NO_ADDRESS
        data, data6 = (members.get(name) for name in ("backenddata", "backendv6data"))
        return cls(
            None if public_ip == _NO_ADDRESS else public_ip,
            IPv6Address(address6) if address6 else None,
            kind or "",
            None if data is None else json.dumps(data),
            None if data6 is None else json.dumps(data6),
        )


@dataclass(frozen=True)
class Lease:
    """A node's subnets, what it says of itself, and until when.

    expiry: seconds since 1970; None for a reservation, which does not end, and where the store was not asked for it.
    """

    subnets: Subnets
    attributes: LeaseAttributes
    expiry: float | None = None

    @property
    def key(self) -> str:
        """The name that flannel has for it."""
        return self.subnets.key

    def replace(self, **changes: Any) -> Lease:
        """The same with other fields; with other attributes, `renew` makes them known."""
        return dataclasses.replace(self, **changes)

    def renewal_time(self, now: float) -> float | None:
        """When to renew a lease that was taken or renewed *now*, in seconds since 1970; None if it does not end.

        An hour before the end, as flannel does; a lease of less than three hours when a third of it is left.
        """
        if self.expiry is None:
            return None
        return self.expiry - min(_RENEWAL_MARGIN, (self.expiry - now) / 3)


def _refuse(layer: str, field: str, value: object, why: str) -> NoReturn:
    raise FieldError(f"{layer}.{field}: {why}", layer=layer, field=field, value=value, bits=None)


def _compact(value: object) -> str:
    """JSON as Go writes it; ValueError for what is none, and for half a surrogate pair, which no UTF-8 can carry."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()
    return text.translate(_ESCAPED)


def _vxlan_data(vni: int, mac: MACAddress) -> str:
    return _compact({"VNI": vni, "VtepMAC": str(mac)})


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    """Whether two networks of one family share an address: `ipaddress` makes addresses to find that out."""
    beyond = one.max_prefixlen - min(one.prefixlen, other.prefixlen)
    return int(one.network_address) >> beyond == int(other.network_address) >> beyond


def _check_depth(value: object) -> None:
    """ValueError for JSON that is nested so far that who reads it again could run out of stack."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, (dict, list)) for inner in _members(one)]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} deep")


def _members(value: dict[str, object] | list[object]) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value


def _vtep_in(data: object) -> _Vtep:
    """What a backend's data says of a VTEP."""
    if not isinstance(data, dict):
        return _Vtep()
    vni, text = data.get("VNI"), data.get("VtepMAC")
    if isinstance(vni, bool) or not isinstance(vni, int) or not 0 <= vni < _VNI_LIMIT:
        vni = None
    if text is None:
        return _Vtep(vni)
    try:
        return _Vtep(vni, MACAddress(text))
    except FieldError:
        return _Vtep(vni, None, f"VtepMAC: {reprlib.repr(text)} is no MAC address")


def _mac(vtep: _Vtep, data: str | None) -> MACAddress | None:
    if vtep.fault:
        raise LeaseFormatError(vtep.fault, what="value", text=data or "")
    return vtep.mac
