"""The house as it is built: the modules of the package, what each imports when it runs, and which storey it is on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import vxlanpkt

ROOT = Path(vxlanpkt.__file__).parent
WINGS = ("capture", "analysis", "spark", "overlay", "cni", "strategies", "cli")
"""They stand on the core; a later one may use an earlier one."""
BUILD = frozenset(("_build",))
"""Modules that are no part of the library as it runs: the build script of the C kernel."""


class Storey(NamedTuple):
    """A storey of the core, or a wing: its name, what it knows, and the modules and packages that it is made of."""

    name: str
    text: str
    parts: tuple[str, ...]


class Import(NamedTuple):
    """One imported name: from which module of the package, what, and on which line."""

    module: str
    name: str
    line: int


def _modules() -> dict[str, Path]:
    """Every module of the package by its name inside it; the package itself is ''."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def is_type_checking(node: ast.AST) -> bool:
    """Whether it is a block that only type checkers read."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below that is not only for type checkers."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield other
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


def _imports(tree: ast.AST) -> Iterator[Import]:
    """What a module imports from this package when it runs, in functions too."""
    for node in _running(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "vxlanpkt":
                    yield Import(alias.name[len("vxlanpkt.") :], "", node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            if node.module is None or node.module.split(".")[0] != "vxlanpkt":
                continue
            module = node.module[len("vxlanpkt.") :]
            for alias in node.names:
                inside = f"{module}.{alias.name}".lstrip(".")
                yield Import(inside, "", node.lineno) if inside in MODULES else Import(module, alias.name, node.lineno)


IMPORTS = {name: tuple(_imports(tree)) for name, tree in TREES.items()}


def said_by(module: str) -> str:
    """What a module or package says that it is: the first line of its docstring."""
    return (ast.get_docstring(TREES[module]) or "").partition("\n")[0]


CORE = (
    Storey("ground", "errors, assigned numbers, addresses and checksums",
           ("_names", "_values", "errors", "reasons", "link_types", "assigned", "checksum", "addresses")),
    Storey("kernel", "bytes, numbers and reasons; no layer, no packet, no tunnel", ("kernel",)),
    Storey("layers", "one protocol a file; no layer knows another", ("layers",)),
    Storey("packets", "layers in a row", ("printing", "starts", "bindings", "headers", "dissection", "packet")),
    Storey("expressions", "the language of filters: text, trees, programs", ("predicates", "expressions", "programs")),
    Storey("tunnels", "recipes, and one frame", ("policy", "tunnel", "refusals", "decapsulation", "explanation")),
    Storey("bulk", "buffers, offsets, lengths, columns", ("batches", "bulk", "grouping", "selection", "sightings")),
    Storey("filters", "which rows an expression matches", ("filters",)),
)  # fmt: skip
"""From the ground to the roof."""
HOUSE = (*CORE, *(Storey(wing, said_by(wing), (wing,)) for wing in WINGS))
STOREY = {part: storey.name for storey in HOUSE for part in storey.parts}


def modules_of(storey: Storey) -> list[str]:
    """All modules of a storey, those of a package behind it."""
    return [name for part in storey.parts for name in MODULES if name == part or name.startswith(f"{part}.")]


def storeys_below() -> dict[str, set[str]]:
    """Which others each storey imports from."""
    public = {name: module for module, names in vxlanpkt._MODULES.items() for name in names}
    below: dict[str, set[str]] = {storey.name: set() for storey in HOUSE}
    for storey in HOUSE:
        for module in modules_of(storey):
            for target, name, _ in IMPORTS[module]:
                found = STOREY.get((target or public.get(name, "")).partition(".")[0], storey.name)
                if found != storey.name:
                    below[storey.name].add(found)
    return below


def packages_below(wing: str) -> dict[str, set[str]]:
    """Which others of its packages each package of a wing imports from."""
    names = [name for name, path in MODULES.items() if name.startswith(f"{wing}.") and path.stem == "__init__"]
    below: dict[str, set[str]] = {name: set() for name in names}
    for package in names:
        for module in MODULES:
            if module.startswith(f"{package}."):
                found = {name for target, _, _ in IMPORTS[module] for name in names if target.startswith(f"{name}.")}
                below[package] |= found - {package}
    return {name.rpartition(".")[2]: {each.rpartition(".")[2] for each in found} for name, found in below.items()}


def reduced(below: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same without what follows from the others: on what is below something that is below."""

    def all_below(name: str) -> set[str]:
        return below[name].union(*(all_below(each) for each in below[name]))

    return {name: {each for each in found if not any(each in all_below(other) for other in found)}
            for name, found in below.items()}  # fmt: skip
