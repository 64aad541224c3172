"""Numbers, times and names as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from vxlanpkt.analysis.findings import Numbers
from vxlanpkt.analysis.reporting.pieces import Cell, Piece, join, tag
from vxlanpkt.assigned import TCPFlags

_SECOND = 1_000_000_000
_LONG_UNITS = ((86400 * _SECOND, "d"), (3600 * _SECOND, "h"), (60 * _SECOND, "min"))


def number(value: int) -> str:
    """1,234,567."""
    return f"{value:,}"


def size(octets: float, unit: str = "B") -> str:
    """3 digits and a unit of a thousand."""
    if octets < 1000:
        return f"{octets:,.0f} {unit}"
    for prefix in ("k", "M", "G", "T", "P", "E"):
        octets /= 1000
        if octets < 999.95 or prefix == "E":
            break
    return f"{octets:,.1f} {prefix}{unit}"


def size_cell(octets: int) -> Cell:
    """Bytes in a table: rounded, and exact in the title."""
    return Cell(size(octets), octets, f"{octets:,} bytes")


def count_cell(value: int) -> Cell:
    """A number in a table; nothing where there is nothing."""
    return Cell(number(value) if value else "", value)


def share(part: int, whole: int) -> str:
    """Percent with one digit; what is more than nothing does not look like nothing, nor like all."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if part < whole and percent >= 99.95:
        return "> 99.9 %"
    return "< 0.1 %" if percent < 0.05 else f"{percent:.1f} %"


def duration(nanoseconds: int | None) -> str:
    """A span of time in the unit that suits it."""
    if nanoseconds is None:
        return ""
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1000:,.1f} µs" if nanoseconds else "0 s"
    if nanoseconds < _SECOND:
        return f"{nanoseconds / 1_000_000:,.1f} ms"
    seconds = nanoseconds / _SECOND
    if seconds < 120:
        return f"{seconds:,.3f} s" if seconds < 10 else f"{seconds:,.1f} s"
    minutes, rest = divmod(nanoseconds // _SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{value:,} {unit}" for value, unit in parts if value)


def span(nanoseconds: int) -> str:
    """A round span of time: no more digits than it has."""
    told, _, unit = duration(nanoseconds).partition(" ")
    return f"{told.rstrip('0').rstrip('.') if '.' in told else told} {unit}"


def steps(nanoseconds: int, count: int) -> list[str]:
    """So many multiples of a span of time, from 0 on, for an axis: all in one unit, with as many digits."""
    last = nanoseconds * (count - 1)
    if last < _SECOND:
        unit, name = (1_000_000, "ms") if last >= 1_000_000 else (1000, "µs")
    else:
        unit, name = next(((unit, name) for unit, name in _LONG_UNITS if not nanoseconds % unit), (_SECOND, "s"))
    digits = len(f"{nanoseconds / unit:.6f}".rstrip("0").partition(".")[2])
    return ["0", *(f"+{at * nanoseconds / unit:,.{digits}f} {name}" for at in range(1, count))]


def moment(nanoseconds: int | None, digits: int = 6) -> str:
    """A time in UTC; one that no calendar has, as seconds."""
    if nanoseconds is None:
        return "no time"
    seconds, fraction = divmod(nanoseconds, _SECOND)
    told = f".{fraction:09}"[: digits + 1] if digits else ""
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S}{told} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds}{told} s"


def since(nanoseconds: int | None, begin: int | None) -> Cell:
    """A time in a table: how long after the beginning, and when in the title."""
    if nanoseconds is None or begin is None:
        return Cell("")
    return Cell(f"+{(nanoseconds - begin) / _SECOND:,.6f}", nanoseconds, moment(nanoseconds, 9))


def tcp_flags(flags: int) -> str:
    """The names of TCP's flags."""
    return " ".join(flag.name or "" for flag in TCPFlags if flags & flag)


def frame_numbers(numbers: Numbers) -> Piece:
    """Numbers of records as a display filter of Wireshark."""
    if not numbers:
        return Piece("")
    if len(numbers) == 1:
        return tag("code", f"frame.number == {numbers[0]}")
    return tag("code", f"frame.number in {{{', '.join(map(str, numbers))}}}")


def examples(what: str, numbers: Numbers) -> Piece:
    """Where to look for something."""
    return tag("p", f"{what}: ", frame_numbers(numbers), class_="look") if numbers else Piece("")


def listed(items: Iterable[object], most: int) -> str:
    """Some things one after the other, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(map(str, every[:most])) + more


def sentence(*contents: object) -> Piece:
    """A paragraph."""
    return tag("p", join(*contents))
