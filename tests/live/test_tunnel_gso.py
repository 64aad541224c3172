"""Tunnel GSO on a live kernel: what leaves as one arrives whole, whatever the host's own settings are."""

from __future__ import annotations

import errno
import fcntl
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest

from tests.waiting import eventually
from vxlanpkt import UDP, VXLAN, Ethernet, IPv4, MACAddress, Tunnel, parse
from vxlanpkt.overlay import DataPath, Device, ICMPErrors, TunnelGSO

from .namespaces import Namespace
from .overlay_rig import OVERLAY, PORT, UNDERLAY, VNI, Backend, Node, Pair, pair
from .traffic import pings, send_stream, streaming

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("tunnel_gso_means")]

SIZES = [30_000, 100, 20_000, 1] * 50
DATA = random.Random(7).randbytes(3_000_000)
PAIRS: list[tuple[Backend, Backend]] = [("gso", "gso"), ("gso", "kernel"), ("kernel", "gso"), ("gso", "user")]
_TUN_F_UDP_TUNNEL_GSO, _TUNSETOFFLOAD = 0x80, 0x400454D0


def frames(node: Node) -> int:
    return node.counters["tunnel_gso_frames"]


def gso_of(node: Node) -> TunnelGSO:
    assert node.tunnel_gso is not None
    return node.tunnel_gso


def has_next_hop(sender: Node, receiver: Node) -> bool:
    """Whether the way to the other node is known."""
    return gso_of(sender)._next_hops.known(ip_address(receiver.underlay())) is not None


@contextmanager
def warm_pair(first: Backend, second: Backend, outer: int = 4) -> Iterator[Pair]:
    """Two nodes that know the way to each other."""
    with pair(first, second, outer) as nodes:
        nodes.first.ping(nodes.second, 4)
        for sender, receiver in ((nodes.first, nodes.second), (nodes.second, nodes.first)):
            assert sender.backend != "gso" or eventually(partial(has_next_hop, sender, receiver))
        yield nodes


def leaves_as_one(sender: Node, receiver: Node) -> bool:
    """Whether long frames of a stream that arrives do."""
    before = frames(sender)
    assert send_stream(sender, receiver, 4, DATA) == DATA
    return frames(sender) > before


@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
@pytest.mark.parametrize("backends", PAIRS, ids="-".join)
def test_everything_passes(backends: tuple[Backend, Backend], outer: int) -> None:
    """Both ways, over either IP version outside and inside: all arrives as it was sent, and in order."""
    with pair(*backends, version=outer) as nodes:
        first, second = nodes.first, nodes.second
        for inner in (4, 6):
            first.ping(second, inner)
            first.ping(second, inner, 60000)
            for sender, receiver in ((first, second), (second, first)):
                assert send_stream(sender, receiver, inner, DATA) == DATA
        for node in (first, second):
            if node.backend != "gso":
                continue
            assert gso_of(node).missing == ""
            counts = node.counters
            assert counts["tunnel_gso_frames"] > 3 * counts["segmented"] > 0
            assert counts["tunnel_gso_refused"] == counts["too_big"] == counts["send_errors"] == 0


def _out_of_order(node: Node) -> int:
    """How many segments of TCP came before their turn."""
    names, values = (
        line.split() for line in node.namespace.exec("head", "-n", "2", "/proc/net/netstat").stdout.splitlines()
    )
    return int(values[names.index("TCPOFOQueue")])


@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_order(outer: int) -> None:
    """Long and short frames of a flow go two ways and do not overtake each other."""
    with warm_pair("gso", "kernel", outer) as nodes:
        sender, receiver = nodes.first, nodes.second
        with (
            receiver.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as listener,
            sender.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as out,
        ):
            listener.bind((receiver.inside(4), 0))
            listener.listen()
            out.bind((sender.inside(4), 0))
            out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            out.connect(listener.getsockname())
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5.0)
                arrived = bytearray()
                reader = threading.Thread(target=_receive_all, args=(connection, arrived))
                reader.start()
                for size in SIZES:
                    out.sendall(DATA[:size])
                    if size == 1:
                        time.sleep(0.001)  # or what follows is in one frame with it
                out.shutdown(socket.SHUT_WR)
                reader.join(10)
        assert arrived == b"".join(DATA[:size] for size in SIZES)
        assert frames(sender) > 20
        assert sender.counters["sends"] - frames(sender) > 10
        assert _out_of_order(receiver) == 0


def _receive_all(connection: socket.socket, arrived: bytearray) -> None:
    while part := connection.recv(1 << 16):
        arrived += part


@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_bytes_on_the_wire(outer: int) -> None:
    """What a card would send, were it cut there, is what `Tunnel.encap` makes, byte for byte."""
    with warm_pair("gso", "kernel", outer) as nodes:
        first, second = nodes.first, nodes.second
        for node in (first, second):
            node.namespace.exec("ethtool", "-K", UNDERLAY, "tx", "off", "gso", "off", "gro", "off",
                                "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off")  # fmt: skip
        with second.namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
            wire.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            wire.bind((UNDERLAY, 0))
            assert send_stream(first, second, 4, DATA[:600_000]) == DATA[:600_000]
            seen = list(_waiting(wire))
        tunnel = Tunnel(VNI, first.underlay(), second.underlay(), dst_port=PORT,
                        src_mac=_mac(first), dst_mac=_mac(second))  # fmt: skip
        compared = 0
        for frame in seen:
            packet = parse(frame)
            if VXLAN not in packet or packet[Ethernet].src != tunnel.src_mac:
                continue
            assert not packet.checksum_errors()
            udp = packet[UDP]
            if outer == 4 and udp.checksum:
                continue  # by a socket
            number = packet[IPv4].identification if outer == 4 else None
            inner = packet.inner.build()
            assert frame == tunnel.replace(src_port=udp.src_port).encap(inner, identification=number)
            compared += len(inner) > 1400
        assert compared > 200


def _waiting(wire: socket.socket) -> Iterator[bytes]:
    wire.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            yield wire.recv(1 << 17)


def _mac(node: Node) -> MACAddress:
    (link,) = json.loads(node.namespace.ip("-j", "link", "show", UNDERLAY).stdout)
    return MACAddress(link["address"])


def test_a_strict_host() -> None:
    """Forwarding off, a chain that drops all that is forwarded, a filter of reverse paths: nothing is routed here."""
    with warm_pair("gso", "gso") as nodes:
        for node in (nodes.first, nodes.second):
            node.namespace.sysctl("net.ipv4.ip_forward", 0)
            for name in ("all", "default", UNDERLAY):
                node.namespace.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)
            node.namespace.exec("iptables", "-P", "FORWARD", "DROP")
        assert leaves_as_one(nodes.first, nodes.second)


# -- what changes while it runs


@pytest.mark.parametrize("outer", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_next_hop_changes_its_mac(outer: int) -> None:
    """And says so: long frames go to the new address, and none is lost for good."""
    with warm_pair("gso", "kernel", outer) as nodes:
        first, second = nodes.first, nodes.second
        second.namespace.sysctl(f"net.ipv4.conf.{UNDERLAY}.arp_notify", 1)
        second.namespace.sysctl(f"net.ipv6.conf.{UNDERLAY}.ndisc_notify", 1)
        with streaming(first, second, 4, DATA * 4):
            for number in range(5):
                second.namespace.ip("link", "set", UNDERLAY, "address", f"02:00:00:00:0b:0{number}")
                time.sleep(0.3)
        assert eventually(lambda: leaves_as_one(first, second))


@pytest.mark.parametrize("inner", [4, 6])
def test_mtu_is_lowered(inner: int) -> None:
    """Senders are told, and send what fits; that leaves as one again."""
    with warm_pair("gso", "gso") as nodes:
        first, second = nodes.first, nodes.second
        assert first.path is not None and first.device is not None
        gateways = {4: ip_address("10.5.2.0"), 6: ip_address("fc00:5:2::")}
        first.path.stop()
        first.path._on_event = ICMPErrors(first.device, lambda version, mac: gateways[version])
        first.namespace.call(first.path.start)  # where the hook asks the kernel
        with streaming(first, second, inner, DATA):
            time.sleep(0.2)
            for node in (first, second):
                node.namespace.ip("link", "set", UNDERLAY, "mtu", "1400")
            time.sleep(0.5)
        assert first.counters["too_big"] > 0
        before = frames(first)
        assert send_stream(first, second, inner, DATA) == DATA
        assert frames(first) > before


def test_link_goes_down_and_comes_up() -> None:
    """Afterwards all is as before."""
    with warm_pair("gso", "kernel") as nodes:
        first, second = nodes.first, nodes.second
        assert leaves_as_one(first, second)
        first.namespace.ip("link", "set", UNDERLAY, "down")
        assert eventually(lambda: not has_next_hop(first, second))
        first.namespace.ip("link", "set", UNDERLAY, "up")
        assert eventually(lambda: pings(first, second, 4), 5)
        assert eventually(lambda: leaves_as_one(first, second), 5)


def test_interface_is_made_anew() -> None:
    """Another one has the name: frames leave by that."""
    with warm_pair("gso", "user") as nodes:  # the kernel's device would go with the interface
        first, second = nodes.first, nodes.second
        assert leaves_as_one(first, second)
        first.namespace.ip("link", "del", UNDERLAY)
        nodes._join()
        assert eventually(lambda: pings(first, second, 4), 5)
        assert eventually(lambda: leaves_as_one(first, second), 5)


def test_way_by_another_interface() -> None:
    """By the sockets, which know it; and back."""
    with warm_pair("gso", "kernel") as nodes:
        first, second = nodes.first, nodes.second
        assert leaves_as_one(first, second)
        first.namespace.ip("link", "add", "other", "type", "veth", "peer", "name", "other",
                           "netns", second.namespace.name)  # fmt: skip
        for node, address in ((first, "198.51.100.1/24"), (second, "198.51.100.2/24")):
            node.namespace.ip("addr", "add", address, "dev", "other")
            node.namespace.ip("link", "set", "other", "up")
        first.namespace.ip("route", "add", second.underlay(), "via", "198.51.100.2", "dev", "other")
        assert eventually(lambda: not leaves_as_one(first, second), 5)
        first.namespace.ip("route", "del", second.underlay())
        assert eventually(lambda: leaves_as_one(first, second), 5)


# -- where it cannot be


def _without(bits: int, descriptor: int, request: int, argument: Any) -> Any:
    """The system call of a kernel that does not know some offloads."""
    if request == _TUNSETOFFLOAD and argument & bits:
        raise OSError(errno.EINVAL, "unknown offload")
    return fcntl.ioctl(descriptor, request, argument)


def test_older_kernels() -> None:
    """All goes by the sockets, and nothing is left of what was tried."""
    with pair("user", "kernel") as nodes:
        first = nodes.first
        gso = first.namespace.call(
            lambda: TunnelGSO(UNDERLAY, first.underlay(), ioctl=partial(_without, _TUN_F_UDP_TUNNEL_GSO))
        )
        assert gso.missing == "the kernel takes no long frames in tunnels: Linux 6.17 does"
        assert gso.descriptor == -1
        assert _links(first.namespace) == {"lo", UNDERLAY, OVERLAY}
        _use(first, nodes.second, gso)
        assert not leaves_as_one(first, nodes.second)


def test_no_ethernet() -> None:
    """A tunnel below, or whatever else takes no Ethernet frames."""
    with pair("user", "kernel") as nodes:
        first = nodes.first
        with first.namespace.call(lambda: Device("below", "tun")):
            gso = first.namespace.call(lambda: TunnelGSO("below", first.underlay()))
            assert gso.missing == "below is no Ethernet interface"
            _use(first, nodes.second, gso)
            assert not leaves_as_one(first, nodes.second)


def test_no_such_interface() -> None:
    """That is an error, as a name that is wrong is."""
    namespace = Namespace()
    try:
        with pytest.raises(OSError, match="no such interface"):
            namespace.call(lambda: TunnelGSO("nothing", "192.0.2.1"))
    finally:
        namespace.delete()


def _use(node: Node, other: Node, gso: TunnelGSO) -> None:
    """Open the node's data path anew."""
    assert node.path is not None and node.device is not None
    node.path.close()
    device = node.device
    node.tunnel_gso = gso
    node.path = node.namespace.call(lambda: DataPath(device, node.underlay(), peers=node.peers(other), tunnel_gso=gso))
    node.path.start()


def _links(namespace: Namespace) -> set[str]:
    return {link["ifname"] for link in json.loads(namespace.ip("-j", "link").stdout)}


def test_nothing_is_left() -> None:
    """The TAP goes with what made it, and with the TAP what redirects."""
    with warm_pair("gso", "kernel") as nodes:
        first = nodes.first
        assert leaves_as_one(first, nodes.second)
        assert "vxlan-gso0" in _links(first.namespace)
        assert "clsact" in first.namespace.exec("tc", "qdisc").stdout
        assert first.path is not None
        first.path.close()
        gso_of(first).close()
        gso_of(first).close()
        assert _links(first.namespace) == {"lo", UNDERLAY, OVERLAY}
        assert "clsact" not in first.namespace.exec("tc", "qdisc").stdout


def test_redirect_is_taken_away() -> None:
    """By somebody else: it is put back when it is looked after."""
    with warm_pair("gso", "kernel") as nodes:
        first, second = nodes.first, nodes.second
        first.namespace.exec("tc", "qdisc", "del", "dev", "vxlan-gso0", "clsact")
        gso_of(first)._aim_at = 0.0  # the minute is over
        gso_of(first).look_again(ip_address(second.underlay()))
        assert eventually(lambda: "clsact" in first.namespace.exec("tc", "qdisc").stdout)
        assert eventually(lambda: leaves_as_one(first, second), 5)


def test_tap_is_taken_away() -> None:
    """By somebody else: all goes by the sockets."""
    with warm_pair("gso", "kernel") as nodes:
        first = nodes.first
        first.namespace.ip("link", "del", "vxlan-gso0")
        assert not leaves_as_one(first, nodes.second)
        assert first.counters["tunnel_gso_refused"] > 0
