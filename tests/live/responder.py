"""A host in user space behind a UDP socket: it answers ARP, neighbour solicitations and echo requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vxlanpkt import (
    ARP,
    ICMP,
    VXLAN,
    ARPOperation,
    DecapPolicy,
    Ethernet,
    ICMPType,
    ICMPv6,
    ICMPv6Type,
    IPv4,
    IPv6,
    MACAddress,
    NeighborAdvertisement,
    NeighborSolicitation,
    Packet,
    ParseError,
    TargetLinkLayerAddress,
    Tunnel,
    decap,
    parse,
)


class Responder:
    """One host with a MAC, an IPv4 and an IPv6 address, reached through one tunnel."""

    def __init__(self, tunnel: Tunnel, mac: str, ip: str, ip6: str) -> None:
        self.tunnel = tunnel
        self.mac = MACAddress(mac)
        self.ip, self.ip6 = ip, ip6
        self.policy = DecapPolicy(vnis=(tunnel.vni,), allowed_sources=(str(tunnel.dst),))
        self.errors: list[Exception] = []

    def answer(self, inner: bytes) -> bytes | None:
        """The frame that answers *inner*, or None where there is nothing to say."""
        try:
            packet = parse(inner)
        except ParseError:
            return None
        match packet.layers:
            case (Ethernet(), ARP(operation=ARPOperation.REQUEST) as asked) if str(asked.target_ip) == self.ip:
                reply = ARP(ARPOperation.REPLY, self.mac, self.ip, asked.sender_mac, asked.sender_ip)
                return Packet(Ethernet(dst=asked.sender_mac, src=self.mac), reply).build()
            case (Ethernet() as link, IPv4() as ip, ICMP(type=ICMPType.ECHO_REQUEST) as echo) if str(ip.dst) == self.ip:
                return Packet(
                    Ethernet(dst=link.src, src=self.mac),
                    IPv4(src=ip.dst, dst=ip.src),
                    ICMP(ICMPType.ECHO_REPLY, body=echo.body),
                ).build()
            case (Ethernet() as link, IPv6() as ip6, ICMPv6(body=NeighborSolicitation() as asked6)) if (
                str(asked6.target) == self.ip6
            ):
                advertisement = NeighborAdvertisement(
                    asked6.target, solicited=True, override=True, options=[TargetLinkLayerAddress(self.mac)]
                )
                return Packet(
                    Ethernet(dst=link.src, src=self.mac),
                    IPv6(src=asked6.target, dst=ip6.src, hop_limit=255),
                    ICMPv6(ICMPv6Type.NEIGHBOR_ADVERTISEMENT, body=advertisement),
                ).build()
            case (Ethernet() as link, IPv6() as ip6, ICMPv6(type=ICMPv6Type.ECHO_REQUEST) as echo6) if (
                str(ip6.dst) == self.ip6
            ):
                return Packet(
                    Ethernet(dst=link.src, src=self.mac),
                    IPv6(src=ip6.dst, dst=ip6.src),
                    ICMPv6(ICMPv6Type.ECHO_REPLY, body=echo6.body),
                ).build()
        return None

    @contextmanager
    def serving(self, end: socket.socket) -> Iterator[None]:
        """Answer what arrives at *end* for the time of the block; raise afterwards what went wrong meanwhile."""
        over = threading.Event()
        end.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                try:
                    payload, address = end.recvfrom(65_535)
                except TimeoutError:
                    continue
                try:
                    got = decap(payload, start=VXLAN, source=address[0], policy=self.policy)
                    answer = self.answer(got.inner)
                    if answer is not None:
                        datagram = self.tunnel.encap_payload(answer)
                        end.sendto(datagram.payload, (str(datagram.dst), datagram.dst_port))
                except Exception as error:  # raised in the test's thread
                    self.errors.append(error)

        thread = threading.Thread(target=serve, name="responder")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if self.errors:
            raise self.errors[0]
