"""The loop that everyone ends up writing: a whole file in memory, `struct`, offsets and careful bounds.

struct_loop.py flows CAPTURE [ANSWER] | decap CAPTURE TARGET
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_RECORD = struct.Struct("<IIII")
_PORTS = struct.Struct("!HH")
_FILE_HEADER = 24
_VLAN = (0x8100, 0x88A8)

Inner = tuple[int, int, int, int]  # where the record begins, the inner frame begins and ends, and the VNI


def inner_frames(data: bytes) -> Iterator[Inner]:
    """Each inner frame of a pcap file, with the place of its record."""
    at, size, header = _FILE_HEADER, len(data), _RECORD.unpack_from
    while at + 16 <= size:
        record = at
        at = record + 16
        length = header(data, record)[2]
        limit = at + length
        if limit > size:
            return
        begin, at = at, limit
        if length < 42:
            continue
        ip = begin + 14
        ethertype = data[begin + 12] << 8 | data[begin + 13]
        while ethertype in _VLAN and ip + 24 <= limit:
            ethertype = data[ip + 2] << 8 | data[ip + 3]
            ip += 4
        if ethertype == 0x0800 and ip + 20 <= limit:
            udp = ip + ((data[ip] & 15) << 2)
            end = ip + (data[ip + 2] << 8 | data[ip + 3])
            if data[ip] >> 4 != 4 or udp < ip + 20 or data[ip + 9] != 17 or (data[ip + 6] & 0x3F) | data[ip + 7]:
                continue
        elif ethertype == 0x86DD and ip + 40 <= limit:
            udp = ip + 40
            end = udp + (data[ip + 4] << 8 | data[ip + 5])
            if data[ip] >> 4 != 6 or data[ip + 6] != 17:
                continue
        else:
            continue
        if end > limit or udp + 16 > end:
            continue
        port = data[udp + 2] << 8 | data[udp + 3]
        length = data[udp + 4] << 8 | data[udp + 5]
        if (port == 4789 or port == 8472) and data[udp + 8] & 8 and 30 <= length <= end - udp:
            yield record, udp + 16, udp + length, int.from_bytes(data[udp + 12 : udp + 15], "big")


def flows(data: bytes) -> dict[tuple[int, int, bytes, int], list[int]]:
    """Packets and bytes by VNI, protocol, both addresses and both ports, as they lie in the packet."""
    found: dict[tuple[int, int, bytes, int], list[int]] = {}
    for _, at, end, vni in inner_frames(data):
        ip = at + 14
        ethertype = data[at + 12] << 8 | data[at + 13]
        while ethertype in _VLAN and ip + 4 <= end:
            ethertype = data[ip + 2] << 8 | data[ip + 3]
            ip += 4
        if ethertype == 0x0800 and ip + 20 <= end:
            if (data[ip + 6] & 0x3F) | data[ip + 7]:
                continue
            protocol, addresses, ports = data[ip + 9], data[ip + 12 : ip + 20], ip + ((data[ip] & 15) << 2)
        elif ethertype == 0x86DD and ip + 40 <= end:
            protocol, addresses, ports = data[ip + 6], data[ip + 8 : ip + 40], ip + 40
        else:
            continue
        if (protocol != 6 and protocol != 17) or ports + 4 > end:
            continue
        key = vni, protocol, addresses, int.from_bytes(data[ports : ports + 4], "big")
        counts = found.get(key)
        if counts is None:
            found[key] = [1, end - at]
        else:
            counts[0] += 1
            counts[1] += end - at
    return found


def decap(data: bytes, target: str) -> None:
    """Write the inner frames with the times of their records."""
    with Path(target).open("wb", buffering=1 << 20) as out:
        out.write(data[:_FILE_HEADER])
        for record, at, end, _ in inner_frames(data):
            seconds, fraction, captured, original = _RECORD.unpack_from(data, record)
            length = end - at
            out.write(_RECORD.pack(seconds, fraction, length, original - captured + length))
            out.write(data[at:end])


def _write(path: str, found: dict[tuple[int, int, bytes, int], list[int]]) -> None:
    with Path(path).open("w") as out:
        for (vni, protocol, addresses, ports), counts in found.items():
            half = len(addresses) // 2
            src, dst = addresses[:half].hex(), addresses[half:].hex()
            print(vni, protocol, src, dst, *divmod(ports, 1 << 16), *counts, file=out)


def main() -> None:
    job, capture, *rest = sys.argv[1:]
    data = Path(capture).read_bytes()
    if job == "decap":
        decap(data, rest[0])
        return
    found = flows(data)
    print(len(found), "flows")
    if rest:
        _write(rest[0], found)


if __name__ == "__main__":
    main()
