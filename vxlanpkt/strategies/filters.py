"""Text for filters."""

from __future__ import annotations

from ipaddress import (
    ip_network,
)
from typing import Any

from hypothesis import strategies as st

from vxlanpkt.strategies.values import bits, ipv4s, ipv6s, macs, mostly, shared


def _said(*parts: str | st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Words and values with spaces between them; an empty one is left out."""
    drawn = [st.just(part) if isinstance(part, str) else part.map(str) for part in parts]
    return st.tuples(*drawn).map(lambda words: " ".join(word for word in words if word))


@shared
def _numbers(*usual: int, width: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from(usual), bits(width))


@shared
def _ranges(*usual: int, largest: int) -> st.SearchStrategy[str]:
    """One to three numbers or ranges of them."""
    number = st.one_of(st.sampled_from(usual), st.integers(0, largest))
    ends = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.lists(st.one_of(number.map(str), ends), min_size=1, max_size=3).map(",".join)


@shared
def _networks(version: int) -> st.SearchStrategy[str]:
    """Prefixes that the known addresses are in, and others."""
    address = ipv4s() if version == 4 else ipv6s()
    width = 32 if version == 4 else 128
    return st.builds(lambda ip, length: str(ip_network((ip, length), strict=False)), address, st.integers(0, width))


@shared
def _filter_terms() -> st.SearchStrategy[str]:
    """Each word of the language, with values that `frames` often has."""
    direction = st.sampled_from(("", "src", "dst", "src or dst", "src and dst"))
    side = st.sampled_from(("", "", "inner", "outer"))
    inner = st.sampled_from(("", "inner"))
    port = _numbers(0, 53, 4789, 8472, width=16)
    port_range = st.tuples(port, port).map(lambda pair: f"{min(pair)}-{max(pair)}")
    port_of = st.one_of(_said("port", port), _said("portrange", port_range))
    addresses = [
        _said(side, protocol, direction, *value)
        for protocol, version in (("", 4), ("", 6), ("ip", 4), ("ip6", 6))
        for value in (
            ("host", ipv4s() if version == 4 else ipv6s()),
            ("net", _networks(version)),
        )
    ]
    return st.one_of(
        _said("vni", _ranges(0, 1, 5000, (1 << 24) - 1, largest=(1 << 24) - 1)),
        st.one_of(st.just("gbp"), _said("gbp", _ranges(0, 1, 65535, largest=65535))),
        st.one_of(addresses),
        st.one_of(_said("arp", direction, "host", ipv4s()), _said("arp", direction, "net", _networks(4))),
        st.one_of(_said(side, direction, port_of), _said(inner, st.sampled_from(("tcp", "udp")), direction, port_of)),
        _said(inner, "tcp[tcpflags] &", st.sampled_from(("tcp-syn", "(tcp-ack|tcp-fin)", "0x12")), "!= 0"),
        _said(inner, "tcp[13]", st.sampled_from(("=", "!=")), _numbers(0, 2, 18, width=8)),
        _said(side, st.sampled_from(("ip", "ip6", "udp"))),
        _said(inner, st.sampled_from(("arp", "rarp", "tcp", "icmp", "icmp6"))),
        _said(inner, st.sampled_from(("", "ip", "ip6")), "proto", _numbers(0, 2, 17, 58, 59, width=8)),
        _said(inner, "ether proto", st.sampled_from(("ip", "ip6", "arp", 0x0800, 0x8847, 0x88CC, 0xFFFF))),
        _said(side, "ether", direction, "host", macs()),
        _said(side, st.sampled_from(("broadcast", "multicast", "ether broadcast", "ether multicast", "vlan"))),
        _said(side, "vlan", _ranges(0, 1, 4095, largest=4095)),
        _said(inner, st.sampled_from(("less", "greater", "len <", "len >=", "len !=", "len =")), st.integers(0, 200)),
        _said(inner, "ecn", st.sampled_from(("ce", "ect0", "ect1", "not-ect"))),
        _said(inner, "dscp", mostly(0, 6)),
    )  # fmt: skip


def _joined_terms(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Terms in parentheses behind `not`, and rows of them that no reader takes for something else."""
    term = st.one_of(terms, terms.map(lambda text: f"({text})"))
    either = st.sampled_from((" and ", " or ", " && ", " || "))
    several = st.lists(terms.map(lambda text: f"({text})"), min_size=2, max_size=3)
    return st.one_of(
        term.map(lambda text: f"not ({text})"),
        st.builds(lambda text: f"!({text})", term),
        st.builds(lambda between, texts: between.join(texts), either, several),
        st.builds(lambda side, text: f"{side} ({text})", st.just("inner"), terms),
    )


@shared
def filter_expressions() -> st.SearchStrategy[str]:
    """Expressions that a `Filter` takes: every word of its language, alone and joined."""
    return st.one_of(_filter_terms(), st.recursive(_filter_terms(), _joined_terms, max_leaves=6))
