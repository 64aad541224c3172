"""The `{columns}` directive draws the table of a capture's columns from COLUMNS, with their names in other schemes."""

# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from drawing import table_of, text_of
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
        rows = (
            [
                nodes.literal(text=column.name), nodes.Text(_TYPES[column.format]), text_of(column.text),
                *(nodes.literal(text=name) for name in (column.tshark, column.zeek, column.ecs)),
            ]
            for column in COLUMNS
        )  # fmt: skip
        table = table_of(_TITLES, (18, 12, 40, 18, 16, 24), rows)
        table["classes"].append("columns")
        return [table]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("columns", ColumnTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
