"""TCP options as values: RFC 9293 section 3.2, RFC 7323 (window scale, timestamps), RFC 2018 (SACK).

Every length is checked against what is left, and against what its kind asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, final

from vxlanpkt.errors import MalformedError, Reason, misfit, refused_field
from vxlanpkt.layers.parts import Part, encode_options, set_part

_MSS = Struct("!BBH")
_TIMESTAMPS = Struct("!BBII")
_BLOCK = Struct("!II")


@final
@dataclass(frozen=True, slots=True)
class EndOfOptions(Part):
    """The end of the option list: what is behind it is padding."""

    kind: ClassVar[int] = 0

    def encode(self) -> bytes:
        """The bytes of the option."""
        return b"\0"


@final
@dataclass(frozen=True, slots=True)
class NoOperation(Part):
    """A byte of filling between options."""

    kind: ClassVar[int] = 1

    def encode(self) -> bytes:
        """The bytes of the option."""
        return b"\1"


@final
@dataclass(frozen=True, slots=True)
class MaximumSegmentSize(Part):
    """The largest segment that the sender of a SYN can receive.

    mss  16 bits  bytes
    """

    kind: ClassVar[int] = 2
    BITS: ClassVar[dict[str, int]] = {"mss": 16}

    mss: int

    def encode(self) -> bytes:
        """The bytes of the option."""
        return _MSS.pack(2, 4, self.mss)


@final
@dataclass(frozen=True, slots=True)
class WindowScale(Part):
    """How far the sender's window is to be shifted, RFC 7323 section 2.

    shift  8 bits  the RFC's limit of 14 is not checked
    """

    kind: ClassVar[int] = 3
    BITS: ClassVar[dict[str, int]] = {"shift": 8}

    shift: int

    def encode(self) -> bytes:
        """The bytes of the option."""
        return bytes((3, 3, self.shift))


@final
@dataclass(frozen=True, slots=True)
class SACKPermitted(Part):
    """The sender of a SYN understands selective acknowledgment."""

    kind: ClassVar[int] = 4

    def encode(self) -> bytes:
        """The bytes of the option."""
        return b"\4\2"


@final
@dataclass(frozen=True, slots=True, init=False)
class SACK(Part):
    """Selective acknowledgment, RFC 2018 section 3.

    blocks  pairs of 32 bits  left edge, and right edge (one beyond the last byte)
    """

    kind: ClassVar[int] = 5

    blocks: tuple[tuple[int, int], ...]

    def __init__(self, blocks: Iterable[tuple[int, int]]) -> None:
        given = tuple((left, right) for left, right in blocks)
        for block in given:
            for edge in block:
                if not isinstance(edge, int) or edge >> 32:
                    raise misfit("SACK", "blocks", edge, 32)
        if len(given) > 31:
            raise refused_field("SACK", "blocks", given, "at most 31 blocks")
        set_part(self, "blocks", given)

    def encode(self) -> bytes:
        """The bytes of the option."""
        return bytes((5, 2 + 8 * len(self.blocks))) + b"".join([_BLOCK.pack(*block) for block in self.blocks])


@final
@dataclass(frozen=True, slots=True)
class Timestamps(Part):
    """Timestamps, RFC 7323 section 3.

    value       32 bits  TSval: the sender's clock
    echo_reply  32 bits  TSecr: the clock value that is answered
    """

    kind: ClassVar[int] = 8
    BITS: ClassVar[dict[str, int]] = {"value": 32, "echo_reply": 32}

    value: int
    echo_reply: int = 0

    def encode(self) -> bytes:
        """The bytes of the option."""
        return _TIMESTAMPS.pack(8, 10, self.value, self.echo_reply)


@final
@dataclass(frozen=True, slots=True)
class TCPOption(Part):
    """An option known by its shape alone: kind, length, data.

    kind  8 bits
    data  up to 253 bytes behind the length byte
    """

    BITS: ClassVar[dict[str, int]] = {"kind": 8}
    LIMITS: ClassVar[dict[str, int | None]] = {"data": 253}

    kind: int
    data: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the option."""
        return bytes((self.kind, 2 + len(self.data))) + self.data


AnyTCPOption = (
    EndOfOptions | NoOperation | MaximumSegmentSize | WindowScale | SACKPermitted | SACK | Timestamps | TCPOption
)
_TYPES = (
    EndOfOptions, NoOperation, MaximumSegmentSize, WindowScale, SACKPermitted, SACK, Timestamps, TCPOption,
)  # fmt: skip
_LENGTHS = {2: 4, 3: 3, 4: 2, 8: 10}


def as_options(options: bytes | Iterable[AnyTCPOption]) -> bytes:
    """*options* as the wire's bytes; `FieldError` for what is neither bytes nor options."""
    return encode_options("TCP", options, _TYPES)


def parse_options(options: bytes) -> tuple[AnyTCPOption, ...]:
    """The options of a header, up to the end of the list; `MalformedError` if a length is wrong."""
    found: list[AnyTCPOption] = []
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == EndOfOptions.kind:
            found.append(EndOfOptions())
            break
        if kind == NoOperation.kind:
            found.append(NoOperation())
            at += 1
            continue
        left = len(options) - at
        length = options[at + 1] if left > 1 else 0
        if not 2 <= length <= left or not _fits(kind, length):
            raise MalformedError(
                f"TCP option {kind} at byte {20 + at}: length {length} of {left} bytes left",
                reason=Reason.TCP_OPTION_LENGTH, layer="TCP", offset=20 + at, packet=None,
                field="options", value=length,
            )  # fmt: skip
        found.append(_decode(kind, options[at + 2 : at + length]))
        at += length
    return tuple(found)


def _fits(kind: int, length: int) -> bool:
    """Whether *length* is one that options of this *kind* have."""
    if kind == SACK.kind:
        return length >= 10 and length % 8 == 2
    return _LENGTHS.get(kind, length) == length


def _decode(kind: int, data: bytes) -> AnyTCPOption:
    if kind == MaximumSegmentSize.kind:
        return MaximumSegmentSize(data[0] << 8 | data[1])
    if kind == WindowScale.kind:
        return WindowScale(data[0])
    if kind == SACKPermitted.kind:
        return SACKPermitted()
    if kind == SACK.kind:
        return SACK(_BLOCK.iter_unpack(data))
    if kind == Timestamps.kind:
        return Timestamps(*_BLOCK.unpack(data))
    return TCPOption(kind, data)
