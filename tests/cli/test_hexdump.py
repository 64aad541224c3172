"""Frames in hexadecimal, as people have them at hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.cli.hexdump import HexError, frame_of

FRAME = bytes(range(0x40, 0x40 + 37))


def rows(data: bytes) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + 16]) for at in range(0, len(data), 16)]


def printable(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)


def words(data: bytes) -> str:
    return " ".join(data[at : at + 2].hex() for at in range(0, len(data), 2))


def tcpdump(data: bytes) -> str:
    lines = "".join(f"\t0x{at:04x}:  {words(row)}\n" for at, row in rows(data))
    return f"12:00:00.000000 IP 192.0.2.1.50000 > 192.0.2.2.4789: VXLAN, flags [I] (0x08), vni 5000\n{lines}"


def tcpdump_text(data: bytes) -> str:
    return "".join(f"\t0x{at:04x}:  {words(row):39}  {printable(row)}\n" for at, row in rows(data))


def tshark(data: bytes) -> str:
    lines = "".join(f"{at:04x}  {row.hex(' '):47}   {printable(row)}\n" for at, row in rows(data))
    return f"  100   0.064032    192.0.2.1 -> 192.0.2.2    VXLAN 160 Encapsulated\n\n{lines}\n"


def xxd(data: bytes) -> str:
    return "".join(f"{at:08x}: {words(row):39}  {printable(row)}\n" for at, row in rows(data))


def hexdump(data: bytes) -> str:
    lines = "".join(
        f"{at:08x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  |{printable(row)}|\n" for at, row in rows(data)
    )
    return f"{lines}{len(data):08x}\n"


def od(data: bytes) -> str:
    return "".join(f"{at:06x} {row.hex(' ')}\n" for at, row in rows(data)) + f"{len(data):06x}\n"


DUMPS = (tcpdump, tcpdump_text, tshark, xxd, hexdump, od)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.__name__)
@given(data=st.binary(min_size=1, max_size=70))
def test_dumps(dump: object, data: bytes) -> None:
    """Whatever the bytes are, and however long the last line is."""
    assert callable(dump)
    assert frame_of(dump(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        FRAME.hex(),
        FRAME.hex().upper(),
        FRAME.hex(" "),
        FRAME.hex(":"),
        FRAME.hex("-"),
        FRAME.hex(" ", 2),
        f"0x{FRAME.hex()}",
        ", ".join(f"0x{byte:02x}" for byte in FRAME),
        "".join(f"\\x{byte:02x}" for byte in FRAME),
        f"'{FRAME.hex()}'\n",
        f"\n  {FRAME[:20].hex()}\n  {FRAME[20:].hex()}\n",
    ],
)
def test_digits(text: str) -> None:
    assert frame_of(text) == FRAME


def test_one_line_of_hexdump() -> None:
    """Without the line that ends it, its gap in the middle ends nothing."""
    assert frame_of(hexdump(FRAME[:16]).splitlines()[0]) == FRAME[:16]


def test_zeros_are_no_dump() -> None:
    """Groups of four zeros are bytes, not offsets."""
    assert frame_of("0000 0000\n0000 0000") == bytes(8)
    assert frame_of("0000:0001:0002") == bytes((0, 0, 0, 1, 0, 2))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no bytes"),
        (" \n ", "no bytes"),
        ("020", "3 digits"),
        ("02 0 00", "'0' has 1 digit"),
        ("hello", "'hello' is not"),
        ("0200zz", "'0200zz' is not"),
        ("x" * 100, "xxx...'"),
        ("0000  02 00 zz\n", "line 1"),
        ("0000  02 0\n", "line 1"),
        ("0000: 0200\n0010: 0200\n", "16 bytes are due, 2 are there"),
        ("0010: 0200\n0012: 0200\n", "line 1 begins at byte 16"),
        ("0000: 0200\n0002: 0200\n\n0000: 0200\n", "line 4 begins another frame"),
        ("00000000: 0200\n*\n00000020: 0200\n", "line 2: * leaves bytes out"),
        ("0000000 0002 0000 0001 0002\n0000008\n", "hexdump -C"),
    ],
)
def test_what_is_no_frame(text: str, says: str) -> None:
    with pytest.raises(HexError, match=says.replace("*", r"\*").replace("...", r"\.\.\.")):
        frame_of(text)


@given(st.text(alphabet="0123456789abcdefx:|. \n\t*-", max_size=80))
def test_any_text(text: str) -> None:
    """It is a frame or a HexError."""
    try:
        assert frame_of(text)
    except HexError as error:
        assert str(error)
