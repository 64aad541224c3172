"""Tunnel endpoints: every capture against a dictionary; the matrix, families, VNIs, and what breaks off."""

from __future__ import annotations

import io
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from vxlanpkt import VTEP, Tunnel, vteps
from vxlanpkt.analysis import PartialTableError, VTEPTable
from vxlanpkt.capture import Interface, PcapWriter, Record

from .by_hand import CAPTURES, DATA, packets, policy_of, vteps_by_hand

INNER = bytes(12) + b"\x88\xb5" + bytes(46)
SECOND = 1_000_000_000


def read(name: str, **how: Any) -> VTEPTable:
    try:
        return vteps(DATA / name, policy=policy_of(name), **how)
    except PartialTableError as error:
        assert isinstance(error.result, VTEPTable)
        return error.result


def capture_of(*tunnels: Tunnel) -> io.BytesIO:
    out = io.BytesIO()
    writer = PcapWriter(out, Interface())
    for at, tunnel in enumerate(tunnels):
        wire = tunnel.encap(INNER)
        writer.write(Record(at * SECOND, wire, len(wire)))
    out.seek(0)
    return out


@pytest.mark.parametrize("name", CAPTURES)
def test_as_a_dictionary_counts_them(name: str) -> None:
    """Every pair of every capture, in the order of the file."""
    assert read(name).to_dicts() == vteps_by_hand(list(packets(name)))


def test_matrix() -> None:
    """Each direction is a row; VNIs are listed in order; an address of IPv6 that holds one of IPv4 is another."""
    one, other = Tunnel(9, "192.0.2.1", "192.0.2.2"), Tunnel(5, "192.0.2.2", "192.0.2.1")
    six = Tunnel(5, "::ffff:192.0.2.1", "::ffff:192.0.2.2", udp_checksum="zero")
    table = vteps(capture_of(one, other, one.replace(vni=2), one, six))
    size = len(INNER)
    assert list(table) == [
        VTEP(one.src, one.dst, 3, 3 * size, 3 * (size + 50), (2, 9), 0, 3 * SECOND, 1),
        VTEP(other.src, other.dst, 1, size, size + 50, (5,), SECOND, SECOND, 2),
        VTEP(six.src, six.dst, 1, size, size + 70, (5,), 4 * SECOND, 4 * SECOND, 5),
    ]
    assert isinstance(table[0].src, IPv4Address) and isinstance(table[2].src, IPv6Address)
    assert [row.vnis for row in vteps(capture_of(one, other), vni=9)] == [(9,)]
    assert table.names == VTEP.__match_args__


def test_top() -> None:
    """By bytes on the underlay, packets, or the time of the first one."""
    table = read("bum_headend_v4.pcapng")
    rows = list(table)
    assert list(table.top(3)) == sorted(rows, key=lambda row: -row.outer_bytes)[:3]
    assert list(table.top(3, by="packets")) == sorted(rows, key=lambda row: -row.packets)[:3]
    assert list(table.top(3, by="first")) == sorted(rows, key=lambda row: row.first_ns or 0)[:3]
    assert list(table[1:]) == rows[1:] and isinstance(table[1:], VTEPTable)


def test_a_broken_file() -> None:
    """What was read before the fault is there."""
    with pytest.raises(PartialTableError) as caught:
        vteps(DATA / "basic_v4_4789.cut_mid_record.pcap")
    assert sum(row.packets for row in caught.value.result) == 128


def test_html() -> None:
    """VNIs are a list in one cell."""
    one = Tunnel(9, "192.0.2.1", "192.0.2.2")
    text = vteps(capture_of(one, one.replace(vni=2)))._repr_html_()
    assert "<td>2, 9</td>" in text and "<th>outer_bytes</th>" in text
