"""Fuzz inputs made of the hostile cases and of the captures in tests/data, for every job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import vxlanpkt
from vxlanpkt import DecapPolicy, FrameBatch, decap_batch
from vxlanpkt.kernel.contract.decapsulation import DecapRules
from vxlanpkt.kernel.contract.spans import Kind

from .layout import GROUP, HEAD, HERE, INTERFACE, JOBS, OPTIONS, RECIPE, RECORDS, ROW, RULES, UNDERLAY, WALK, pack_flags

DATA = HERE.parent / "data"
KINDS = {
    "ethernet": Kind.ETHERNET, "raw": Kind.RAW, "ipv4": Kind.IPV4, "ipv6": Kind.IPV6, "sll": Kind.LINUX_SLL,
    "sll2": Kind.LINUX_SLL2, "null": Kind.LOOPBACK, "loop": Kind.LOOPBACK, "vxlan": Kind.VXLAN,
}  # fmt: skip
PRESETS = (
    DecapPolicy.RFC7348, DecapPolicy.STRICT, DecapPolicy.LINUX, DecapPolicy.LINUX_GBP, DecapPolicy.LINUX_GPE,
    DecapPolicy.OVS, DecapPolicy.VPP,
)  # fmt: skip
HEADROOM = 80
PATTERN = 0x0201_A8C0_0A00_0002
# One of every kind of recipe: (traits, and the other fields).
RECIPES: tuple[tuple[tuple[str, ...], dict[str, int]], ...] = (
    ((), {"df": 1, "ttl": 64}),
    (("inherit_ttl", "inherit_dscp", "symmetric"), {"ecn": 1, "df": 2, "tags": 1, "udp_checksum": 1}),
    (("ipv6", "inherit_ttl"), {"ecn": 2, "flow_label_mode": 1, "udp_checksum": 2, "tags": 2}),
    (("ipv6", "symmetric"), {"flow_label_mode": 2, "udp_checksum": 1, "ttl": 1, "dscp": 46}),
    (("ipv6", "gpe", "raw"), {"flow_label": 0xABCDE, "udp_checksum": 2, "ttl": 255}),
    (("gpe", "inherit_dscp"), {"udp_checksum": 2, "ecn": 2}),
    (("inherit_ttl", "inherit_dscp"), {"ecn": 2, "df": 2, "inner_ip": 1}),
    (("ipv6", "inherit_ttl", "inherit_dscp"), {"ecn": 2, "udp_checksum": 1, "inner_ip": 2}),
)
KEYS = ((1,), (2, 1), (16, 4, 2, 1), (8, 3), (64,), ())


def seeds() -> Iterator[bytes]:
    """All of them."""
    for line in (DATA / "hostile_cases.jsonl").read_text(encoding="ascii").splitlines():
        yield from _of_case(json.loads(line))
    for number, line in enumerate((DATA / "odd_inputs.jsonl").read_text(encoding="ascii").splitlines()):
        frame = bytes.fromhex(json.loads(line)["frame"])[:600]
        yield decap_input(PRESETS[number % len(PRESETS)].rules, Kind.ETHERNET, frame, 0)
        yield decap_input(DecapPolicy.OVS.rules, Kind.ETHERNET, frame, 0)
    for path in sorted(DATA.glob("*.pcap*")):
        if path.suffix in (".pcap", ".pcapng"):
            yield from _of_file(path.read_bytes()[:700])
            with vxlanpkt.open(str(path)) as capture:
                frames = [record.data for record in islice(capture, 40)]
            # Some of each length; the shortest are whole in what is kept of them.
            frames = list({len(frame): frame for frame in sorted(frames, key=len)}.values())[:12]
            yield from _of_frames(frames, Kind.LINUX_SLL2 if path.stem == "sll2_any" else Kind.ETHERNET)


def _of_case(case: dict[str, Any]) -> Iterator[bytes]:
    frame, kind = bytes.fromhex(case["frame"]), KINDS[case["start"]]
    spec = dict(case.get("policy", {}))
    policy: DecapPolicy = getattr(DecapPolicy, spec.pop("preset", "RFC7348"))
    missing = max(case.get("original_length", 0) - len(frame), 0)
    if len(frame) < 600:
        yield decap_input(policy.replace(**spec).rules, kind, frame, missing)
        yield walk_input(kind, frame, missing)


def _of_frames(frames: list[bytes], kind: Kind) -> Iterator[bytes]:
    for frame in (frame[:300] for frame in frames):
        for policy in PRESETS:
            yield decap_input(policy.rules, kind, frame, 0, "MANY", "UNALIGNED")
        yield walk_input(kind, frame, 0)
    for number, frame in enumerate(frames):
        for widths in KEYS:
            yield group_input(widths, 0x3F >> number % 7, number, frame[:200] * 2, *("UNALIGNED",)[: number % 2])
    inner = [bytes(frame)[:200] for frame in decap_batch(FrameBatch.from_frames(frames)).inner if len(frame)]
    for which, recipe in enumerate(RECIPES):
        for frame in inner[which :: len(RECIPES)]:
            yield header_input(recipe, frame)
        yield encap_input(recipe, RECIPES[which - 1], inner[:3])


def _of_file(data: bytes) -> Iterator[bytes]:
    """The records of a capture, from the first one on, and from the middle; with and without a limit or interfaces."""
    pcapng, begin = data[:4] == bytes.fromhex("0a0d0d0a"), 24
    big_endian = data[8] == 0x1A if pcapng else data[0] == 0xA1
    if pcapng:
        order: Literal["big", "little"] = "big" if big_endian else "little"
        begin = 0
        while int.from_bytes(data[begin : begin + 4], order) in (0x0A0D0D0A, 1):
            begin += int.from_bytes(data[begin + 4 : begin + 8], order)
    for rows, start, limit, interfaces in ((8, begin, 262144, 1), (1, begin, 100, 2), (8, 40, 262144, 0)):
        for fcslen in (0, 4):
            head = HEAD.pack(job=JOBS["RECORDS"], rows=rows)
            section = RECORDS.pack(
                container=pcapng | big_endian << 1, interfaces=interfaces, begin=start, first=7, limit=limit
            )
            each = INTERFACE.pack(units=10**6, link_type=1, offset=fcslen, snaplen=96, fcslen=fcslen)
            yield head + section + each * (interfaces or not pcapng) + data


def decap_input(rules: DecapRules, kind: Kind, frame: bytes, missing: int, *more: str) -> bytes:
    """Decapsulation of one row; rules that do not fit the layout lose what is too much."""
    cut = OPTIONS["ORIGINALS"] if 0 < missing < 32768 else 0
    row = ROW.pack(original=missing) if cut else b""
    options = cut + sum(OPTIONS[name] for name in more)
    head = HEAD.pack(job=JOBS["DECAP"], kind=kind, rows=2 if row else 0, options=options, number=missing)
    # A bare payload is judged with what is told of its datagram.
    return head + _pack_rules(rules) + UNDERLAY.pack(version=1, source=0x0102_00C0, tos=3) + row + frame


def _pack_rules(rules: DecapRules) -> bytes:
    numbers = {name: value for name in DecapRules._fields if isinstance(value := getattr(rules, name), int)}
    values: dict[str, int] = {
        "switches": pack_flags("SWITCHES", {name: bool(value & 1) for name, value in numbers.items()})
        | pack_flags("OF_THREE", {name: bool(value & 2) for name, value in numbers.items()})
        | pack_flags("OF_FOUR", {name: bool(value & 2) for name, value in numbers.items()}),
        "inner_vlan": rules.inner_vlan, "ecn": rules.ecn, "lengths": rules.lengths,
        "reserved_mask": rules.reserved_mask, "port": max(rules.ports, default=0),
    }  # fmt: skip
    if rules.vnis is not None:
        vnis = sorted(rules.vnis)[:2]
        values["vnis"] = 1 + len(vnis)
        values |= dict(zip(("vni", "other_vni"), vnis, strict=False))
    if rules.sources is not None:
        values["sources"] = 1
        for version, network, mask in rules.sources[:1]:
            size = 4 if version == 4 else 16
            first = network.to_bytes(size, "big")[:8]
            values |= {"sources": 2 if size == 4 else 3, "prefix": mask.bit_count()}
            values["network"] = int.from_bytes(first, "little")
    for mac in list(rules.own_macs)[:1]:
        values |= {"own_macs": 1, "own_mac": int.from_bytes(mac, "big")}
    return RULES.pack(**values)


def group_input(widths: tuple[int, ...], given: int, capacity: int, data: bytes, *more: str) -> bytes:
    """Rows that are counted, in a table that has to grow."""
    options = sum(OPTIONS[name] for name in more)
    head = HEAD.pack(job=JOBS["GROUP"], options=options, number=len(data))
    key = dict(zip(("width_a", "width_b", "width_c", "width_d"), widths, strict=False))
    return head + GROUP.pack(**key, given=given, capacity=capacity, first=capacity % 3, count=capacity // 2) + data


def walk_input(kind: Kind, frame: bytes, missing: int) -> bytes:
    """A walk into all tunnels, and a scan of the first header."""
    head = HEAD.pack(job=JOBS["WALK"], kind=kind, number=missing)
    return head + WALK.pack(tunnels=8, end=len(frame), port=53, port_kind=Kind.TCP) + frame


def header_input(recipe: tuple[tuple[str, ...], dict[str, int]], frame: bytes) -> bytes:
    """The header of one frame."""
    return HEAD.pack(job=JOBS["HEADER"], number=7) + _pack_recipe(recipe) + frame


def encap_input(
    first: tuple[tuple[str, ...], dict[str, int]], second: tuple[tuple[str, ...], dict[str, int]], frames: list[bytes]
) -> bytes:
    """Rows with headroom, which take two recipes in turn."""
    options = OPTIONS["TWO_RECIPES"] | OPTIONS["INDEX"]
    head = HEAD.pack(job=JOBS["ENCAP"], rows=1 + len(frames), options=options, number=0xFFFE)
    rows = b"".join(
        ROW.pack(offset_from=1, offset=HEADROOM, length_as=1, length=len(frame), index=which % 2)
        for which, frame in enumerate(frames)
    )
    data = b"".join(bytes(HEADROOM) + frame for frame in frames)
    return head + _pack_recipe(first) + _pack_recipe(second) + rows + data


def _pack_recipe(recipe: tuple[tuple[str, ...], dict[str, int]]) -> bytes:
    traits, values = recipe
    packed = pack_flags("TRAITS", dict.fromkeys(traits, True)) | values.get("inner_ip", 0) << 6
    rest = {name: value for name, value in values.items() if name != "inner_ip"}
    return RECIPE.pack(traits=packed, low_port=49152, span=16383, pattern=PATTERN, **rest)
