"""How fuzz inputs are laid out, read from layout.h: sections, options and jobs by their names there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from struct import Struct

HERE = Path(__file__).parent
_TEXT = (HERE / "layout.h").read_text(encoding="ascii")
_FIELDS = {
    name: [(int(number), field) for number, field in re.findall(r"FIELD\((\d+), (\w+)\)", body)]
    for name, body in re.findall(r"^#define (\w+)\(FIELD\)((?:.*\\\n)*.*)$", _TEXT, re.MULTILINE)
}
_CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}


class Reader:
    """An input from its first byte on; behind its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken.ljust(size, b"\0")


class Section:
    """A row of little-endian fields."""

    def __init__(self, name: str) -> None:
        self.names = [field for _, field in _FIELDS[name]]
        self._struct = Struct("<" + "".join(_CODES[bits] for bits, _ in _FIELDS[name]))

    def read(self, reader: Reader) -> dict[str, int]:
        return dict(zip(self.names, self._struct.unpack(reader.take(self._struct.size)), strict=True))

    def pack(self, **values: int) -> bytes:
        assert set(values) <= set(self.names), set(values) - set(self.names)
        return self._struct.pack(*(values.get(name, 0) for name in self.names))


_SECTIONS = ("HEAD", "ROW", "RULES", "UNDERLAY", "WALK", "RECIPE", "GROUP", "RECORDS", "INTERFACE")
HEAD, ROW, RULES, UNDERLAY, WALK, RECIPE, GROUP, RECORDS, INTERFACE = map(Section, _SECTIONS)
OPTIONS: Mapping[str, int] = {name: int(bit) for name, bit in re.findall(r"OPTION_(\w+) = (\d+)", _TEXT)}
JOBS: Mapping[str, int] = {name: at for at, name in enumerate(re.findall(r"\bJOB_(\w+)", _TEXT))}


def flags(name: str, bits: int) -> dict[str, bool]:
    """Named bits of a field: SWITCHES, OF_THREE, OF_FOUR or TRAITS."""
    return {field: bool(bits >> bit & 1) for bit, field in _FIELDS[name]}


def pack_flags(name: str, values: Mapping[str, bool]) -> int:
    """The field that has these bits."""
    return sum(1 << bit for bit, field in _FIELDS[name] if values.get(field))
