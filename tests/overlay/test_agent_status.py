"""What an agent says of its peers: from the plan, as far as the kernel holds it, and whatever their leases say."""

from __future__ import annotations

import dataclasses
import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.overlay import KernelState, Lease, LeaseAttributes, NetworkConfig, Plan, Subnets, Underlay, plan
from vxlanpkt.overlay.agent.agent_status import _peers
from vxlanpkt.overlay.agent.status import PeerStatus
from vxlanpkt.overlay.leases.config import parse_config
from vxlanpkt.strategies import overlays

UNDERLAY = Underlay("eth0", 1500, IPv4Address("192.0.2.1"), addresses=frozenset([IPv4Interface("192.0.2.1/24")]))


def planned(*others: LeaseAttributes, backend: str = '{"Type":"vxlan"}') -> Plan:
    config = parse_config(f'{{"Network":"10.5.0.0/16","Backend":{backend}}}')
    own = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    leases = [
        Lease(Subnets(IPv4Network(f"10.5.{number}.0/24")), attributes)
        for number, attributes in enumerate((own, *others), 1)
    ]
    return plan(config, leases[0], leases[1:], UNDERLAY)


def peer(number: int) -> LeaseAttributes:
    return LeaseAttributes.vxlan(f"192.0.2.{number}", f"02:00:00:00:00:{number:02x}")


@pytest.mark.parametrize("data", ['{"VtepMAC":"x"}', '{"VtepMAC":[1]}', "[1]", "7", '{"VNI":"\\u001b"}', None])
@pytest.mark.parametrize("backend", ['{"Type":"udp"}', '{"Type":"vxlan","DirectRouting":true}', '{"Type":"vxlan"}'])
def test_what_a_lease_says_of_its_backend_does_no_harm(data: str | None, backend: str) -> None:
    """The status is told, however odd the data of a peer are, and whether or not anybody has to look at them."""
    kind = json.loads(backend)["Type"]
    odd = LeaseAttributes(IPv4Address("192.0.2.2"), backend_type=kind, backend_data=data)
    found = planned(odd, backend=backend)
    (told,) = _peers(found, found.kernel)
    assert (told.subnet, told.node, told.mac) == ("10.5.2.0/24", "192.0.2.2", None)
    assert (told.path == "tunnel") == (kind == "udp")


def test_a_path_for_each_peer() -> None:
    far = LeaseAttributes.vxlan("198.51.100.3", "02:00:00:00:00:03")
    found = planned(peer(2), far, backend='{"Type":"vxlan","DirectRouting":true}')
    assert list(_peers(found, found.kernel)) == [
        PeerStatus("10.5.2.0/24", "192.0.2.2", "direct"),
        PeerStatus("10.5.3.0/24", "198.51.100.3", "tunnel", "02:00:00:00:00:03"),
    ]


@pytest.mark.parametrize(
    ("kind", "why"), [("neighbours", "neighbour entry"), ("fdb", "FDB entry"), ("routes", "route")]
)
def test_what_the_kernel_refused_is_not_reachable(kind: str, why: str) -> None:
    """Of two peers the one whose entry is not there; the other is."""
    found = planned(peer(2), peer(3))
    others = getattr(found.kernel, kind) - set(found.peers[0].entries)
    held = dataclasses.replace(found.kernel, **{kind: others})
    assert list(_peers(found, held)) == [
        PeerStatus("10.5.2.0/24", "192.0.2.2", "none", why=f"the kernel does not hold its {why}"),
        PeerStatus("10.5.3.0/24", "192.0.2.3", "tunnel", "02:00:00:00:00:03"),
    ]


@pytest.mark.parametrize("backend", ['{"Type":"udp"}', '{"Type":"vxlan-user"}', '{"Type":"vxlan"}'])
def test_without_its_device_nobody_is_reachable(backend: str) -> None:
    attributes = peer(2).replace(backend_type=json.loads(backend)["Type"])
    found = planned(attributes, backend=backend)
    name = found.links[0].name
    down = KernelState(frozenset(dataclasses.replace(link, is_up=False) for link in found.links))
    for held in (KernelState(), down):
        (told,) = _peers(found, held)
        assert (told.path, told.why) == ("none", f"{name} is not there, or down")


@given(overlays(), st.booleans())
def test_every_subnet_is_told_of(
    overlay: tuple[NetworkConfig, Lease, tuple[Lease, ...], Underlay], known: bool
) -> None:
    """Once; with a reason where, and only where, it cannot be reached."""
    found = plan(*overlay)
    told = list(_peers(found, found.kernel if known else None))
    assert sorted(one.subnet for one in told) == sorted(str(net) for lease in overlay[2] for net in lease.subnets)
    assert all((one.path == "none") == bool(one.why) for one in told)
    assert sum(one.path != "none" for one in told) == len(found.peers)
