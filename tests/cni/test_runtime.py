"""What the runtime tells plugins, and in which order: seen by plugins that write it down."""

from __future__ import annotations

import pytest

from vxlanpkt.cni import Code, Container
from vxlanpkt.cni.protocol.versions import VERSIONS

from .bench import CONTAINER, Bench, network
from .scripted import error, printed, result


def test_each_plugin_gets_the_result_of_the_one_before(bench: Bench) -> None:
    bench.make("a", "b", "c")
    assert bench.runtime.add(network("a", "b", "c"), CONTAINER) == result("c")
    assert bench.plugins.order == [("a", "ADD"), ("b", "ADD"), ("c", "ADD")]
    assert [call.config.get("prevResult") for call in bench.plugins.calls] == [None, result("a"), result("b")]


def test_every_config_has_the_name_and_version_of_the_network(bench: Bench) -> None:
    bench.make("a")
    plugin = {"type": "a", "name": "its own", "cniVersion": "0.3.1", "mtu": 1450}
    bench.runtime.add(network(plugins=[plugin]), CONTAINER)
    assert bench.plugins.calls[0].config == {"type": "a", "name": "net", "cniVersion": "1.0.0", "mtu": 1450}


def test_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is attached, and nothing of a call that the runtime itself is in."""
    monkeypatch.setenv("CNI_ARGS", "K8S=outer")
    bench.make("a")
    container = Container("c1", "/run/netns/blue", "net1", (("IP", "10.5.1.7"), ("IgnoreUnknown", "1")))
    bench.runtime.add(network("a"), container)
    (call,) = bench.plugins.calls
    assert call[1:6] == ("ADD", "c1", "/run/netns/blue", "net1", "IP=10.5.1.7;IgnoreUnknown=1")
    assert call.path == str(bench.plugins.directory)


def test_capabilities(bench: Bench) -> None:
    """A plugin is told of the runtime's arguments only what it says that it can take."""
    bench.make("a", "b", "c")
    arguments = {"portMappings": [{"hostPort": 8080, "containerPort": 80}], "bandwidth": {"ingressRate": 1}, "mac": "x"}
    chain = network(plugins=[
        {"type": "a", "capabilities": {"portMappings": True, "bandwidth": False}},
        {"type": "b", "capabilities": {"bandwidth": True, "ips": True, "mac": True}},
        {"type": "c"},
    ])  # fmt: skip
    bench.runtime.add(chain, CONTAINER._replace(capability_args=arguments))
    assert [call.config.get("runtimeConfig") for call in bench.plugins.calls] == [
        {"portMappings": arguments["portMappings"]}, {"bandwidth": arguments["bandwidth"], "mac": "x"}, None,
    ]  # fmt: skip


def test_delete_goes_the_other_way_round(bench: Bench) -> None:
    """Each is told the result of the last ADD, and what the ADD was told."""
    bench.make("a", "b")
    chain = network(plugins=[{"type": "a", "capabilities": {"mac": True}}, {"type": "b"}])
    bench.runtime.add(chain, CONTAINER._replace(args=(("K", "V"),), capability_args={"mac": "x"}))
    assert bench.cached == ["net-c1-eth0"]
    bench.plugins.forget()
    bench.runtime.delete(chain, Container("c1", ""))
    assert bench.plugins.order == [("b", "DEL"), ("a", "DEL")]
    assert [call.config["prevResult"] for call in bench.plugins.calls] == [result("b"), result("b")]
    assert [call.args for call in bench.plugins.calls] == ["K=V", "K=V"]
    assert [call.netns for call in bench.plugins.calls] == ["/run/netns/blue"] * 2
    assert bench.plugins.calls[1].config["runtimeConfig"] == {"mac": "x"}
    assert bench.cached == []


def test_delete_of_what_is_not_attached(bench: Bench) -> None:
    """All plugins are called all the same, without a result: something may be left over."""
    bench.make("a", "b")
    for _ in range(2):
        bench.runtime.delete(network("a", "b"), Container("c1", ""))
    assert bench.plugins.order == [("b", "DEL"), ("a", "DEL")] * 2
    assert not any("prevResult" in call.config for call in bench.plugins.calls)


def test_delete_before_0_4_0_has_no_result(bench: Bench) -> None:
    bench.make("a", version="0.3.1")
    chain = network("a", cniVersion="0.3.1")
    bench.runtime.add(chain, CONTAINER)
    bench.runtime.delete(chain, CONTAINER)
    assert ["prevResult" in call.config for call in bench.plugins.calls] == [False, False]


def test_check(bench: Bench) -> None:
    """In the order of ADD, each with the result of the last ADD; the first that finds something ends it."""
    bench.make("a", "b")
    bench.plugins.make("c", ADD=printed(result("c")), CHECK=error(104, "the address is gone"))
    chain = network("a", "c", "b")
    assert bench.failed(chain, CONTAINER, command="check").code == Code.UNKNOWN_CONTAINER
    bench.runtime.add(chain, CONTAINER)
    bench.plugins.forget()
    found = bench.failed(chain, CONTAINER, command="check")
    assert (found.code, str(found)) == (104, "c CHECK: the address is gone")
    assert bench.plugins.order == [("a", "CHECK"), ("c", "CHECK")]
    assert [call.config["prevResult"] for call in bench.plugins.calls] == [result("b"), result("b")]


def test_check_that_is_disabled(bench: Bench) -> None:
    bench.make("a")
    bench.runtime.check(network("a", disableCheck=True), CONTAINER)
    assert bench.plugins.calls == []


def test_check_before_0_4_0(bench: Bench) -> None:
    bench.make("a")
    found = bench.failed(network("a", cniVersion="0.3.1"), CONTAINER, command="check")
    assert found.code == Code.INCOMPATIBLE_VERSION
    assert "0.4.0 or newer" in str(found)


def test_status(bench: Bench) -> None:
    bench.make("a")
    bench.plugins.make("b", STATUS=error(50, "no subnet yet"))
    bench.make("c")
    bench.runtime.status(network("a", "c", cniVersion="1.1.0"))
    assert bench.plugins.order == [("a", "STATUS"), ("c", "STATUS")]
    found = bench.failed(network("a", "b", "c", cniVersion="1.1.0"), command="status")
    assert (found.code, str(found)) == (50, "b STATUS: no subnet yet")


def test_commands_that_a_version_does_not_have(bench: Bench) -> None:
    """GC and STATUS came with 1.1.0: older plugins are not called."""
    bench.make("a")
    bench.runtime.status(network("a"))
    assert bench.runtime.collect(network("a"), []) == []
    assert bench.plugins.calls == []


# -- versions


def test_the_version_is_agreed_on(bench: Bench) -> None:
    """The newest that the network has and its plugins know: it is said to all of them."""
    for name, versions in (("a", VERSIONS), ("b", VERSIONS[:3])):
        bench.plugins.make(
            name,
            ADD=printed(result(name)),
            VERSION=printed({"cniVersion": "1.0.0", "supportedVersions": versions}),
        )
    bench.runtime.add(network("a", "b", cniVersion="0.4.0", cniVersions=["1.0.0", "1.1.0"]), CONTAINER)
    added = [call for call in bench.plugins.calls if call.command == "ADD"]
    assert [call.config["cniVersion"] for call in added] == ["1.0.0", "1.0.0"]


def test_no_version_in_common(bench: Bench) -> None:
    for name, version in (("a", "0.4.0"), ("b", "1.0.0")):
        bench.plugins.make(name, VERSION=printed({"cniVersion": version, "supportedVersions": [version]}))
    found = bench.failed(network("a", "b", cniVersions=["0.4.0"]), CONTAINER)
    assert found.code == Code.INCOMPATIBLE_VERSION
    assert "a knows 0.4.0, b knows 1.0.0" in str(found)
    assert {command for _, command in bench.plugins.order} == {"VERSION"}


def test_results_are_turned_into_the_version_of_the_network(bench: Bench) -> None:
    """A plugin that answers in another version does no harm to the next one."""
    old = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.5.1.2/24"}], "dns": {}}
    bench.plugins.make("a", ADD=printed(old))
    bench.make("b")
    bench.runtime.add(network("a", "b"), CONTAINER)
    expected = {"cniVersion": "1.0.0", "ips": [{"address": "10.5.1.2/24"}], "dns": {}}
    assert bench.plugins.calls[1].config["prevResult"] == expected


def test_what_only_plugins_know_is_kept(bench: Bench) -> None:
    """A member of the result that the specification does not have reaches the next plugin, and the DELs."""
    special = {**result("a"), "example.org/handle": {"id": 7}}
    bench.plugins.make("a", ADD=printed(special))
    assert bench.runtime.add(network("a"), CONTAINER) == special
    bench.runtime.delete(network("a"), CONTAINER)
    assert bench.plugins.calls[-1].config["prevResult"] == special
