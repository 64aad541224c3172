"""Leases as flannel writes them: keys, values, subnet.env; and which subnets a node gets."""

from __future__ import annotations

import json
import pickle
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import FieldError, MACAddress, PacketError
from vxlanpkt.overlay import (
    Lease,
    LeaseAttributes,
    LeaseFormatError,
    NoSubnetError,
    StoreError,
    SubnetEnv,
    Subnets,
    parse_config,
)
from vxlanpkt.overlay.leases.allocation import choose_subnets, compatible, free_subnets, own_lease

V4 = IPv4Network("10.5.52.0/24")
V6 = IPv6Network("fc00:5:52::/64")


# -- keys


@pytest.mark.parametrize(
    ("subnets", "key"),
    [
        (Subnets(V4), "10.5.52.0-24"),
        (Subnets(V4, V6), "10.5.52.0-24&fc00:5:52::-64"),
        (Subnets(None, V6), "0.0.0.0-0&fc00:5:52::-64"),  # an address and a length of zero are flannel's "none"
    ],
)
def test_keys(subnets: Subnets, key: str) -> None:
    assert subnets.key == key
    assert Subnets.from_key(key) == subnets


@pytest.mark.parametrize(
    "key",
    [
        "", "config", "10.5.52.0", "10.5.52.0/24", "10.5.52.0-33", "10.5.52.1-24", "10.5.52-24", "010.5.52.0-24",
        "0.0.0.0-0", "10.5.52.0-24&", "10.5.52.0-24&fc00::1-64", "10.5.52.0-24&fc00:0:0::-64",
        "10.5.52.0-24&FC00::-64", "10.5.52.0-24&fc00::-129", " 10.5.52.0-24", "10.5.52.0-24\n", "10.5.52.0-024",
        "256.0.0.0-24", "\u06610.5.52.0-24",
    ],
)  # fmt: skip
def test_broken_keys(key: str) -> None:
    with pytest.raises(LeaseFormatError) as caught:
        Subnets.from_key(key)
    assert (caught.value.what, caught.value.text) == ("key", key)


ipv4_subnets = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(0, (1 << 32) - 1), st.integers(1, 32),
)  # fmt: skip
ipv6_subnets = st.builds(
    lambda address, length: IPv6Network((address, length), strict=False),
    st.integers(0, (1 << 128) - 1), st.integers(0, 128),
)  # fmt: skip
subnet_pairs = st.builds(Subnets, ipv4_subnets, st.none() | ipv6_subnets) | st.builds(Subnets, st.none(), ipv6_subnets)


@given(subnets=subnet_pairs)
def test_any_key_and_back(subnets: Subnets) -> None:
    assert Subnets.from_key(subnets.key) == subnets


# -- values


def test_value_as_flannel_has_it() -> None:
    """The text that a node of flannel 0.28 put into etcd."""
    value = (
        '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan",'
        '"BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'
    )
    attributes = LeaseAttributes.vxlan("192.168.64.3", "c6:d2:32:6f:8f:44")
    assert attributes.to_value() == value
    read = LeaseAttributes.from_value(value)
    assert read == attributes
    assert (read.vni, read.vtep_mac, read.vtep_mac6) == (1, MACAddress("c6:d2:32:6f:8f:44"), None)


def test_dual_stack_value() -> None:
    attributes = LeaseAttributes.vxlan(
        "192.0.2.1", "02:00:00:00:00:01", vni=7, public_ipv6="2001:db8::1", vtep_mac6="02:00:00:00:00:02"
    )
    assert attributes.to_value() == (
        '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan",'
        '"BackendData":{"VNI":7,"VtepMAC":"02:00:00:00:00:01"},"BackendV6Data":{"VNI":7,"VtepMAC":"02:00:00:00:00:02"}}'
    )
    assert LeaseAttributes.from_value(attributes.to_value()) == attributes


def test_values_without() -> None:
    """The udp backend has no data; a node without IPv4 has the address 0.0.0.0."""
    udp = LeaseAttributes(IPv4Address("192.0.2.1"), backend_type="udp")
    assert udp.to_value() == '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"udp"}'
    assert udp.vni is None and udp.vtep_mac is None
    six = LeaseAttributes.vxlan(None, None, public_ipv6="2001:db8::1", vtep_mac6="02:00:00:00:00:02")
    assert six.to_value().startswith('{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1"')
    assert LeaseAttributes.from_value(six.to_value()) == six
    assert six.vni == 1


@pytest.mark.parametrize(
    "value",
    [
        "", "{", "[]", "{}", "null", '{"PublicIP":5}', '{"PublicIP":"x"}', '{"PublicIP":"0.0.0.0"}',
        '{"PublicIP":"192.0.2.1","PublicIPv6":"y"}', '{"PublicIP":"192.0.2.1","BackendType":[]}',
        b"\xff", "[" * 100_000,
        '{"PublicIP":"192.0.2.1","BackendData":{"a":"\\ud800"}}', '{"PublicIP":"192.0.2.1","BackendData":NaN}',
    ],
)  # fmt: skip
def test_broken_values(value: str | bytes) -> None:
    with pytest.raises(LeaseFormatError):
        LeaseAttributes.from_value(value)


def test_broken_backend_data() -> None:
    """What a backend has to know is looked at when it is asked for."""
    with pytest.raises(LeaseFormatError, match="VtepMAC"):
        _ = LeaseAttributes.from_value('{"PublicIP":"192.0.2.1","BackendData":{"VtepMAC":"no"}}').vtep_mac
    with pytest.raises(LeaseFormatError, match="VtepMAC"):
        _ = LeaseAttributes.from_value('{"PublicIP":"192.0.2.1","BackendData":{"VtepMAC":[1]}}').vtep_mac
    assert LeaseAttributes.from_value('{"PublicIP":"192.0.2.1","BackendData":[1]}').vtep_mac is None


@pytest.mark.parametrize("name", ["BackendData", "BackendV6Data"])
def test_nested_backend_data(name: str) -> None:
    """So deep that it could be read here, and not by somebody who has less of the stack left: it is refused at once."""
    for depth in (17, 100, 900, 970, 100_000):
        text = f'{{"PublicIP":"192.0.2.1","{name}":{{"VtepMAC":"02:00:00:00:00:01","x":{"[" * depth}{"]" * depth}}}}}'
        with pytest.raises(LeaseFormatError):
            LeaseAttributes.from_value(text)
    text = f'{{"PublicIP":"192.0.2.1","{name}":{"[" * 15}{"]" * 15}}}'
    attributes = LeaseAttributes.from_value(text)
    assert json.loads(attributes.to_value())[name] == json.loads(text)[name]


@pytest.mark.parametrize("vni", [-1, 1 << 24, 10**400, True, "1", None])
def test_a_vni_that_is_none(vni: object) -> None:
    assert LeaseAttributes(IPv4Address("192.0.2.1"), backend_data=json.dumps({"VNI": vni})).vni is None


def test_a_zone_is_nobodys_business() -> None:
    """A zone can have any character in it, and addresses are shown as they are."""
    with pytest.raises(LeaseFormatError, match="zone"):
        LeaseAttributes.from_value('{"PublicIP":"192.0.2.1","PublicIPv6":"fe80::1%\\n\\u001b[2J"}')


@given(text=st.text())
def test_what_is_refused_is_told_in_printable_characters(text: str) -> None:
    """Whatever a node has put into its lease: no line ends, and no terminal is driven."""
    for member in ("PublicIP", "PublicIPv6"):
        try:
            attributes = LeaseAttributes.from_value(json.dumps({"PublicIP": "192.0.2.1", member: text}))
            assert f"{attributes.public_ip} {attributes.public_ipv6}".isprintable()
        except LeaseFormatError as error:
            assert str(error).isprintable()
    attributes = LeaseAttributes(IPv4Address("192.0.2.1"), backend_data=json.dumps({"VtepMAC": text}))
    try:
        assert str(attributes.vtep_mac).isprintable()
    except LeaseFormatError as error:
        assert str(error).isprintable() and len(str(error)) < 200


@given(one=ipv4_subnets | ipv6_subnets, other=ipv4_subnets | ipv6_subnets)
def test_overlaps_is_as_ipaddress_has_it(one: Any, other: Any) -> None:
    pairs = [Subnets(subnet) if subnet.version == 4 else Subnets(None, subnet) for subnet in (one, other)]
    assert pairs[0].overlaps(pairs[1]) == (one.version == other.version and one.overlaps(other))


json_values = st.recursive(
    st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=6,
)  # fmt: skip


@given(
    address=st.integers(1, (1 << 32) - 1).map(IPv4Address),
    address6=st.none() | st.integers(0, (1 << 128) - 1).map(IPv6Address),
    kind=st.text(st.characters(codec="utf-8"), max_size=8),
    data=st.none() | json_values.map(json.dumps),
)
def test_any_value_and_back(address: IPv4Address, address6: IPv6Address | None, kind: str, data: str | None) -> None:
    """Whatever the data of a backend is; and the text never has what Go escapes."""
    attributes = LeaseAttributes(address, address6, kind, data, data)
    text = attributes.to_value()
    assert LeaseAttributes.from_value(text) == attributes
    assert not set(text) & set("<>&\u2028\u2029")
    assert hash(attributes) == hash(LeaseAttributes.from_value(text.encode()))


def test_who_is_the_same_node() -> None:
    old = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    assert old.same_node(LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:99", public_ipv6="2001:db8::9"))
    assert not old.same_node(LeaseAttributes.vxlan("192.0.2.2", "02:00:00:00:00:01"))
    six = LeaseAttributes.vxlan(None, None, public_ipv6="2001:db8::1")
    assert six.same_node(six.replace(backend_type="udp"))
    assert not six.same_node(old) and not old.same_node(six)


def test_constructors_refuse() -> None:
    with pytest.raises(FieldError):
        Subnets()
    with pytest.raises(FieldError):
        Subnets(IPv4Network("0.0.0.0/0"))
    with pytest.raises(FieldError):
        LeaseAttributes(None)
    with pytest.raises(FieldError, match="backend_data"):
        LeaseAttributes(IPv4Address("192.0.2.1"), backend_data="{")


def test_renewal_time() -> None:
    lease = Lease(Subnets(V4), LeaseAttributes(IPv4Address("192.0.2.1")), 100_000.0)
    assert lease.renewal_time(100_000.0 - 86_400) == 96_400.0
    assert lease.renewal_time(97_000.0) == 99_000.0, "a third of what is left"
    assert lease.replace(expiry=None).renewal_time(0.0) is None


def test_errors_are_of_one_tree() -> None:
    """And pickle, as all of the library's errors do."""
    error = StoreError("gone", store="etcd")
    assert isinstance(error, PacketError) and isinstance(error, OSError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.store) == ("gone", "etcd")


# -- subnet.env

CONFIG = parse_config('{"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fc00:5::/32"}')
DUAL_ENV = (
    "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.52.1/24\n"
    "FLANNEL_IPV6_NETWORK=fc00:5::/32\nFLANNEL_IPV6_SUBNET=fc00:5:52::1/64\n"
    "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
)


def test_subnet_file_as_flannel_has_it(tmp_path: Path) -> None:
    env = SubnetEnv.of_node(CONFIG, Subnets(V4, V6), 1450, ip_masq=True)
    assert env.to_text() == DUAL_ENV
    path = tmp_path / "run" / "flannel" / "subnet.env"
    env.write(path)
    env.write(path)
    assert path.read_text() == DUAL_ENV
    assert SubnetEnv.read(path) == env
    assert SubnetEnv.read(path).subnets == Subnets(V4, V6)
    assert [file.name for file in path.parent.iterdir()] == ["subnet.env"]


def test_subnet_files_of_one_family() -> None:
    four = SubnetEnv.from_text(
        "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.52.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false"
    )
    assert (four.subnet, four.ipv6_subnet, four.mtu, four.ip_masq) == (IPv4Interface("10.5.52.1/24"), None, 1472, False)
    six = SubnetEnv.from_text("\n".join(DUAL_ENV.splitlines()[2:]))
    assert six.subnets == Subnets(None, V6)
    assert SubnetEnv.from_text(six.to_text()) == six


def test_subnet_file_of_several_networks() -> None:
    """As flannel's CNI plugin reads it; what is not known, comments and empty lines are passed over."""
    text = "# by hand\n\n" + DUAL_ENV.replace("10.5.0.0/16", "10.4.0.0/16,10.5.0.0/16") + "FLANNEL_NEW=1\n"
    assert SubnetEnv.from_text(text).networks == (IPv4Network("10.4.0.0/16"), IPv4Network("10.5.0.0/16"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("FLANNEL_MTU=1450\n", "", "FLANNEL_MTU is missing"),
        ("FLANNEL_IPMASQ=true\n", "", "FLANNEL_IPMASQ is missing"),
        ("FLANNEL_IPMASQ=true\n", "FLANNEL_IPMASQ=tru", "neither true nor false"),
        ("FLANNEL_IPMASQ=true\n", "FLANNEL_IPM", "has no '='"),
        ("FLANNEL_SUBNET=10.5.52.1/24\n", "", "FLANNEL_SUBNET is missing"),
        ("10.5.52.1/24", "10.5.52.1", "no prefix length"),
        ("10.5.52.1/24", "10.6.52.1/24", "not in FLANNEL_NETWORK"),
        ("fc00:5:52::1/64", "fc01::1/64", "not in FLANNEL_IPV6_NETWORK"),
        ("10.5.52.1/24", "10.5.52.x/24", "10.5.52.x"),
        ("=1450", "=", "is empty"),
        ("=1450", "=14x", "not from 68"),
        ("=1450", "=67", "not from 68"),
        ("=1450", "=1450\nFLANNEL_MTU=1450", "again"),
        (DUAL_ENV, "", "FLANNEL_SUBNET is missing"),
    ],
)
def test_odd_subnet_files(old: str, new: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    path.write_text(DUAL_ENV.replace(old, new))
    with pytest.raises(LeaseFormatError) as caught:
        SubnetEnv.read(path)
    assert why in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("end", range(len(DUAL_ENV) - 1))
def test_half_written_subnet_files(end: int) -> None:
    """However much of it is there: what is cut is refused, and never read as something else."""
    with pytest.raises(LeaseFormatError):
        SubnetEnv.from_text(DUAL_ENV[:end])


def test_subnet_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(LeaseFormatError, match="no subnet file"):
        SubnetEnv.read(path)
    with pytest.raises(FileNotFoundError):
        SubnetEnv.read(tmp_path / "none")


# -- the choice

SMALL = parse_config('{"Network": "10.0.0.0/16"}')


def drawn(config: Any, taken: list[Subnets], previous: Subnets | None = None, seed: int = 0) -> Subnets:
    return choose_subnets(config, taken, previous, Random(seed))


def test_the_choice_is_among_the_first_hundred() -> None:
    found = {drawn(SMALL, [], seed=seed).ipv4 for seed in range(3000)}
    assert found == {IPv4Network(f"10.0.{number}.0/24") for number in range(1, 101)}


def test_previous_subnets_first() -> None:
    previous = Subnets(IPv4Network("10.0.200.0/24"))
    assert drawn(SMALL, [], previous) == previous
    assert drawn(SMALL, [Subnets(IPv4Network("10.0.200.128/25"))], previous) != previous
    for odd in ("10.0.0.0/24", "10.0.200.0/25", "11.0.0.0/24"):
        assert drawn(SMALL, [], Subnets(IPv4Network(odd))) != Subnets(IPv4Network(odd))
    assert drawn(SMALL, [], Subnets(previous.ipv4, V6)).ipv6 is None


def test_the_first_is_never_taken() -> None:
    """Not even where SubnetMin names it, which flannel allows."""
    config = parse_config('{"Network": "10.0.0.0/28", "SubnetMin": "10.0.0.0"}')
    assert {str(drawn(config, [], seed=seed).ipv4) for seed in range(200)} == {
        "10.0.0.4/30",
        "10.0.0.8/30",
        "10.0.0.12/30",
    }


def test_nothing_free() -> None:
    config = parse_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.8"}')
    with pytest.raises(NoSubnetError, match=r"10\.0\.0\.0/28"):
        drawn(config, [Subnets(IPv4Network("10.0.0.4/30")), Subnets(IPv4Network("10.0.0.8/29"))])
    assert compatible(config, Subnets(IPv4Network("10.0.0.8/30")))
    assert not compatible(config, Subnets(IPv4Network("10.0.0.12/30")))


def test_own_lease() -> None:
    mine = Lease(Subnets(V4), LeaseAttributes(IPv4Address("192.0.2.1")))
    other = Lease(Subnets(IPv4Network("10.5.53.0/24")), LeaseAttributes(IPv4Address("192.0.2.2")))
    assert own_lease([other, mine], LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")) is mine
    assert own_lease([other], mine.attributes) is None


@given(
    length=st.integers(24, 30),
    taken=st.lists(st.tuples(st.integers(0, 1023), st.integers(20, 32)), max_size=12),
    limit=st.integers(1, 40),
)
def test_free_subnets_by_brute_force(length: int, taken: list[tuple[int, int]], limit: int) -> None:
    """The same as asking of each subnet whether it overlaps any that is taken, of whatever length."""
    config = parse_config(json.dumps({"Network": "10.0.0.0/22", "SubnetLen": length}))
    offered = config.ipv4
    assert offered is not None
    base = int(offered.network.network_address)
    networks = [IPv4Network((base + at, prefix), strict=False) for at, prefix in taken]
    slow = [
        int(subnet.network_address)
        for subnet in list(offered.network.subnets(new_prefix=length))[1:]
        if not any(subnet.overlaps(network) for network in networks)
    ]
    assert free_subnets(offered, networks, limit) == slow[:limit]


def test_the_choice_does_not_walk_over_what_is_taken() -> None:
    """A hundred free ones behind 60,000 that are taken."""
    config = parse_config('{"Network": "10.0.0.0/8"}')
    assert config.ipv4 is not None
    taken = [IPv4Network((int(config.ipv4.first.network_address) + (number << 8), 24)) for number in range(60_000)]
    free = free_subnets(config.ipv4, taken)
    assert len(free) == 100
    assert free[0] == int(taken[-1].broadcast_address) + 1
