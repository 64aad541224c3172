"""How frames are wrapped, and what of them is refused: tunnels, tables of tunnels, policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from vxlanpkt.layers.dot1q import Dot1Q
from vxlanpkt.layers.vxlan import GroupPolicy
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.strategies.values import GPE_PORT, VXLAN_PORTS, bits, ipv4s, ipv6s, macs, shared, vnis
from vxlanpkt.tunnel import Tunnel, TunnelTable


@shared
def _tags() -> st.SearchStrategy[tuple[int | Dot1Q, ...]]:
    tag = st.one_of(bits(12), st.builds(Dot1Q, bits(12), bits(3), bits(1)))
    return st.one_of(st.just(()), st.tuples(tag), st.tuples(tag, tag))


@shared
def _source_ports() -> st.SearchStrategy[int | tuple[int, int] | None]:
    edges = st.lists(st.integers(0, 65536), min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(st.none(), bits(16), edges.map(lambda pair: (pair[0], pair[1])))


@st.composite
def tunnels(draw: st.DrawFn, *, df: str | None = None) -> Tunnel:
    """Tunnels, one in three a usual one, others with any value in every parameter; *df* fixes that of DF."""
    addresses: Any = draw(st.sampled_from((ipv4s(), ipv6s())))
    src = draw(addresses.filter(lambda address: not address.is_multicast))
    ends = draw(vnis()), src, draw(addresses), draw(macs()), draw(macs())
    if df in (None, "set") and draw(st.integers(0, 2)) == 0:
        return Tunnel(*ends, vlans=draw(_tags()), udp_checksum=draw(st.sampled_from((None, "zero", "full"))))
    gpe = draw(st.booleans())
    policy = st.one_of(st.none(), st.builds(GroupPolicy, bits(16), st.booleans(), st.booleans()))
    fields: dict[str, Any] = {
        "dst_port": draw(st.one_of(st.sampled_from((*VXLAN_PORTS, GPE_PORT)), st.integers(1, 65535))),
        "src_port": draw(_source_ports()),
        "ttl": draw(st.one_of(st.just("inherit"), bits(8))),
        "dscp": draw(st.one_of(st.just("inherit"), bits(6))),
        "ecn": draw(st.sampled_from(("rfc6040", "linux", "none"))),
        "df": df or draw(st.sampled_from(("set", "unset", "inherit"))),
        "flow_label": draw(st.one_of(st.sampled_from(("inherit", "hash")), bits(20))),
        "udp_checksum": draw(st.sampled_from((None, "zero", "full", "inner"))),
        "vlans": draw(_tags()),
        "group_policy": None if gpe else draw(policy),
        "gpe": gpe,
        "symmetric": draw(st.booleans()),
        "inner_ip": draw(st.sampled_from(("sound", "linux", "ovs"))),
    }
    return Tunnel(*ends, **fields)


def tunnel_tables(*, max_size: int = 3, df: str | None = None) -> st.SearchStrategy[TunnelTable]:
    """Tables of one to *max_size* tunnels of any kind; *df* as for `tunnels`."""
    return st.builds(TunnelTable, st.lists(tunnels(df=df), min_size=1, max_size=max_size))


@shared
def _prefixes() -> st.SearchStrategy[str]:
    return st.sampled_from(("0.0.0.0/0", "::/0", "192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "fe80::/10"))


@st.composite
def policies(draw: st.DrawFn, *, ports: Sequence[int] | None = None) -> DecapPolicy:
    """Decapsulation policies with any value in every parameter; *ports* fixes that one."""
    fields: dict[str, Any] = {
        "vnis": draw(st.one_of(st.none(), st.none(), st.frozensets(vnis(), max_size=4))),
        "allowed_sources": draw(st.one_of(st.none(), st.none(), st.lists(_prefixes(), max_size=3))),
        "reserved_mask": draw(st.one_of(st.sampled_from((0, 0, 0xF7FFFFFF_000000FF)), bits(64))),
        "fragments": draw(st.sampled_from(("drop", "atomic"))),
        "ip_options": draw(st.sampled_from(("accept", "drop", "host", "ovs"))),
        "udp_length": draw(st.sampled_from(("check", "jumbo", "ignore", "overrun"))),
        "inner_vlan": draw(st.sampled_from(("keep", "strip", "drop"))),
        "own_macs": draw(st.lists(macs(), max_size=2)),
        "ecn": draw(st.sampled_from(("ignore", "rfc6040", "linux", "ovs"))),
        "lengths": draw(st.sampled_from(("strict", "snapped", "captured"))),
    }
    for name in (
        "gbp", "verify_ip_checksum", "verify_udp_checksum", "zero_checksum6", "check_inner_source",
        "check_outer_source",
    ):  # fmt: skip
        fields[name] = draw(st.booleans())
    fields["gpe"] = draw(st.sampled_from((False, True, "linux", "ovs")))
    fields["check_inner_length"] = draw(st.sampled_from((False, True, "linux")))
    chosen = draw(st.lists(bits(16), max_size=2)) + list(VXLAN_PORTS) if ports is None else list(ports)
    return DecapPolicy(chosen, **fields)
