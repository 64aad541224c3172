"""Programs for a kernel, made from the tree of a filter's expression.

First a leaf becomes tests, each a `Step` that asks something, joined by and and or; then these are put into the order
in which they run: what costs least first, and behind an `and` only rows that are still in question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import NamedTuple

from vxlanpkt.kernel.contract.filtering import NO_GUARD, Join, Step, StepKind
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, IPV4_TYPE
from vxlanpkt.predicates import (
    Addresses,
    And,
    Direction,
    EtherTypes,
    Flags,
    GroupPolicies,
    Lengths,
    MACs,
    Node,
    Not,
    Or,
    Ports,
    Protocols,
    Ranges,
    TrafficClass,
    VLANs,
    VNIs,
)

_ARP_TYPE = 0x0806
_ARP_HEADER = bytes.fromhex("0000 0800 0604 0000")  # protocol IPv4, addresses of 6 and 4 bytes
_ARP_BITS = bytes.fromhex("0000 ffff ffff 0000")
_ARP_SENDER, _ARP_TARGET = 14, 20  # where 8 bytes lie inside the message, of which 4 are the address
_TAG_END = 18
_TCP = 6
_GROUP_POLICY = 0x80000000
_LARGEST_NUMBER = 0xFFFFFFFF
_COSTS = {StepKind.RANGE: 1, StepKind.ADDRESS: 4, StepKind.REGISTER: 1}
_COST_OF_BYTES = 40


class _Joined(NamedTuple):
    """Tests joined by `Join.AND` or `Join.OR`."""

    join: Join
    terms: tuple[_Tests, ...]


_Tests = Step | _Joined


def _all(*terms: _Tests) -> _Tests:
    return _join(Join.AND, terms)


def _any(*terms: _Tests) -> _Tests:
    return _join(Join.OR, terms)


def _join(join: Join, terms: Sequence[_Tests]) -> _Tests:
    """The terms as one; those joined in the same way become one row."""
    flat: list[_Tests] = []
    for term in terms:
        flat += term.terms if isinstance(term, _Joined) and term.join == join else [term]
    return flat[0] if len(flat) == 1 else _Joined(join, tuple(flat))


def _negated(tests: _Tests) -> _Tests:
    """The opposite, down to the tests themselves."""
    if isinstance(tests, Step):
        return tests._replace(negate=not tests.negate)
    return _Joined(Join.OR if tests.join == Join.AND else Join.AND, tuple(map(_negated, tests.terms)))


# -- tests


def _between(column: str, low: int, high: int, mask: int = _LARGEST_NUMBER) -> Step:
    return Step(StepKind.RANGE, column, low, high, mask)


def _is(column: str, value: int) -> Step:
    return _between(column, value, value)


def _has(kind: StepKind, at: int, value: bytes, bits: bytes) -> Step:
    return Step(kind, low=at, value=value.ljust(8, b"\0"), bits=bits.ljust(8, b"\0"))


def _directed(direction: Direction, test: Callable[[str], _Tests]) -> _Tests:
    """What `test` makes for src, for dst, or for both."""
    names = [name for name in ("src", "dst") if name in direction]
    return _join(Join.AND if "and" in direction else Join.OR, [test(name) for name in names])


@singledispatch
def _tests(node: Node) -> _Tests:
    raise AssertionError(node)


@_tests.register
def _(node: Not) -> _Tests:
    return _negated(_tests(node.term))


@_tests.register
def _(node: And) -> _Tests:
    return _all(*map(_tests, node.terms))


@_tests.register
def _(node: Or) -> _Tests:
    return _any(*map(_tests, node.terms))


@_tests.register
def _(node: VNIs) -> _Tests:
    return _in_ranges("vni", node.ranges)


def _in_ranges(column: str, ranges: Ranges, above: int = 0, mask: int = _LARGEST_NUMBER) -> _Tests:
    """Whether the bits of a mask are in one of some ranges, behind bits that are set above them."""
    return _any(*(_between(column, above | low, above | high, mask) for low, high in ranges))


@_tests.register
def _(node: GroupPolicies) -> _Tests:
    return _in_ranges("flags", node.ranges or ((0, 0xFFFF),), _GROUP_POLICY, _GROUP_POLICY | 0xFFFF)


@_tests.register
def _(node: VLANs) -> _Tests:
    is_tagged = _between(f"{node.side}_tags", 1, 255)
    if node.ranges is None:
        return is_tagged
    found = _in_ranges(f"{node.side}_vlan", node.ranges, mask=0xFFF)
    if max(high for _, high in node.ranges) < 4095:
        return found
    # The column says so of frames without a tag too, and of inner ones that end inside the first.
    is_whole = [_has(StepKind.INNER, _TAG_END - 8, b"", b"")] if node.side == "inner" else []
    return _all(found, is_tagged, *is_whole)


@_tests.register
def _(node: EtherTypes) -> _Tests:
    if node.side == "outer":
        return _is("outer_family", 4 if node.value == IPV4_TYPE else 6)
    return _is("inner_ethertype", node.value)


@_tests.register
def _(node: Protocols) -> _Tests:
    if node.side == "outer":
        return _between("outer_family", 4, 6)
    protocol = _is("inner_protocol", node.number)
    if node.version is not None:
        return _all(protocol, _is("inner_family", node.version))
    return protocol if node.number else _all(protocol, _between("inner_family", 4, 6))  # 0 where there is no IP


@_tests.register
def _(node: Lengths) -> _Tests:
    if node.low > node.high:  # nothing
        return _negated(_between("inner_original_length", 0, _LARGEST_NUMBER))
    return _between("inner_original_length", node.low, node.high)


@_tests.register
def _(node: Ports) -> _Tests:
    ports = _directed(node.direction, lambda name: _between(f"{node.side}_{name}_port", node.low, node.high))
    if node.low == 0:  # which columns also say where there are no ports
        ports = _all(ports, _has_ports(node.side))
    if node.side == "inner" and node.protocol is not None:
        return _all(_is("inner_protocol", node.protocol), ports)
    return ports


@_tests.register
def _(node: Flags) -> _Tests:
    flags = _between("inner_tcp_flags", node.value, node.value, node.mask)
    if node.value & ~node.mask:
        return _negated(_between("inner_tcp_flags", 0, 65535))  # nothing
    return _all(_is("inner_protocol", _TCP), flags, _has_ports("inner"))  # later fragments have neither


def _has_ports(side: str) -> _Tests:
    if side == "outer":
        return _between("outer_family", 4, 6)
    return _any(_between("inner_src_port", 1, 65535), _between("inner_dst_port", 1, 65535))


@_tests.register
def _(node: Addresses) -> _Tests:
    network, mask = node.network.network_address.packed, node.network.netmask.packed
    value, bits = network.rjust(16, b"\0"), mask.rjust(16, b"\0")  # IPv4 lies at the end of its mapped form

    def in_ip(name: str) -> _Tests:
        return Step(StepKind.ADDRESS, f"{node.side}_{name}", low=node.network.version, value=value, bits=bits)

    def in_arp(name: str) -> _Tests:
        if name == "src":
            return _has(StepKind.PACKET, _ARP_SENDER, network, mask)
        return _has(StepKind.PACKET, _ARP_TARGET, bytes(4) + network, bytes(4) + mask)

    is_whole = _has(StepKind.PACKET, _ARP_TARGET, b"", b"")
    is_arp = _all(_is("inner_ethertype", _ARP_TYPE), _has(StepKind.PACKET, 0, _ARP_HEADER, _ARP_BITS), is_whole)
    arp = _all(is_arp, _directed(node.direction, in_arp))
    if node.protocol == "arp":
        return arp
    ip = _directed(node.direction, in_ip)
    return ip if node.side == "outer" or node.protocol or node.network.version == 6 else _any(ip, arp)


@_tests.register
def _(node: MACs) -> _Tests:
    value, mask = node.value.to_bytes(6, "big"), node.mask.to_bytes(6, "big")
    where = StepKind.INNER if node.side == "inner" else StepKind.ROW
    macs = _directed(node.direction, lambda name: _has(where, 6 if name == "src" else 0, value, mask))
    return macs if node.side == "outer" else _all(_is("inner_link_type", ETHERNET_LINK), macs)


@_tests.register
def _(node: TrafficClass) -> _Tests:
    in_ipv4 = _has(StepKind.PACKET, 0, bytes((0, node.value)), bytes((0, node.mask)))
    in_ipv6 = _has(StepKind.PACKET, 0, (node.value << 4).to_bytes(2, "big"), (node.mask << 4).to_bytes(2, "big"))
    return _any(_all(_is("inner_family", 4), in_ipv4), _all(_is("inner_family", 6), in_ipv6))


# -- programs


def make_program(node: Node) -> tuple[Step, ...]:
    """The steps that find the rows which a tree matches."""
    return tuple(_steps(_tests(node), 0, NO_GUARD))


def _steps(tests: _Tests, target: int, guard: int) -> list[Step]:
    """The steps that leave in a register what the tests say of the rows that the guard holds."""
    if isinstance(tests, Step):
        return [tests._replace(target=target, guard=guard)]
    first, *others = sorted(tests.terms, key=_cost)
    found = _steps(first, target, guard)
    behind = target if tests.join == Join.AND else guard
    for term in others:
        if isinstance(term, Step):
            found.append(term._replace(join=tests.join, target=target, guard=behind))
        else:
            found += _steps(term, target + 1, behind)
            found.append(Step(StepKind.REGISTER, low=target + 1, join=tests.join, target=target))
    return found


def _cost(tests: _Tests) -> int:
    if isinstance(tests, Step):
        return _COSTS.get(StepKind(tests.kind), _COST_OF_BYTES)
    return sum(map(_cost, tests.terms))
