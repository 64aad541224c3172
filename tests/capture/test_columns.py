"""Columns of captures: what they say against records taken off one by one, and what four libraries make of them."""

from __future__ import annotations

import io
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import vxlanpkt
from vxlanpkt import (
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    CaptureError,
    DecapPolicy,
    Dot1Q,
    Ethernet,
    FieldError,
    Filter,
    IPv4,
    IPv6,
    LinkType,
    Note,
    ParseError,
    Reason,
    Record,
    Tunnel,
    decap,
    dissect,
)
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.capture import COLUMNS, Capture, Interface, PcapngWriter, PcapWriter, filling, gathering
from vxlanpkt.capture.links import start_of

from .builders import CAPTURES, block, enhanced, interface, option, pcap_header, pcap_record, section, simple

PATHS = sorted(path.with_suffix("") for path in CAPTURES.glob("*.pcap*.jsonl"))
PORTS = {"basic_v4_port_odd": (51820,), "gpe_external_v4": (4789, 4790)}
NAMES = [column.name for column in COLUMNS]
BROKEN = "basic_v4_4789.cut_mid_record"
SOUND = [path for path in PATHS if BROKEN not in path.name]


def opened(path: Path, **changes: Any) -> Capture:
    """A capture with the ports and extensions that it has tunnels for."""
    name = path.name.split(".")[0]
    policy = DecapPolicy(lengths="snapped", gpe=name == "gpe_external_v4", **changes)
    return vxlanpkt.open(path, ports=PORTS.get(name, (4789, 8472)), policy=policy)


def rows_of(capture: Capture, **options: Any) -> list[dict[str, Any]]:
    """The table as rows, with times as the number of nanoseconds."""
    table = capture.to_arrow(**options)
    table.validate(full=True)
    if "timestamp" in table.column_names:
        at = table.column_names.index("timestamp")
        table = table.set_column(at, "timestamp", table["timestamp"].cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


# -- what is said of each record


def expected(number: int, record: Record, interfaces: tuple[Interface, ...], policy: DecapPolicy) -> dict[str, Any]:
    """A row as the values of the library say it, for what they can say."""
    row: dict[str, Any] = dict.fromkeys(NAMES)
    name = interfaces[record.interface].name
    row.update(
        record=number, timestamp=record.timestamp_ns, frame_length=record.frame_length,
        capture_length=len(record.frame), interface=record.interface, interface_name=name,
        link_type=record.link_type, reason="NOT_VXLAN", notes=0,
    )  # fmt: skip
    start = start_of(record.link_type)
    if start is None:
        return row
    row["outer_tags"] = 0
    try:
        got = decap(record.frame, policy=policy, start=start, original_length=record.frame_length)
    except ParseError as error:
        row["reason"] = error.reason.name
        return row
    header = got.outer.get(VXLAN) or got.outer[VXLANGPE]
    row.update(
        reason="OK", notes=got.notes, vni=got.vni, flags=got.flags, reserved=got.reserved,
        inner_offset=record.frame.index(got.inner, len(got.outer.build()) - 8), inner_length=len(got.inner),
        inner_original_length=got.inner_original_length, inner_link_type=got.link_type,
        **layers_of(got.outer.layers, "outer"), **layers_of(dissected(got), "inner"),
    )  # fmt: skip
    if isinstance(header, VXLAN) and header.group_policy is not None:
        row["group_policy"] = header.group_policy.policy_id
    return row


def dissected(got: Any) -> tuple[Any, ...]:
    """The layers of an inner frame, up to the first tunnel in it."""
    layers: tuple[Any, ...] = dissect(
        got.inner, start=got.link_type, max_tunnels=0, original_length=got.inner_original_length
    ).layers
    return layers


def layers_of(layers: tuple[Any, ...], side: str) -> dict[str, Any]:
    """What the layers of one side say."""
    said: dict[str, Any] = {}
    tags = [layer for layer in layers if isinstance(layer, Dot1Q)]
    for layer in layers:
        if isinstance(layer, Ethernet):
            said.update(tags=len(tags), ethertype=layer.ethertype, src_mac=str(layer.src), dst_mac=str(layer.dst))
        elif isinstance(layer, Dot1Q):
            said["ethertype"] = layer.ethertype
        elif isinstance(layer, (IPv4, IPv6)):
            version = 4 if isinstance(layer, IPv4) else 6
            protocol = layer.protocol if isinstance(layer, IPv4) else layer.upper_protocol
            said.update(src=str(layer.src), dst=str(layer.dst), family=version, protocol=protocol)
            said.setdefault("ethertype", 0x0800 if version == 4 else 0x86DD)
        elif isinstance(layer, (UDP, TCP)):
            said.update(src_port=layer.src_port, dst_port=layer.dst_port)
        if isinstance(layer, TCP):
            said["tcp_flags"] = layer.flags | layer.reserved << 8
    if tags:
        said.update(vlan=tags[0].vid, tci=tags[0].pcp << 13 | tags[0].dei << 12 | tags[0].vid)
    return {f"{side}_{name}": value for name, value in said.items() if f"{side}_{name}" in NAMES}


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_every_column_of_every_record(path: Path) -> None:
    """Each value is that of the layers that `decap` and `dissect` find; of refused ones, what comes first."""
    capture = opened(path)
    records = list(capture)
    found = rows_of(capture)
    assert [row["record"] for row in found] == list(range(1, len(records) + 1))
    for row, record in zip(found, records, strict=True):
        wanted = expected(row["record"], record, capture.interfaces, capture.policy)
        if wanted["reason"] != "OK":
            for name in NAMES:
                if wanted[name] is not None or not name.startswith("outer"):
                    assert row[name] == wanted[name], name
            continue
        if row["notes"] & Note.CUT and wanted["inner_src_port"] is None:
            # Of a TCP header that is cut `dissect` makes no layer, but its ports may be there.
            wanted.update({name: row[name] for name in ("inner_src_port", "inner_dst_port")})
        assert row == wanted


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_columns_are_those_of_tshark(path: Path) -> None:
    """What tshark said of each packet: lengths, addresses, ports, VNIs, tags."""
    said = [json.loads(line) for line in Path(f"{path}.jsonl").read_text("utf-8").splitlines()]
    found = rows_of(opened(path))
    assert [(row["frame_length"], row["capture_length"]) for row in found] == [(p["len"], p["caplen"]) for p in said]
    for row, packet in zip(found, said, strict=True):
        if row["reason"] != "OK":
            continue
        tunnel, outer, inner = packet["tunnels"][0], packet["outer"], packet.get("middle") or packet["inner"]
        assert (row["vni"], row["outer_src"], row["outer_dst"]) == (
            tunnel["vni"],
            outer["ip"]["src"],
            outer["ip"]["dst"],
        )
        assert (row["outer_src_port"], row["outer_dst_port"]) == (outer["l4"]["sport"], outer["l4"]["dport"])
        if isinstance(inner, list):
            inner = inner[0]
        if "eth_src" in inner:
            assert (row["inner_src_mac"], row["inner_dst_mac"]) == (inner["eth_src"], inner["eth_dst"])
        if inner.get("vlan") and inner["vlan"][0]["tpid"] == "0x8100":
            assert row["inner_vlan"] == inner["vlan"][0]["vid"]
        if "ip" in inner and row["inner_src"] is not None:
            assert (row["inner_src"], row["inner_dst"]) == (inner["ip"]["src"], inner["ip"]["dst"])
        if inner.get("l4", {}).get("p") in ("tcp", "udp") and row["inner_src_port"] is not None:
            assert (row["inner_src_port"], row["inner_dst_port"]) == (inner["l4"]["sport"], inner["l4"]["dport"])


# -- packets and bytes of each VNI in one line


def in_sql(cap: Any, query: str) -> list[Any]:
    """What DuckDB answers, which finds the variable by its name."""
    relation = duckdb.sql(query)
    assert relation is not None
    return relation.fetchall()


def in_duckdb(cap: Capture) -> Any:
    return in_sql(cap, "select vni, count(*), sum(inner_length) from cap where reason = 'OK' group by all")


def in_polars(cap: Capture) -> Any:
    return (
        pl.DataFrame(cap).filter(pl.col("reason") == "OK").group_by("vni").agg(pl.len(), pl.sum("inner_length")).rows()
    )


def in_pandas(cap: Capture) -> Any:
    return (
        cap.to_pandas().dropna(subset="inner_length").groupby("vni")["inner_length"].agg(["size", "sum"]).itertuples()
    )


def in_pyarrow(cap: Capture) -> Any:
    of_vni = pa.table(cap).filter(pc.field("reason") == "OK").group_by("vni")
    return zip(*of_vni.aggregate([("vni", "count"), ("inner_length", "sum")]).to_pydict().values(), strict=True)


@pytest.mark.parametrize("ask", [in_duckdb, in_polars, in_pandas, in_pyarrow], ids=lambda ask: ask.__name__[3:])
@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_packets_and_bytes_of_each_vni(path: Path, ask: Any) -> None:
    """In one line, equal to what the capture has counted itself."""
    with opened(path) as cap:
        found = {int(vni): (int(packets), int(length)) for vni, packets, length in ask(cap)}
        assert found == {vni: (seen.packets, seen.inner_bytes) for vni, seen in cap.stats.vnis.items()}


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_a_row_for_each_record(path: Path) -> None:
    """Counts of rows and of reasons are those of the capture."""
    with opened(path) as cap:
        ((count,),) = in_sql(cap, "select count(*) from cap")
        reasons = dict(in_sql(cap, "select reason, count(*) from cap group by all"))
        assert count == cap.stats.records
        assert reasons == {reason.name: n for reason, n in cap.stats.reasons.items()}


def test_a_condition_on_an_address() -> None:
    """Addresses are text that SQL and frames compare with text."""
    with opened(CAPTURES / "flannel_v4.pcap") as cap:
        wanted = sum(row["inner_src"] == "10.244.1.5" for row in rows_of(cap))
        assert wanted > 0
        assert in_sql(cap, "select count(*) from cap where inner_src = '10.244.1.5'") == [(wanted,)]
        assert cap.to_polars().filter(pl.col("inner_src") == "10.244.1.5").height == wanted
        assert (cap.to_pandas().inner_src == "10.244.1.5").sum() == wanted
        assert cap.to_arrow().filter(pc.field("inner_src") == "10.244.1.5").num_rows == wanted


def test_the_readers_of_pandas() -> None:
    """pandas' own reader of Arrow streams takes a capture; `to_pandas` has integers that can be missing."""
    with opened(CAPTURES / "gbp_v4.pcap") as cap:
        if hasattr(pd.DataFrame, "from_arrow"):  # since pandas 3
            assert len(pd.DataFrame.from_arrow(cap)) == len(rows_of(cap))
        frame = cap.to_pandas()
    assert str(frame.vni.dtype) == "UInt32"
    assert frame.vni.isna().any()
    assert str(frame.timestamp.dtype) == "datetime64[ns, UTC]"
    assert set(frame.reason) == {"OK", "NOT_VXLAN"}


# -- what there is not


LINK_TYPES = {
    LinkType.ETHERNET: bytes(13), LinkType.LINUX_SLL: bytes(15), LinkType.LINUX_SLL2: bytes(19),
    LinkType.NULL: bytes(3), LinkType.LOOP: bytes(3),
}  # fmt: skip


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_a_link_layer_that_is_cut(link_type: LinkType) -> None:
    """Where not even the first header is there, nothing is known but what the capture says."""
    short = LINK_TYPES[link_type]
    for original in (len(short), 200):
        data = pcap_header(network=link_type) + pcap_record(short, original=original)
        (row,) = rows_of(vxlanpkt.open(io.BytesIO(data)))
        known = [name for name, value in row.items() if value is not None]
        assert known == [*NAMES[:5], "link_type", "reason", "notes"]


def test_link_types_that_are_not_understood() -> None:
    """They have rows too, as NOT_VXLAN, and are numbered with the others."""
    data = (
        section() + interface(147) + interface(1, option(2, b"eth0"))
        + enhanced(bytes(60)) + enhanced(bytes(60), index=1) + enhanced(bytes(60))
    )  # fmt: skip
    with vxlanpkt.open(io.BytesIO(data)) as capture:
        found = rows_of(capture)
        assert in_sql(capture, "select count(*) from cap") == [(3,)]
        assert capture.stats.records == 3
    assert [(row["record"], row["link_type"], row["reason"]) for row in found] == [
        (1, 147, "NOT_VXLAN"), (2, 1, "NOT_VXLAN"), (3, 147, "NOT_VXLAN"),
    ]  # fmt: skip
    assert [row["outer_tags"] for row in found] == [None, 0, None]
    assert [row["interface_name"] for row in found] == [None, "eth0", None]


def test_names_of_interfaces() -> None:
    """Two interfaces of one name, some without, and more of them on the way: each row has that of its own."""
    data = (
        section() + interface(1, option(2, b"eth0")) + interface(1) + enhanced(bytes(60)) + enhanced(bytes(60), index=1)
        + interface(1, option(2, b"eth0")) + interface(1, option(2, "größe".encode()))
        + enhanced(bytes(60), index=3) + enhanced(bytes(60), index=2)
        + section() + interface(1, option(2, b"other")) + enhanced(bytes(60))
    )  # fmt: skip
    wanted = ["eth0", None, "größe", "eth0", "other"]
    with vxlanpkt.open(io.BytesIO(data)) as capture:
        assert [row["interface_name"] for row in rows_of(capture)] == wanted
        assert capture.to_polars()["interface_name"].to_list() == wanted
        assert in_sql(capture, "select interface_name from cap") == [(name,) for name in wanted]
        names = capture.to_pandas().interface_name
        assert [None if pd.isna(name) else name for name in names] == wanted


def test_times_that_there_are_not() -> None:
    """No timestamp is null; one before 1970 and one to the nanosecond are what they are."""
    at = -1_500_000_000_123_456_789
    raw = at + (1 << 62)
    offset = -(1 << 62) // 1_000_000_000
    resolution = option(9, b"\x09")
    data = section() + interface(1, resolution) + simple(bytes(60)) + enhanced(bytes(60), raw=(7 << 32) + 5)
    with vxlanpkt.open(io.BytesIO(data)) as capture:
        assert [row["timestamp"] for row in rows_of(capture)] == [None, (7 << 32) + 5]
    too_large = section() + interface(1, option(9, b"\x00")) + enhanced(bytes(60), raw=1 << 60)
    with vxlanpkt.open(io.BytesIO(too_large)) as capture:
        (record,) = capture
        assert record.timestamp_ns == (1 << 60) * 1_000_000_000
        assert [row["timestamp"] for row in rows_of(capture)] == [None]  # 64 bits of nanoseconds do not hold it
    assert raw > 0 > offset


INNER = bytes.fromhex("020000000002 020000000001 0800 4500001c 00000000 40110000 0a000001 0a000002 04d2 162e 0008 0000")


def capture_of(*frames: bytes, **options: Any) -> Capture:
    return vxlanpkt.open(io.BytesIO(pcap_header() + b"".join(map(pcap_record, frames))), **options)


def test_what_was_not_reached_is_null() -> None:
    """Each header that comes later fails, and all columns of the headers before it stay."""
    wire = Tunnel(7, "192.0.2.1", "192.0.2.2", vlans=(5,)).encap(INNER)
    odd_port = bytearray(wire)
    odd_port[40:42] = bytes(2)
    no_flag = bytearray(wire)
    no_flag[46] = 0
    short = Tunnel(7, "192.0.2.1", "192.0.2.2", vlans=(5,)).encap(INNER[:14])
    cut = bytearray(short[:-4])
    cut[20:22] = (len(cut) - 18).to_bytes(2, "big")
    cut[42:44] = (len(cut) - 38).to_bytes(2, "big")
    rows = rows_of(capture_of(wire, bytes(odd_port), bytes(no_flag), bytes(cut)))
    assert [row["reason"] for row in rows] == ["OK", "NOT_VXLAN", "VXLAN_I_FLAG", "INNER_TRUNCATED"]
    assert [row["outer_vlan"] for row in rows] == [5] * 4
    assert [row["outer_src"] for row in rows] == ["192.0.2.1"] * 4
    assert [row["outer_dst_port"] for row in rows] == [4789, None, 4789, 4789]
    assert [row["vni"] for row in rows] == [7, None, 7, 7]
    assert [row["inner_offset"] for row in rows] == [54, None, None, 54]
    assert [row["inner_length"] for row in rows] == [len(INNER), None, None, None]
    assert [row["inner_src_mac"] for row in rows] == ["02:00:00:00:00:01", None, None, None]
    assert [row["inner_src"] for row in rows] == ["10.0.0.1", None, None, None]


def test_refused_for_what_is_inside() -> None:
    """What was seen before the frame was refused is there: addresses, not lengths, as there is no frame to be had."""
    policy = DecapPolicy(own_macs=["02:00:00:00:00:01"])
    (row,) = rows_of(capture_of(Tunnel(7, "192.0.2.1", "192.0.2.2").encap(INNER), policy=policy))
    assert row["reason"] == "INNER_OWN_MAC"
    assert (row["inner_src_mac"], row["inner_tags"], row["inner_ethertype"]) == ("02:00:00:00:00:01", 0, 0x0800)
    assert (row["inner_offset"], row["inner_length"], row["inner_src"]) == (50, None, None)


def test_a_policy_that_does_not_look_inside() -> None:
    """Linux's GPE device passes Ethernet frames on unread, so the columns of what is in them are null."""
    tunnel = Tunnel(7, "192.0.2.1", "192.0.2.2", gpe=True, dst_port=4790)
    with capture_of(tunnel.encap(INNER)) as capture:
        (row,) = rows_of(capture, policy=DecapPolicy.LINUX_GPE)
    assert (row["reason"], row["inner_src_mac"], row["inner_link_type"]) == ("OK", "02:00:00:00:00:01", 1)
    assert (row["inner_tags"], row["inner_ethertype"], row["inner_src"]) == (None, None, None)


def test_no_group_policy_without_its_flag() -> None:
    """The bits mean nothing while G is clear."""
    with opened(CAPTURES / "gbp_v4.pcap") as cap:
        found = rows_of(cap)
    assert {row["group_policy"] for row in found if row["reason"] == "OK"} >= {198}
    for row in found:
        with_g = row["flags"] is not None and row["flags"] >> 31
        assert row["group_policy"] == (row["flags"] & 0xFFFF if with_g else None)


@pytest.mark.parametrize(
    "data", [pcap_header(), section(), section() + interface()], ids=["pcap", "pcapng", "interface"]
)
def test_an_empty_capture_has_its_columns(data: bytes) -> None:
    """No rows, and the schema all the same, in each library."""
    with vxlanpkt.open(io.BytesIO(data)) as cap:
        assert cap.to_arrow().schema == opened(PATHS[0]).to_arrow().schema
        assert cap.to_arrow().num_rows == cap.to_polars().height == len(cap.to_pandas()) == 0
        assert in_sql(cap, "select count(*), max(vni) from cap") == [(0, None)]
        assert cap.stats.records == 0


# -- which columns, and what they are called


def test_only_the_columns_asked_for() -> None:
    """In the order asked for, each as in the whole table."""
    with opened(CAPTURES / "vlan_raw_v4.pcap") as cap:
        whole = cap.to_arrow()
        for column in COLUMNS:
            assert (
                cap.to_arrow(columns=[column.name])[column.name]
                .combine_chunks()
                .equals(whole[column.name].combine_chunks())
            ), column.name
        some = cap.to_polars(columns=("inner_dst", "record", "vni"))
    assert some.columns == ["inner_dst", "record", "vni"]


@pytest.mark.parametrize("names", ["vxlanpkt", "tshark", "zeek", "ecs"])
def test_names(names: Any) -> None:
    """Another scheme changes names alone, and columns can be asked for by either name."""
    with opened(CAPTURES / "gbp_v4.pcap") as cap:
        table, named = cap.to_arrow(), cap.to_arrow(names=names)
        called = [column.name if names == "vxlanpkt" else getattr(column, names) for column in COLUMNS]
        assert named.column_names == called == list(cap.table(names=names).column_names)
        assert len(set(called)) == len(called)
        assert named.rename_columns(NAMES).equals(table)
        assert cap.to_arrow(names=names, columns=[called[-1], "vni"]).column_names == [
            called[-1], called[NAMES.index("vni")],
        ]  # fmt: skip


def test_addresses_as_bytes() -> None:
    """16 bytes for IP, IPv4 as ::ffff:a.b.c.d, and 6 for MAC addresses; null where there is none."""
    with opened(CAPTURES / "basic_v6_ng.pcapng") as cap:
        text, binary = cap.to_arrow(), cap.to_arrow(addresses="binary")
        assert binary.schema.field("inner_src").type == pa.binary(16)
        assert binary.schema.field("inner_src_mac").type == pa.binary(6)
        for row in range(text.num_rows):
            for name in ("outer_src", "outer_dst", "inner_src", "inner_dst"):
                found, wanted = binary[name][row].as_py(), text[name][row].as_py()
                if wanted is None or found is None:
                    assert found is wanted is None
                else:
                    address = pd.Series([wanted]).map(vxlanpkt_address)[0]
                    assert found == address
            mac = text["inner_src_mac"][row].as_py()
            assert binary["inner_src_mac"][row].as_py() == (
                None if mac is None else bytes.fromhex(mac.replace(":", ""))
            )


def vxlanpkt_address(text: str) -> bytes:
    from ipaddress import IPv4Address, ip_address

    address = ip_address(text)
    return (bytes(10) + b"\xff\xff" if isinstance(address, IPv4Address) else b"") + address.packed


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["vni", "nothing"]}, {"columns": ["vni", "vni"]}, {"names": "wireshark"}, {"addresses": "int"},
        {"columns": ["source.ip"]},
    ],
)  # fmt: skip
def test_wrong_calls(options: Any) -> None:
    """Refused before anything is opened, with what there is."""
    with opened(PATHS[0]) as cap:
        with pytest.raises(FieldError):
            cap.table(**options)
        assert cap.container is None


# -- which rows


def test_only_a_vni() -> None:
    """The accepted rows of this VNI, or of these, numbered as in the capture."""
    with opened(CAPTURES / "basic_v6_ng.pcapng") as cap:
        rows = rows_of(cap)
        for vnis in (42, [601], (42, 601), 9):
            wanted = {vnis} if isinstance(vnis, int) else set(vnis)
            assert rows_of(cap, vni=vnis) == [row for row in rows if row["vni"] in wanted and row["reason"] == "OK"]


class EveryThird:
    """A filter that takes each third row of a batch."""

    def __init__(self) -> None:
        self.asked = 0

    def select(self, result: DecapBatch) -> memoryview:
        self.asked += len(result)
        return memoryview(bytes(255 * (row % 3 == 0) for row in range(len(result))))


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_a_filter(path: Path) -> None:
    """Rows that a filter leaves out are not in the table; all others are what they were."""
    chosen = EveryThird()
    with opened(path) as cap:
        batches = [len(batch.records) for batch in cap.decap_batches()]
        rows = rows_of(cap)
        kept = [row for size in batches for row in range(size)]
        wanted = [row for row, place in zip(rows, kept, strict=True) if place % 3 == 0]
        assert rows_of(cap, filter=chosen) == wanted
        assert chosen.asked == len(rows)
        binary = cap.to_arrow(filter=chosen, addresses="binary", columns=["inner_dst", "inner_dst_mac", "record"])
        assert binary["record"].to_pylist() == [row["record"] for row in wanted]


def test_a_filter_of_the_library() -> None:
    """An expression; what it matches is what SQL finds by the same words."""
    with opened(CAPTURES / "basic_v4_4789.pcap") as cap:
        chosen = Filter("tcp dst port 8000")
        found = rows_of(cap, filter=chosen)
        assert found == [row for row in rows_of(cap) if row["inner_dst_port"] == 8000 and row["inner_protocol"] == 6]
        assert found
        with pytest.raises(FieldError, match=r"Filter\('tcp'\) is one"):
            cap.table(filter="tcp")  # type: ignore[arg-type]
        with pytest.raises(FieldError, match="no method select"):
            cap.table(filter=7)  # type: ignore[arg-type]


class Short:
    """A filter that says nothing of the last row."""

    def select(self, batch: DecapBatch, /) -> memoryview:
        return memoryview(bytes(len(batch) - 1))


def test_a_filter_of_other_rows() -> None:
    """A mask has a byte for each row, or is refused."""
    with opened(PATHS[0]) as cap, pytest.raises(FieldError, match="is no filter of 135 rows"):
        cap.to_arrow(filter=Short())


@pytest.mark.parametrize(
    "name", ["known", "derived", "address_text", "mac_text", "mac_bytes", "names", "numbers", "pick"]
)
def test_a_kernel_that_refuses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it did not write is not handed out."""
    monkeypatch.setattr(gathering if name in ("numbers", "pick") else filling, name, lambda *_: -1)
    addresses: Any = "binary" if name == "mac_bytes" else "text"
    with opened(CAPTURES / "gbp_v4.pcap") as cap, pytest.raises(FieldError, match="changed while they were read"):
        cap.to_arrow(addresses=addresses, filter=EveryThird())


def test_a_filter_and_a_vni() -> None:
    """Both have to want a row; where neither does there are no rows."""
    with opened(CAPTURES / "basic_v6_ng.pcapng") as cap:
        both = rows_of(cap, filter=EveryThird(), vni=42)
        assert both == [row for row in rows_of(cap, filter=EveryThird()) if row["vni"] == 42 and row["reason"] == "OK"]
        assert rows_of(cap, filter=EveryThird(), vni=1234) == []


def test_another_policy() -> None:
    """A table is judged by its own policy if it has one."""
    with opened(CAPTURES / "basic_v4_4789.pcap") as cap:
        assert Counter(row["reason"] for row in rows_of(cap))["OK"] > 0
        refusing = DecapPolicy(vnis=[1])
        assert set(cap.to_arrow(policy=refusing, columns=["reason"])["reason"].to_pylist()) <= {
            "VNI_REFUSED", "NOT_VXLAN",
        }  # fmt: skip


# -- passes


def fill(writing: int, data: bytes) -> None:
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(data)


def test_a_pipe_has_one_pass() -> None:
    """DuckDB asks for more streams than it reads: one that is not read takes nothing off a pipe."""
    data = (CAPTURES / "flannel_v4.pcap").read_bytes()
    reading, writing = os.pipe()
    writer = threading.Thread(target=fill, args=(writing, data))
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        cap = vxlanpkt.open(pipe)
        unread = cap.__arrow_c_stream__()
        ((count,),) = in_sql(cap, "select count(*) from cap")
        assert count == 91
        with pytest.raises(OSError, match="not seekable"):
            pa.table(cap)
        with pytest.raises(CaptureError, match="not seekable"):
            cap.to_polars()
        with pytest.raises(CaptureError, match="not seekable"):
            list(cap)
        del unread
    writer.join()


def test_a_broken_file() -> None:
    """What is whole is handed out; then the consumer raises an error with the fault's text."""
    with vxlanpkt.open(CAPTURES / f"{BROKEN}.pcap") as cap:
        reader = pa.RecordBatchReader.from_stream(cap)
        rows: list[int] = []
        with pytest.raises(OSError, match="the record at byte 62492 is cut: 144 bytes needed, 107 available"):
            rows.extend(batch.num_rows for batch in reader)
        assert sum(rows) == cap.stats.records == 134
        with pytest.raises(duckdb.Error, match="the record at byte 62492 is cut"):
            in_sql(cap, "select vni, count(*) from cap group by all")
        for whole in (cap.to_arrow, cap.to_polars, cap.to_pandas):
            with pytest.raises(CaptureError, match="the record at byte 62492 is cut"):
                whole()
        pieces = cap.table().pieces()
        assert pa.table(next(pieces)).num_rows == 134
        with pytest.raises(CaptureError):
            next(pieces)


def test_no_capture_at_all() -> None:
    """The schema is there before anything is opened; the fault comes with the first batch."""
    cap = vxlanpkt.open(io.BytesIO(b"nothing of the kind"))
    reader = pa.RecordBatchReader.from_stream(cap)
    assert reader.schema.names == NAMES
    with pytest.raises(OSError, match="neither pcap nor pcapng"):
        reader.read_all()


def test_a_capture_that_was_closed() -> None:
    """A stream that was asked for before, too, as it has not begun."""
    cap = opened(PATHS[0])
    reader = pa.RecordBatchReader.from_stream(cap)
    cap.close()
    with pytest.raises(OSError, match="has been closed"):
        reader.read_all()


def test_two_streams_at_once() -> None:
    """Each is a pass of its own."""
    with opened(CAPTURES / "tcp_segmented_v4.pcap") as cap:
        first, second = (pa.RecordBatchReader.from_stream(cap) for _ in range(2))
        rows = [(one.num_rows, two.num_rows) for one, two in zip(first, second, strict=True)]
    assert sum(one for one, _ in rows) == sum(two for _, two in rows) == cap.stats.records


@pytest.mark.parametrize("link_type", [LinkType.ETHERNET, LinkType.RAW, LinkType.LINUX_SLL2])
def test_more_than_a_batch(link_type: LinkType, tmp_path: Path) -> None:
    """Batches are numbered through, and pieces are as large as they are asked to be."""
    path = tmp_path / "many.pcap"
    wire = Tunnel(7, "192.0.2.1", "192.0.2.2").encap(INNER)
    start = {LinkType.ETHERNET: wire, LinkType.RAW: wire[14:], LinkType.LINUX_SLL2: b"\x08\x00" + bytes(18) + wire[14:]}
    with PcapWriter(path, Interface(link_type)) as writer:
        for number in range(10_000):
            data = start[link_type]
            writer.write(Record(number, data, len(data), link_type))
    with vxlanpkt.open(path) as cap:
        table = cap.to_arrow()
        assert table["record"].to_pylist() == list(range(1, 10_001))
        assert set(table["inner_dst"].to_pylist()) == {"10.0.0.2"}
        pieces = [pa.table(piece).num_rows for piece in cap.table(columns=["vni"]).pieces(5_000)]
        assert sum(pieces) == 10_000
        assert all(rows >= 5_000 for rows in pieces[:-1])
        assert in_sql(cap, "select sum(record) from cap") == [(50_005_000,)]


def test_frame_check_sequences(tmp_path: Path) -> None:
    """They are not part of a frame, nor of its lengths."""
    path = tmp_path / "fcs.pcapng"
    with PcapngWriter(path) as writer:
        number = writer.add_interface(Interface(fcslen=4))
        writer.write(Record(1, INNER + bytes(4), len(INNER) + 4, interface=number, fcs_length=4))
    with vxlanpkt.open(path) as cap:
        (row,) = rows_of(cap)
    assert (row["frame_length"], row["capture_length"]) == (len(INNER), len(INNER))


def test_reasons_are_named_as_in_the_library() -> None:
    """The dictionary has each name at the place of its number."""
    with opened(PATHS[0]) as cap:
        column = cap.to_arrow(columns=["reason"])["reason"].chunk(0)
    assert column.dictionary.to_pylist() == [Reason(number).name for number in range(len(Reason))]
    assert max(Reason) < 128  # as its numbers are signed in the column


def test_blocks_that_are_passed_over() -> None:
    """What is no packet has no row."""
    data = section() + interface() + block(5, bytes(8)) + enhanced(bytes(60)) + block(4, bytes(8))
    assert len(rows_of(vxlanpkt.open(io.BytesIO(data)))) == 1
