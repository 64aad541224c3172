"""Tables as docutils has them: what the directives that draw them share."""

# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes


def table_of(titles: Sequence[str], widths: Sequence[int], rows: Iterable[list[Any]]) -> nodes.table:
    """A table with a head; the cells of *rows* are nodes."""
    group = nodes.tgroup(cols=len(titles))
    group.extend(nodes.colspec(colwidth=width) for width in widths)
    head, body = nodes.thead(), nodes.tbody()
    head += _row([nodes.Text(title) for title in titles])
    for cells in rows:
        body += _row(cells)
    group += head
    group += body
    table = nodes.table()
    table += group
    return table


def text_of(text: str) -> nodes.inline:
    """Text in which names stand between backticks."""
    parts = enumerate(text.split("`"))
    return nodes.inline(
        "", "", *(nodes.literal(text=part) if number % 2 else nodes.Text(part) for number, part in parts)
    )


def _row(cells: list[Any]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry()
        entry += nodes.paragraph("", "", cell)
        row += entry
    return row
