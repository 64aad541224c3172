"""Containers written by hand, byte by byte, and readers of bytes: what the tests of captures share."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import IO

from vxlanpkt import CaptureError
from vxlanpkt.capture import Interface, Record
from vxlanpkt.capture import open as open_capture

CAPTURES = Path(__file__).parent.parent / "data"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.pcap*.jsonl"))  # what tshark has seen


def read(data: bytes) -> list[Record]:
    return list(open_capture(io.BytesIO(data)))


def read_until_fault(source: bytes | IO[bytes]) -> tuple[list[Record], CaptureError | None]:
    found: list[Record] = []
    try:
        for record in open_capture(io.BytesIO(source) if isinstance(source, bytes) else source):
            found.append(record)
    except CaptureError as error:
        return found, error
    return found, None


def interfaces(data: bytes) -> tuple[Interface, ...]:
    capture = open_capture(io.BytesIO(data))
    list(capture)
    return capture.interfaces


def pcap_header(
    magic: int = 0xA1B2C3D4,
    order: str = "<",
    *,
    snaplen: int = 65535,
    network: int = 1,
    version: tuple[int, int] = (2, 4),
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, network)


def pcap_record(
    data: bytes, order: str = "<", *, seconds: int = 1, fraction: int = 2, captured: int | None = None,
    original: int | None = None,
) -> bytes:  # fmt: skip
    captured = len(data) if captured is None else captured
    return struct.pack(order + "IIII", seconds, fraction, captured, len(data) if original is None else original) + data


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int = 1, *options: bytes, snaplen: int = 0, order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link_type, 0, snaplen) + b"".join(options), order)


def enhanced(
    data: bytes, *options: bytes, index: int = 0, raw: int = 0, captured: int | None = None,
    original: int | None = None,
    order: str = "<",
) -> bytes:  # fmt: skip
    captured = len(data) if captured is None else captured
    original = len(data) if original is None else original
    head = struct.pack(order + "IIIII", index, raw >> 32, raw & 0xFFFFFFFF, captured, original)
    return block(6, head + data + bytes(-len(data) % 4) + b"".join(options), order)


def simple(data: bytes, *, original: int | None = None, order: str = "<") -> bytes:
    head = struct.pack(order + "I", len(data) if original is None else original)
    return block(3, head + data + bytes(-len(data) % 4), order)
