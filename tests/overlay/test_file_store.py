"""The directory as a store: its laws, its files, and that no death of a process at any point does harm."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

import vxlanpkt
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
from vxlanpkt.overlay.stores import file_store, file_watch

from .store_machine import EXAMPLES, StoreMachine

ROOT = Path(vxlanpkt.__file__).parents[1]
NETWORK = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'


class Clock:
    """The time of day, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def node(number: int) -> LeaseAttributes:
    return LeaseAttributes.vxlan(f"192.0.2.{number}", f"02:00:00:00:00:{number:02x}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FileStore:
    made = FileStore(tmp_path / "store", clock=clock, random=Random(1), poll_seconds=0.01)
    made.set_config(NETWORK)
    return made


class FileMachine(StoreMachine):
    """Leases of a hundred seconds, under a clock that jumps."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="vxlanpkt-leases-")
        self.clock = Clock()
        super().__init__()

    def new_store(self) -> FileStore | EtcdStore:
        return FileStore(self.directory, lease_seconds=100, clock=self.clock, random=Random(7), poll_seconds=0.001)

    def alive(self, lease: Lease) -> bool:
        return lease.expiry is not None and lease.expiry > self.clock.now

    @rule(seconds=st.sampled_from([1, 60, 100, 150]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.directory)


FileMachine.TestCase.settings = settings(
    max_examples=EXAMPLES // 2, stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestFileMachine = FileMachine.TestCase


# -- one after the other


def test_it_is_a_lease_store(store: FileStore) -> None:
    checked: LeaseStore = store
    assert checked.config().backend.type == "vxlan"
    assert checked.leases() == ()


def test_acquire_renew_release(store: FileStore, clock: Clock, tmp_path: Path) -> None:
    lease = store.acquire(node(1))
    assert lease.expiry == clock.now + 86_400
    assert store.leases() == (lease,)
    assert json.loads((tmp_path / "store" / "subnets" / lease.key).read_text()) == {
        "Expiry": lease.expiry,
        "Attributes": json.loads(node(1).to_value()),
    }
    clock.now += 3600
    renewed = store.renew(lease)
    assert renewed == lease.replace(expiry=clock.now + 86_400)
    store.release(renewed)
    assert store.leases() == ()
    store.release(renewed)
    with pytest.raises(LeaseLostError) as caught:
        store.renew(renewed)
    assert caught.value.key == lease.key


def test_what_ended_is_given_to_others(store: FileStore, clock: Clock) -> None:
    store.set_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.4"}')
    lease = store.acquire(node(1))
    with pytest.raises(NoSubnetError):
        store.acquire(node(2))
    clock.now += 86_400
    assert store.leases() == ()
    assert store.renew(lease).subnets == lease.subnets  # it had ended, and nobody had taken its place
    clock.now += 86_400
    taken = store.acquire(node(2))
    assert taken.subnets == lease.subnets
    with pytest.raises(LeaseLostError):
        store.renew(lease)
    store.release(lease)  # another's is left alone
    assert store.leases() == (taken,)


def test_a_new_mac_and_the_previous_subnets(store: FileStore) -> None:
    lease = store.acquire(node(1), Subnets.from_key("10.5.77.0-24"))
    assert lease.key == "10.5.77.0-24"
    moved = lease.attributes.replace(backend_data='{"VNI":1,"VtepMAC":"02:00:00:00:00:99"}')
    assert store.renew(lease.replace(attributes=moved)).attributes == moved
    assert store.acquire(node(1)).subnets == lease.subnets
    assert store.acquire(node(2), lease.subnets).subnets != lease.subnets


def test_another_network(store: FileStore) -> None:
    """A lease that is not of the network any more is given back, and the node gets one that is."""
    old = store.acquire(node(1))
    store.set_config('{"Network": "10.9.0.0/16"}')
    new = store.acquire(node(1))
    assert str(new.subnets.ipv4).startswith("10.9.")
    assert store.leases() == (new,)
    assert old.key != new.key


def test_a_configuration_is_offered(tmp_path: Path) -> None:
    """Of many offers one is taken, whole; what is refused is not."""
    with pytest.raises(ConfigError):
        FileStore(tmp_path).offer_config("{}")
    taken: list[int] = []

    def offer(number: int) -> None:
        if FileStore(tmp_path).offer_config(f'{{"Network": "10.{number}.0.0/16"}}'):
            taken.append(number)

    threads = [threading.Thread(target=offer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (winner,) = taken
    assert (tmp_path / "config").read_text() == f'{{"Network": "10.{winner}.0.0/16"}}'


def test_reservations_do_not_end(store: FileStore, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "store" / "subnets" / "10.5.9.0-24"
    path.write_text(f'{{"Expiry": null, "Attributes": {node(1).to_value()}}}')
    clock.now += 1e9
    lease = store.acquire(node(1))
    assert (lease.key, lease.expiry) == ("10.5.9.0-24", None)
    assert store.renew(lease).expiry is None


def test_watching(store: FileStore, clock: Clock) -> None:
    first = store.acquire(node(1))
    with store.watch() as watch:
        assert watch.poll(0) == Snapshot((first,))
        assert watch.poll(0) is None
        second = store.acquire(node(2))
        assert watch.poll(5) == Added(second)
        clock.now += 10
        store.renew(second)  # a longer expiry is nothing to be told
        assert watch.poll(0) is None
        moved = store.renew(second.replace(attributes=second.attributes.replace(backend_type="udp")))
        assert watch.poll(5) == Added(moved)
        store.release(first)
        assert watch.poll(5) == Removed(first.subnets)
        clock.now += 86_401
        assert watch.poll(5) == Removed(second.subnets)
    assert watch.closed
    assert watch.poll(5) is None
    assert list(watch) == []


@pytest.fixture
def reads(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One more for each time that the leases are read."""
    counted: list[int] = []
    real = store.leases

    def leases() -> tuple[Lease, ...]:
        counted.append(1)
        return real()

    monkeypatch.setattr(store, "leases", leases)
    return counted


def test_what_did_not_change_is_not_read(
    store: FileStore, clock: Clock, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a store does is seen all the same, and that a lease has come to its end."""
    monkeypatch.setattr(file_watch, "_SETTLED_SECONDS", 0.05)  # some ticks
    monkeypatch.setattr(file_watch, "_READ_AGAIN_SECONDS", 1e9)
    first, watch = store.acquire(node(1)), store.watch()
    assert watch.poll(0) == Snapshot((first,))
    assert watch.poll(0.3) is None
    reads.clear()
    assert watch.poll(0.1) is None
    assert reads == []
    other = FileStore(store._home, clock=clock)
    moved = other.renew(first.replace(attributes=first.attributes.replace(backend_type="udp")))
    assert watch.poll(5) == Added(moved)
    second = other.acquire(node(2))
    assert watch.poll(5) == Added(second)
    other.release(moved)
    assert watch.poll(5) == Removed(first.subnets)
    assert watch.poll(0.3) is None
    clock.now += 86_401
    assert watch.poll(5) == Removed(second.subnets)


def test_changes_that_leave_the_same_time(store: FileStore, reads: list[int]) -> None:
    """Within one tick of the file system's clock the directory's time does not change: so it is no sign at first."""
    lease, watch = store.acquire(node(1)), store.watch()
    assert watch.poll(0) == Snapshot((lease,))
    before = store._subnets.stat()
    for number in range(2, 6):
        other = store.acquire(node(number))
        os.utime(store._subnets, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert watch.poll(5) == Added(other)
    assert len(reads) >= 5


def test_what_is_written_in_place_is_seen_in_the_end(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """By somebody who is no store: the directory's time stays."""
    monkeypatch.setattr(file_watch, "_SETTLED_SECONDS", 0.05)  # some ticks
    monkeypatch.setattr(file_watch, "_READ_AGAIN_SECONDS", 0.3)
    lease, watch = store.acquire(node(1)), store.watch()
    assert watch.poll(0) == Snapshot((lease,))
    assert watch.poll(0.1) is None
    path = store._subnets / lease.key
    path.write_text(path.read_text().replace(":01", ":77"))
    assert watch.poll(10) == Added(lease.replace(attributes=LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:77")))


def test_a_watch_ends_from_another_thread(store: FileStore) -> None:
    watch = store.watch()
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    lease = store.acquire(node(1))
    deadline = time.monotonic() + 10
    table = LeaseTable()
    while lease.key not in table.leases and time.monotonic() < deadline:
        time.sleep(0.01)
        for event in tuple(seen):
            table.apply(event)  # type: ignore[arg-type]
    watch.close()
    thread.join(10)
    assert not thread.is_alive()
    assert list(table.leases) == [lease.key]


def test_a_watch_survives_a_store_that_fails(store: FileStore, tmp_path: Path) -> None:
    lease = store.acquire(node(1))
    watch = store.watch()
    assert watch.poll(0) == Snapshot((lease,))
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    assert watch.poll(0.05) is None
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    store.release(lease)
    assert watch.poll(10) == Removed(lease.subnets)


def test_the_table_leaves_its_own_out() -> None:
    mine = Lease(Subnets.from_key("10.5.1.0-24"), node(1))
    other = Lease(Subnets.from_key("10.5.2.0-24"), node(2))
    table = LeaseTable(own=mine.subnets)
    assert table.apply(Snapshot((mine, other))).added == (other,)
    assert table.apply(Added(mine)).added == ()
    moved = other.replace(attributes=node(3))
    change = table.apply(Added(moved))
    assert (change.added, change.removed) == ((moved,), (other,))
    assert table.apply(Added(moved.replace(expiry=5.0))).added == ()
    change = table.apply(Snapshot((mine,)))
    assert (change.added, change.removed) == ((), (moved.replace(expiry=5.0),))
    assert table.apply(Removed(other.subnets)).removed == ()


# -- what is broken


def test_no_configuration(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(StoreError, match="config"):
        store.acquire(node(1))
    with pytest.raises(ConfigError):
        store.set_config("{}")
    (tmp_path / "config").write_text("{")
    with pytest.raises(ConfigError):
        store.config()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"Expiry": 5}', '{"Expiry": "x", "Attributes": {}}', "\xff", "null"]
)
def test_files_that_cannot_be_read(content: str, store: FileStore, tmp_path: Path) -> None:
    """They are told of and left out; their subnets are not given to anybody."""
    store.set_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.8"}')
    subnets = tmp_path / "store" / "subnets"
    (subnets / "10.0.0.4-30").write_text(content, encoding="latin-1")
    (subnets / "README\x1b\n").write_text("who put this here?")
    told: list[LeaseFormatError] = []
    careful = FileStore(tmp_path / "store", unreadable=told.append)
    assert careful.leases() == ()
    assert len(told) == 2 and all(str(error).isprintable() for error in told)
    assert store.acquire(node(1)).key == "10.0.0.8-30"
    with pytest.raises(NoSubnetError):
        store.acquire(node(2))
    assert sorted(path.name for path in subnets.iterdir()) == ["10.0.0.4-30", "10.0.0.8-30", "README\x1b\n"]


def test_who_holds_the_lock_too_long(store: FileStore, tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "store" / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="lock"):
            FileStore(tmp_path / "store", timeout=0.05).leases()
    assert store.leases() == ()


def test_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        FileStore(tmp_path / "file" / "store")


# -- many processes

# Acquires, renews, moves and releases without end, until somebody kills it.
RESTLESS = """
import sys
from random import Random
from vxlanpkt.overlay import FileStore, LeaseAttributes, LeaseLostError
store = FileStore(sys.argv[1], timeout=100)
number, random = sys.argv[2], Random(int(sys.argv[3]))
print("ready", flush=True)
while True:
    attributes = LeaseAttributes.vxlan("192.0.2." + number, random.randrange(1 << 40).to_bytes(6, "big").hex())
    lease = store.acquire(attributes)
    for _ in range(random.randrange(3)):
        lease = store.renew(lease.replace(attributes=attributes.replace(backend_type=random.choice(["vxlan", "udp"]))))
    if random.random() < 0.7:
        store.release(lease)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_fifty_acquirers_at_once(tmp_path: Path) -> None:
    """Each gets subnets of its own, of a network that has just as many."""
    store = FileStore(tmp_path)
    store.set_config('{"Network": "10.0.0.0/20", "SubnetLen": 26, "SubnetMax": "10.0.12.128"}')
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("acquirers.py"), str(tmp_path), "50"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    keys = done.stdout.split()
    assert len(set(keys)) == 50
    assert sorted(lease.key for lease in store.leases()) == sorted(keys)


def test_writers_killed_at_any_point(tmp_path: Path) -> None:
    """What is there is whole after each death, no two leases overlap, and others go on at once."""
    store = FileStore(tmp_path, timeout=20, unreadable=lambda error: pytest.fail(str(error)))
    store.set_config('{"Network": "10.0.0.0/24", "SubnetLen": 27, "EnableIPv6": true, "IPv6Network": "fc00::/60"}')
    watch = store.watch()
    table = LeaseTable()
    dice = random.Random(3)
    for turn in range(12):
        writers = [start(RESTLESS, str(tmp_path), str(number), str(turn)) for number in (1, 2, 3)]
        try:
            for writer in writers:
                assert writer.stdout is not None
                assert writer.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0, 0.1))
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.communicate()
        leases = store.leases()
        assert all(not one.subnets.overlaps(other.subnets) for one in leases for other in leases if one is not other), (
            leases
        )
        assert len({lease.attributes.public_ip for lease in leases}) == len(leases) <= 4
        kept = store.acquire(node(9))
        assert store.renew(kept).subnets == kept.subnets
        assert [path.name for path in (tmp_path / "subnets").iterdir() if path.name.startswith(".")] == []
        while (event := watch.poll(0)) is not None:
            table.apply(event)
        assert {key: lease.attributes for key, lease in table.leases.items()} == {
            lease.key: lease.attributes for lease in store.leases()
        }


def test_killed_before_each_call(tmp_path: Path) -> None:
    """Before every call, and in the midst of each write: what is there is as before the operation, or as after it.

    Nothing half written is ever seen, what is left of it is removed by the next who acquires, and the lock is free.
    """
    script = Path(__file__).with_name("crash_points.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    old, new = "02:00:00:00:00:01", "02:00:00:00:00:02"
    for operation in ("acquire", "move", "renew", "release"):
        mine = [death for death in deaths if death["operation"] == operation]
        assert len(mine) >= 5
        called = [death["died"] for death in mine if death["call"] >= 0]
        assert called == [True] * (len(called) - 1) + [False]
        assert any(death["died"] for death in mine if death["call"] < 0) == (operation != "release")
        for death in mine:
            held = death["held"]
            assert (death["left"], death["broken"]) == ([], 0)
            before = {death["mine"]: old}
            match operation:
                case "acquire":
                    assert held in (before, {**before, death["ended"]: old})
                case "renew":
                    assert held in (before, {death["mine"]: new})
                case "release":
                    assert held in (before, {})
                case "move":
                    # The old lease is gone before the new one is there: at no time are there two.
                    assert held in (before, {}) or list(held.values()) == [new]
            assert death["leases"] == len(held | {death["after"]: old})
        assert mine[-1]["held"] != {mine[-1]["mine"]: old}  # the one that lived has done it


def test_files_that_did_not_change_are_not_read_again(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they are old enough for a change to be seen by the looks of a file."""
    read: list[str] = []
    real: Callable[[str, bytes], Lease] = file_store._lease

    def counted(key: str, content: bytes) -> Lease:
        read.append(key)
        return real(key, content)

    monkeypatch.setattr(file_store, "_lease", counted)
    lease = store.acquire(node(1))
    path = tmp_path / "store" / "subnets" / lease.key
    for _ in range(3):
        assert store.leases() == (lease,)
    assert len(read) >= 3
    os.utime(path, (1.0, 1.0))
    read.clear()
    for _ in range(3):
        assert store.leases() == (lease,)
    assert read == [lease.key]
    moved = lease.replace(attributes=LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:77"))
    FileStore(tmp_path / "store", clock=Clock()).renew(moved)
    assert store.leases() == (moved,)
