"""The packet loops on a live kernel: with each other, and with the kernel's own vxlan device as flannel programs it."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from functools import partial
from ipaddress import IPv4Address, IPv6Address

import pytest

from tests.waiting import eventually
from vxlanpkt import VXLAN, DecapError, DecapPolicy, MACAddress, ParseError, Reason, Tunnel, decap
from vxlanpkt.overlay import Device, Event, ICMPErrors, Peers
from vxlanpkt.overlay.datapath.datapath import Ending, EventKind

from .overlay_rig import OVERLAY, PORT, UNDERLAY, VNI, Backend, Pair, pair
from .traffic import echo_datagram, send_stream

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(1).randbytes(3_000_000)
PAIRS: list[tuple[Backend, Backend]] = [("user", "user"), ("user", "kernel"), ("kernel", "user"), ("udp", "udp")]


@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
@pytest.mark.parametrize("backends", PAIRS, ids="-".join)
def test_everything_passes(backends: tuple[Backend, Backend], outer: int) -> None:
    """Ping, TCP both ways, datagrams of each size, over either IP version: all of it arrives as it was sent."""
    with pair(*backends, version=outer) as nodes:
        first, second = nodes.first, nodes.second
        for inner in (4, 6):
            first.ping(second, inner)
            first.ping(second, inner, 4000)
            first.ping(second, inner, 60000)
            for size in (1, 1000, 4096, 60000):
                assert echo_datagram(first, second, inner, DATA[:size]) == DATA[:size]
            assert send_stream(first, second, inner, DATA) == DATA
            assert send_stream(second, first, inner, DATA) == DATA
        for node in (first, second):
            if node.path is None:
                continue
            counts = node.counters
            assert counts["segmented"] > 0, "long frames left the device"
            assert counts["received_datagrams"] > 0
            assert counts["send_errors"] == counts["write_errors"] == counts["unsound_frames"] == 0
            assert set(node.path.reasons) == {Reason.OK}


def test_unfinished_checksums_and_long_frames() -> None:
    """The kernel's device leaves both to a receiver behind a veth: ping works without, and TCP hangs."""
    with pair("user", "kernel") as nodes:
        assert send_stream(nodes.second, nodes.first, 4, DATA) == DATA
        counts = nodes.first.counters
        assert counts["unfinished_checksums"] > 0
        assert counts["long_frames"] > 0


def test_without_offloads_below() -> None:
    """An underlay that computes nothing gets finished datagrams all the same."""
    with pair("user", "user") as nodes:
        for node in (nodes.first, nodes.second):
            node.namespace.exec("ethtool", "-K", UNDERLAY, "tx", "off", "gso", "off", "gro", "off")
        assert send_stream(nodes.first, nodes.second, 4, DATA) == DATA


@pytest.mark.parametrize("backend", ["user", "udp"])
def test_without_features(backend: Backend) -> None:
    """A device without any offload: each frame is as the wire has it."""
    with pair(backend, backend) as nodes:
        first = nodes.first
        assert first.path is not None and first.device is not None
        first.path.close()
        first.device.close()
        first.device = first.namespace.call(
            lambda: Device(OVERLAY, "tap" if backend == "user" else "tun", offload=False,
                           mac=first.mac if backend == "user" else None)
        )  # fmt: skip
        assert first.device.features.missing == (
            "vnet_header", "multi_queue", "checksum", "tso4", "tso6", "tso_ecn", "uso",
        )  # fmt: skip
        _readdress(nodes)
        assert send_stream(first, nodes.second, 4, DATA) == DATA
        assert send_stream(nodes.second, first, 4, DATA) == DATA
        assert first.counters["segmented"] == 0


def _readdress(nodes: Pair) -> None:
    """Give the first node's new device what the old one had."""
    first, second = nodes.first, nodes.second
    ip = first.namespace.ip
    ip("link", "set", OVERLAY, "mtu", str(first.mtu), "up")
    ip("addr", "add", "10.5.1.0/32", "dev", OVERLAY)
    via: tuple[str, ...] = ()
    if first.backend == "user":
        ip("neigh", "add", "10.5.2.0", "lladdr", second.mac, "dev", OVERLAY, "nud", "permanent")
        via = ("via", "10.5.2.0", "onlink")
    ip("route", "add", "10.5.2.0/24", *via[:2], "dev", OVERLAY, *via[2:], "src", first.inside(4))
    first.path = first.namespace.call(lambda: first.open_path(second))
    first.path.start()


def test_segments_are_joined_and_ports_spread() -> None:
    """What was cut at one end is joined at the other; flows leave from different ports."""
    with pair("user", "user") as nodes:
        assert send_stream(nodes.first, nodes.second, 4, DATA) == DATA
        assert nodes.second.counters["coalesced"] > 0
        assert nodes.second.counters["device_writes"] < nodes.second.counters["received_datagrams"] / 4


@pytest.mark.parametrize("backend", ["user", "udp"])
def test_more_queues(backend: Backend) -> None:
    """Each queue has a loop; flows go through whichever they fall to."""
    with pair(backend, backend, queues=2) as nodes:
        assert nodes.first.device is not None and nodes.first.device.features.multi_queue
        for _ in range(6):
            assert send_stream(nodes.first, nodes.second, 4, DATA[:300_000]) == DATA[:300_000]


# -- what a stranger sends


def _hostile() -> list[bytes]:
    """Payloads of which most are refused, each for its reason."""
    rng = random.Random(2)
    frame = bytes.fromhex("020000000501 020000000502 0800") + bytes(46)
    sound = bytes.fromhex("0800000000000100") + frame
    cases = [b"", b"\x08", sound, sound[:8], sound[:21], b"\0" + sound[1:], sound[:7] + b"\1" + sound[8:]]
    cases += [sound[:4] + b"\0\0\2" + sound[7:], b"\x88" + sound[1:], b"\x0c" + sound[1:]]
    cases += [sound[:14] + bytes.fromhex("020000000501") + sound[20:]]  # our own address as a source
    for _ in range(300):
        changed = bytearray(sound[: rng.randrange(len(sound) + 1)])
        for _ in range(rng.randrange(4)):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        cases.append(bytes(changed))
    return cases


def _verdict(payload: bytes, policy: DecapPolicy, source: str) -> Reason:
    try:
        decap(payload, start=VXLAN, policy=policy, source=source)
    except (DecapError, ParseError) as error:
        return error.reason
    return Reason.OK


def test_hostile_datagrams_are_counted() -> None:
    """The loops refuse what the library refuses, by the same name, and live on."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        assert first.path is not None and second.path is not None
        second.path.stop()
        policy = DecapPolicy.LINUX.replace(check_inner_source=False, vnis=[VNI], own_macs=[first.mac])
        wanted: dict[Reason, int] = {}
        before = first.path.reasons
        cases = _hostile()
        with second.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            for payload in cases:
                end.sendto(payload, (first.underlay(), PORT))
                reason = _verdict(payload, policy, second.underlay())
                wanted[reason] = wanted.get(reason, 0) + 1
        arrived = lambda: sum(first.path.reasons.values()) - sum(before.values()) == len(cases)  # noqa: E731
        assert eventually(arrived)
        found = {reason: count - before.get(reason, 0) for reason, count in first.path.reasons.items()}
        assert found == wanted
        assert len(wanted) > 6
        second.path.start()
        first.ping(second, 4)


@pytest.mark.parametrize("backend", ["user", "udp"])
def test_only_from_known_peers(backend: Backend) -> None:
    """A datagram that is right, from an address that nobody named, is refused."""
    with pair(backend, backend) as nodes:
        first, second = nodes.first, nodes.second
        second.namespace.ip("addr", "add", "192.0.2.9/24", "dev", UNDERLAY)
        packet = bytes.fromhex("45000014000000004011") + bytes(2) + bytes([10, 5, 2, 2, 10, 5, 1, 2])
        packet = packet[:10] + _checksum(packet).to_bytes(2, "big") + packet[12:]
        frame = bytes.fromhex("0800000000000100 020000000501 020000000502 0800") + packet
        with second.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind(("192.0.2.9", 0))
            end.sendto(frame if backend == "user" else packet, (first.underlay(), PORT if backend == "user" else 8285))
        assert first.path is not None
        path = first.path
        assert eventually(lambda: path.reasons.get(Reason.SOURCE_REFUSED)) == 1


def _checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def test_hostile_packets_over_bare_udp() -> None:
    """What is no IP packet is refused with the reason, and the loop lives on."""
    rng = random.Random(3)
    with pair("udp", "udp") as nodes:
        first, second = nodes.first, nodes.second
        with second.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            for payload in (b"", b"\x45", b"\x60" + bytes(30), *(rng.randbytes(rng.randrange(80)) for _ in range(200))):
                end.sendto(payload, (first.underlay(), 8285))
        path = first.path
        assert path is not None
        assert eventually(lambda: sum(path.reasons.values()) >= 203)
        assert Reason.IP_VERSION in path.reasons and Reason.IPV6_HEADER_TRUNCATED in path.reasons
        first.ping(second, 4)


# -- control


def test_stop_and_start() -> None:
    """Stopped within a tenth of a second under traffic; started again, it goes on."""
    with pair("user", "user") as nodes:
        path = nodes.first.path
        assert path is not None
        flow = threading.Thread(target=lambda: send_stream(nodes.first, nodes.second, 4, DATA * 10, 20.0))
        flow.start()
        for _ in range(5):
            time.sleep(0.05)
            path.stop()
            assert not path.is_running
            path.start()
        flow.join(20)
        nodes.first.ping(nodes.second, 4)


def test_peers_are_replaced_under_traffic() -> None:
    """Tables come and go while a stream passes; with another table nothing goes where it went before."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        path = first.path
        assert path is not None
        done = threading.Event()
        arrived: list[bytes] = []

        def stream() -> None:
            arrived.append(send_stream(first, second, 4, DATA * 5, 20.0))
            done.set()

        threading.Thread(target=stream).start()
        replaced = 0
        while not done.is_set():
            path.replace_peers(first.peers(second))
            replaced += 1
            time.sleep(0.0005)
        assert arrived == [DATA * 5]
        assert replaced > 0
        assert len(path._retired) <= 2
        path.replace_peers(Peers.vxlan({}))
        lost = first.namespace.exec("ping", "-c", "2", "-i", "0.05", "-W", "1", second.inside(4), check=False)
        assert lost.returncode == 1
        assert eventually(lambda: path.counters["unknown_destination"]) > 0
        assert eventually(lambda: [event.kind for event in first.events])[0] == EventKind.UNKNOWN_DESTINATION
        path.replace_peers(first.peers(second))
        first.ping(second, 4)


def test_flooding() -> None:
    """With a flood list broadcast gets through; without one it is dropped, as flannel does."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        path = first.path
        assert path is not None
        arp = bytes.fromhex("ffffffffffff 020000000501 0806") + bytes(46)
        with first.namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as end:
            end.bind((OVERLAY, 0))
            end.send(arp)
            assert eventually(lambda: path.counters["group_dropped"]) > 0
            path.replace_peers(Peers.vxlan({}, flood=[Tunnel(VNI, first.underlay(), second.underlay(), dst_port=PORT)]))
            received = second.counters["received_datagrams"]
            end.send(arp)
            assert eventually(lambda: path.counters["flooded"]) > 0
            assert eventually(lambda: second.counters["received_datagrams"] > received)


def test_too_big_for_the_path() -> None:
    """An underlay whose MTU is smaller than the device's says: counted, and told."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        first.namespace.ip("link", "set", UNDERLAY, "mtu", "1300")
        first.namespace.exec("ping", "-c", "2", "-i", "0.05", "-W", "1", "-s", "1400", second.inside(4), check=False)
        assert eventually(lambda: first.counters["too_big"]) > 0
        told = eventually(lambda: [event for event in first.events if event.kind is EventKind.TOO_BIG])
        assert told and told[0].peer is not None and str(told[0].peer[0]) == second.underlay()
        first.ping(second, 4)


def test_device_down_and_up() -> None:
    """While the device is down there is nothing to do; no spin, and afterwards all is as before."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        second.namespace.ip("link", "set", OVERLAY, "down")
        assert first.device is not None and second.device is not None
        first.namespace.exec("ping", "-c", "3", "-i", "0.05", "-W", "1", second.inside(4), check=False)
        assert eventually(lambda: second.counters["write_errors"]) > 0
        spent = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - spent < 0.05
        second.namespace.ip("link", "set", OVERLAY, "up")
        second.namespace.ip("neigh", "replace", "10.5.1.0", "lladdr", first.mac, "dev", OVERLAY, "nud", "permanent")
        second.namespace.ip("route", "replace", "10.5.1.0/24", "via", "10.5.1.0", "dev", OVERLAY, "onlink")
        first.ping(second, 4)


def test_device_vanishes() -> None:
    """The queue ends, and says why."""
    with pair("user", "user") as nodes:
        path = nodes.first.path
        assert path is not None
        nodes.first.namespace.ip("link", "del", OVERLAY)
        assert eventually(lambda: path.endings) == [Ending.DEVICE_GONE]
        assert eventually(lambda: not path.is_running)


def test_socket_is_shut_down() -> None:
    """Neither a crash nor a spin."""
    with pair("user", "user") as nodes:
        path = nodes.first.path
        assert path is not None
        receiver = next(end for end in path._sockets if end.getsockname()[1] == PORT)
        with pytest.raises(OSError, match="not connected"):  # it is shut down nevertheless
            receiver.shutdown(socket.SHUT_RDWR)
        assert eventually(lambda: path.endings) == [Ending.SOCKET_GONE]


def test_failing_hook_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """What a hook raises is logged; the packets go on."""
    with pair("user", "user") as nodes:
        first = nodes.first
        path = first.path
        assert path is not None

        def fail(event: Event) -> None:
            raise RuntimeError(f"no use for {event.kind.name}")

        path._on_event = fail
        path.replace_peers(Peers.vxlan({}))
        first.namespace.exec("ping", "-c", "1", "-W", "1", nodes.second.inside(4), check=False)
        assert eventually(lambda: "hook failed" in caplog.text)
        path.replace_peers(first.peers(nodes.second))
        first.ping(nodes.second, 4)


def test_ttl_runs_out() -> None:
    """Over bare UDP each end is a hop, and a packet that has none left is told of."""
    with pair("udp", "udp") as nodes:
        first, second = nodes.first, nodes.second
        first.namespace.exec("ping", "-c", "1", "-t", "1", "-W", "1", second.inside(4), check=False)
        told = eventually(lambda: [event for event in first.events if event.kind is EventKind.TIME_EXCEEDED])
        assert told and not told[0].inward and told[0].head[8] == 1
        first.namespace.exec("ping", "-c", "1", "-t", "2", "-W", "1", second.inside(4), check=False)
        told = eventually(lambda: [event for event in second.events if event.kind is EventKind.TIME_EXCEEDED])
        assert told and told[0].inward


def _router(
    routers: dict[int, IPv4Address | IPv6Address], version: int, mac: MACAddress | None
) -> IPv4Address | IPv6Address:
    assert mac is None
    return routers[version]


@pytest.mark.parametrize("version", [4, 6])
def test_icmp_errors_arrive(version: int) -> None:
    """A kernel takes them, and ping says who sent them: what flannel's are dropped for."""
    with pair("udp", "udp") as nodes:
        first, second = nodes.first, nodes.second
        for node in (first, second):
            assert node.path is not None and node.device is not None
            routers: dict[int, IPv4Address | IPv6Address]
            routers = {4: IPv4Address(f"10.5.0.{node.number}"), 6: IPv6Address(f"fc00:5::{node.number}")}
            node.path._on_event = ICMPErrors(node.device, partial(_router, routers))
            node.namespace.sysctl("net.ipv4.ip_forward", 1)
            node.namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
            node.namespace.ip("route", "add", "10.5.0.0/16", "dev", OVERLAY)
            node.namespace.ip("route", "add", "fc00:5::/32", "dev", OVERLAY)
        origin = ("-I", first.inside(version), "-c", "1", "-W", "2")
        sources = ("10.5.0.1", "10.5.0.2") if version == 4 else ("fc00:5::1", "fc00:5::2")
        for hops, source in enumerate(sources, 1):
            got = first.namespace.exec("ping", *origin, "-t", str(hops), second.inside(version), check=False).stdout
            assert f"From {source}" in got and re.search("Time to live exceeded|Hop limit", got)
        nowhere = "10.5.77.1" if version == 4 else "fc00:5:77::1"
        got = first.namespace.exec("ping", *origin, nowhere, check=False).stdout
        assert f"From {sources[0]}" in got and re.search("Net Unreachable|No route", got)


def test_segmented_datagrams_of_a_tenant() -> None:
    """A tenant that hands its kernel many datagrams at once: cut where the tenant said."""
    with pair("user", "user") as nodes:
        first, second = nodes.first, nodes.second
        with (
            second.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
            first.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        ):
            far.bind((second.inside(4), 0))
            far.settimeout(3.0)
            near.bind((first.inside(4), 0))
            near.setsockopt(17, 103, 1000)  # UDP_SEGMENT
            near.sendto(DATA[:10_500], far.getsockname())
            assert [far.recv(2000) for _ in range(11)] == [
                DATA[at : min(at + 1000, 10_500)] for at in range(0, 10_500, 1000)
            ]
        assert eventually(lambda: first.counters["segmented"] == 1)


def test_without_segmentation() -> None:
    """Where the way out has none, datagrams go one by one, and all arrives."""
    with pair("user", "user") as nodes:
        path = nodes.first.path
        assert path is not None
        path._queues[0].segmentation_pause = 10**9
        assert send_stream(nodes.first, nodes.second, 4, DATA) == DATA
        counts = path.counters
        assert counts["segmented"] > 0 and counts["sends"] == counts["sent_datagrams"]
