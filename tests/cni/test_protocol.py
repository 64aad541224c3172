"""What is read and written of CNI: laws of results, configurations, environments and errors."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Interface, IPv4Network, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.cni import (
    Attachment,
    Call,
    CNIError,
    Code,
    IPConfig,
    NetworkConfigList,
    PluginConfig,
    Result,
    Route,
)
from vxlanpkt.cni.protocol.environment import is_name
from vxlanpkt.cni.protocol.versions import VERSIONS, first_version, has_command, newest_common
from vxlanpkt.strategies import cni_results

VERSION = st.sampled_from(VERSIONS)


@given(cni_results())
def test_results_are_read_as_they_were_written(result: Result) -> None:
    assert Result.from_json(json.dumps(result.to_json("1.1.0"))) == result


@given(cni_results(), VERSION)
def test_an_older_version_loses_what_it_has_no_word_for(result: Result, version: str) -> None:
    """And nothing else."""
    expected = result
    if version != "1.1.0":
        expected = result._replace(
            interfaces=tuple(each._replace(mtu=None, socket_path="", pci_id="") for each in result.interfaces),
            routes=tuple(Route(each.dst, each.gw) for each in result.routes),
        )
    written = result.to_json(version)
    assert Result.from_json(written) == expected
    assert all(("version" in ip) == (version in ("0.3.1", "0.4.0")) for ip in written.get("ips", ()))


@given(cni_results(), VERSION, VERSION)
def test_by_way_of_another_version(result: Result, first: str, second: str) -> None:
    """Written in one version and then in another, it is as if written in the older of both, but for the number."""
    there = Result.from_json(result.to_json(first)).to_json(second)
    assert Result.from_json(there) == Result.from_json(result.to_json(min(first, second)))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inside: st.lists(inside, max_size=3)
                    | st.dictionaries(st.sampled_from(("cniVersion", "ips", "interfaces", "routes", "dns", "address",
                                                       "dst", "name", "mtu", "gw")), inside, max_size=4)))  # fmt: skip
def test_anything_is_a_result_or_an_error(content: object) -> None:
    if isinstance(content, dict):
        content["cniVersion"] = "1.0.0"
    try:
        Result.from_json(content)
    except CNIError as error:
        assert error.code == Code.DECODING_FAILURE


def test_a_result_of_the_first_version() -> None:
    result = Result.from_json(
        '{"cniVersion": "0.3.1", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/a"}], "dns": null,'
        '"ips": [{"version": "4", "interface": 0, "address": "10.1.0.5/16", "gateway": "10.1.0.1"}],'
        '"routes": [{"dst": "10.2.3.4/8"}, {"dst": "::/0"}]}'
    )
    assert result.ips == (IPConfig(IPv4Interface("10.1.0.5/16"), ip_address("10.1.0.1"), 0),)
    assert result.routes[0] == Route(IPv4Network("10.0.0.0/8"))
    assert result.with_gateways().routes[0].gw == ip_address("10.1.0.1")
    assert result.with_gateways().routes[1].gw is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"ips": [{"address": "10.1.0.5"}]}, "ips[0].address"),
        ({"ips": [{"address": "10.1.0.5/33"}]}, "ips[0].address"),
        ({"ips": [{}]}, "ips[0].address is missing"),
        ({"ips": [{"address": "10.1.0.5/16", "interface": 1}]}, "ips[0].interface"),
        ({"ips": [{"address": "10.1.0.5/16", "interface": True}]}, "ips[0].interface"),
        ({"ips": {}}, "ips is no list"),
        ({"interfaces": [{"mac": "x"}]}, "interfaces[0].name"),
        ({"interfaces": [{"name": "x", "mtu": -1}]}, "interfaces[0].mtu"),
        ({"routes": [1]}, "routes[0] is no object"),
        ({"routes": [{"dst": "10.0.0.0/8", "gw": "x"}]}, "routes[0].gw"),
        ({"dns": {"search": ["a", 1]}}, "dns.search[1]"),
    ],
)
def test_wrong_results_say_where(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(CNIError) as caught:
        Result.from_json({"cniVersion": "1.1.0", **changes})
    assert caught.value.code == Code.DECODING_FAILURE
    assert f"the result.{where}" in caught.value.message


def test_commands_came_with_versions() -> None:
    assert [has_command(version, "CHECK") for version in VERSIONS] == [False, True, True, True]
    assert [has_command(version, "GC") for version in VERSIONS] == [False, False, False, True]
    assert (first_version("ADD"), first_version("STATUS")) == ("0.3.1", "1.1.0")
    assert newest_common(("0.4.0", "1.0.0", "9.9.9")) == "1.0.0"
    assert newest_common(("0.2.0",)) is None


CONFLIST: dict[str, Any] = {
    "cniVersion": "0.4.0",
    "cniVersions": ["0.4.0", "1.0.0", "1.1.0", "3.0.0"],
    "name": "overlay",
    "disableCheck": True,
    "disableGC": True,
    "loadOnlyInlinedPlugins": True,
    "plugins": [{"type": "vxlanpkt-cni"}, {"type": "portmap", "capabilities": {"portMappings": True}}],
}


def test_a_list() -> None:
    network = NetworkConfigList.from_json(json.dumps(CONFLIST))
    assert network.version == "1.1.0"
    assert (network.disable_check, network.disable_gc, network.load_only_inlined_plugins) == (True, True, True)
    assert network.to_json() == CONFLIST
    plain = NetworkConfigList.from_json('{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "bridge"}]}')
    assert plain.to_json() == {"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "bridge"}]}


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"cniVersion": "0.2.0", "cniVersions": []}, Code.INCOMPATIBLE_VERSION, "0.2.0"),
        ({"cniVersion": None, "cniVersions": None}, Code.INCOMPATIBLE_VERSION, "are missing"),
        ({"name": "/x"}, Code.INVALID_CONFIG, "name"),
        ({"name": None}, Code.INVALID_CONFIG, "name is missing"),
        ({"plugins": []}, Code.INVALID_CONFIG, "plugins"),
        ({"plugins": [{"type": "a/b"}]}, Code.INVALID_CONFIG, "plugins[0].type"),
        ({"plugins": [{"type": "a"}, {}]}, Code.INVALID_CONFIG, "plugins[1].type"),
        ({"disableCheck": "true"}, Code.INVALID_CONFIG, "disableCheck"),
    ],
)
def test_wrong_lists(changes: dict[str, Any], code: Code, said: str) -> None:
    with pytest.raises(CNIError) as caught:
        NetworkConfigList.from_json(json.dumps({**CONFLIST, **changes}))
    assert (caught.value.code, said in caught.value.message) == (code, True), caught.value


def test_valid_attachments() -> None:
    content = {"cniVersion": "1.1.0", "name": "n", "type": "t"}
    listed = {"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}
    config = PluginConfig.from_json(json.dumps({**content, **listed}))
    assert config.valid_attachments == {Attachment("a", "eth0")}
    none = PluginConfig.from_json(json.dumps({**content, "cni.dev/valid-attachments": None}))
    assert none.valid_attachments == frozenset()
    with pytest.raises(CNIError, match="would remove everything"):
        _ = PluginConfig.from_json(json.dumps(content)).valid_attachments


def test_environments_are_read_as_they_were_written() -> None:
    call = Call("ADD", "c", "/run/netns/x", "eth0", "IP=10.1.1.1;IgnoreUnknown=1", ("/a", "/b"))
    assert Call.from_environment(call.to_environment()) == call
    assert call.arguments == {"IP": "10.1.1.1", "IgnoreUnknown": "1"}
    with pytest.raises(CNIError, match="NAME=VALUE"):
        _ = call._replace(args="IP").arguments


@given(st.text("aZ09_.-/é\n", max_size=4) | st.text(max_size=4))
def test_names_are_those_of_the_specification(text: str) -> None:
    assert is_name(text) == (re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*", text) is not None)


def test_errors_are_read_as_they_were_written() -> None:
    error = CNIError(7, "wrong", "why")
    assert error.to_json("1.0.0") == {"cniVersion": "1.0.0", "code": 7, "msg": "wrong", "details": "why"}
    found = CNIError.from_json(error.to_json("1.0.0"))
    assert found is not None
    assert (found.code, found.message, found.details, str(found)) == (7, "wrong", "why", "wrong: why")
    assert CNIError.from_json({"msg": "no code"}) is None
    assert CNIError.from_json({"code": True}) is None
