"""The `{columns}` directive draws the table of a capture's columns from COLUMNS, with their names in other schemes."""

# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from vxlanpkt.capture import COLUMNS

_TITLES = ("Column", "Type", "What it says", "tshark", "zeek", "ecs")
_TYPES = {
    "C": "uint8", "c": "text, dictionary", "S": "uint16", "I": "uint32", "L": "uint64", "u": "text",
    "tsn:UTC": "timestamp, ns, UTC",
}  # fmt: skip


class ColumnTable(Directive):
    """A row for each column, in their order."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        group = nodes.tgroup(cols=len(_TITLES))
        group.extend(nodes.colspec(colwidth=width) for width in (18, 12, 40, 18, 16, 24))
        head = nodes.thead()
        head += _row([nodes.Text(title) for title in _TITLES])
        body = nodes.tbody()
        for column in COLUMNS:
            body += _row([
                nodes.literal(text=column.name), nodes.Text(_TYPES[column.format]), nodes.Text(column.text),
                *(nodes.literal(text=name) for name in (column.tshark, column.zeek, column.ecs)),
            ])  # fmt: skip
        group += head
        group += body
        table = nodes.table()
        table += group
        return [table]


def _row(cells: list[Any]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry()
        entry += nodes.paragraph("", "", cell)
        row += entry
    return row


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("columns", ColumnTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
