"""Link types, which more is done with than with other assigned numbers, and what all enums of these are."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeVar

_Open = TypeVar("_Open", bound="OpenEnum")


class OpenEnum(IntEnum):
    """An enum of a registry: any number of the field's width is a member, named or not."""

    @classmethod
    def _missing_(cls: type[_Open], value: object) -> _Open | None:
        if not isinstance(value, int) or not 0 <= value < 1 << cls._width():
            return None
        member: Any = int.__new__(cls, value)
        member._name_ = f"{cls.__name__}_{value}"
        member._value_ = value
        return member  # type: ignore[no-any-return]

    @classmethod
    def _width(cls) -> int:
        """The width in bits of the field that the registry is for."""
        return 16

    @classmethod
    def name_of(cls, value: int) -> str | None:
        """The registered name of *value* in the spelling of this enum, or None."""
        member = cls._value2member_map_.get(value)
        return None if member is None else member.name


class LinkType(OpenEnum):
    """Link types of pcap and pcapng (16 bits), as in the tcpdump registry."""

    NULL = 0
    ETHERNET = 1
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276
