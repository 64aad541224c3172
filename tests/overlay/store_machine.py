"""The laws of stores: several nodes on one of them, and what has to hold whatever they do, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vxlanpkt.overlay import (
    EtcdStore,
    FileStore,
    Lease,
    LeaseAttributes,
    LeaseLostError,
    LeaseTable,
    LeaseWatch,
    NetworkConfig,
    NoSubnetError,
    Subnets,
    parse_config,
)

# A tenth of what the profile has, or 100.
EXAMPLES = min(settings().max_examples, max(100, settings().max_examples // 10))
NODES = 5
CONFIGS = [
    parse_config(text)
    for text in (
        '{"Network": "10.0.0.0/24", "SubnetLen": 26, "Backend": {"Type": "vxlan"}}',  # three subnets for five nodes
        '{"Network": "10.0.0.0/24", "SubnetLen": 27}',
        '{"Network": "10.0.0.0/20", "EnableIPv6": true, "IPv6Network": "fc00::/60", "IPv6SubnetLen": 62}',
        '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fc00::/56", "IPv6SubnetLen": 60}',
    )
]
nodes = st.integers(0, NODES - 1)


@dataclass
class Node:
    """A node: its VTEP's address, and what it believes that it has."""

    number: int
    mac: int
    lease: Lease | None = None
    previous: Subnets | None = None

    @property
    def attributes(self) -> LeaseAttributes:
        return LeaseAttributes.vxlan(f"192.0.2.{self.number + 1}", f"02:00:00:00:00:{self.mac % 256:02x}")


@dataclass
class Watcher:
    """What a node makes of a watch."""

    watch: LeaseWatch
    table: LeaseTable

    def catch_up(self, wanted: dict[str, LeaseAttributes], seconds: float) -> None:
        """Take events until the table is what it has to be; fail where it does not become that."""
        while True:
            event = self.watch.poll(0)
            if event is None and self.held == wanted:
                return
            if event is None:
                event = self.watch.poll(seconds)
                assert event is not None, f"{self.held} has not become {wanted}"
            self.table.apply(event)

    @property
    def held(self) -> dict[str, LeaseAttributes]:
        return {key: lease.attributes for key, lease in self.table.leases.items()}


class StoreMachine(RuleBasedStateMachine):
    """Nodes come, go, die, are replaced and come back, while others watch."""

    patience = 5.0  # how long a watch may take to tell what has happened

    def __init__(self) -> None:
        super().__init__()
        self.config: NetworkConfig = CONFIGS[0]
        self.nodes = [Node(number, number) for number in range(NODES)]
        self.watchers: list[Watcher] = []
        self.owner = self.new_store()
        self.owner.set_config(self.config)
        self.stores = [self.new_store() for _ in range(NODES)]

    def new_store(self) -> FileStore | EtcdStore:
        raise NotImplementedError

    def alive(self, lease: Lease) -> bool:
        """Whether the lease has not ended, as far as this test knows."""
        raise NotImplementedError

    def teardown(self) -> None:
        for watcher in self.watchers:
            watcher.watch.close()

    @rule(number=nodes, with_previous=st.booleans())
    def acquire(self, number: int, with_previous: bool) -> None:
        """A node starts: what it has already is what it gets, with what it says of itself now."""
        node = self.nodes[number]
        before = {lease.attributes.public_ip: lease for lease in self.owner.leases()}
        had = before.get(node.attributes.public_ip)
        try:
            lease = self.stores[number].acquire(node.attributes, node.previous if with_previous else None)
        except NoSubnetError:
            assert had is None or not self.allowed(had)
            assert len(before) >= 3
            return
        assert lease.attributes == node.attributes
        assert lease.expiry is not None
        assert self.allowed(lease)
        if had is not None and self.allowed(had):
            assert lease.subnets == had.subnets
        node.lease, node.previous = lease, lease.subnets

    def allowed(self, lease: Lease) -> bool:
        """Whether a lease is of the network as it is now."""
        four, six = self.config.ipv4, self.config.ipv6
        subnets = lease.subnets
        return (
            (four is None) == (subnets.ipv4 is None)
            and (six is None) == (subnets.ipv6 is None)
            and (four is None or subnets.ipv4 is None or four.allows(subnets.ipv4))
            and (six is None or subnets.ipv6 is None or six.allows(subnets.ipv6))
        )

    @rule(number=nodes)
    def renew(self, number: int) -> None:
        """A lease that has not ended is never lost."""
        node = self.nodes[number]
        if node.lease is None:
            return
        alive = self.alive(node.lease)
        try:
            node.lease = self.stores[number].renew(node.lease.replace(attributes=node.attributes))
        except LeaseLostError:
            assert not alive
            node.lease = None
        else:
            assert node.lease.attributes == node.attributes

    @rule(number=nodes)
    def release(self, number: int) -> None:
        node = self.nodes[number]
        if node.lease is not None:
            self.stores[number].release(node.lease)
            assert node.lease.key not in {lease.key for lease in self.owner.leases()} or not self.alive(node.lease)
            node.lease = None

    @rule(number=nodes, mac=st.integers(0, 255))
    def dies(self, number: int, mac: int) -> None:
        """It forgets all but its subnet.env; the machine that comes in its place has another VTEP."""
        node = self.nodes[number]
        node.lease = None
        node.mac = mac
        self.stores[number] = self.new_store()

    @rule(number=nodes)
    def loses_its_disk(self, number: int) -> None:
        self.nodes[number].previous = None

    @rule(config=st.sampled_from(CONFIGS))
    def reconfigure(self, config: NetworkConfig) -> None:
        self.config = config
        self.owner.set_config(config)

    @precondition(lambda self: len(self.watchers) < 4)
    @rule(number=nodes)
    def watch(self, number: int) -> None:
        """Somebody begins to watch, in the middle of things."""
        self.watchers.append(Watcher(self.stores[number].watch(), LeaseTable()))

    @rule()
    def watchers_agree(self) -> None:
        """All come to see the same, which is what there is."""
        wanted = {lease.key: lease.attributes for lease in self.owner.leases()}
        for watcher in self.watchers:
            watcher.catch_up(wanted, self.patience)

    @invariant()
    def no_two_overlap(self) -> None:
        leases = self.owner.leases()
        assert [pair for pair in combinations(leases, 2) if pair[0].subnets.overlaps(pair[1].subnets)] == []
        assert len({lease.attributes.public_ip for lease in leases}) == len(leases)

    @invariant()
    def none_is_lost(self) -> None:
        """What a node was given and keeps alive is in the store, and says what the node said."""
        there = {lease.key: lease.attributes for lease in self.owner.leases()}
        for node in self.nodes:
            if node.lease is not None and self.alive(node.lease):
                assert there.get(node.lease.key) == node.lease.attributes
