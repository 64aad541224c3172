"""The runtime over plugins that write down how they are called: order, environment, input, and what fails."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt.cni import Attachment, CNIError, Code, Container, NetworkConfigList, Runtime

from .scripted import ScriptedPlugins, error, printed, result

CONTAINER = Container("c1", "/run/netns/blue")


def network(*kinds: str, **members: Any) -> NetworkConfigList:
    plugins = [{"type": kind} for kind in kinds]
    return NetworkConfigList.from_json(
        json.dumps({"cniVersion": "1.0.0", "name": "net", "plugins": plugins, **members})
    )


class Bench:
    """Plugins, and a runtime that has them."""

    def __init__(self, directory: Path, seconds: float = 60.0) -> None:
        (directory / "bin").mkdir()
        self.plugins = ScriptedPlugins(directory / "bin")
        self.cache = directory / "cache"
        self.runtime = Runtime((str(directory / "bin"),), self.cache, seconds)

    def make(self, *names: str, version: str = "1.0.0") -> None:
        """Plugins that work; the result of each bears its name."""
        for name in names:
            self.plugins.make(name, ADD=printed(result(name, version)))

    @property
    def cached(self) -> list[str]:
        results = self.cache / "results"
        return sorted(path.name for path in results.iterdir()) if results.exists() else []

    def failed(self, *arguments: Any, command: str = "add") -> CNIError:
        """The error that a command ends with."""
        with pytest.raises(CNIError) as caught:
            getattr(self.runtime, command)(*arguments)
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# -- what plugins are told


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


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        (["0.4.0"], [["0.4.0"], ["0.4.0"]], "0.4.0"),
        (["0.4.0", "1.0.0", "1.1.0"], [["0.4.0", "1.0.0", "1.1.0"], ["0.3.1", "0.4.0", "1.0.0"]], "1.0.0"),
        (["1.1.0", "0.3.1"], [["0.3.1", "0.4.0"], ["0.3.1", "1.1.0"]], "0.3.1"),
        (["1.0.0", "9.9.9"], [[], []], "1.0.0"),
    ],
)
def test_the_version_is_agreed_on(bench: Bench, offered: list[str], known: list[list[str]], chosen: str) -> None:
    """The newest that the network has and all of its plugins know; where the network has one, nobody is asked."""
    for name, versions in zip("ab", known, strict=True):
        bench.plugins.make(
            name,
            ADD=printed(result(name, chosen)),
            VERSION=printed({"cniVersion": "1.0.0", "supportedVersions": versions}),
        )
    assert bench.runtime.version(network("a", "b", cniVersion=offered[0], cniVersions=offered)) == chosen
    assert len(bench.plugins.calls) == (2 if len(offered) > 1 and "9.9.9" not in offered else 0)


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


# -- what fails

BROKEN = {
    "an error of its own": (error(11, "try later"), 11, "b ADD: try later"),
    "nothing said": ("exit 3", Code.DELEGATE_FAILED, "exit 3"),
    "rubbish": ("echo rubbish", Code.DELEGATE_FAILED, "no JSON"),
    "nothing printed": (":", Code.DELEGATE_FAILED, "empty"),
    "killed": ("kill -9 $$", Code.DELEGATE_FAILED, "signal 9"),
    "an address that is none": (
        printed({"cniVersion": "1.0.0", "ips": [{"address": "10.5.1.300/24"}]}), Code.DELEGATE_FAILED, "10.5.1.300",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_an_add_that_fails_is_undone(bench: Bench, case: str) -> None:
    """The plugin that failed gets a DEL too, and first; what was not called gets none."""
    reply, code, said = BROKEN[case]
    bench.make("a", "c")
    bench.plugins.make("b", ADD=reply)
    found = bench.failed(network("a", "b", "c"), CONTAINER)
    assert found.code == code
    assert said in str(found)
    assert bench.plugins.order == [("a", "ADD"), ("b", "ADD"), ("b", "DEL"), ("a", "DEL")]
    assert [call.config.get("prevResult") for call in bench.plugins.calls[2:]] == [result("a"), result("a")]
    assert bench.cached == []


def test_a_plugin_that_hangs(tmp_path: Path) -> None:
    """It is killed with all that it has started, and the chain is undone."""
    bench = Bench(tmp_path, seconds=0.5)
    bench.make("a")
    pid = tmp_path / "pid"
    bench.plugins.make("b", ADD=f"sleep 60 & echo $! >{pid}; wait")
    found = bench.failed(network("a", "b"), CONTAINER)
    assert found.code == Code.DELEGATE_TIMEOUT
    assert "b ADD was killed" in str(found)
    assert bench.plugins.order[2:] == [("b", "DEL"), ("a", "DEL")]
    stat = Path("/proc", pid.read_text(encoding="ascii").strip(), "stat")
    assert not stat.exists() or stat.read_text(encoding="utf-8").split()[2] == "Z"


def test_a_plugin_that_is_missing(bench: Bench) -> None:
    """Its DEL cannot be called either: the error tells of both, and the others get theirs."""
    bench.make("a")
    found = bench.failed(network("a", "b"), CONTAINER)
    assert found.code == Code.DELEGATE_MISSING
    assert str(found).count("'b'") == 2
    assert bench.plugins.order == [("a", "ADD"), ("a", "DEL")]


def test_a_cache_that_cannot_be_written(bench: Bench) -> None:
    """What nobody would remember is undone."""
    bench.make("a", "b")
    bench.cache.write_text("a file, where a directory has to be", encoding="utf-8")
    found = bench.failed(network("a", "b"), CONTAINER)
    assert found.code == Code.IO_FAILURE
    assert str(bench.cache) in str(found)
    assert bench.plugins.order[2:] == [("b", "DEL"), ("a", "DEL")]


def test_twice_the_same(bench: Bench) -> None:
    """A second ADD is refused, before it could fail and its undoing take the first one's network away."""
    bench.make("a")
    bench.runtime.add(network("a"), CONTAINER)
    assert "is attached to net already" in str(bench.failed(network("a"), CONTAINER))
    assert bench.plugins.order == [("a", "ADD")]
    bench.runtime.add(network("a"), CONTAINER._replace(ifname="net1"))


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (Container("-c", "/run/netns/blue"), "CNI_CONTAINERID"),
        (Container("../c", "/run/netns/blue"), "CNI_CONTAINERID"),
        (Container("c", "/run/netns/blue", "much-too-long-a-name"), "CNI_IFNAME"),
        (Container("c", "/run/netns/blue", "a/b"), "CNI_IFNAME"),
        (Container("c", ""), "CNI_NETNS"),
    ],
)
def test_what_no_plugin_would_take(bench: Bench, container: Container, said: str) -> None:
    """It is refused before any is called."""
    bench.make("a")
    found = bench.failed(network("a"), container)
    assert found.code == Code.INVALID_ENVIRONMENT
    assert said in str(found)
    assert bench.plugins.calls == []


def test_a_delete_that_fails(bench: Bench) -> None:
    """The attachment is remembered, for another try; the plugins before it in the list are not called."""
    bench.make("a")
    bench.plugins.make("b", ADD=printed(result("b")), DEL=error(5, "busy"))
    bench.runtime.add(network("a", "b"), CONTAINER)
    assert bench.failed(network("a", "b"), CONTAINER, command="delete").code == 5
    assert bench.cached == ["net-c1-eth0"]
    assert bench.plugins.order[2:] == [("b", "DEL")]
    bench.make("b")
    bench.runtime.delete(network("a", "b"), CONTAINER)
    assert bench.cached == []


def test_a_broken_cache_does_not_keep_a_delete_from_working(bench: Bench) -> None:
    bench.make("a")
    bench.runtime.add(network("a"), CONTAINER)
    (bench.cache / "results" / "net-c1-eth0").write_text('{"kind": "cniCacheV1", "containerId', encoding="utf-8")
    bench.runtime.delete(network("a"), CONTAINER)
    assert bench.cached == []
    assert bench.plugins.order[-1] == ("a", "DEL")


# -- laws

# Each example starts a process for each call of a plugin.
EXAMPLES = min(settings().max_examples, max(50, settings().max_examples // 10))
law = settings(max_examples=EXAMPLES)

WORKS = "works"
ADDS = st.sampled_from([WORKS, *BROKEN])
CHAINS = st.lists(st.tuples(ADDS, st.sampled_from([WORKS, error(5, "busy")])), min_size=1, max_size=5)


@law
@given(CHAINS)
def test_whatever_was_called_is_undone(chain: list[tuple[str, str]]) -> None:
    """Wherever a chain fails, each plugin whose ADD was called gets a DEL, in reverse order, and nothing is cached."""
    with TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        names = [f"p{number}" for number in range(len(chain))]
        for name, (add, delete) in zip(names, chain, strict=True):
            reply = printed(result(name)) if add == WORKS else BROKEN[add][0]
            bench.plugins.make(name, ADD=reply, DEL=":" if delete == WORKS else delete)
        failing = next((number for number, (add, _) in enumerate(chain) if add != WORKS), None)
        if failing is None:
            assert bench.runtime.add(network(*names), CONTAINER) == result(names[-1])
            assert bench.plugins.order == [(name, "ADD") for name in names]
            assert bench.cached == ["net-c1-eth0"]
        else:
            found = bench.failed(network(*names), CONTAINER)
            called = names[: failing + 1]
            assert bench.plugins.order == [(name, "ADD") for name in called] + [(name, "DEL") for name in called[::-1]]
            assert bench.cached == []
            assert found.message.startswith(f"p{failing} ADD")
            not_undone = [name for name, (_, delete) in zip(called, chain, strict=False) if delete != WORKS]
            assert all(f"{name} DEL: busy" in found.details for name in not_undone)


@law
@given(st.dictionaries(st.tuples(st.sampled_from("ab-"), st.sampled_from(["eth0", "net1"])), st.booleans()))
def test_what_is_valid_is_kept(attachments: dict[tuple[str, str], bool]) -> None:
    """GC deletes what is attached and not valid, leaves the rest, and tells each plugin what is to be kept."""
    with TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        bench.make("p", version="1.1.0")
        chain, other = network("p", cniVersion="1.1.0"), network("p", cniVersion="1.1.0", name="net-x")
        made = {Attachment(f"x{container}", ifname): valid for (container, ifname), valid in attachments.items()}
        for attachment in made:
            for each in (chain, other):
                bench.runtime.add(each, Container(attachment.container_id, "/run/netns/blue", attachment.ifname))
        bench.plugins.forget()
        valid = [attachment for attachment, keep in made.items() if keep]
        gone = sorted(attachment for attachment, keep in made.items() if not keep)
        assert sorted(bench.runtime.collect(chain, valid)) == gone
        calls = bench.plugins.calls
        assert sorted((call.container_id, call.ifname) for call in calls if call.command == "DEL") == gone
        (told,) = [call.config for call in calls if call.command == "GC"]
        assert told["cni.dev/valid-attachments"] == told["cni.dev/attachments"]
        said = [(each["containerID"], each["ifname"]) for each in told["cni.dev/valid-attachments"]]
        assert said == sorted(valid)
        kept = [f"net-{each.container_id}-{each.ifname}" for each in valid]
        kept += [f"net-x-{each.container_id}-{each.ifname}" for each in made]
        assert bench.cached == sorted(kept)


def test_collecting_goes_on_after_a_failure(bench: Bench) -> None:
    """One that cannot be deleted does not keep the others, and is still there for the next time."""
    stubborn = "[ $CNI_CONTAINERID != c2 ] || { " + error(5, "busy") + "; }"
    bench.plugins.make("a", ADD=printed(result("a", "1.1.0")), DEL=stubborn, GC=error(7, "no such bridge"))
    chain = network("a", cniVersion="1.1.0")
    for name in ("c1", "c2", "c3"):
        bench.runtime.add(chain, Container(name, "/run/netns/blue"))
    found = bench.failed(chain, [], command="collect")
    assert "a DEL: busy" in str(found) and "a GC: no such bridge" in str(found)
    assert bench.cached == ["net-c2-eth0"]


def test_collecting_that_is_disabled(bench: Bench) -> None:
    bench.make("a", version="1.1.0")
    chain = network("a", cniVersion="1.1.0", disableGC=True)
    bench.runtime.add(chain, CONTAINER)
    assert bench.runtime.collect(chain, []) == []
    assert bench.plugins.order == [("a", "ADD")]
