"""A node keeps its lease: by renewing it in time, and by taking another where it was lost."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from vxlanpkt.overlay import FileStore, Lease, LeaseAttributes, NoSubnetError, StoreError, Subnets
from vxlanpkt.overlay.agent.lease_keeper import LeaseKeeper

CONFIG = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
NODE = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
OTHER = LeaseAttributes.vxlan("192.0.2.2", "02:00:00:00:00:02")
HOUR, DAY = 3600.0, 24 * 3600.0


class Clock:
    """Time that a test lets pass: since the machine was started, and since 1970, which can be set."""

    def __init__(self) -> None:
        self.now = 5_000.0
        self.started = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def today(self) -> float:
        return self.started + self.now


class Unreliable:
    """A store that can be made to fail, and counts what it is asked for."""

    def __init__(self, store: FileStore) -> None:
        self.store = store
        self.is_away = False
        self.renewals = 0

    def __getattr__(self, name: str) -> object:
        if self.is_away:
            raise StoreError("nobody there", store="test")
        self.renewals += name == "renew"
        return getattr(self.store, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Unreliable:
    made = FileStore(tmp_path, clock=clock.today)
    made.set_config(CONFIG)
    return Unreliable(made)


def _keeper(store: Unreliable, clock: Clock, attributes: LeaseAttributes = NODE) -> LeaseKeeper:
    return LeaseKeeper(store, attributes, clock=clock, today=clock.today)  # type: ignore[arg-type]  # __getattr__ has the methods


def test_renews_an_hour_before_the_end(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    assert keeper.due == clock.now + DAY - HOUR
    clock.now = keeper.due - 1
    assert not keeper.keep()
    assert store.renewals == 0
    clock.now += 1
    assert not keeper.keep(), "it is the same lease"
    assert store.renewals == 1
    assert keeper.lease.expiry == clock.today() + DAY


def test_short_leases_are_renewed_in_their_last_third(tmp_path: Path, clock: Clock) -> None:
    made = FileStore(tmp_path, clock=clock.today, lease_seconds=30)
    made.set_config(CONFIG)
    assert LeaseKeeper(made, NODE, clock=clock, today=clock.today).due == clock.now + 20


def test_a_store_that_is_away_is_asked_again(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    clock.now = keeper.due
    store.is_away = True
    pauses = []
    for _ in range(9):
        assert not keeper.keep()
        assert "nobody there" in keeper.fault
        pauses.append(keeper.due - clock.now)
        clock.now = keeper.due
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    store.is_away = False
    keeper.keep()
    assert keeper.fault == ""
    assert keeper.due > clock.now + HOUR


@pytest.mark.parametrize("step", [-30 * DAY, 30 * DAY])
def test_the_clock_is_set(store: Unreliable, clock: Clock, step: float) -> None:
    """What was left of a lease is left still, and so are pauses."""
    keeper = _keeper(store, clock)
    clock.started += step
    assert keeper.due == clock.now + DAY - HOUR
    clock.now = keeper.due
    store.is_away = True
    keeper.keep()
    clock.started += step
    assert keeper.due == clock.now + 1


def test_a_lost_lease_is_taken_again(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    first = keeper.lease
    store.store.release(first)
    assert not keeper.keep(), "nobody said that it is gone"
    keeper.check()
    keeper.keep()
    assert keeper.lease.subnets == first.subnets, "it was free"
    assert keeper.lease in store.store.leases()


def test_a_lease_that_another_has(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    first = keeper.lease
    store.store.release(first)
    taken = store.store.acquire(OTHER, first.subnets)
    assert taken.subnets == first.subnets
    keeper.check()
    assert keeper.keep(), "another subnet"
    assert not keeper.lease.subnets.overlaps(first.subnets)
    assert set(store.store.leases()) == {taken, keeper.lease}


def test_nothing_is_free_for_a_while(tmp_path: Path, clock: Clock) -> None:
    made = FileStore(tmp_path, clock=clock.today)
    made.set_config('{"Network": "10.5.0.0/28", "SubnetLen": 30, "SubnetMin": "10.5.0.4", "SubnetMax": "10.5.0.4"}')
    keeper = LeaseKeeper(made, NODE, clock=clock, today=clock.today)
    made.release(keeper.lease)
    other = made.acquire(OTHER)
    keeper.check()
    assert not keeper.keep()
    assert "taken" in keeper.fault
    made.release(other)
    clock.now = keeper.due
    keeper.keep()
    assert keeper.fault == ""
    assert made.leases() == (keeper.lease,)


def test_nothing_is_free_at_the_start(tmp_path: Path, clock: Clock) -> None:
    made = FileStore(tmp_path, clock=clock.today)
    made.set_config('{"Network": "10.5.0.0/28", "SubnetLen": 30, "SubnetMin": "10.5.0.4", "SubnetMax": "10.5.0.4"}')
    made.acquire(OTHER)
    with pytest.raises(NoSubnetError):
        LeaseKeeper(made, NODE, clock=clock, today=clock.today)


def test_another_vtep(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    first = keeper.lease
    keeper.say(NODE.replace(backend_data='{"VNI":1,"VtepMAC":"02:00:00:00:00:99"}'))
    assert keeper.keep()
    (lease,) = store.store.leases()
    assert lease.subnets == first.subnets
    assert str(lease.attributes.vtep_mac) == "02:00:00:00:00:99"


def test_another_address(store: Unreliable, clock: Clock) -> None:
    """A node at another address is another node, and keeps its subnets all the same."""
    keeper = _keeper(store, clock)
    first = keeper.lease
    keeper.say(LeaseAttributes.vxlan("192.0.2.9", "02:00:00:00:00:01"))
    assert keeper.keep()
    (lease,) = store.store.leases()
    assert lease.subnets == first.subnets
    assert str(lease.attributes.public_ip) == "192.0.2.9"


def test_another_address_while_the_store_is_away(store: Unreliable, clock: Clock) -> None:
    """The subnets are given back, and taken again, as soon as it answers."""
    keeper = _keeper(store, clock)
    first = keeper.lease
    store.is_away = True
    keeper.say(LeaseAttributes.vxlan("192.0.2.9", "02:00:00:00:00:01"))
    assert not keeper.keep()
    assert "nobody there" in keeper.fault
    store.is_away = False
    clock.now = keeper.due
    assert keeper.keep()
    (lease,) = store.store.leases()
    assert (lease.subnets, str(lease.attributes.public_ip)) == (first.subnets, "192.0.2.9")


def test_there_and_back(store: Unreliable, clock: Clock) -> None:
    """Another address for a moment: nobody needs to know."""
    keeper = _keeper(store, clock)
    keeper.say(LeaseAttributes.vxlan("192.0.2.9", "02:00:00:00:00:01"))
    keeper.say(NODE)
    assert not keeper.keep()
    assert store.store.leases() == (keeper.lease,)
    assert store.renewals == 1


def test_release(store: Unreliable, clock: Clock) -> None:
    keeper = _keeper(store, clock)
    keeper.release()
    assert store.store.leases() == ()
    keeper.release()


def test_release_without_a_store(store: Unreliable, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    keeper = _keeper(store, clock)
    store.is_away = True
    keeper.release()
    assert "was not given back" in caplog.text


def test_a_reservation_is_never_due(store: Unreliable, clock: Clock) -> None:
    class Reserving:
        def acquire(self, attributes: LeaseAttributes, previous: Subnets | None) -> Lease:
            return Lease(Subnets(IPv4Network("10.5.7.0/24")), attributes)

    keeper = LeaseKeeper(Reserving(), NODE, clock=clock, today=clock.today)  # type: ignore[arg-type]  # nothing else is asked for
    assert keeper.due == float("inf")
    assert not keeper.keep()
