"""What a node says of itself, and which backend it has."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address

import pytest

from vxlanpkt import MACAddress
from vxlanpkt.overlay import NetworkConfig, Underlay, VXLANBackend, parse_config
from vxlanpkt.overlay.agent.identity import BackendType, attributes_of, random_mac, with_backend

MAC = MACAddress("02:00:00:00:00:07")
BOTH = Underlay("eth0", 1500, IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"))
ONLY_IPV4 = Underlay("eth0", 1500, IPv4Address("192.0.2.1"))
ONLY_IPV6 = Underlay("eth0", 1500, None, IPv6Address("2001:db8::1"))


def _config(backend: str, dual: bool = True) -> NetworkConfig:
    ipv6 = {"EnableIPv6": True, "IPv6Network": "fc00:5::/48"} if dual else {}
    return parse_config(json.dumps({"Network": "10.5.0.0/16", **ipv6, "Backend": {"Type": backend, "VNI": 7}}))


@pytest.mark.parametrize("backend", ["vxlan", "vxlan-user"])
def test_each_device_has_its_vtep(backend: str) -> None:
    """The leases of both backends look alike: flannel's nodes know "vxlan" alone."""
    said = attributes_of(_config(backend), BOTH, lambda name: None)
    assert said.backend_type == "vxlan"
    assert said.vni == 7
    assert (said.public_ip, said.public_ipv6) == (BOTH.public_ip, BOTH.public_ipv6)
    assert said.vtep_mac is not None
    assert said.vtep_mac6 is not None
    assert said.vtep_mac != said.vtep_mac6


@pytest.mark.parametrize("underlay", [ONLY_IPV4, ONLY_IPV6], ids=["ipv4", "ipv6"])
def test_one_device_for_both(underlay: Underlay) -> None:
    said = attributes_of(_config("vxlan"), underlay, lambda name: None)
    assert said.vtep_mac is not None
    assert said.vtep_mac == said.vtep_mac6


def test_a_family_that_the_network_has_not() -> None:
    said = attributes_of(_config("vxlan", dual=False), BOTH, lambda name: None)
    assert said.vtep_mac is not None
    assert said.backend_v6_data is None


def test_a_device_that_is_there_keeps_its_address() -> None:
    said = attributes_of(_config("vxlan"), BOTH, {"flannel.7": MAC}.get)
    assert said.vtep_mac == MAC
    assert said.vtep_mac6 != MAC


def test_udp_has_no_vtep() -> None:
    said = attributes_of(_config("udp"), BOTH, lambda name: MAC)
    assert (said.backend_type, said.backend_data, said.backend_v6_data) == ("udp", None, None)


def test_random_macs() -> None:
    macs = {random_mac() for _ in range(200)}
    assert len(macs) == 200
    assert all(mac.is_local and not mac.is_multicast for mac in macs)


@pytest.mark.parametrize(("network", "node"), [("vxlan", "vxlan-user"), ("vxlan-user", "vxlan")])
def test_vxlan_by_whom_is_the_nodes_choice(network: str, node: BackendType) -> None:
    config = _config(network)
    changed = with_backend(config, node)
    assert isinstance(changed.backend, VXLANBackend)
    assert (changed.backend.type, changed.backend.vni, changed.ipv4) == (node, 7, config.ipv4)
    assert with_backend(config, None) == config


@pytest.mark.parametrize(("network", "node"), [("udp", "vxlan"), ("udp", "vxlan-user"), ("vxlan", "udp")])
def test_backends_that_do_not_understand_each_other(network: str, node: BackendType) -> None:
    with pytest.raises(ValueError, match=f"backend is {network}, which a node of {node} cannot speak with"):
        with_backend(_config(network), node)


def test_the_loops_do_not_learn() -> None:
    config = parse_config('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan", "Learning": true}}')
    assert with_backend(config, None) == config
    with pytest.raises(ValueError, match="do not learn"):
        with_backend(config, "vxlan-user")
