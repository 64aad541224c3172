"""The store in a real etcd: its laws, flannel's keys, races, and an etcd that dies, hangs, forgets, comes back."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

import vxlanpkt
from tests.waiting import eventually
from vxlanpkt.overlay import (
    Added,
    ConfigError,
    EtcdStore,
    FileStore,
    Lease,
    LeaseAttributes,
    LeaseFormatError,
    LeaseLostError,
    LeaseStore,
    LeaseTable,
    NoSubnetError,
    Removed,
    Snapshot,
    StoreError,
    Subnets,
)
from vxlanpkt.overlay.stores.etcd_answers import Message
from vxlanpkt.overlay.stores.etcd_gateway import EtcdGateway

from . import etcd as etcds
from .etcd import Etcd
from .store_machine import EXAMPLES, NODES, StoreMachine

pytestmark = pytest.mark.live

ROOT = Path(vxlanpkt.__file__).parents[1]
ACQUIRERS = Path(__file__).with_name("acquirers.py")
PREFIX = "/coreos.com/network"
NETWORK = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'


def node(number: int) -> LeaseAttributes:
    return LeaseAttributes.vxlan(f"192.0.2.{number}", f"02:00:00:00:00:{number:02x}")


def require_etcd() -> None:
    """Skip where there is no etcd, or fail where one is required."""
    reason = etcds.missing()
    if reason is not None:
        assert os.environ.get("VXLANPKT_REQUIRE_LIVE") != "1", f"live tests are required: {reason}"
        pytest.skip(reason)
    etcds.sweep()


@pytest.fixture(scope="module")
def shared() -> Iterator[Etcd]:
    """One for the tests that leave it alive."""
    require_etcd()
    made = Etcd()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def etcd(shared: Etcd) -> Etcd:
    """Empty, with flannel's configuration in it."""
    shared.delete("/", "0")
    shared.put(f"{PREFIX}/config", NETWORK)
    return shared


@pytest.fixture
def mortal() -> Iterator[Etcd]:
    """One of the test's own."""
    require_etcd()
    made = Etcd()
    try:
        made.put(f"{PREFIX}/config", NETWORK)
        yield made
    finally:
        made.close()


@pytest.fixture
def store(etcd: Etcd) -> EtcdStore:
    return EtcdStore(etcd.url, timeout=20)


class EtcdMachine(StoreMachine):
    """Leases end when etcd's are revoked: time cannot be made to pass there."""

    url: ClassVar[str]
    server: ClassVar[Etcd]

    def __init__(self) -> None:
        self.server.delete("/", "0")
        self.ended: set[tuple[str, float | None]] = set()
        super().__init__()

    def new_store(self) -> FileStore | EtcdStore:
        return EtcdStore(self.server.url, random=Random(7))

    def alive(self, lease: Lease) -> bool:
        return (lease.key, lease.expiry) not in self.ended

    @rule(number=st.integers(0, NODES - 1))
    def ends(self, number: int) -> None:
        """A lease comes to its end, and its node has not seen it yet."""
        lease = self.nodes[number].lease
        if lease is not None and self.alive(lease):
            key = f"{PREFIX}/subnets/{lease.key}"
            pairs = self.server.ask("kv/range", {"key": etcds.b64(key)}).get("kvs", [])
            self.server.ask("lease/revoke", {"ID": pairs[0]["lease"]})
            self.ended.add((lease.key, lease.expiry))

    @rule()
    def compact(self) -> None:
        self.server.compact()


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_laws(lost: float, etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold too where answers are lost on their way: what was done is then tried once more."""
    dice = Random(5)
    answer = EtcdGateway._answer

    def lossy(self: EtcdGateway, path: str, body: Mapping[str, object], deadline: float) -> Message:
        read = answer(self, path, body, deadline)
        if dice.random() < lost:
            raise ConnectionResetError("lost on its way")
        return read

    monkeypatch.setattr(EtcdGateway, "_answer", lossy)
    monkeypatch.setattr("vxlanpkt.overlay.stores.etcd_gateway._FIRST_PAUSE", 0.0001)
    from hypothesis.stateful import run_state_machine_as_test

    EtcdMachine.server = etcd
    run_state_machine_as_test(
        EtcdMachine,
        settings=settings(
            max_examples=EXAMPLES // 5, stateful_step_count=20, deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )  # fmt: skip


def test_flannels_keys_and_values(etcd: Etcd, store: EtcdStore) -> None:
    checked: LeaseStore = store
    lease = checked.acquire(node(1), Subnets.from_key("10.5.52.0-24"))
    assert etcd.get(f"{PREFIX}/subnets/10.5.52.0-24") == (
        '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan",'
        '"BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}'
    )
    assert lease.expiry is not None and abs(lease.expiry - time.time() - 86_400) < 60
    assert checked.leases() == (lease.replace(expiry=None),)
    assert checked.config().backend.type == "vxlan"


def test_a_node_of_flannel_is_a_node(etcd: Etcd, store: EtcdStore) -> None:
    """Its lease is seen, its subnet not taken, and with its public address it is ours."""
    granted = etcd.ask("lease/grant", {"TTL": "86400"})["ID"]
    value = (
        '{"PublicIP":"192.0.2.8","PublicIPv6":null,"BackendType":"vxlan",'
        '"BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:08"}}'
    )
    etcd.ask("kv/put", {"key": etcds.b64(f"{PREFIX}/subnets/10.5.8.0-24"), "value": etcds.b64(value), "lease": granted})
    assert [lease.attributes for lease in store.leases()] == [node(8)]
    assert store.acquire(node(1), Subnets.from_key("10.5.8.0-24")).key != "10.5.8.0-24"
    ours = store.acquire(node(8).replace(backend_data='{"VNI":1,"VtepMAC":"02:00:00:00:00:88"}'))
    assert ours.key == "10.5.8.0-24"
    assert int(granted) in etcd.leases()


def test_renew_and_release(etcd: Etcd, store: EtcdStore) -> None:
    before = set(etcd.leases())
    lease = store.acquire(node(1))
    renewed = store.renew(lease)
    assert renewed.expiry is not None and lease.expiry is not None and renewed.expiry >= lease.expiry
    moved = renewed.replace(attributes=renewed.attributes.replace(backend_type="udp"))
    assert store.renew(moved).attributes.backend_type == "udp"
    assert len(set(etcd.leases()) - before) == 1  # the same all the time
    store.release(moved)
    assert store.leases() == ()
    assert set(etcd.leases()) == before
    store.release(moved)
    with pytest.raises(LeaseLostError):
        store.renew(moved)


def test_a_lease_ends_unless_it_is_renewed(etcd: Etcd) -> None:
    """etcd's shortest: a dead node's is gone in seconds, and one that is renewed stays."""
    brief = EtcdStore(etcd.url, lease_seconds=2)
    living, dead = brief.acquire(node(1)), brief.acquire(node(2))
    with brief.watch() as watch:
        assert isinstance(watch.poll(5), Snapshot)
        deadline = time.monotonic() + 20
        event = None
        while event is None and time.monotonic() < deadline:
            living = brief.renew(living)
            event = watch.poll(0.3)
    assert event == Removed(dead.subnets)
    assert [lease.key for lease in brief.leases()] == [living.key]
    with pytest.raises(LeaseLostError):
        brief.renew(dead)


def test_reservations(etcd: Etcd, store: EtcdStore) -> None:
    """A key without a lease of etcd's does not end, and stays like that."""
    etcd.put(f"{PREFIX}/subnets/10.5.9.0-24", node(1).to_value())
    lease = store.acquire(node(1).replace(backend_type="udp"))
    assert (lease.key, lease.expiry) == ("10.5.9.0-24", None)
    assert store.renew(lease).expiry is None


def test_what_cannot_be_read(etcd: Etcd) -> None:
    told: list[LeaseFormatError] = []
    store = EtcdStore(etcd.url, unreadable=told.append)
    store.set_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.8"}')
    etcd.put(f"{PREFIX}/subnets/10.0.0.4-30", "{")
    etcd.put(f"{PREFIX}/subnets/what", "{}")
    assert store.leases() == ()
    assert len(told) == 2
    with store.watch() as watch:
        assert watch.poll(5) == Snapshot(())
        assert store.acquire(node(1)).key == "10.0.0.8-30"
        assert isinstance(watch.poll(5), Added)
        etcd.put(f"{PREFIX}/subnets/10.0.0.8-30", "[]")
        assert watch.poll(5) == Removed(Subnets.from_key("10.0.0.8-30"))
    with pytest.raises(NoSubnetError):
        store.acquire(node(2))


def test_no_configuration(etcd: Etcd) -> None:
    with pytest.raises(StoreError, match="has no configuration of a network: there is no key /nowhere/config"):
        EtcdStore(etcd.url, "/nowhere").acquire(node(1))
    etcd.put("/odd/config", '{"Network": "x"}')
    with pytest.raises(ConfigError):
        EtcdStore(etcd.url, "/odd").config()
    with pytest.raises(ConfigError):
        EtcdStore(etcd.url).set_config("{}")


def test_a_configuration_is_offered(etcd: Etcd) -> None:
    """The first is taken, and no other takes its place."""
    store = EtcdStore(etcd.url, "/offered")
    with pytest.raises(ConfigError):
        store.offer_config("{}")
    assert store.offer_config(NETWORK)
    assert not store.offer_config('{"Network": "10.9.0.0/16"}')
    assert etcd.get("/offered/config") == NETWORK


@pytest.mark.parametrize(
    "network",
    [
        '{"Network": "10.0.0.0/20", "SubnetLen": 26, "SubnetMax": "10.0.12.128"}',
        '{"Network": "10.0.0.0/16", "EnableIPv6": true, "IPv6Network": "fc00::/56"}',
    ],
    ids=["one family, just enough", "dual stack"],
)
def test_fifty_acquirers_at_once(network: str, etcd: Etcd, store: EtcdStore) -> None:
    """Processes, each with a lease of its own in the end, whoever wins the races; no lease of etcd's is left over."""
    store.set_config(network)
    before = set(etcd.leases())
    done = subprocess.run(
        [sys.executable, ACQUIRERS, etcd.url, "50"], capture_output=True, text=True, timeout=150, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    keys = done.stdout.split()
    assert len(keys) == 50
    leases = store.leases()
    assert sorted(lease.key for lease in leases) == sorted(keys)
    assert all(not one.subnets.overlaps(other.subnets) for one in leases for other in leases if one is not other)
    assert len(set(etcd.leases()) - before) == 50


def test_compaction_between_two_looks(mortal: Etcd) -> None:
    """A watch whose place in the history is gone lists all again."""
    store = EtcdStore(mortal.url, timeout=20, quiet_seconds=0.5)
    table = LeaseTable()
    kept, gone = store.acquire(node(1)), store.acquire(node(2))
    watch = store.watch()
    first = watch.poll(5)
    assert isinstance(first, Snapshot)
    table.apply(first)
    assert set(table.leases) == {kept.key, gone.key}
    mortal.kill()
    mortal.start()
    store.release(gone)
    new = store.acquire(node(3))
    mortal.compact()
    again = watch.poll(20)
    assert again == Snapshot(store.leases())
    change = table.apply(again)
    assert [lease.key for lease in change.added] == [new.key]
    assert [lease.key for lease in change.removed] == [gone.key]
    store.release(new)
    assert watch.poll(5) == Removed(new.subnets)
    watch.close()


def test_etcd_dies_and_comes_back(mortal: Etcd) -> None:
    """What it was told stays; calls wait for it; a watch lists all again, and goes on from there."""
    store = EtcdStore(mortal.url, timeout=20)
    lease = store.acquire(node(1))
    watch = store.watch()
    assert isinstance(watch.poll(5), Snapshot)
    assert watch.poll(0.05) is None
    mortal.kill()
    with pytest.raises(StoreError):
        EtcdStore(mortal.url, timeout=0.3).leases()
    assert watch.poll(0.2) is None
    renewed: list[Lease] = []
    waiting = threading.Thread(target=lambda: renewed.append(store.renew(lease)))
    waiting.start()
    time.sleep(0.3)
    assert renewed == []
    mortal.start()
    waiting.join(20)  # it is tried again until etcd is there
    assert [found.subnets for found in renewed] == [lease.subnets]
    assert watch.poll(20) == Snapshot((lease.replace(expiry=None),))
    second = store.acquire(node(2))
    assert watch.poll(20) == Added(second.replace(expiry=None))
    watch.close()


def test_writers_while_etcd_dies_again_and_again(mortal: Etcd) -> None:
    """No two leases overlap, and a watch from before it all agrees in the end."""
    store = EtcdStore(mortal.url, timeout=60)
    store.set_config('{"Network": "10.0.0.0/24", "SubnetLen": 27, "EnableIPv6": true, "IPv6Network": "fc00::/60"}')
    watch = store.watch()
    table = LeaseTable()
    over = threading.Event()
    failures: list[Exception] = []

    def restless(number: int) -> None:
        mine = EtcdStore(mortal.url, timeout=60)
        try:
            while not over.is_set():
                lease = mine.acquire(node(number))
                lease = mine.renew(lease.replace(attributes=node(number).replace(backend_type="udp")))
                if number != 1:
                    mine.release(lease)
        except Exception as error:  # for the main thread
            failures.append(error)

    threads = [threading.Thread(target=restless, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        mortal.kill()
        time.sleep(0.1)
        mortal.start()
    over.set()
    for thread in threads:
        thread.join(60)
    assert failures == []
    leases = store.leases()
    assert all(not one.subnets.overlaps(other.subnets) for one in leases for other in leases if one is not other)
    assert len(mortal.leases()) >= len(leases) >= 1
    wanted = {lease.key: lease.attributes for lease in leases}
    deadline = time.monotonic() + 20
    while {key: lease.attributes for key, lease in table.leases.items()} != wanted:
        assert time.monotonic() < deadline
        event = watch.poll(1)
        if event is not None:
            table.apply(event)
    watch.close()


def test_etcd_forgets_everything(mortal: Etcd) -> None:
    """One that is made anew at the same address counts from the start: the watch sees that it is another one."""
    store = EtcdStore(mortal.url, timeout=20)
    for _ in range(3):
        lease = store.acquire(node(1))
        store.release(lease)
    lease = store.acquire(node(1))
    watch = store.watch()
    assert watch.poll(5) == Snapshot((lease.replace(expiry=None),))
    assert watch.poll(0.05) is None
    mortal.kill()
    mortal.forget()
    mortal.start()
    assert watch.poll(20) == Snapshot(())
    with pytest.raises(LeaseLostError):
        store.renew(lease)
    watch.close()


def test_another_etcd_that_is_as_far(mortal: Etcd) -> None:
    """One that is made anew, and has come to the old revision and beyond before the watch is back, is seen too."""
    store = EtcdStore(mortal.url, timeout=20)
    for number in (2, 3):
        store.acquire(node(number))
    watch, table = store.watch(), LeaseTable()
    first = watch.poll(5)
    assert first is not None
    table.apply(first)
    assert watch.poll(0.2) is None
    mortal.kill()
    mortal.forget()
    mortal.start()
    store.set_config(NETWORK)
    wanted = {lease.key: lease.attributes for lease in (store.acquire(node(number)) for number in range(12, 16))}
    deadline = time.monotonic() + 20
    while {key: lease.attributes for key, lease in table.leases.items()} != wanted:
        assert time.monotonic() < deadline, table.leases
        event = watch.poll(1)
        if event is not None:
            table.apply(event)
    assert watch.poll(0.2) is None and watch.fault == ""
    watch.close()


def test_etcd_hangs(mortal: Etcd) -> None:
    """A process that is there and does nothing: calls end in time, and a quiet watch finds its way back."""
    store = EtcdStore(mortal.url, timeout=0.5, quiet_seconds=0.3)
    watch = store.watch()
    assert isinstance(watch.poll(5), Snapshot)
    mortal.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.leases()
        assert watch.poll(0.5) is None
        assert time.monotonic() - began < 30
    finally:
        mortal.thaw()
    mortal.put(f"{PREFIX}/subnets/10.5.9.0-24", node(1).to_value())
    table = LeaseTable()
    while not table.leases:  # told by an event, or where all was listed again meanwhile by a snapshot
        event = watch.poll(20)
        assert event is not None
        table.apply(event)
    assert table.leases["10.5.9.0-24"].attributes == node(1)
    watch.close()


def test_another_endpoint(etcd: Etcd, mortal: Etcd) -> None:
    """The first that answers is taken: for calls, and for a watch."""
    mortal.kill()
    store = EtcdStore([mortal.url, etcd.url], timeout=20)
    lease = store.acquire(node(1))
    with store.watch() as watch:
        assert watch.poll(10) == Snapshot((lease.replace(expiry=None),))
        store.release(lease)
        assert watch.poll(10) == Removed(lease.subnets)


def test_a_watch_ends_from_another_thread(store: EtcdStore) -> None:
    watch = store.watch()
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    watch.close()
    watch.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == [Snapshot(())]


def test_https(tmp_path: Path) -> None:
    """With a certificate that the context knows; without, it is refused."""
    require_etcd()
    if shutil.which("openssl") is None:
        pytest.skip("no openssl, to make a certificate with")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
        "-out", str(certificate),
    ], check=True, capture_output=True, timeout=30)  # fmt: skip
    secure = Etcd((certificate, key))
    try:
        store = EtcdStore(secure.url, context=ssl.create_default_context(cafile=str(certificate)))
        store.set_config(NETWORK)
        with store.watch() as watch:
            assert watch.poll(5) == Snapshot(())
            assert watch.poll(0.05) is None
            lease = store.acquire(node(1))
            assert watch.poll(5) == Added(lease.replace(expiry=None))
        with pytest.raises(StoreError, match="certificate"):
            EtcdStore(secure.url, timeout=0.2).config()
    finally:
        secure.close()


def test_authentication(mortal: Etcd) -> None:
    """A name and a password; a token that an etcd does not know any more is replaced."""
    mortal.ask("auth/user/add", {"name": "root", "password": "secret"})
    mortal.ask("auth/role/add", {"name": "root"})
    mortal.ask("auth/user/grant", {"user": "root", "role": "root"})
    mortal.ask("auth/enable", {})
    store = EtcdStore(mortal.url, username="root", password="secret", timeout=20)
    watch = store.watch()
    assert watch.poll(10) == Snapshot(())
    lease = store.acquire(node(1))
    assert watch.poll(10) == Added(lease.replace(expiry=None))
    mortal.kill()
    mortal.start()
    assert watch.poll(20) == Snapshot((lease.replace(expiry=None),))
    store.release(lease)
    assert watch.poll(20) == Removed(lease.subnets)
    watch.close()
    with pytest.raises(StoreError, match="user name is empty"):
        EtcdStore(mortal.url, timeout=20).leases()
    with pytest.raises(StoreError, match="authentication failed"):
        EtcdStore(mortal.url, username="root", password="wrong", timeout=20).leases()


def test_a_killed_test_leaves_no_etcd() -> None:
    """It goes with its parent, however that ends."""
    require_etcd()
    code = (
        "import os, signal; from etcd import Etcd; etcd = Etcd(); print(etcd.pid, etcd.home, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(etcds.__file__).parent)},
    )  # fmt: skip
    pid, home = killed.stdout.split()
    assert eventually(lambda: _is_gone(pid))
    etcds.sweep()
    assert not Path(home).exists()


def _is_gone(pid: str) -> bool:
    """Whether no process of that number is etcd any more."""
    try:
        return "etcd" not in Path("/proc", pid, "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
