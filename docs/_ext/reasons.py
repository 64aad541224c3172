"""The `{reasons}` directive draws the table of every Reason from REASONS; docstrings keep their columns."""

# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from drawing import table_of
from sphinx.application import Sphinx

from vxlanpkt import REASONS, Reason

_TITLES = ("Code", "Reason", "Raised as", "Layer", "Meaning")


class ReasonTable(Directive):
    """A row for each Reason, in the order of the codes."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        return [table_of(_TITLES, (5, 28, 18, 12, 45), map(_cells, Reason))]


def _cells(reason: Reason) -> list[Any]:
    info = REASONS.get(reason)
    kind, layer, text = (info.exception.__name__, info.layer, info.text) if info else ("", "", "accepted")
    name, raised = nodes.literal(text=reason.name), nodes.literal(text=kind) if kind else nodes.Text("")
    return [nodes.Text(str(reason.value)), name, raised, nodes.Text(layer), nodes.Text(text)]


def _keep_columns(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:  # fmt: skip
    """Show docstrings as they were laid out, in columns: as one literal block behind the first paragraph."""
    if "" not in lines:
        return
    first = lines.index("")
    rest = [f"    {line}".rstrip() for line in lines[first + 1 :]]
    if any(rest):
        lines[:] = [*lines[: first + 1], "::", "", *rest, ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("reasons", ReasonTable)
    app.connect("autodoc-process-docstring", _keep_columns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
