"""Parts: typed values inside a header (messages, options), which say their widths and check themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

from vxlanpkt.errors import misfit, refused_field
from vxlanpkt.layers.base import as_bytes


class Part:
    """A frozen value inside a header.

    `BITS` gives the width of every integer field; `LIMITS` the longest that each field of bytes
    may be, None if any length will do.
    """

    __slots__ = ()

    BITS: ClassVar[Mapping[str, int]] = {}
    LIMITS: ClassVar[Mapping[str, int | None]] = {}

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field, bits in self.BITS.items():
            value = getattr(self, field)
            if not isinstance(value, int) or value >> bits:
                raise misfit(name, field, value, bits)
        for field, limit in self.LIMITS.items():
            data = as_bytes(name, field, getattr(self, field))
            if limit is not None and len(data) > limit:
                raise refused_field(name, field, data, f"at most {limit} bytes")
            set_part(self, field, data)


class Encodable(Protocol):
    """Any option: it knows its bytes."""

    def encode(self) -> bytes:
        """The bytes of the option."""
        ...


def set_part(part: Part, name: str, value: object) -> None:
    """Set a field of a frozen part from its own constructor."""
    object.__setattr__(part, name, value)


def encode_options(layer: str, options: bytes | Iterable[Encodable], kinds: tuple[type[Encodable], ...]) -> bytes:
    """*options* as the wire's bytes: given as such, or as values of *kinds*; else `FieldError`."""
    if isinstance(options, (bytes, bytearray, memoryview)):
        return bytes(options)
    expected = "bytes, or an iterable of options"
    if isinstance(options, str) or not isinstance(options, Iterable):
        raise refused_field(layer, "options", options, expected)
    encoded = []
    for option in options:
        if not isinstance(option, kinds):
            raise refused_field(layer, "options", option, expected)
        encoded.append(option.encode())
    return b"".join(encoded)
