"""What a capture holds, whichever its container: `Record`, one packet, and `Interface`, where it was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vxlanpkt.errors import FieldError

Options = tuple[tuple[int, bytes], ...]
"""pcapng options as (code, value) pairs, in the file's order, the end marker left out.

Values are the file's bytes, except that the numbers in them are little-endian whatever the section's order.
"""

OPT_COMMENT = 1
IF_NAME = 2
IF_DESCRIPTION = 3
NANOSECONDS = 1_000_000_000

_NOT_TO_BE_COPIED = frozenset({19372, 19373})


@dataclass(frozen=True, slots=True)
class Record:
    """One packet of a capture.

    `timestamp_ns`: nanoseconds since 1970-01-01 UTC, rounded down; None for a pcapng Simple Packet Block.
    `data`: the bytes captured. `original_length`: bytes of the packet on the wire, as the file says: more than
    `len(data)` if the capture cut it. A file may say less than `len(data)`, which makes no sense; as in libpcap the
    number is handed on untouched, and whoever takes tunnels off treats such a packet as whole.
    `link_type`: its number in the tcpdump registry. `interface`: index into the capture's `interfaces`.
    `raw_timestamp`: the timestamp in the interface's own units, before its offset is added; None with no timestamp.
    `fcs_length`: how many of the packet's last bytes on the wire are the frame check sequence. Found by a reader;
    a writer says it through `Interface.fcslen` and the options.
    `options`: those of a pcapng packet block (comment, flags, drop count ...); empty from pcap.
    Raises FieldError if a value fits no container: lengths have 32 bits, the raw timestamp 64.
    """

    timestamp_ns: int | None
    data: bytes
    original_length: int
    link_type: int = 1
    interface: int = 0
    raw_timestamp: int | None = None
    fcs_length: int = 0
    options: Options = ()

    def __post_init__(self) -> None:
        for field, bits in (("original_length", 32), ("link_type", 16), ("interface", 32)):
            _require_bits("Record", field, getattr(self, field), bits)
        if self.raw_timestamp is not None:
            _require_bits("Record", "raw_timestamp", self.raw_timestamp, 64)
        _require_options("Record", self.options)

    @property
    def comment(self) -> str | None:
        """The first comment on this packet."""
        return option_text(self.options, OPT_COMMENT)

    @property
    def frame(self) -> bytes:
        """The data without the frame check sequence, or without what was captured of it."""
        if not self.fcs_length:
            return self.data
        return self.data[: self.frame_length]

    @property
    def frame_length(self) -> int:
        """Bytes of the frame on the wire without the frame check sequence, never fewer than 0."""
        return max(max(self.original_length, len(self.data)) - self.fcs_length, 0)


@dataclass(slots=True)
class RecordDraft:
    """A `Record` in the making: what a reader parsed needs no checks, and frozen ones take three times as long.

    It has the same slots, so that setting `__class__` to `Record` turns it into one; it is not handed out before.
    """

    timestamp_ns: int | None
    data: bytes
    original_length: int
    link_type: int
    interface: int
    raw_timestamp: int | None
    fcs_length: int
    options: Options


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a capture; a pcap file has one.

    `link_type`: number in the tcpdump registry (16 bits). `snaplen`: greatest captured length in bytes, 0 for no limit
    (32 bits). `tsresol`: unit of its timestamps as in if_tsresol (8 bits): n for 10^-n seconds, 0x80 + n for 2^-n.
    `tsoffset`: seconds to add to its timestamps (signed, 64 bits). `fcslen`: bytes of frame check sequence at the
    end of each packet on the wire (8 bits). `options`: all the others of pcapng, such as its name.
    Raises FieldError if a value does not fit its width.
    """

    link_type: int = 1
    snaplen: int = 0
    tsresol: int = 6
    tsoffset: int = 0
    fcslen: int = 0
    options: Options = ()

    def __post_init__(self) -> None:
        for field, bits in (("link_type", 16), ("snaplen", 32), ("tsresol", 8), ("fcslen", 8)):
            _require_bits("Interface", field, getattr(self, field), bits)
        _require_bits("Interface", "tsoffset", self.tsoffset, 64, signed=True)
        _require_options("Interface", self.options)

    @property
    def name(self) -> str | None:
        """What the system called it (if_name)."""
        return option_text(self.options, IF_NAME)

    @property
    def description(self) -> str | None:
        """What people called it (if_description)."""
        return option_text(self.options, IF_DESCRIPTION)

    @property
    def units_per_second(self) -> int:
        """Timestamp units in a second, a power of 10 or of 2."""
        exponent = self.tsresol & 0x7F
        return 1 << exponent if self.tsresol & 0x80 else int(10**exponent)

    def to_nanoseconds(self, raw: int) -> int:
        """The time that a timestamp in this interface's units says, rounded down."""
        return raw * NANOSECONDS // self.units_per_second + self.tsoffset * NANOSECONDS

    def from_nanoseconds(self, timestamp_ns: int) -> int:
        """The unit nearest to *timestamp_ns* of those that do not lie after it when read back."""
        raw = -((self.tsoffset * NANOSECONDS - timestamp_ns) * self.units_per_second // NANOSECONDS)
        return raw if self.to_nanoseconds(raw) <= timestamp_ns else raw - 1


def option_text(options: Options, code: int) -> str | None:
    """The first option *code* as text, or None; bytes that are no UTF-8 become replacement characters."""
    for found, value in options:
        if found == code:
            return value.rstrip(b"\0").decode("utf-8", "replace")
    return None


def copyable_options(options: Iterable[tuple[int, bytes]], *, without: Iterable[int] = ()) -> Options:
    """*options* without those of the codes given and those that pcapng says must not be copied to another file."""
    left_out = _NOT_TO_BE_COPIED.union(without)
    return tuple(option for option in options if option[0] not in left_out)


def _require_bits(layer: str, field: str, value: int, bits: int, *, signed: bool = False) -> None:
    lowest = -(1 << bits - 1) if signed else 0
    if not lowest <= value < lowest + (1 << bits):
        message = f"{layer}.{field} is {value}, which does not fit {bits} bits"
        raise FieldError(message, layer=layer, field=field, value=value, bits=bits)


def _require_options(layer: str, options: Options) -> None:
    for code, value in options:
        _require_bits(layer, "options", code, 16)
        _require_bits(layer, "options", len(value), 16)
