"""The `{house}` directive draws what imports what, and `{modules}` lists what each module says that it is.

Both read the package when the pages are built. `{house} overlay` draws the packages inside that wing.
"""

# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import house
from docutils import nodes
from docutils.parsers.rst import Directive
from drawing import table_of
from sphinx.application import Sphinx
from storeys import drawing, heights

_PAGE = "modules"


class House(Directive):
    """The storeys and wings of the library, or the packages of one wing: drawn, and what each is for."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        return self._inside(self.arguments[0]) if self.arguments else self._whole()

    def _whole(self) -> list[nodes.Node]:
        drawn = drawing(
            house.reduced(house.storeys_below()), "What imports what in vxlanpkt",
            lambda name: name in house.WINGS, lambda name: f"{_PAGE}.html#{name}",
        )  # fmt: skip
        rows = ([nodes.literal(text=each.name), _phrase(each.text)] for each in reversed(house.HOUSE))
        return [nodes.raw("", drawn, format="html"), table_of(("Storey or wing", "What it knows"), (20, 80), rows)]

    def _inside(self, wing: str) -> list[nodes.Node]:
        below = house.reduced(house.packages_below(wing))
        drawn = drawing(
            below, f"What imports what in vxlanpkt.{wing}", lambda _: True, lambda name: f"{_PAGE}.html#{wing}-{name}"
        )
        height = heights(below)
        rows = (
            [nodes.literal(text=name), _phrase(house.said_by(f"{wing}.{name}"))]
            for name in sorted(below, key=lambda name: -height[name])
        )
        return [nodes.raw("", drawn, format="html"), table_of(("Package", "What it is"), (20, 80), rows)]


class Modules(Directive):
    """A section for each storey and wing, with a row for each module."""

    def run(self) -> list[nodes.Node]:
        """Build the sections."""
        return [_section(storey.name, storey.text, _tables(storey)) for storey in reversed(house.HOUSE)]


def _section(title: str, text: str, content: Iterable[nodes.Node], above: str = "") -> nodes.section:
    section = nodes.section(ids=[f"{above}{title}"], names=[f"{above}{title}"])
    section += nodes.title(text=title)
    section += nodes.paragraph("", "", *_inline(text))
    section.extend(content)
    return section


def _tables(storey: house.Storey) -> list[nodes.Node]:
    """The modules of a storey: first its own, then those of each package in it."""
    inside: dict[str, list[str]] = {}
    for module in house.modules_of(storey):
        path = house.MODULES[module]
        if path.stem != "__init__":
            inside.setdefault(".".join(module.split(".")[:-1]), []).append(module)
    packages = [(package, found) for package, found in inside.items() if package.count(".") > 0]
    own = [module for package, found in inside.items() if package.count(".") == 0 for module in found]
    tables: list[nodes.Node] = [_table(own)] if own else []
    for package, found in packages:
        tables.append(_section(package.rpartition(".")[2], house.said_by(package), [_table(found)], f"{storey.name}-"))
    return tables


def _table(modules: list[str]) -> nodes.table:
    rows = ([nodes.literal(text=module), _phrase(house.said_by(module))] for module in modules)
    return table_of(("Module", "What it is"), (30, 70), rows)


def _phrase(text: str) -> nodes.inline:
    return nodes.inline("", "", *_inline(text))


def _inline(text: str) -> list[nodes.Node]:
    """A line of a docstring: what stands in backticks is code."""
    return [
        nodes.literal(text=part) if number % 2 else nodes.Text(part) for number, part in enumerate(re.split("`+", text))
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("house", House)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
