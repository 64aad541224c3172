"""Whether what a contender answered is what is in the capture: only then is it worth timing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.capture.recording import PCAP_HEADER, Truth

MICROSECONDS = PCAP_HEADER[:4]
NANOSECONDS = bytes.fromhex("4d3cb2a1")


class WrongAnswerError(Exception):
    """A contender's answer is not the truth."""


def check_flows(answer: Path, truth: Truth) -> None:
    """Every flow with its packets and bytes, and no other."""
    found = sorted(answer.read_text().splitlines())
    if found != truth.flows:
        odd = sorted(set(found) ^ set(truth.flows))
        raise WrongAnswerError(f"{len(found)} flows for {len(truth.flows)}, such as {odd[:2]}")


def check_inner(answer: Path, truth: Truth) -> None:
    """The records of the inner frames, byte for byte; times may be in nanoseconds, which pcapng is given."""
    data = bytearray(answer.read_bytes())
    magic, link_type = data[:4], data[20:24]
    if magic not in (MICROSECONDS, NANOSECONDS) or link_type != PCAP_HEADER[20:24]:
        raise WrongAnswerError(f"a header of {data[: len(PCAP_HEADER)].hex()}")
    if magic == NANOSECONDS:
        for at in record_places(data):
            nanoseconds = int.from_bytes(data[at + 4 : at + 8], "little")
            data[at + 4 : at + 8] = (nanoseconds // 1000).to_bytes(4, "little")
    if hashlib.sha256(memoryview(data)[len(PCAP_HEADER) :]).hexdigest() != truth.inner:
        raise WrongAnswerError("other records")


def record_places(data: bytearray | bytes) -> Iterator[int]:
    """Where the records of a pcap file begin."""
    at = len(PCAP_HEADER)
    while at + 16 <= len(data):
        yield at
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")


def check_count(answer: Path, truth: Truth) -> None:
    """As many records as there are packets: all that can be asked of a tool that cuts all of them alike."""
    count = sum(1 for _ in record_places(answer.read_bytes()))
    if count != truth.packets:
        raise WrongAnswerError(f"{count} records for {truth.packets}")


def check_rows(answer: Path, truth: Truth) -> None:
    """As many rows of each VNI as there are packets in its tunnels."""
    from pyarrow import parquet

    column = parquet.read_table(answer, columns=["vni"])["vni"].drop_null()
    found = Counter(column.to_pylist())
    if found != truth.vnis:
        raise WrongAnswerError(f"{len(column)} rows in {len(found)} VNIs for {truth.vxlan} in {len(truth.vnis)}")
