"""Ranges of addresses: read from a configuration, and gone through in turn."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from vxlanpkt.cni.protocol.fields import Fields

Address = IPv4Address | IPv6Address


class Range(NamedTuple):
    """Addresses of one subnet, from *first* to *last*; the gateway's is not given out."""

    subnet: IPv4Network | IPv6Network
    first: Address
    last: Address
    gateway: Address

    @classmethod
    def read(cls, fields: Fields) -> Range:
        """Read one. Where not said: all but the subnet's own address and the broadcast's; the first is the gateway."""
        subnet = fields.parsed("subnet", ip_network)
        if subnet.prefixlen > subnet.max_prefixlen - 2:
            raise fields.wrong("subnet", f"is {subnet}: too small to give addresses of it")
        lowest, highest = subnet[1], subnet[-2] if subnet.version == 4 else subnet[-1]
        found = cls(
            subnet,
            fields.parsed_or_none("rangeStart", ip_address) or lowest,
            fields.parsed_or_none("rangeEnd", ip_address) or highest,
            fields.parsed_or_none("gateway", ip_address) or lowest,
        )
        for name, address in (("rangeStart", found.first), ("rangeEnd", found.last)):
            if address not in subnet:
                raise fields.wrong(name, f"is {address}: not in {subnet}")
        if found.gateway.version != subnet.version:  # it may be outside: a link-local one, that all subnets have
            raise fields.wrong("gateway", f"is {found.gateway}: not of the family of {subnet}")
        if int(found.first) > int(found.last):
            raise fields.wrong("rangeStart", f"is {found.first}: behind rangeEnd, {found.last}")
        return found

    def holds(self, address: Address) -> bool:
        """Whether an address is in the range."""
        same = address.version == self.subnet.version
        return same and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: Range) -> bool:
        """Whether an address is in both."""
        return other.holds(self.first) or self.holds(other.first)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class Candidate(NamedTuple):
    """An address that may be given out, and the range that it is of."""

    address: Address
    range: Range


class RangeSet(NamedTuple):
    """Ranges that one address is taken of."""

    ranges: tuple[Range, ...]

    def range_of(self, address: Address) -> Range | None:
        """The range that an address is in."""
        return next((each for each in self.ranges if each.holds(address)), None)

    def candidates(self, last: Address | None) -> Iterator[Candidate]:
        """Every address once, in a circle that begins behind the *last* one; not the gateways.

        So an address that was given back is given out again as late as can be.
        """
        home = None if last is None else self.range_of(last)
        if last is None or home is None:
            spans = [(each, int(each.first), int(each.last)) for each in self.ranges]
        else:
            at = self.ranges.index(home)
            others = (*self.ranges[at + 1 :], *self.ranges[:at])
            spans = [
                (home, int(last) + 1, int(home.last)),
                *((each, int(each.first), int(each.last)) for each in others),
                (home, int(home.first), int(last)),
            ]
        for each, low, high in spans:
            make = type(each.first)
            # Not range(): of a large IPv6 subnet that is longer than C counts.
            number = low
            while number <= high:
                address = make(number)
                if address != each.gateway:
                    yield Candidate(address, each)
                number += 1

    def __str__(self) -> str:
        return ",".join(map(str, self.ranges))


def read_range_sets(fields: Fields, runtime: Fields) -> tuple[RangeSet, ...]:
    """The sets of an `ipam` object and of a `runtimeConfig`: an address is taken of each."""
    found = [*_sets(runtime, "ipRanges")]
    if fields.has("subnet"):  # one range, in the object itself
        found.append(RangeSet((Range.read(fields),)))
    found += _sets(fields, "ranges")
    if not found:
        raise fields.wrong("ranges", "is missing, or empty: there is nothing to give out")
    every = [each for one in found for each in one.ranges]
    for number, each in enumerate(every):
        for other in every[:number]:
            if each.overlaps(other):
                raise fields.wrong("ranges", f"has {each} and {other}, which overlap")
    return tuple(found)


def _sets(fields: Fields, name: str) -> Iterator[RangeSet]:
    for number, ranges in enumerate(fields.items(name)):
        place = f"{name}[{number}]"
        if not isinstance(ranges, list) or not ranges:
            raise fields.wrong(place, "has to be a list of ranges, and not empty")
        where = fields.path(place)
        found = tuple(Range.read(Fields(each, f"{where}[{at}]", fields.code)) for at, each in enumerate(ranges))
        if len({each.subnet.version for each in found}) > 1:
            raise fields.wrong(place, "mixes IPv4 and IPv6: an address is taken of each set")
        yield RangeSet(found)
