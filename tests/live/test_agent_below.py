"""An agent whose underlay changes: before it watches it, for another interface, and between two runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import eventually
from vxlanpkt.overlay import Agent, FileStore, Lease, LeaseAttributes, StoreError, Subnets

from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]


class Store(FileStore):
    """A store that can be away when a lease is to be taken."""

    is_away = False

    def acquire(self, attributes: LeaseAttributes, previous: Subnets | None = None) -> Lease:
        if self.is_away:
            raise StoreError("away", store="test")
        return super().acquire(attributes, previous)


class Host:
    """A machine with two interfaces, the default route by the first, and a store in a directory."""

    def __init__(self, home: Path, backend: str) -> None:
        self.namespace = Namespace()
        self.namespace.quieten()
        for number, address in enumerate(("192.0.2.1/24", "198.51.100.1/24")):
            self.ip(f"link add u{number} type veth peer name wire{number}")
            self.ip(f"link set wire{number} up")
            self.ip(f"link set u{number} up")
            self.ip(f"addr add {address} dev u{number}")
        self.ip("route add default via 192.0.2.254")
        self.env = home / "subnet.env"
        self.store = Store(home / "network", poll_seconds=0.02)
        self.store.set_config(f'{{"Network": "10.5.0.0/16", "Backend": {{"Type": "{backend}"}}}}')

    def ip(self, command: str) -> str:
        return self.namespace.ip(*command.split()).stdout

    @contextmanager
    def agent(self, interface: str | None = None, *, keep: bool = False) -> Iterator[Agent]:
        """An agent from its start to its end."""
        agent = Agent(self.store, interface, subnet_env=self.env)
        thread = threading.Thread(target=self.namespace.call, args=(agent.run,))
        thread.start()
        try:
            yield agent
        finally:
            agent.stop(keep)
            thread.join(20)
            assert not thread.is_alive()

    @property
    def told(self) -> list[str]:
        """The addresses that leases tell peers."""
        return [str(lease.attributes.public_ip) for lease in self.store.leases()]

    def devices(self) -> set[str]:
        return {name for name in ("flannel.1", "flannel-v6.1") if f" {name}:" in self.ip("link show")}


@pytest.fixture(params=["vxlan", "vxlan-user"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, request.param)
    try:
        yield made
    finally:
        made.namespace.delete()


def is_ready(agent: Agent, underlay: str, mtu: int) -> bool:
    try:
        status = agent.status()
    except RuntimeError:
        return False
    return (status.underlay, status.mtu, status.faults) == (underlay, mtu, ())


def test_another_interface(host: Host) -> None:
    """What happens to it counts from then on."""
    with host.agent() as agent:
        assert eventually(lambda: is_ready(agent, "u0", 1450))
        host.ip("route replace default via 198.51.100.254 dev u1")
        host.ip("link set u0 mtu 1490")  # of a route alone nobody tells
        assert eventually(lambda: is_ready(agent, "u1", 1450))
        assert eventually(lambda: host.told == ["198.51.100.1"])
        host.ip("link set u1 mtu 1400")
        assert eventually(lambda: is_ready(agent, "u1", 1350))
        host.ip("addr del 198.51.100.1/24 dev u1")
        host.ip("addr add 203.0.113.7/24 dev u1")
        host.ip("route add default via 203.0.113.254")
        assert eventually(lambda: host.told == ["203.0.113.7"])
        assert eventually(lambda: is_ready(agent, "u1", 1350))


def test_another_address_before_it_is_watched(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """While the agent waits for the store."""
    host.store.is_away = True
    with host.agent("u0") as agent:
        assert eventually(lambda: "away; tried again" in caplog.text)
        host.ip("addr del 192.0.2.1/24 dev u0")
        host.ip("addr add 192.0.2.50/24 dev u0")
        host.store.is_away = False
        assert eventually(lambda: host.told == ["192.0.2.50"])
        assert eventually(lambda: is_ready(agent, "u0", 1450))


def test_devices_of_an_earlier_run(host: Host) -> None:
    """Over IPv6 alone the device has another name than over IPv4."""
    host.ip("addr del 192.0.2.1/24 dev u0")
    host.ip("addr add 2001:db8::1/64 dev u0 nodad")
    with host.agent("u0", keep=True) as agent:
        assert eventually(lambda: is_ready(agent, "u0", 1430))
        assert host.devices() == {"flannel-v6.1"}
    host.ip("addr add 192.0.2.1/24 dev u0")
    with host.agent("u0") as agent:
        assert eventually(lambda: is_ready(agent, "u0", 1450))
        assert eventually(lambda: host.devices() == {"flannel.1"})
    assert host.devices() == set()
