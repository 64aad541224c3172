"""`vxlanpkt-ipam`: no address is given twice, all that are free are given, in turn, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.cni import Attachment, Call, CNIError, Code, PluginConfig
from vxlanpkt.cni.ipam.commands import COMMANDS
from vxlanpkt.cni.ipam.ranges import read_range_sets
from vxlanpkt.cni.protocol.fields import Fields

Config = dict[str, Any]


def run(command: str, config: Config, container: str = "c1", ifname: str = "eth0", args: str = "") -> Any:
    """Run a command in this process."""
    plugin = PluginConfig.from_json(json.dumps(config))
    return COMMANDS[command](Call(command, container, "/x", ifname, args), plugin)


def addresses(config: Config, container: str = "c1", **call: str) -> list[str]:
    """The addresses that an ADD gives."""
    return [ip["address"] for ip in run("ADD", config, container, **call)["ips"]]


def refused(command: str, config: Config, container: str = "c1", **call: str) -> CNIError:
    with pytest.raises(CNIError) as caught:
        run(command, config, container, **call)
    return caught.value


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Six addresses, of which the gateway has one."""
    ipam = {"type": "vxlanpkt-ipam", "dataDir": str(tmp_path), "ranges": [[{"subnet": "10.1.1.0/29"}]]}
    return {"cniVersion": "1.1.0", "name": "net", "type": "bridge", "ipam": ipam}


def files(config: Config) -> dict[str, str]:
    """What the directory has, by name."""
    home = Path(config["ipam"]["dataDir"], config["name"])
    if not home.exists():
        return {}
    return {path.name: path.read_bytes().decode() for path in home.iterdir()}


def test_result_and_files(config: Config, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text(
        "# ours\nnameserver 10.1.1.1\nsearch a.example b\noptions ndots:2\ndomain b\n"
    )
    config["ipam"] |= {"routes": [{"dst": "0.0.0.0/0", "mtu": 1400}], "resolvConf": str(tmp_path / "resolv.conf")}
    assert run("ADD", config) == {
        "cniVersion": "1.1.0",
        "ips": [{"address": "10.1.1.2/29", "gateway": "10.1.1.1"}],
        "routes": [{"dst": "0.0.0.0/0", "mtu": 1400}],
        "dns": {
            "nameservers": ["10.1.1.1"],
            "domain": "b",
            "search": ["a.example", "b"],
            "options": ["ndots:2"],
        },
    }
    assert files(config) == {"10.1.1.2": "c1\r\neth0", "last_reserved_ip.0": "10.1.1.2", "lock": ""}


def test_in_turn_until_all_are_taken(config: Config) -> None:
    """The one that was given back is given again last."""
    assert addresses(config, "a") == ["10.1.1.2/29"]
    run("DEL", config, "a")
    given = [addresses(config, name)[0] for name in "bcdef"]
    assert given == ["10.1.1.3/29", "10.1.1.4/29", "10.1.1.5/29", "10.1.1.6/29", "10.1.1.2/29"]
    error = refused("ADD", config, "g")
    assert (error.code, "10.1.1.1-10.1.1.6" in error.message) == (Code.NO_ADDRESS, True)
    run("DEL", config, "d")
    assert addresses(config, "g") == ["10.1.1.5/29"]


def test_one_of_each_set_or_none(config: Config) -> None:
    config["ipam"]["ranges"] = [
        [{"subnet": "10.1.1.0/29", "rangeStart": "10.1.1.6"}, {"subnet": "10.2.0.0/24", "rangeEnd": "10.2.0.2"}],
        [{"subnet": "fc00::/125", "rangeStart": "fc00::6", "gateway": "fc00::5"}],
    ]
    assert addresses(config, "a") == ["10.1.1.6/29", "fc00::6/125"]
    assert addresses(config, "b") == ["10.2.0.2/24", "fc00::7/125"]
    run("DEL", config, "a")
    config["ipam"]["ranges"][1][0]["rangeStart"] = "fc00::7"
    before = files(config)
    assert refused("ADD", config, "c").code == Code.NO_ADDRESS
    after = files(config)
    assert {**after, "last_reserved_ip.0": ""} == {**before, "last_reserved_ip.0": ""}


def test_old_single_range_and_ranges_of_the_runtime(config: Config) -> None:
    del config["ipam"]["ranges"]
    config["ipam"]["subnet"] = "10.3.0.0/24"
    config["runtimeConfig"] = {"ipRanges": [[{"subnet": "10.4.0.0/24"}]]}
    assert addresses(config) == ["10.4.0.2/24", "10.3.0.2/24"]


@pytest.mark.parametrize("way", ["args", "CNI_ARGS", "runtimeConfig"])
def test_requested_addresses(config: Config, way: str) -> None:
    asked, args = "10.1.1.4", ""
    if way == "args":
        config["args"] = {"cni": {"ips": [asked]}}
    elif way == "runtimeConfig":
        config["runtimeConfig"] = {"ips": [f"{asked}/16"]}
    else:
        args = f"IgnoreUnknown=1;IP={asked}"
    assert addresses(config, args=args) == ["10.1.1.4/29"]
    error = refused("ADD", config, "c2", args=args)
    assert (error.code, "10.1.1.4" in error.message) == (Code.NO_ADDRESS, True)
    run("DEL", config)
    assert addresses(config, "c2", args=args) == ["10.1.1.4/29"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [("10.1.1.1", Code.NO_ADDRESS), ("10.9.9.9", Code.NO_ADDRESS), ("x", Code.INVALID_ENVIRONMENT)],
)
def test_requests_that_cannot_be(config: Config, asked: str, code: Code) -> None:
    assert refused("ADD", config, args=f"IP={asked}").code == code
    assert set(files(config)) <= {"lock"}


def test_second_add_of_the_same(config: Config) -> None:
    addresses(config)
    assert refused("ADD", config).code == Code.INVALID_ENVIRONMENT
    assert addresses(config, ifname="eth1") == ["10.1.1.3/29"]
    run("DEL", config)
    assert set(files(config)) == {"10.1.1.3", "last_reserved_ip.0", "lock"}


def test_check(config: Config) -> None:
    result = run("ADD", config)
    run("CHECK", {**config, "prevResult": result})
    run("CHECK", config)
    Path(config["ipam"]["dataDir"], "net", "10.1.1.2").write_text("c2\r\neth0")
    error = refused("CHECK", {**config, "prevResult": result})
    assert (error.code, "10.1.1.2" in error.message) == (Code.CHECK_FAILED, True)
    assert refused("CHECK", config, "c3").code == Code.CHECK_FAILED


def test_gc(config: Config) -> None:
    """What nobody has is freed: of those not named, of the half written, and of old files without an interface."""
    for name in "abc":
        addresses(config, name)
    home = Path(config["ipam"]["dataDir"], "net")
    (home / "10.1.1.5").write_text("b")
    (home / "10.1.1.6").write_text("")
    (home / ".new-7-ab").write_text("x")
    valid = [{"containerID": name, "ifname": "eth0"} for name in "bz"]
    run("GC", {**config, "cni.dev/valid-attachments": valid}, "", "")
    assert set(files(config)) == {"10.1.1.3", "10.1.1.5", "last_reserved_ip.0", "lock"}
    assert refused("GC", config).code == Code.INVALID_CONFIG


def test_status(config: Config, tmp_path: Path) -> None:
    run("STATUS", config)
    for name in "abcde":
        addresses(config, name)
    assert refused("STATUS", config).code == Code.NOT_AVAILABLE
    (tmp_path / "file").touch()
    config["ipam"]["dataDir"] = str(tmp_path / "file")
    assert refused("STATUS", config).code == Code.NOT_AVAILABLE
    assert refused("ADD", config).code == refused("DEL", config).code == Code.IO_FAILURE


def test_del_of_nothing(config: Config, tmp_path: Path) -> None:
    config["ipam"]["dataDir"] = str(tmp_path / "none")
    run("DEL", config)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("ipam", "said"),
    [
        (None, "ipam is missing"),
        ({"ranges": []}, "ipam.ranges is missing"),
        ({"ranges": [[]]}, "ipam.ranges[0] has to be a list"),
        ({"ranges": [{"subnet": "10.1.1.0/24"}]}, "ipam.ranges[0] has to be a list"),
        ({"ranges": [[{}]]}, "ipam.ranges[0][0].subnet is missing"),
        ({"ranges": [[{"subnet": "10.1.1.5/24"}]]}, "ipam.ranges[0][0].subnet is wrong"),
        ({"ranges": [[{"subnet": "10.1.1.0/31"}]]}, "too small"),
        ({"ranges": [[{"subnet": "10.1.1.0/24", "gateway": "fc00::1"}]]}, "gateway"),
        ({"ranges": [[{"subnet": "10.1.1.0/24", "rangeStart": "fc00::1"}]]}, "rangeStart"),
        ({"ranges": [[{"subnet": "10.1.1.0/24", "rangeStart": "10.1.1.9", "rangeEnd": "10.1.1.8"}]]}, "behind"),
        ({"ranges": [[{"subnet": "10.1.1.0/24"}, {"subnet": "fc00::/64"}]]}, "mixes"),
        ({"ranges": [[{"subnet": "10.1.1.0/24"}], [{"subnet": "10.1.0.0/16"}]]}, "overlap"),
        ({"ranges": [[{"subnet": "10.1.1.0/24"}]], "routes": [{"dst": "x"}]}, "ipam.routes[0].dst"),
    ],
)
def test_wrong_configurations(config: Config, tmp_path: Path, ipam: Config | None, said: str) -> None:
    config["ipam"] = None if ipam is None else {"dataDir": str(tmp_path), **ipam}
    error = refused("ADD", config)
    assert (error.code, said in error.message) == (Code.INVALID_CONFIG, True), error
    assert list(tmp_path.iterdir()) == []


@st.composite
def range_sets(draw: st.DrawFn) -> list[dict[str, str]]:
    """Ranges of one set, that do not overlap."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        start = draw(st.integers(1, 13))
        end = draw(st.integers(start, 14))
        gateway = draw(st.integers(1, 14))
        found.append({"subnet": f"10.0.{number}.0/28", "rangeStart": f"10.0.{number}.{start}",
                      "rangeEnd": f"10.0.{number}.{end}", "gateway": f"10.0.{number}.{gateway}"})  # fmt: skip
    return found


@given(range_sets(), st.integers(0, 2), st.integers(0, 15))
def test_candidates_are_each_address_once(ranges: list[dict[str, str]], network: int, host: int) -> None:
    """From wherever one begins; and all but the gateways."""
    (found,) = read_range_sets(Fields({"ranges": [ranges]}), Fields({}))
    candidates = [str(each.address) for each in found.candidates(ip_address(f"10.0.{network}.{host}"))]
    assert len(set(candidates)) == len(candidates)
    assert sorted(candidates) == sorted(_expected(ranges))


def _expected(ranges: list[dict[str, str]]) -> Iterator[str]:
    for each in ranges:
        network, start = each["rangeStart"].rsplit(".", 1)
        for host in range(int(start), int(each["rangeEnd"].rsplit(".", 1)[1]) + 1):
            if f"{network}.{host}" != each["gateway"]:
                yield f"{network}.{host}"


@given(
    st.lists(
        st.tuples(st.sampled_from(("ADD", "ADD", "DEL", "GC")), st.sampled_from("abcdefgh"), st.sampled_from("01")),
        max_size=30,
    )
)
def test_no_address_is_given_twice(steps: list[tuple[str, str, str]]) -> None:
    """Nor withheld while one is free."""
    with TemporaryDirectory() as directory:
        ipam = {"type": "x", "dataDir": directory, "ranges": [[{"subnet": "10.1.1.0/29"}], [{"subnet": "fc00::/125"}]]}
        config = {"cniVersion": "1.1.0", "name": "net", "type": "bridge", "ipam": ipam}
        held: dict[tuple[str, str], list[str]] = {}
        for command, container, number in steps:
            owner = (container, f"eth{number}")
            if command == "DEL":
                run("DEL", config, *owner)
                held.pop(owner, None)
            elif command == "GC":
                held = {each: those for each, those in held.items() if each[0] >= container}
                valid = [{"containerID": name, "ifname": ifname} for name, ifname in held]
                run("GC", {**config, "cni.dev/valid-attachments": valid}, "", "")
            elif owner in held:
                assert refused("ADD", config, container, ifname=owner[1]).code == Code.INVALID_ENVIRONMENT
            elif len(held) == 5:  # of IPv4 there are no more
                assert refused("ADD", config, container, ifname=owner[1]).code == Code.NO_ADDRESS
            else:
                held[owner] = [each.partition("/")[0] for each in addresses(config, container, ifname=owner[1])]
            given_out = [each for those in held.values() for each in those]
            assert len(given_out) == len(set(given_out)) == 2 * len(held)
            assert {name for name in files(config) if name[0] in "1f"} == set(given_out)


def test_a_large_subnet_is_not_gone_through(config: Config) -> None:
    config["ipam"]["ranges"] = [[{"subnet": "fc00::/8"}]]
    assert addresses(config) == ["fc00::2/8"]
    assert addresses(config, "b") == ["fc00::3/8"]


def test_owner(config: Config) -> None:
    """An old file of `host-local`, which has no interface, is the container's."""
    home = Path(config["ipam"]["dataDir"], "net")
    home.mkdir()
    (home / "10.1.1.2").write_text("c1")
    assert refused("ADD", config).code == Code.INVALID_ENVIRONMENT
    run("DEL", config)
    assert addresses(config, "c2") == ["10.1.1.2/29"]
    assert Attachment("c2", "eth0") == tuple(files(config)["10.1.1.2"].split("\r\n"))
