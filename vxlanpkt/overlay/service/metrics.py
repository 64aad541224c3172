"""An agent's status as metrics of Prometheus, and an HTTP server for them.

Names are Prometheus's: base units, and `_total` for what only grows. What a link had, and what it dropped, begins
anew with the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vxlanpkt import __version__, backend
from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus

_PREFIX = "vxlanpkt_overlay_"
_PATHS = ("tunnel", "direct", "none")


class AgentCollector(Collector):
    """What *status* says, asked for at each scrape; nothing while it raises `RuntimeError`, before there is a lease."""

    def __init__(self, status: Callable[[], AgentStatus]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Nothing: names are known from the first scrape, and no status is needed before."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        try:
            status = self._status()
        except RuntimeError:
            return
        yield from _of_agent(status)
        yield from _of_links(status.links)
        yield _of_peers(status)


def _of_agent(status: AgentStatus) -> Iterator[Metric]:
    yield _gauge("build_info", "The library that the agent runs on; always 1.",
                 {"version": __version__, "kernel": backend, "overlay": status.backend}, 1)  # fmt: skip
    yield _gauge("start_time_seconds", "When the agent began, in seconds since 1970.", {}, status.started)
    if status.lease_expiry is not None:
        yield _gauge(
            "lease_expiry_timestamp_seconds",
            "When the node's lease ends, in seconds since 1970.",
            {},
            status.lease_expiry,
        )
    yield _gauge("store_up", "1 while the store of leases answers, else 0.", {}, float(not status.store_fault))
    yield _gauge("mtu_bytes", "The longest IP packet inside the overlay.", {}, status.mtu)
    events = CounterMetricFamily(_PREFIX + "events", "Changes of leases that the agent followed.")
    events.add_metric([], status.events)
    yield events
    requests = CounterMetricFamily(
        _PREFIX + "kernel_requests",
        "Requests to the kernel to change something, by what became of them.",
        labels=["result"],
    )
    requests.add_metric(["done"], status.programmed)
    requests.add_metric(["failed"], status.failed)
    yield requests
    yield _gauge("kernel_faults", "What the kernel refused when it was last programmed.", {}, len(status.faults))


def _of_links(links: tuple[LinkStatus, ...]) -> Iterator[Metric]:
    counters: tuple[tuple[str, str, Callable[[LinkStatus], int]], ...] = (
        (
            "link_receive_packets",
            "Packets that a device of the overlay handed to the node.",
            lambda link: link.rx_packets,
        ),
        ("link_receive_bytes", "Bytes of these packets.", lambda link: link.rx_bytes),
        (
            "link_transmit_packets",
            "Packets that the node gave to a device of the overlay.",
            lambda link: link.tx_packets,
        ),
        ("link_transmit_bytes", "Bytes of these packets.", lambda link: link.tx_bytes),
        (
            "link_tunnel_gso_frames",
            "Long frames that left as one, to be cut behind the data path.",
            lambda link: link.tunnel_gso_frames,
        ),
    )
    for name, meaning, value in counters:
        family = CounterMetricFamily(_PREFIX + name, meaning, labels=["link"])
        for link in links:
            family.add_metric([link.name], value(link))
        yield family
    drops = CounterMetricFamily(
        _PREFIX + "link_drops", "Packets that were refused or lost, by the cause.", labels=["link", "reason"]
    )
    for link in links:
        for reason, count in link.drops.items():
            drops.add_metric([link.name, reason], count)
    yield drops


def _of_peers(status: AgentStatus) -> Metric:
    """Every path is there, also with none: what is missing cannot be watched."""
    peers = GaugeMetricFamily(_PREFIX + "peers", "Subnets of other nodes, by the path to them.", labels=["path"])
    for path in _PATHS:
        peers.add_metric([path], sum(peer.path == path for peer in status.peers))
    return peers


def _gauge(name: str, meaning: str, labels: dict[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, meaning, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


class MetricsServer:
    """A server of an agent's metrics, and of the process's own; it ends with `close`. port: where it listens."""

    def __init__(self, address: str, status: Callable[[], AgentStatus]) -> None:
        host, port = parse_address(address)
        registry = CollectorRegistry()
        registry.register(AgentCollector(status))
        ProcessCollector(registry=registry)
        self._server, self._thread = start_http_server(port, host, registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serve_metrics(address: str, status: Callable[[], AgentStatus]) -> MetricsServer:
    """Serve what *status* says at *address*, "127.0.0.1:9100" or "[::1]:9100", until the server is closed."""
    return MetricsServer(address, status)


def parse_address(text: str) -> tuple[str, int]:
    """An address and a port; IPv6 in brackets. Raises `FieldError`."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bare6 = ":" in host and not text.startswith("[")
    if not colon or not host or bare6 or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        message = f"{text!r} is not like 127.0.0.1:9100 or [::1]:9100"
        raise FieldError(message, layer="serve_metrics", field="address", value=text, bits=None)
    return host, int(port)
