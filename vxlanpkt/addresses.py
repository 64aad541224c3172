"""MAC addresses, with the surface of the standard library's `ipaddress` types."""

from __future__ import annotations

import re
from functools import cache, total_ordering

from vxlanpkt.errors import FieldError

_PUNCTUATION = str.maketrans("", "", ":-.")


@cache
def _spellings() -> re.Pattern[str]:
    """How an address may be written; compiled when the first one is read, as that takes a while."""
    return re.compile(
        r"[0-9a-f]{2}(?P<separator>[:-])(?:[0-9a-f]{2}(?P=separator)){4}[0-9a-f]{2}"  # 02:00:5e:... or 02-00-5e-...
        r"|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}"  # 0200.5e00.5301
        r"|[0-9a-f]{12}",
        re.ASCII | re.IGNORECASE,
    )


@total_ordering
class MACAddress:
    """A 48-bit MAC address (IEEE 802), immutable, hashable, ordered by value.

    Made from text in any usual spelling ("02:00:5e:00:53:01", "02-00-5E-00-53-01",
    "0200.5e00.5301", "02005e005301"), from 6 bytes, from an int below 2**48, or from another.
    Raises `FieldError` for anything else.
    """

    __slots__ = ("_packed",)

    _packed: bytes
    max_prefixlen = 48

    def __init__(self, address: str | bytes | int | MACAddress) -> None:
        if isinstance(address, bytes) and len(address) == 6:
            self._packed = bytes(address)
        elif isinstance(address, MACAddress):
            self._packed = address._packed
        elif isinstance(address, str) and _spellings().fullmatch(address):
            self._packed = bytes.fromhex(address.translate(_PUNCTUATION))
        elif isinstance(address, int) and not isinstance(address, bool) and 0 <= address < 1 << 48:
            self._packed = int(address).to_bytes(6, "big")
        else:
            raise FieldError(
                f"{address!r} is not a MAC address", layer="MACAddress", field="address", value=address, bits=48
            )

    @property
    def packed(self) -> bytes:
        """The six bytes in the order of the wire."""
        return self._packed

    @property
    def is_multicast(self) -> bool:
        """The group bit is set (broadcast included)."""
        return bool(self._packed[0] & 1)

    @property
    def is_broadcast(self) -> bool:
        """All 48 bits are set."""
        return self._packed == b"\xff\xff\xff\xff\xff\xff"

    @property
    def is_local(self) -> bool:
        """The locally administered bit is set."""
        return bool(self._packed[0] & 2)

    @property
    def is_unspecified(self) -> bool:
        """All 48 bits are zero."""
        return not any(self._packed)

    @property
    def oui(self) -> bytes:
        """The first three bytes: who assigned the address, unless `is_local`."""
        return self._packed[:3]

    def __int__(self) -> int:
        return int.from_bytes(self._packed, "big")

    def __str__(self) -> str:
        return self._packed.hex(":")

    def __repr__(self) -> str:
        return f"MACAddress('{self}')"

    def __bytes__(self) -> bytes:
        return self._packed

    def __hash__(self) -> int:
        return hash(self._packed)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MACAddress):
            return self._packed == other._packed
        return NotImplemented

    def __lt__(self, other: object) -> bool:
        if isinstance(other, MACAddress):
            return self._packed < other._packed
        return NotImplemented

    def __reduce__(self) -> tuple[type[MACAddress], tuple[bytes]]:
        return MACAddress, (self._packed,)
