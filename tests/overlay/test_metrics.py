"""Metrics as Prometheus reads them: its own parser and its own checker, over HTTP, and the table in the docs."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

import vxlanpkt
from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.service.metrics import AgentCollector, MetricsServer, parse_address, serve_metrics
from vxlanpkt.strategies import agent_statuses

DOCS = Path(__file__).parents[2] / "docs"
PREFIX = "vxlanpkt_overlay_"
STATUS = AgentStatus(
    "vxlan-user", "a store", "eth0", ("10.5.52.0/24", "fd42:5:52::/64"), 1450, 1000.5, 1060.0, 4711, 87000.25,
    faults=("make Route", "make FDBEntry"), programmed=113, failed=2, events=25,
    links=(
        LinkStatus("flannel.1", "tap", 1450, "192.0.2.1", 8472, 1, None, 10, 1000, 20, 2000, {"VNI_REFUSED": 3}, (), 7),
        LinkStatus("flannel-v6.1", "tap", 1430, "2001:db8::1", 8472, 1, None, 11, 1100, 21, 2100, {}),
    ),
    peers=(
        PeerStatus("10.5.9.0/24", "192.0.2.9", "tunnel"),
        PeerStatus("10.5.10.0/24", "192.0.2.10", "tunnel"),
        PeerStatus("10.5.11.0/24", "192.0.2.11", "none", why="its VNI is 2"),
    ),
)  # fmt: skip

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def text_of(status: AgentStatus) -> str:
    registry = CollectorRegistry()
    registry.register(AgentCollector(lambda: status))
    return generate_latest(registry).decode()


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def samples(text: str) -> Samples:
    """Each sample by its name and labels; none is there twice."""
    found: Samples = {}
    for family in families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[PREFIX + name, tuple(sorted(labels.items()))]


def test_what_a_status_becomes() -> None:
    found = samples(text_of(STATUS))
    assert value(found, "build_info", version=vxlanpkt.__version__, kernel=vxlanpkt.backend, overlay="vxlan-user") == 1
    assert value(found, "start_time_seconds") == 1000.5
    assert value(found, "lease_expiry_timestamp_seconds") == 87000.25
    assert value(found, "store_up") == 1
    assert value(found, "mtu_bytes") == 1450
    assert value(found, "events_total") == 25
    assert value(found, "kernel_requests_total", result="done") == 113
    assert value(found, "kernel_requests_total", result="failed") == 2
    assert value(found, "kernel_faults") == 2
    assert value(found, "link_receive_packets_total", link="flannel.1") == 10
    assert value(found, "link_receive_bytes_total", link="flannel-v6.1") == 1100
    assert value(found, "link_transmit_packets_total", link="flannel-v6.1") == 21
    assert value(found, "link_transmit_bytes_total", link="flannel.1") == 2000
    assert value(found, "link_tunnel_gso_frames_total", link="flannel.1") == 7
    assert value(found, "link_drops_total", link="flannel.1", reason="VNI_REFUSED") == 3
    assert [value(found, "peers", path=path) for path in ("tunnel", "direct", "none")] == [2, 0, 1]


def test_a_lease_that_does_not_end_and_a_store_that_is_gone() -> None:
    import dataclasses

    found = samples(text_of(dataclasses.replace(STATUS, lease_expiry=None, store_fault="no route to host")))
    assert value(found, "store_up") == 0
    assert not [name for name, _ in found if "lease" in name]


@given(status=agent_statuses())
def test_any_status_is_read_back(status: AgentStatus) -> None:
    """Every count comes through the text as the number that a float holds of it."""
    found = samples(text_of(status))
    for link in status.links:
        assert value(found, "link_receive_bytes_total", link=link.name) == float(link.rx_bytes)
        for reason, count in link.drops.items():
            assert value(found, "link_drops_total", link=link.name, reason=reason) == float(count)
    assert sum(value(found, "peers", path=path) for path in ("tunnel", "direct", "none")) == len(status.peers)


def test_conventions() -> None:
    """Each family has a meaning and a type; counters, and nothing else, end in _total; units are base units."""
    text = text_of(STATUS)
    assert len(re.findall("^# HELP ", text, re.M)) == len(re.findall("^# TYPE ", text, re.M)) == len(families(text))
    for family in families(text):
        assert family.type in ("counter", "gauge")
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert re.fullmatch(PREFIX + r"[a-z]+(_[a-z]+)*", sample.name)
            assert sample.name.endswith("_total") is (family.type == "counter")
            assert not re.search(r"_(count|sum|bucket|ms|bits|kb|mb|milliseconds|gauge|counter)(_|$)", sample.name)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: Debian's package is prometheus")
def test_promtool_has_nothing_against_it() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text_of(STATUS), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_has_every_metric() -> None:
    """Names, types and labels as in the table."""
    page = (DOCS / "overlay-commands.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| `({PREFIX}\w+)` \| (\w+) \| ([^|]*)\|", page, re.M)
    told = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    made = {
        sample.name: (family.type, frozenset(sample.labels))
        for family in families(text_of(STATUS))
        for sample in family.samples
    }
    assert told == made


# -- over HTTP


@pytest.fixture
def served() -> Iterator[MetricsServer]:
    server = serve_metrics("127.0.0.1:0", lambda: STATUS)
    yield server
    server.close()


def get(server: MetricsServer) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text: str = response.read().decode()
        return text


def test_served(served: MetricsServer) -> None:
    """With the process's own: what a data path costs."""
    found = samples(get(served))
    assert value(found, "peers", path="tunnel") == 2
    assert found["process_cpu_seconds_total", ()] >= 0
    assert not [name for name, _ in found if not name.startswith((PREFIX, "process_"))]


def test_before_there_is_a_lease() -> None:
    """Nothing of the agent, and no error."""

    def status() -> AgentStatus:
        raise RuntimeError("the node has no lease yet")

    server = serve_metrics("127.0.0.1:0", status)
    try:
        assert PREFIX not in get(server)
    finally:
        server.close()


def test_closed(served: MetricsServer) -> None:
    """Nobody listens any more, and the port is free."""
    again = serve_metrics("127.0.0.1:0", lambda: STATUS)
    again.close()
    with pytest.raises(urllib.error.URLError):
        get(again)
    serve_metrics(f"127.0.0.1:{again.port}", lambda: STATUS).close()


def test_a_port_that_is_taken(served: MetricsServer) -> None:
    with pytest.raises(OSError, match="in use"):
        serve_metrics(f"127.0.0.1:{served.port}", lambda: STATUS)


def test_addresses() -> None:
    assert parse_address("127.0.0.1:9100") == ("127.0.0.1", 9100)
    assert parse_address("[::1]:0") == ("::1", 0)
    assert parse_address("localhost:65535") == ("localhost", 65535)
    for text in ("", "9100", ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "::1:9100", "a:-1"):
        with pytest.raises(FieldError, match="is not like"):
            parse_address(text)
