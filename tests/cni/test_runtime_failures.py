"""Plugins that fail in each way that there is, and laws of what the runtime does then, and in general."""

from __future__ import annotations

import math
import os
import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vxlanpkt.cni import Attachment, Code, Container
from vxlanpkt.cni.protocol.versions import VERSIONS

from .bench import CONTAINER, Bench, network
from .scripted import error, printed, result

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


def test_a_cache_that_is_none(bench: Bench) -> None:
    """It is an error of CNI, whatever is called; an ADD is undone."""
    bench.make("a")
    bench.cache.write_text("in the way", encoding="utf-8")
    for command in ("add", "delete"):
        found = bench.failed(network("a"), CONTAINER, command=command)
        assert (found.code, str(bench.cache) in str(found)) == (Code.IO_FAILURE, True)
    assert bench.plugins.order == [("a", "ADD"), ("a", "DEL"), ("a", "DEL")]


def test_a_program_with_many_files(bench: Bench) -> None:
    """Its descriptors have numbers that select() does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("no more than 2048 files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    bench.make("a")
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        assert bench.runtime.add(network("a"), CONTAINER) == result("a")
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_limit_of_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, seconds=math.inf)
    bench.make("a")
    assert bench.runtime.add(network("a"), CONTAINER) == result("a")


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


@law
@given(
    st.lists(st.sampled_from([*VERSIONS, "0.2.0", "9.9.9"]), min_size=1, unique=True),
    st.lists(st.sets(st.sampled_from([*VERSIONS, "0.1.0"])), min_size=1, max_size=3),
)
def test_the_newest_version_that_all_know(offered: list[str], known: list[set[str]]) -> None:
    """A network is run in that, or not at all; one that offers a single version is run in it, and nobody is asked."""
    possible = [version for version in offered if version in VERSIONS]
    assume(possible)
    with TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        names = [f"p{number}" for number in range(len(known))]
        for name, versions in zip(names, known, strict=True):
            bench.plugins.make(name, VERSION=printed({"cniVersion": "1.0.0", "supportedVersions": sorted(versions)}))
        chain = network(*names, cniVersion=offered[0], cniVersions=offered)
        if len(possible) == 1:
            assert bench.runtime.version(chain) == possible[0]
            assert bench.plugins.calls == []
            return
        common = set(possible).intersection(*known)
        if common:
            assert bench.runtime.version(chain) == max(common, key=VERSIONS.index)
        else:
            assert bench.failed(chain, command="version").code == Code.INCOMPATIBLE_VERSION
        assert bench.plugins.order == [(name, "VERSION") for name in names]


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
