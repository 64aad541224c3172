"""A frame out of hexadecimal text: bare digits, or what tcpdump -x, tshark -x, xxd, hexdump -C and od -A x print."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

_PREFIX = re.compile(r"0x|\\x", re.IGNORECASE)
_SEPARATORS = re.compile(r"""[\s:,.'"-]+""")
_DIGITS = re.compile(r"[0-9a-fA-F]+")
_BYTE = re.compile(r"[0-9a-fA-F]{2}(\s|$)")
_FRAMED = re.compile(r"\s{2}\|.*\|\s*$")
_OFFSET = re.compile(r"\s*(?:0x)?(?P<offset>[0-9a-fA-F]{3,8})(?P<mark>:\s+|\s{2,}|\s|$)(?P<rest>.*)")


class HexError(ValueError):
    """The text is no frame, and says where."""


class _Line(NamedTuple):
    """A line of a dump: its number, how many bytes precede it, and what stands behind that."""

    number: int
    offset: int
    rest: str


def frame_of(text: str) -> bytes:
    """The bytes that *text* writes down; `HexError` if they are none, or of more than one frame."""
    lines = _dump(text.splitlines())
    frame = _of_dump(lines) if lines else _of_digits(text)
    if not frame:
        raise HexError("there are no bytes")
    return frame


def _of_digits(text: str) -> bytes:
    groups = [group for group in _SEPARATORS.split(_PREFIX.sub(" ", text)) if group]
    for group in groups:
        if not _DIGITS.fullmatch(group):
            raise HexError(f"{_short(group)} is not hexadecimal")
        if len(group) % 2:
            raise HexError(f"{_short(group)} has {len(group)} digits, which is no whole number of bytes")
    return bytes.fromhex("".join(groups))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _dump(lines: list[str]) -> list[_Line]:
    """The lines that begin with an offset, from the first of offset 0 on; none if the text is no dump."""
    found: list[_Line] = []
    certain = False
    for number, line in enumerate(lines, 1):
        match = _OFFSET.fullmatch(line)
        if match is None:
            if found and line.strip() == "*":
                raise HexError(f"line {number}: * leaves bytes out; hexdump -v and od -v write all of them")
            continue
        offset = int(match["offset"], 16)
        if found or offset == 0:
            found.append(_Line(number, offset, match["rest"]))
            certain = certain or len(match["mark"]) > 1
        elif ":" in match["mark"] or (len(match["mark"]) > 1 and _BYTE.match(match["rest"])):
            raise HexError(f"line {number} begins at byte {offset}: the lines before it are missing")
    return found if certain or (len(found) > 1 and _fits(found[0], found[1].offset)) else []


def _fits(line: _Line, size: int) -> bool:
    """Whether a line with one space behind its offset is one of a dump: it has as many bytes as it should."""
    digits, _ = _digits(line.rest, size)
    if size == 0 or len(digits) != 2 * size:
        return False
    if not _BYTE.match(line.rest):
        raise HexError(f"line {line.number} has numbers of more than a byte, in which bytes are swapped: hexdump -C")
    return True


def _of_dump(lines: list[_Line]) -> bytes:
    frame = b""
    column = None  # where the digits end, and text may follow
    for line, following in pairwise(lines):
        size = following.offset - line.offset
        if size <= 0:
            raise HexError(f"line {following.number} begins another frame: one is wanted")
        digits, end = _digits(line.rest, size)
        if len(digits) != 2 * size:
            raise HexError(f"line {line.number}: {size} bytes are due, {len(digits) // 2} are there")
        frame += bytes.fromhex(digits)
        column = end if column is None else column
    return frame + _of_last(lines[-1], column)


def _digits(text: str, size: int) -> tuple[str, int]:
    """The first *size* bytes of a line as digits, or fewer, and where they end."""
    digits, at = "", 0
    while at < len(text) and len(digits) < 2 * size:
        if not text[at].isspace():
            if not _DIGITS.fullmatch(text[at]):
                break
            digits += text[at]
        at += 1
    return digits, at


def _of_last(line: _Line, column: int | None) -> bytes:
    """The bytes of the last line, whose number nobody says: it is laid out as the first."""
    rest = line.rest[:column]
    if column is None:  # it stands alone: text is behind two spaces, which hexdump -C has in the middle, too
        bare = _FRAMED.sub("", rest)
        rest = re.split(r"\s{2,}", rest.strip())[0] if bare == rest else bare
    digits = "".join(rest.split())
    if digits and not _DIGITS.fullmatch(digits):
        raise HexError(f"line {line.number}: {_short(rest.strip())} is not hexadecimal")
    if len(digits) % 2:
        raise HexError(f"line {line.number}: {len(digits)} digits are no whole number of bytes")
    return bytes.fromhex(digits)
