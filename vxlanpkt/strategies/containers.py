"""What container runtimes and plugins tell each other."""

from __future__ import annotations

from ipaddress import (
    IPv4Interface,
    IPv6Interface,
)

from hypothesis import strategies as st

from vxlanpkt.cni.protocol.results import DNS, IPConfig, Result, Route
from vxlanpkt.cni.protocol.results import Interface as CNIInterface
from vxlanpkt.cni.result_cache import Container
from vxlanpkt.strategies.overlaying import networks
from vxlanpkt.strategies.values import bits, ipv4s, ipv6s, macs, shared


@st.composite
def cni_results(draw: st.DrawFn) -> Result:
    """Results of an ADD, with all that CNI 1.1.0 has to say."""
    interfaces = draw(st.lists(_cni_interfaces(), max_size=3))
    addresses = st.one_of(
        st.tuples(ipv4s(), st.integers(0, 32)).map(IPv4Interface),
        st.tuples(ipv6s(), st.integers(0, 128)).map(IPv6Interface),
    )
    places = st.one_of(st.none(), *([st.integers(0, len(interfaces) - 1)] if interfaces else []))
    ips = st.builds(IPConfig, addresses, st.one_of(st.none(), ipv4s(), ipv6s()), places)
    words = st.lists(_cni_words(), max_size=2).map(tuple)
    return Result(
        tuple(interfaces),
        tuple(draw(st.lists(ips, max_size=3))),
        tuple(draw(st.lists(_cni_routes(), max_size=3))),
        draw(st.builds(DNS, words, _cni_words(), words, words)),
    )


@shared
def _cni_interfaces() -> st.SearchStrategy[CNIInterface]:
    mtu = st.one_of(st.none(), bits(16))
    return st.builds(
        CNIInterface,
        _cni_words(1),
        st.one_of(st.just(""), macs().map(str)),
        _cni_words(),
        mtu,
        _cni_words(),
        _cni_words(),
    )


@shared
def _cni_routes() -> st.SearchStrategy[Route]:
    numbers = [st.one_of(st.none(), bits(32))] * 5
    return st.builds(Route, networks(), st.one_of(st.none(), ipv4s(), ipv6s()), *numbers)


@shared
def _cni_words(fewest: int = 0) -> st.SearchStrategy[str]:
    return st.text("abz019.:-/", min_size=fewest, max_size=8)


def cni_containers() -> st.SearchStrategy[Container]:
    """Interfaces of containers, as a runtime is told of them: names that CNI takes, and whatever is said beside."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
    names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]{0,20}", fullmatch=True)
    interfaces = st.from_regex(r"[a-z0-9.\-]{1,12}[a-z0-9]", fullmatch=True)
    pairs = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
    paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    return st.builds(Container, names, paths, interfaces, pairs, st.dictionaries(st.text(), values, max_size=3))
