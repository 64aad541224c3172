"""Pieces of HTML. Text that is put into one is escaped, unless it is a piece itself: nothing else makes pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_VOID = frozenset(("br", "input", "meta"))


class Piece(str):
    """HTML that is safe to put into a page."""

    __slots__ = ()


Content = object
"""What can be put into a piece: a Piece as it is, everything else as text."""


def text(content: Content) -> Piece:
    """A piece of what may be anything; control characters, which HTML does not have, become U+FFFD."""
    if isinstance(content, Piece):
        return content
    return Piece(escape("".join(map(_printable, str(content)))))


def _printable(character: str) -> str:
    code = ord(character)
    allowed = code in (9, 10, 13) or (code >= 32 and not 127 <= code < 160 and not 0xD800 <= code < 0xE000)
    return character if allowed else "\ufffd"


def join(*contents: Content) -> Piece:
    """Contents one after the other."""
    return Piece("".join(map(text, contents)))


def tag(name: str, /, *contents: Content, **attributes: object) -> Piece:
    """An element. In names of attributes a final _ is left out and any other is a hyphen; None is no attribute."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Piece(f"<{name}{told}>" if name in _VOID else f"<{name}{told}>{join(*contents)}</{name}>")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: what is shown, what it is sorted by if that is a number, and what its title says."""

    shown: Content
    value: int | None = None
    title: str | None = None
    class_: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, with the VNI that it is about."""

    cells: Sequence[Content]
    vni: int | None = None


def table(heads: Sequence[str], rows: Iterable[Row], *, caption: str, numbers: Iterable[int] = ()) -> Piece:
    """A table that scrolls inside itself; columns *numbers* are aligned to the right."""
    right = frozenset(numbers)
    head = tag(
        "tr", *(tag("th", name, scope="col", class_="n" if at in right else None) for at, name in enumerate(heads))
    )
    body = [_row(row, right) for row in rows]
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_="sortable")
    return tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _row(row: Row, right: frozenset[int]) -> Piece:
    cells = []
    for at, content in enumerate(row.cells):
        cell = content if isinstance(content, Cell) else Cell(content)
        classes = " ".join(filter(None, ("n" if at in right else None, cell.class_)))
        cells.append(tag("td", cell.shown, class_=classes or None, title=cell.title, data_v=cell.value))
    return tag("tr", *cells, data_vni=row.vni)


def details(summary: str, *contents: Content) -> Piece:
    """What is shown when somebody asks for it, with JavaScript off too."""
    return tag("details", tag("summary", summary), *contents)


def section(name: str, title: str, *contents: Content) -> Piece:
    """A part of the page that can be linked to."""
    return tag("section", tag("h2", title, id=name), *contents, aria_labelledby=name)


def how(*contents: Content) -> Piece:
    """How something was counted."""
    return tag("p", tag("b", "How it is counted. "), *contents, class_="how")


def nothing(what: str) -> Piece:
    """The one line of a section that has nothing to report."""
    return tag("p", what, class_="nothing")
