"""A node behind a router that translates its address: peers send to the public one, tunnels leave by the node's own."""

from __future__ import annotations

import shutil

import pytest

from tests.waiting import eventually

from .agents import Agent
from .cluster import Cluster, Kind
from .underlay import LINK

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

PUBLIC = "203.0.113.1"


def _translate(made: Cluster, private: str) -> None:
    """Have the underlay's router show a node's address as the public one, and nobody the private one."""
    for rule in (
        f"-t nat -A PREROUTING ! -i port1 -d {PUBLIC} -j DNAT --to {private}",
        f"-t nat -A POSTROUTING ! -o port1 -s {private} -j SNAT --to {PUBLIC}",
        f"-t raw -A PREROUTING ! -i port1 -d {private} -j DROP",
    ):
        made.segment.namespace.exec("iptables", *rule.split())


@pytest.mark.skipif(shutil.which("iptables") is None, reason="no iptables, to translate addresses with")
@pytest.mark.parametrize("kind", ["kernel", "user"])
def test_behind_a_router_that_translates(kind: Kind) -> None:
    """Both ways, and whoever begins."""
    made = Cluster([kind, "kernel"], routed=True)
    try:
        hidden, open_to_all = made.nodes[1], made.nodes[2]
        _translate(made, hidden.address)
        where = [*made.arguments(kind), "--public-ip", PUBLIC]
        hidden.agent = Agent(hidden.namespace, LINK, made.home / "node1", where)
        hidden.agent.start()
        open_to_all.agent.start()
        assert eventually(lambda: all(node.agent.subnet_env.exists() for node in (hidden, open_to_all)))
        made.reach(open_to_all, hidden)
        made.reach(hidden, open_to_all)
        assert {str(lease.attributes.public_ip) for lease in made.leases()} == {PUBLIC, open_to_all.address}
    except BaseException:
        print(made.output)
        raise
    finally:
        made.close()
