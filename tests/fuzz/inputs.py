"""What the sections of an input mean to a kernel: the twin of input.h."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vxlanpkt.kernel.contract.columns import NO_TUNNEL, WIDTHS
from vxlanpkt.kernel.contract.decapsulation import (
    DecapRules,
    ECNRule,
    GPERule,
    InnerLength,
    InnerVLAN,
    IPOptions,
    Lengths,
    UDPLength,
    Underlay,
)
from vxlanpkt.kernel.contract.encapsulation import DF, ECNMode, EncapRecipe, FlowLabel, InnerIP, UDPChecksum
from vxlanpkt.kernel.contract.grouping import Counted
from vxlanpkt.kernel.contract.records import FINEST_UNITS, Section, SectionInterface
from vxlanpkt.kernel.contract.spans import Kind

from .layout import GROUP, HEAD, INTERFACE, JOBS, OPTIONS, RECIPE, RECORDS, ROW, RULES, UNDERLAY, WALK, Reader, flags

MOST_ROWS, ENOUGH, MOST_GROUPED = 8, 32, 200
COUNTED = "IIqHBB"  # the columns that are counted
VERSIONS = (0, 4, 6)
_TUNNEL_PORTS = {4789: Kind.VXLAN, 8472: Kind.VXLAN, 4790: Kind.VXLANGPE}


@dataclass
class Batch:
    """Rows over one buffer, and the recipe that each chooses."""

    data: bytes
    offsets: array[int]
    lengths: array[int]
    originals: array[int] | None
    index: array[int]


class Input:
    """One input: its head, and then what its job asks for."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data)
        head = HEAD.read(self._reader)
        self.rows, self._options, self.number = head["rows"], head["options"], head["number"]
        self.kind = head["kind"] % 16
        self.job = next(name for name, at in JOBS.items() if at == head["job"] % len(JOBS))

    def has(self, option: str) -> bool:
        return bool(self._options & OPTIONS[option])

    @property
    def identification(self) -> int | None:
        return None if self.has("NO_IDENTIFICATION") else self.number & 0xFFFF

    def missing(self, size: int) -> int:
        """As many bytes as leave the length on the wire one of 32 bits."""
        return min(self.number, 0xFFFFFFFF - size)

    def rules(self) -> DecapRules:
        return make_rules(RULES.read(self._reader))

    def underlay(self) -> Underlay:
        drawn = UNDERLAY.read(self._reader)
        version = VERSIONS[drawn["version"] % 3]
        source = int.from_bytes(_repeated(drawn["source"], 4 if version == 4 else 16), "big")
        return Underlay(version, source if version else 0, drawn["tos"] if drawn["tos"] < 256 else None)

    def walk(self) -> dict[str, int]:
        return WALK.read(self._reader)

    def recipes(self) -> list[EncapRecipe]:
        return [self.recipe() for _ in range(0 if self.has("NO_RECIPE") else 2 if self.has("TWO_RECIPES") else 1)]

    def recipe(self) -> EncapRecipe:
        return make_recipe(RECIPE.read(self._reader))

    def group(self) -> dict[str, int]:
        return GROUP.read(self._reader)

    def section(self) -> tuple[Section, int]:
        """What records are read by, and where the first one begins."""
        drawn = RECORDS.read(self._reader)
        pcapng, big_endian = bool(drawn["container"] & 1), bool(drawn["container"] & 2)
        count = drawn["interfaces"] % 4 or not pcapng
        interfaces = [_make_interface(INTERFACE.read(self._reader), pcapng) for _ in range(count)]
        return Section(pcapng, big_endian, interfaces, drawn["first"], drawn["limit"]), drawn["begin"]

    def counted(self, drawn: dict[str, int]) -> Counted:
        """Columns behind each other, of as many rows as the data have."""
        widths = [drawn[f"width_{which}"] for which in "abcd" if drawn[f"width_{which}"]]
        given = [code if drawn["given"] >> bit & 1 else None for bit, code in enumerate(COUNTED)]
        row_size = sum(widths) + sum(WIDTHS[code] for code in given if code)
        rows = min(len(self.data()) // (row_size or 1), MOST_GROUPED)
        rest = memoryview(self.data())
        key: list[tuple[memoryview, int]] = []
        columns: list[Any] = []
        for width in widths:
            key.append((rest[: rows * width], width))
            rest = rest[rows * width :]
        for code in given:
            size = rows * WIDTHS[code] if code else 0
            columns.append(memoryview(array(code, bytes(rest[:size]))) if code else None)
            rest = rest[size:]
        return Counted(rows, key, *columns)

    def data(self) -> bytes:
        """What is left is the data."""
        return self._reader.rest

    def batch(self) -> Batch:
        drawn = [ROW.read(self._reader) for _ in range((self.rows - 1) % (MOST_ROWS + 1))] if self.rows else []
        if not self.rows:
            drawn = [dict.fromkeys(ROW.names, 0)]
        data = self.data()
        found = Batch(data, array("Q"), array("I"), array("I") if self.has("ORIGINALS") else None, array("I"))
        before = 0
        for row in drawn:
            offset = (0, before, len(data), 1 << 63)[row["offset_from"] % 4] + _signed(row["offset"])
            offset %= 1 << 64
            length = (
                len(data) - offset + _signed(row["length"]), row["length"], 0xFFFFFFFF - row["length"]
            )[row["length_as"] % 3] % (1 << 32)  # fmt: skip
            before = (offset + length) % (1 << 64)
            found.offsets.append(offset)
            found.lengths.append(length)
            if found.originals is not None:
                found.originals.append((length + _signed(row["original"])) % (1 << 32))
            found.index.append(NO_TUNNEL if row["index"] == 255 else row["index"])
        if self.has("MANY") and drawn:
            for column in (found.offsets, found.lengths, found.originals, found.index):
                if column is not None:
                    column *= 1 + ENOUGH // len(drawn)
        return found


def ports_of(walk: dict[str, int]) -> dict[int, int]:
    """The kinds behind UDP ports."""
    return {**_TUNNEL_PORTS, walk["port"]: walk["port_kind"] % Kind.RAW}


_ENUMS: dict[str, Callable[[int], int]] = {
    "gpe": GPERule, "ip_options": IPOptions, "check_inner_length": InnerLength, "udp_length": UDPLength,
}  # fmt: skip


def _make_interface(drawn: dict[str, int], pcapng: bool) -> SectionInterface:
    units, offset = drawn["units"], drawn["offset"]
    units = units or FINEST_UNITS + 1 if pcapng else 10**9 if units & 1 else 10**6
    signed = offset - (offset >> 63 << 64)
    kind = Kind.ETHERNET if drawn["link_type"] & 1 else Kind.RAW
    return SectionInterface(drawn["link_type"], drawn["snaplen"], drawn["fcslen"], units, signed, kind)


def make_rules(drawn: dict[str, int]) -> DecapRules:
    """The rules that a section stands for."""
    vnis = [drawn["vni"] & 0xFFFFFF, drawn["other_vni"] & 0xFFFFFF]
    sources: tuple[tuple[int, int, int], ...] | None = ()
    which = drawn["sources"] % 4
    if which == 0:
        sources = None
    elif which > 1:
        version, size = (4, 4) if which == 2 else (6, 16)
        network, bits = int.from_bytes(_repeated(drawn["network"], size), "big"), drawn["prefix"] % (8 * size + 1)
        mask = ((1 << bits) - 1) << (8 * size - bits)
        sources = ((version, network & mask, mask),)
    values: dict[str, Any] = flags("SWITCHES", drawn["switches"])
    for macro, choices in (("OF_THREE", 3), ("OF_FOUR", 4)):
        for name, high in flags(macro, drawn["switches"]).items():
            values[name] = _ENUMS[name]((values[name] | high << 1) % choices)
    return DecapRules(
        ports=frozenset((*_TUNNEL_PORTS, drawn["port"])),
        vnis=frozenset(vnis[: drawn["vnis"] % 4 - 1]) if drawn["vnis"] % 4 else None,
        sources=sources,
        reserved_mask=drawn["reserved_mask"],
        inner_vlan=InnerVLAN(drawn["inner_vlan"] % 3),
        own_macs=frozenset([(drawn["own_mac"] & 0xFFFFFFFFFFFF).to_bytes(6, "big")][: drawn["own_macs"] % 2]),
        ecn=ECNRule(drawn["ecn"] % 4),
        lengths=Lengths(drawn["lengths"] % 3),
        **values,
    )


def make_recipe(drawn: dict[str, int]) -> EncapRecipe:
    """The recipe that a section stands for."""
    traits = flags("TRAITS", drawn["traits"])
    ip_offset = 14 + 4 * (drawn["tags"] % 3)
    return EncapRecipe(
        template=_template(drawn["pattern"], ip_offset, traits["ipv6"], traits["gpe"]),
        ip_offset=ip_offset,
        family=6 if traits["ipv6"] else 4,
        low_port=drawn["low_port"],
        high_port=drawn["low_port"] + 1 + drawn["span"] % (65536 - drawn["low_port"]),
        ttl=drawn["ttl"],
        inherit_ttl=traits["inherit_ttl"],
        dscp=drawn["dscp"] & 63,
        inherit_dscp=traits["inherit_dscp"],
        ecn=ECNMode(drawn["ecn"] % 3),
        df=DF(drawn["df"] % 3),
        flow_label=drawn["flow_label"] & 0xFFFFF,
        flow_label_mode=FlowLabel(drawn["flow_label_mode"] % 3),
        udp_checksum=UDPChecksum(drawn["udp_checksum"] % 3),
        symmetric=traits["symmetric"],
        gpe=traits["gpe"],
        raw=traits["raw"],
        inner_ip=InnerIP(drawn["traits"] // 64 % 3),
    )


def _template(pattern: int, ip: int, ipv6: bool, gpe: bool) -> bytes:
    """The bytes that all headers of a tunnel share, with zeros where something is put in for each frame."""
    udp = ip + (40 if ipv6 else 20)
    header = bytearray(_repeated(pattern, udp + 16))
    for tag in range(12, ip - 2, 4):
        header[tag : tag + 2] = b"\x81\x00"
    header[ip - 2 : ip] = b"\x86\xdd" if ipv6 else b"\x08\x00"
    header[ip : ip + 12] = bytes(8) + header[ip + 8 : ip + 12] if ipv6 else bytes(12)
    header[ip] = 0x60 if ipv6 else 0x45
    header[ip + (6 if ipv6 else 9)] = 17
    header[udp : udp + 2] = bytes(2)
    header[udp + 4 : udp + 8] = bytes(4)
    header[udp + 8] = 0x0C if gpe else 0x08  # I, and P
    return bytes(header)


def _repeated(number: int, size: int) -> bytes:
    """The bytes of a number, lowest first, again and again."""
    return (number.to_bytes(8, "little") * (size // 8 + 1))[:size]


def _signed(number: int) -> int:
    return number - 65536 if number > 32767 else number
