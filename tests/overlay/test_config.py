"""flannel's network configuration: its defaults, what it refuses, and its text both ways."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.overlay import ConfigError, LeaseError, NetworkConfig, UDPBackend, VXLANBackend, parse_config
from vxlanpkt.overlay.leases.config import SubnetRange


def parsed(**keys: Any) -> NetworkConfig:
    return parse_config(json.dumps(keys))


def ipv4(**keys: Any) -> SubnetRange[IPv4Network]:
    found = parsed(**keys).ipv4
    assert found is not None
    return found


def test_least_there_is() -> None:
    """A network alone: /24 subnets, the first left out, and the backend that flannel takes where none is named."""
    config = parsed(Network="10.5.0.0/16")
    assert config.ipv6 is None
    assert config.backend == UDPBackend(8285)
    assert config.ipv4 == SubnetRange(
        IPv4Network("10.5.0.0/16"), 24, IPv4Network("10.5.1.0/24"), IPv4Network("10.5.255.0/24")
    )


@pytest.mark.parametrize(
    ("network", "length", "first", "last"),
    [
        ("10.0.0.0/22", 24, "10.0.1.0/24", "10.0.3.0/24"),
        ("10.0.0.0/23", 25, "10.0.0.128/25", "10.0.1.128/25"),
        ("10.0.0.0/28", 30, "10.0.0.4/30", "10.0.0.12/30"),
        ("0.0.0.0/0", 24, "0.0.1.0/24", "255.255.255.0/24"),
        ("10.5.9.9/16", 24, "10.5.1.0/24", "10.5.255.0/24"),  # Go's CIDR parser drops the host's bits
    ],
)
def test_subnet_lengths(network: str, length: int, first: str, last: str) -> None:
    found = ipv4(Network=network)
    assert (found.prefix_length, str(found.first), str(found.last)) == (length, first, last)


@pytest.mark.parametrize(
    ("network", "length", "first", "last"),
    [
        ("fc00::/48", 64, "fc00:0:0:1::/64", "fc00:0:0:ffff::/64"),
        ("fc00::/63", 65, "fc00::8000:0:0:0/65", "fc00:0:0:1:8000::/65"),
        ("fc00::/124", 126, "fc00::4/126", "fc00::c/126"),
    ],
)
def test_ipv6_subnet_lengths(network: str, length: int, first: str, last: str) -> None:
    config = parsed(EnableIPv4=False, EnableIPv6=True, IPv6Network=network)
    assert config.ipv4 is None
    assert config.ipv6 == SubnetRange(IPv6Network(network), length, IPv6Network(first), IPv6Network(last))


def test_dual_stack_and_limits() -> None:
    config = parsed(
        Network="10.0.0.0/8", SubnetLen=20, SubnetMin="10.10.0.0", SubnetMax="10.99.0.0",
        EnableIPv6=True, IPv6Network="fc00::/48", IPv6SubnetMin="fc00:0:0:10::", IPv6SubnetMax="fc00:0:0:20::",
        Backend={"Type": "vxlan", "VNI": 7, "Port": 4789, "MTU": 1400, "GBP": True, "DirectRouting": True},
    )  # fmt: skip
    assert config.ipv4 == SubnetRange(
        IPv4Network("10.0.0.0/8"), 20, IPv4Network("10.10.0.0/20"), IPv4Network("10.99.0.0/20")
    )
    assert config.ipv6 is not None
    assert (str(config.ipv6.first), str(config.ipv6.last)) == ("fc00:0:0:10::/64", "fc00:0:0:20::/64")
    assert config.backend == VXLANBackend(vni=7, port=4789, mtu=1400, gbp=True, direct_routing=True)


def test_keys_in_any_case() -> None:
    """As Go's JSON reads them; null is as good as absent, and what is not known is passed over."""
    text = (
        '{"network": "10.0.0.0/16", "SUBNETLEN": 25, "SubnetMin": null, "Whatever": 1,'
        ' "bAckend": {"type": "vxlan", "vni": 9}}'
    )
    config = parse_config(text)
    assert config.ipv4 is not None and config.ipv4.prefix_length == 25
    assert config.backend == VXLANBackend(vni=9)


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ({"Type": "udp"}, UDPBackend()),
        ({"Type": "udp", "Port": 9000}, UDPBackend(9000)),
        ({"Type": "vxlan"}, VXLANBackend(vni=1, port=8472)),
        ({"Type": "vxlan", "Port": 0}, VXLANBackend(port=8472)),
        ({"Type": "vxlan-user", "VNI": 3}, VXLANBackend("vxlan-user", vni=3)),
        (None, UDPBackend()),
    ],
)
def test_backends(backend: Any, found: object) -> None:
    assert parsed(Network="10.0.0.0/16", Backend=backend).backend == found


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "Network", "missing"),
    ({"Network": ""}, "Network", "missing"),
    ({"Network": "10.0.0.0/33"}, "Network", "no IPv4 network"),
    ({"Network": "10.0.0.0"}, "Network", "no prefix length"),
    ({"Network": "10.0.0.0/255.0.0.0"}, "Network", "no prefix length"),
    ({"Network": 7}, "Network", "no text"),
    ({"Network": "10.0.0.0/29"}, "Network", "too small"),
    ({"Network": "10.0.0.0/16", "SubnetLen": 31}, "SubnetLen", "less than 31"),
    ({"Network": "10.0.0.0/16", "SubnetLen": 17}, "SubnetLen", "four subnets"),
    ({"Network": "10.0.0.0/16", "SubnetLen": -1}, "SubnetLen", "not from 0"),
    ({"Network": "10.0.0.0/16", "SubnetLen": "24"}, "SubnetLen", "no whole number"),
    ({"Network": "10.0.0.0/16", "SubnetLen": True}, "SubnetLen", "no whole number"),
    ({"Network": "10.0.0.0/16", "SubnetMin": "10.1.0.0"}, "SubnetMin", "not in"),
    ({"Network": "10.0.0.0/16", "SubnetMax": "9.0.0.0"}, "SubnetMax", "not in"),
    ({"Network": "10.0.0.0/16", "SubnetMin": "10.0.1.1"}, "SubnetMin", "not where a subnet begins"),
    ({"Network": "10.0.0.0/16", "SubnetMax": "10.0.1.128"}, "SubnetMax", "not where a subnet begins"),
    ({"Network": "10.0.0.0/16", "SubnetMin": "10.0.9.0", "SubnetMax": "10.0.8.0"}, "SubnetMin", "above"),
    ({"Network": "10.0.0.0/16", "SubnetMin": "x"}, "SubnetMin", "x"),
    ({"Network": "10.0.0.0/16", "EnableIPv4": "yes"}, "EnableIPv4", "neither true nor false"),
    ({"EnableIPv4": False}, "EnableIPv4", "neither IPv4 nor IPv6"),
    ({"EnableIPv4": False, "EnableIPv6": True}, "IPv6Network", "missing"),
    ({"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": "fc00::/125"}, "IPv6Network", "too small"),
    ({"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": "::1/x"}, "IPv6Network", "x"),
    ({"Network": "10.0.0.0/16", "Backend": 5}, "Backend", "no JSON object"),
    ({"Network": "10.0.0.0/16", "Backend": {}}, "Backend.Type", "missing"),
    ({"Network": "10.0.0.0/16", "Backend": {"Type": "host-gw"}}, "Backend.Type", "'host-gw' is none of"),
    ({"Network": "10.0.0.0/16", "Backend": {"Type": "vxlan", "VNI": 1 << 24}}, "Backend.VNI", "not from 0"),
    ({"Network": "10.0.0.0/16", "Backend": {"Type": "vxlan", "Port": 1 << 16}}, "Backend.Port", "not from 0"),
    ({"Network": "10.0.0.0/16", "Backend": {"Type": "vxlan", "GBP": 1}}, "Backend.GBP", "neither true nor false"),
    ({"Network": "10.0.0.0/16", "Backend": {"Type": "udp", "Port": 1.5}}, "Backend.Port", "no whole number"),
]


@pytest.mark.parametrize(("keys", "field", "why"), REFUSED)
def test_refused(keys: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(**keys)
    assert caught.value.field == field
    assert why in str(caught.value)
    assert isinstance(caught.value, (ValueError, LeaseError))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "[" * 100_000, b"\xff\xfe{}x", '{"Network": NaN}'])
def test_no_configuration_at_all(text: str | bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(text)


@st.composite
def configurations(draw: st.DrawFn) -> NetworkConfig:
    families = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    keys: dict[str, Any] = {"EnableIPv4": families[0], "EnableIPv6": families[1]}
    if families[0]:
        length = draw(st.integers(0, 28))
        keys["Network"] = str(IPv4Network((draw(st.integers(0, (1 << 32) - 1)), length), strict=False))
        keys["SubnetLen"] = draw(st.sampled_from([0, *range(length + 2, 31)]))
    if families[1]:
        length = draw(st.integers(0, 124))
        keys["IPv6Network"] = str(IPv6Network((draw(st.integers(0, (1 << 128) - 1)), length), strict=False))
        keys["IPv6SubnetLen"] = draw(st.sampled_from([0, *range(length + 2, 127)]))
    kind = draw(st.sampled_from(["udp", "vxlan", "vxlan-user"]))
    keys["Backend"] = {"Type": kind, "Port": draw(st.integers(0, 65535)), "VNI": draw(st.integers(0, (1 << 24) - 1))}
    return parse_config(json.dumps(keys))


@given(config=configurations())
def test_text_and_back(config: NetworkConfig) -> None:
    """The text of a configuration is read as the same; its ranges fill the network but for its first subnet."""
    assert parse_config(config.to_json()) == config
    for found in (config.ipv4, config.ipv6):
        if found is not None:
            network = found.network
            assert int(found.first.network_address) - int(network.network_address) == found.step
            assert found.last.broadcast_address == network.broadcast_address
            assert network.num_addresses // found.step >= 4


@given(
    read=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["Network", "subnetlen", "SubnetMin", "Backend", "Type", "VNI", "EnableIPv6", "x"]),
                inner,
            )
            | st.lists(inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_anything_is_read_or_refused(read: object) -> None:
    """No JSON makes any other error."""
    try:
        parse_config(json.dumps(read))
    except ConfigError as error:
        assert isinstance(error.field, str)
