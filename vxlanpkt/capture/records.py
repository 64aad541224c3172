"""What a capture holds, whichever its container: `Record`, one packet, and `Interface`, where it was seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vxlanpkt._values import Value
from vxlanpkt.errors import FieldError

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

Options = tuple[tuple[int, bytes], ...]
"""pcapng options as (code, value) pairs, in the file's order, the end marker left out.

Values are the file's bytes, except that the numbers in them are little-endian whatever the section's order.
"""

OPT_COMMENT = 1
IF_NAME = 2
IF_DESCRIPTION = 3
NANOSECONDS = 1_000_000_000

_NOT_TO_BE_COPIED = frozenset({19372, 19373})

if TYPE_CHECKING:

    class RecordFields(TypedDict, total=False):
        """What `Record.replace` takes."""

        timestamp_ns: int | None
        data: bytes
        original_length: int
        link_type: int
        interface: int
        raw_timestamp: int | None
        fcs_length: int
        options: Options

    class InterfaceFields(TypedDict, total=False):
        """What `Interface.replace` takes."""

        link_type: int
        snaplen: int
        tsresol: int
        tsoffset: int
        fcslen: int
        options: Options


class Record(Value):
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

    __slots__ = __match_args__ = (
        "timestamp_ns", "data", "original_length", "link_type", "interface", "raw_timestamp", "fcs_length", "options",
    )  # fmt: skip

    timestamp_ns: int | None
    data: bytes
    original_length: int
    link_type: int
    interface: int
    raw_timestamp: int | None
    fcs_length: int
    options: Options

    def __init__(
        self,
        timestamp_ns: int | None,
        data: bytes,
        original_length: int,
        link_type: int = 1,
        interface: int = 0,
        raw_timestamp: int | None = None,
        fcs_length: int = 0,
        options: Options = (),
    ) -> None:
        _require_bits("Record", "original_length", original_length, 32)
        _require_bits("Record", "link_type", link_type, 16)
        _require_bits("Record", "interface", interface, 32)
        if raw_timestamp is not None:
            _require_bits("Record", "raw_timestamp", raw_timestamp, 64)
        _require_options("Record", options)
        set_field = object.__setattr__
        set_field(self, "timestamp_ns", timestamp_ns)
        set_field(self, "data", data)
        set_field(self, "original_length", original_length)
        set_field(self, "link_type", link_type)
        set_field(self, "interface", interface)
        set_field(self, "raw_timestamp", raw_timestamp)
        set_field(self, "fcs_length", fcs_length)
        set_field(self, "options", options)

    def replace(self, **changes: Unpack[RecordFields]) -> Record:
        """A copy with *changes*."""
        return self.__replace__(**changes)

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


class RecordDraft(Value):
    """A `Record` in the making: what a reader parsed needs no checks, and frozen ones take three times as long.

    It has the same slots, so that setting `__class__` to `Record` turns it into one; it is not handed out before.
    """

    __slots__ = Record.__slots__
    __match_args__ = Record.__match_args__
    __setattr__ = object.__setattr__  # type: ignore[assignment]
    __delattr__ = object.__delattr__  # or else the other one would be slow too

    def __init__(
        self,
        timestamp_ns: int | None,
        data: bytes,
        original_length: int,
        link_type: int,
        interface: int,
        raw_timestamp: int | None,
        fcs_length: int,
        options: Options,
    ) -> None:
        self.timestamp_ns = timestamp_ns
        self.data = data
        self.original_length = original_length
        self.link_type = link_type
        self.interface = interface
        self.raw_timestamp = raw_timestamp
        self.fcs_length = fcs_length
        self.options = options


class Interface(Value):
    """An interface of a capture; a pcap file has one.

    `link_type`: number in the tcpdump registry (16 bits). `snaplen`: greatest captured length in bytes, 0 for no limit
    (32 bits). `tsresol`: unit of its timestamps as in if_tsresol (8 bits): n for 10^-n seconds, 0x80 + n for 2^-n.
    `tsoffset`: seconds to add to its timestamps (signed, 64 bits). `fcslen`: bytes of frame check sequence at the
    end of each packet on the wire (8 bits). `options`: all the others of pcapng, such as its name.
    Raises FieldError if a value does not fit its width.
    """

    __slots__ = __match_args__ = ("link_type", "snaplen", "tsresol", "tsoffset", "fcslen", "options")

    link_type: int
    snaplen: int
    tsresol: int
    tsoffset: int
    fcslen: int
    options: Options

    def __init__(
        self,
        link_type: int = 1,
        snaplen: int = 0,
        tsresol: int = 6,
        tsoffset: int = 0,
        fcslen: int = 0,
        options: Options = (),
    ) -> None:
        _require_bits("Interface", "link_type", link_type, 16)
        _require_bits("Interface", "snaplen", snaplen, 32)
        _require_bits("Interface", "tsresol", tsresol, 8)
        _require_bits("Interface", "fcslen", fcslen, 8)
        _require_bits("Interface", "tsoffset", tsoffset, 64, signed=True)
        _require_options("Interface", options)
        set_field = object.__setattr__
        set_field(self, "link_type", link_type)
        set_field(self, "snaplen", snaplen)
        set_field(self, "tsresol", tsresol)
        set_field(self, "tsoffset", tsoffset)
        set_field(self, "fcslen", fcslen)
        set_field(self, "options", options)

    def replace(self, **changes: Unpack[InterfaceFields]) -> Interface:
        """A copy with *changes*."""
        return self.__replace__(**changes)

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
