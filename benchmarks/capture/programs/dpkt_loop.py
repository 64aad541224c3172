"""The jobs with dpkt, which has no VXLAN: its users take the header off by hand.

dpkt_loop.py flows CAPTURE [ANSWER] | decap CAPTURE TARGET | parquet CAPTURE TARGET
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import dpkt
from dpkt.ethernet import Ethernet
from dpkt.ip import IP
from dpkt.ip6 import IP6
from dpkt.tcp import TCP
from dpkt.udp import UDP

_PORTS = (4789, 8472)

Key = tuple[int, int, bytes, bytes, int, int]


def inner_frames(file: BinaryIO) -> Iterator[tuple[float, int, bytes]]:
    """Time, VNI and inner frame of each packet in a tunnel."""
    for time, frame in dpkt.pcap.Reader(file):
        udp = getattr(Ethernet(frame).data, "data", None)
        if isinstance(udp, UDP) and udp.dport in _PORTS:
            payload = udp.data
            if len(payload) >= 22 and payload[0] & 8:
                yield time, int.from_bytes(payload[4:7], "big"), payload[8:]


def key_of(vni: int, inner: bytes) -> Key | None:
    """VNI and 5-tuple of an inner frame of TCP or UDP."""
    ip: Any = Ethernet(inner).data
    if not isinstance(ip, (IP, IP6)) or not isinstance(ip.data, (TCP, UDP)):
        return None
    return vni, ip.p, ip.src, ip.dst, ip.data.sport, ip.data.dport


def flows(file: BinaryIO) -> dict[Key, list[int]]:
    """Packets and bytes by VNI and 5-tuple."""
    found: dict[Key, list[int]] = {}
    for _, vni, inner in inner_frames(file):
        key = key_of(vni, inner)
        if key is not None:
            counts = found.setdefault(key, [0, 0])
            counts[0] += 1
            counts[1] += len(inner)
    return found


def write_flows(path: str, found: dict[Key, list[int]]) -> None:
    """The answer, for it to be compared."""
    with Path(path).open("w") as out:
        for (vni, protocol, src, dst, *ports), counts in found.items():
            print(vni, protocol, src.hex(), dst.hex(), *ports, *counts, file=out)


def decap(file: BinaryIO, target: str) -> None:
    """Write the inner frames with the times of their records."""
    with Path(target).open("wb", buffering=1 << 20) as out:
        writer = dpkt.pcap.Writer(out)
        for time, _, inner in inner_frames(file):
            writer.writepkt(inner, time)


def parquet(file: BinaryIO, target: str) -> None:
    """A row for each packet in a tunnel, through a data frame."""
    import pandas as pd

    rows = [
        (time, key[0], key[1], dpkt.utils.inet_to_str(key[2]), dpkt.utils.inet_to_str(key[3]), *key[4:], len(inner))
        for time, vni, inner in inner_frames(file)
        if (key := key_of(vni, inner)) is not None
    ]
    columns = ["timestamp", "vni", "protocol", "src", "dst", "src_port", "dst_port", "length"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="s")
    frame.to_parquet(target)


def main() -> None:
    job, capture, *rest = sys.argv[1:]
    with Path(capture).open("rb") as file:
        if job == "decap":
            decap(file, rest[0])
        elif job == "parquet":
            parquet(file, rest[0])
        else:
            found = flows(file)
            print(len(found), "flows")
            if rest:
                write_flows(rest[0], found)


if __name__ == "__main__":
    main()
