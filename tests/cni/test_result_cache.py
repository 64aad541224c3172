"""The cache: libcni's files, which either writes and the other reads."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.cni import Attachment, Cached, Container, Result, ResultCache
from vxlanpkt.cni.protocol.versions import VERSIONS
from vxlanpkt.strategies import cni_containers, cni_results

# As libcni 1.1 writes it (podman 4.3), with its newer member `netns`.
LIBCNI = (
    '{"kind":"cniCacheV1","containerId":"73458","config":"eyJuYW1lIjogIm5ldCJ9","ifName":"eth0","networkName":"net",'
    '"netns":"/run/netns/blue","cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAME","p2"]],'
    '"capabilityArgs":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},'
    '"result":{"cniVersion":"0.4.0","dns":{},"ips":[{"address":"10.5.1.5/24","version":"4"}]}}'
)
CACHED = Cached(
    "net",
    Container(
        "73458", "/run/netns/blue", "eth0", (("IgnoreUnknown", "1"), ("K8S_POD_NAME", "p2")),
        {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
    ),
    b'{"name": "net"}',
    {"cniVersion": "0.4.0", "dns": {}, "ips": [{"address": "10.5.1.5/24", "version": "4"}]},
)  # fmt: skip


def test_it_is_written_as_libcni_writes_it(tmp_path: Path) -> None:
    """To the byte, where libcni's order of members says nothing else; for nobody else to read."""
    cache = ResultCache(tmp_path / "cni")
    cache.write(CACHED)
    path = tmp_path / "cni" / "results" / "net-73458-eth0"
    assert path.read_text(encoding="utf-8") == LIBCNI
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_it_is_read_as_libcni_writes_it(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    path = cache.path("net", Attachment("73458", "eth0"))
    path.parent.mkdir()
    path.write_text(LIBCNI, encoding="utf-8")
    assert cache.find("net", Attachment("73458", "eth0")) == CACHED
    assert list(cache.attachments("net")) == [CACHED]
    assert list(cache.attachments("ne")) == []


def test_what_is_empty_is_left_out(tmp_path: Path) -> None:
    """As Go leaves it out; and it is read again."""
    bare = Cached("net", Container("c1", ""), b"{}", {})
    assert set(bare.to_json()) == {"kind", "containerId", "config", "ifName", "networkName"}
    cache = ResultCache(tmp_path)
    cache.write(bare)
    assert cache.find("net", Attachment("c1", "eth0")) == bare


CHANGES: list[dict[str, Any]] = [
    {"kind": "cniCacheV2"}, {"kind": None}, {"containerId": 7}, {"config": "&"}, {"cniArgs": [["a"]]},
    {"cniArgs": [["a", 1]]}, {"cniArgs": "a"}, {"capabilityArgs": []}, {"result": "x"}, {"ifName": None},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=json.dumps)
def test_what_is_none_of_its_files_is_passed_over(tmp_path: Path, change: dict[str, Any]) -> None:
    cache = ResultCache(tmp_path)
    cache.write(CACHED)
    path = cache.path("net", CACHED.container.attachment)
    path.write_text(json.dumps({**json.loads(LIBCNI), **change}), encoding="utf-8")
    assert cache.find("net", CACHED.container.attachment) is None
    assert list(cache.attachments("net")) == []


def test_every_beginning_of_a_file_is_passed_over(tmp_path: Path) -> None:
    """A file that a crash has cut is as good as none."""
    cache = ResultCache(tmp_path)
    cache.write(CACHED)
    path = cache.path("net", CACHED.container.attachment)
    for end in range(len(LIBCNI)):
        path.write_text(LIBCNI[:end], encoding="utf-8")
        assert cache.find("net", CACHED.container.attachment) is None


def test_forgetting_twice(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    cache.write(CACHED)
    for _ in range(2):
        cache.remove("net", CACHED.container.attachment)
    assert list(cache.attachments("net")) == []


@given(cni_containers(), st.binary(), cni_results(), st.sampled_from(VERSIONS))
def test_what_is_written_is_read(container: Container, config: bytes, result: Result, version: str) -> None:
    """Whatever a container is told, and whatever comes of it."""
    cached = Cached("net", container, config, result.to_json(version))
    with TemporaryDirectory() as directory:
        cache = ResultCache(directory)
        cache.write(cached)
        assert cache.find("net", container.attachment) == cached
        assert list(cache.attachments("net")) == [cached]
