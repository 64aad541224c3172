"""Results of an ADD: interfaces, addresses, routes and DNS, in each version's JSON.

0.3.1 and 0.4.0 say the version of each address; 1.0.0 does not. 1.1.0 has more to say of interfaces and routes: what
an older version has no word for is left out when a result is written in it.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, NamedTuple

from vxlanpkt.cni.protocol.configuration import known_version
from vxlanpkt.cni.protocol.errors import Code
from vxlanpkt.cni.protocol.fields import Fields, decoded
from vxlanpkt.cni.protocol.versions import at_least


class Interface(NamedTuple):
    """An interface that was made. sandbox: the path of its namespace; empty on the host. Since 1.1.0: the rest."""

    name: str
    mac: str = ""
    sandbox: str = ""
    mtu: int | None = None
    socket_path: str = ""
    pci_id: str = ""

    @classmethod
    def _read(cls, fields: Fields) -> Interface:
        return cls(
            fields.text("name"),
            fields.text("mac", ""),
            fields.text("sandbox", ""),
            fields.number("mtu"),
            fields.text("socketPath", ""),
            fields.text("pciID", ""),
        )

    def _write(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name, "mac": self.mac, "sandbox": self.sandbox}
        if at_least(version, "1.1.0"):
            found |= {"mtu": self.mtu, "socketPath": self.socket_path, "pciID": self.pci_id}
        return _without_empty(found)


class IPConfig(NamedTuple):
    """An address with the length of its prefix. interface: the place of its interface in the result's."""

    address: IPv4Interface | IPv6Interface
    gateway: IPv4Address | IPv6Address | None = None
    interface: int | None = None

    @classmethod
    def _read(cls, fields: Fields) -> IPConfig:
        address = fields.parsed("address", read_interface)
        return cls(address, fields.parsed_or_none("gateway", ip_address), fields.number("interface"))

    def _write(self, version: str) -> dict[str, Any]:
        return _without_empty(
            {
                "version": None if at_least(version, "1.0.0") else str(self.address.version),
                "address": str(self.address),
                "gateway": None if self.gateway is None else str(self.gateway),
                "interface": self.interface,
            }
        )


class Route(NamedTuple):
    """A route. gw: the next hop; that of the address, if None. Since 1.1.0: the rest, by the names that Linux has."""

    dst: IPv4Network | IPv6Network
    gw: IPv4Address | IPv6Address | None = None
    mtu: int | None = None
    advmss: int | None = None
    priority: int | None = None
    table: int | None = None
    scope: int | None = None

    @classmethod
    def read(cls, fields: Fields) -> Route:
        """Read one from an object, as results and configurations have them."""
        dst = fields.parsed("dst", read_network)
        numbers = (fields.number(name) for name in ("mtu", "advmss", "priority", "table", "scope"))
        return cls(dst, fields.parsed_or_none("gw", ip_address), *numbers)

    def _write(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = {"dst": str(self.dst), "gw": None if self.gw is None else str(self.gw)}
        if at_least(version, "1.1.0"):
            found |= {
                "mtu": self.mtu,
                "advmss": self.advmss,
                "priority": self.priority,
                "table": self.table,
                "scope": self.scope,
            }
        return _without_empty(found)


class DNS(NamedTuple):
    """What a resolver is configured with."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @classmethod
    def _read(cls, fields: Fields) -> DNS:
        return cls(
            fields.texts("nameservers"), fields.text("domain", ""), fields.texts("search"), fields.texts("options")
        )

    def _write(self) -> dict[str, Any]:
        return _without_empty(
            {
                "nameservers": list(self.nameservers),
                "domain": self.domain,
                "search": list(self.search),
                "options": list(self.options),
            }
        )


class Result(NamedTuple):
    """What an ADD did; of address management, without interfaces."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[IPConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: DNS = DNS()

    @classmethod
    def from_json(cls, content: object, where: str = "the result") -> Result:
        """Read it from an object, or from its text; in whichever version, which it has to name."""
        if isinstance(content, (bytes, str)):
            content = decoded(content, where)
        fields = Fields(content, where, Code.DECODING_FAILURE)
        known_version(fields)
        found = cls(
            tuple(Interface._read(each) for each in fields.objects("interfaces")),
            tuple(IPConfig._read(each) for each in fields.objects("ips")),
            tuple(Route.read(each) for each in fields.objects("routes")),
            DNS._read(fields.object("dns")),
        )
        for number, ip in enumerate(found.ips):
            if ip.interface is not None and ip.interface >= len(found.interfaces):
                raise fields.wrong(f"ips[{number}].interface", f"is {ip.interface}: there is no such interface")
        return found

    def with_gateways(self) -> Result:
        """The same, where each route says its next hop: one that says none has the gateway of an address."""
        gateways: dict[int, IPv4Address | IPv6Address | None] = {}
        for ip in self.ips:
            gateways.setdefault(ip.address.version, ip.gateway)
        routes = (each if each.gw else each._replace(gw=gateways.get(each.dst.version)) for each in self.routes)
        return self._replace(routes=tuple(routes))

    def to_json(self, version: str) -> dict[str, Any]:
        """The object that says it in a version of CNI."""
        lists = {
            "interfaces": [each._write(version) for each in self.interfaces],
            "ips": [each._write(version) for each in self.ips],
            "routes": [each._write(version) for each in self.routes],
        }
        return {
            "cniVersion": version,
            **{name: those for name, those in lists.items() if those},
            "dns": self.dns._write(),
        }


def read_interface(text: str) -> IPv4Interface | IPv6Interface:
    """An address with the length of its prefix; ValueError for anything else."""
    return ip_interface(_with_length(text))


def read_network(text: str) -> IPv4Network | IPv6Network:
    """A network; of an address inside it, too, as Go reads one. ValueError for anything else."""
    return ip_network(_with_length(text), strict=False)


def _with_length(text: str) -> str:
    # Without one, `ipaddress` takes a single host.
    if not text.partition("/")[2].isdigit():
        raise ValueError(f"{text!r} has no prefix length")
    return text


def _without_empty(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value not in (None, "", [])}
