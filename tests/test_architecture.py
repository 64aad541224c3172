"""The house: imports point only downward, names say what they are, and the public table is complete.

Imports are read with `ast`; those under `if TYPE_CHECKING:` are exempt, as they do not run.
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from typing import Any

import pytest
from house import BUILD, IMPORTS, MODULES, STOREY, TREES, WINGS, Import, is_type_checking
from house import CORE as STOREYS

import vxlanpkt

# From the bottom to the top. Modules in one line stand side by side: they may not import each other.
# `_fastlib` is the compiled extension.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("_fastlib", "_names", "_values"),
    ("errors",),
    ("reasons",),
    ("link_types",),
    ("assigned",),
    ("checksum",),
    ("addresses",),
    ("kernel.contract",),
    ("kernel.contract.columns",),
    ("kernel.contract.*",),
    ("kernel.python.checksum", "kernel.python.memory", "kernel.python.scanning"),
    ("kernel.python.frames", "kernel.python.options"),
    ("kernel.python.outer",),
    ("kernel.python.inner",),
    ("kernel.python.grouping", "kernel.python.hashing", "kernel.python.tables"),
    ("kernel.python.decapsulation", "kernel.python.records", "kernel.python.sightings"),
    ("kernel.python.columns",),
    ("kernel.python.*",),
    ("kernel.python",),
    ("kernel.c.memory", "kernel.c.checksum"),
    ("kernel.c.*",),
    ("kernel.c",),
    ("kernel",),
    ("layers",),
    ("layers.base",),
    ("layers.*",),
    ("printing",),
    ("starts",),
    ("bindings",),
    ("headers",),
    ("dissection",),
    ("packet",),
    ("predicates",),
    ("expressions", "programs"),
    ("policy", "tunnel"),
    ("refusals",),
    ("decapsulation",),
    ("explanation",),
    ("batches",),
    ("batches.columns",),
    ("batches.frames",),
    ("batches.decapsulated", "batches.encapsulated"),
    ("bulk",),
    ("bulk.checks",),
    ("bulk.*", "grouping", "selection", "sightings"),
    ("filters",),
)
# Inside the overlay, from the bottom to the top; what stands in one line does not import each other. Below all of it
# are the types of `overlay.addresses`.
OVERLAY = (("leases", "tables"), ("stores", "plans"), ("linux",), ("datapath",), ("agent",), ("service",))
# What wings may import although it is no public name: (core module, name).
EXCEPTIONS = frozenset((
    # What makes columns of captures, and lets go of them: too much for Python to do row by row.
    ("kernel", "add_name"),
    ("kernel", "address_of"),
    ("kernel", "address_room"),
    ("kernel", "address_text"),
    ("kernel", "names"),
    ("kernel", "names_room"),
    ("kernel", "hold_names"),
    ("kernel", "derived"),
    ("kernel", "known"),
    ("kernel", "mac_bytes"),
    ("kernel", "mac_text"),
    ("kernel", "numbers"),
    ("kernel", "pick"),
    *(("kernel", name) for name in (
        "count_words", "move_words", "new_words", "number_addresses", "number_macs", "words_room", "words_text",
    )),
    ("kernel", "ENDS_STREAMS"), ("kernel", "RELEASES"), ("kernel", "take_released"), ("kernel", "callback"),
    ("batches.columns", "written"),  # what a kernel answers
    # One form for what all say of wrong values.
    *(("errors", name) for name in ("is_number", "refused_argument", "refused_field")),
    ("policy", "require_policy"),
    *(("kernel.contract.columns", name) for name in ("DECAP_COLUMNS", "DECAP_LAYOUT", "WIDTHS")),
    *(("kernel.contract.captures", name) for name in ("Address", "Derived", "Known", "MAC")),
    # Numbers of which the public enums take longer to load than what counts by them.
    *(("kernel.contract.protocols", name) for name in ("IPV4_TYPE", "IPV6_TYPE", "TCP_PROTOCOL", "UDP_PROTOCOL")),
    ("kernel.contract.columns", "NO_LINK_TYPE"),  # the value in a public column, `DecapBatch.inner_link_type`
    ("layers.ipv6_extensions", "Extension"),  # type aliases of unions of public classes
    ("layers.messages", "Message"),
    *(("selection", name) for name in ("require_filter", "selected")),
    *(("sightings", name) for name in ("DIGEST_SEED_SIZE", "Digests", "Sightings", "Traits", "traits")),
    ("kernel.contract.sightings", "Trait"),
    *(("grouping", name) for name in ("NO_GROUP", "SEED_SIZE", "Groups", "buckets")),  # how rows are counted
    # What of a capture touches every byte or record is done by the kernel: it has functions made for that.
    *(("kernel", name) for name in (
        "add_interface", "choose_rows", "count_records", "hold_counts", "hold_packets", "hold_section", "hold_target",
        "new_buffer", "put_records", "read_records", "sort_rows", "view",
    )),
    *(("kernel.contract.records", name) for name in ("Section", "SectionInterface", "Stop", "Stretch")),
    *(("kernel.contract.writing", name) for name in ("NO_INTERFACE", "Packets", "Target")),
    *(("kernel.contract.counting", name) for name in (
        "COUNTED_COLUMNS", "COUNTED_LAYOUT", "COUNTED_ROWS", "Count", "CutOff", "DERIVED_COLUMNS",
        "WIDTHS_OF_COUNTS",
    )),
    ("kernel.contract.protocols", "IEEE_802_3"),
    ("kernel.contract.spans", "Kind"), ("starts", "outer_kind"),
    *(("kernel.contract.columns", name) for name in ("ADDRESS", "NO_TIMESTAMP", "RECORD_COLUMNS", "RECORD_LAYOUT")),
    # Overlays: look-ups of many addresses, and what tables of a million are kept in.
    *(("kernel", name) for name in (
        "count_prefixes", "drop_prefixes", "find_prefix", "list_prefixes", "look_up", "look_up_macs", "move_prefixes",
        "new_map", "prefix_of_none", "put_prefixes", "refresh_macs", "settle",
        )),
    *(("kernel.contract.answers", name) for name in ("NO_SPACE",)),
    *(("kernel.contract.tables", name) for name in ("Asked", "AskedMACs", "Mapped", "NO_VALUE", "STATIC", "Senders")),
    *(("kernel.contract.tables", name) for name in ("KEY_BITS", "LISTED", "MAC_KEY", "MAP_SEED_SIZE")),
    # The overlay's packet loops in C are handed what the kernel in C holds.
    *(("kernel.c", name) for name in ("address_of", "hold_recipe", "hold_rules")),
    ("kernel.contract", "CONTRACT"),
))  # fmt: skip


def _wing(module: str) -> str | None:
    """The wing that a module belongs to, or None for the core."""
    first = module.split(".")[0]
    return first if first in WINGS else None


def _floor(module: str) -> int | None:
    """The number of a core module's floor."""
    for number, names in enumerate(FLOORS):
        if module in names:
            return number
    parent = module.rpartition(".")[0]
    return next((number for number, names in enumerate(FLOORS) if f"{parent}.*" in names), None)


def _is_protocol(module: str) -> bool:
    """Whether a module defines a layer: a class derived from Header that has a NAME."""
    return any(
        isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Header" for base in node.bases)
        for node in ast.walk(TREES[module])
    )


CORE = [name for name in MODULES if name and _wing(name) is None and name.split(".")[0] not in BUILD]
IN_WINGS = [name for name in MODULES if _wing(name) is not None]


def test_every_module_has_its_place() -> None:
    """A new module of the core has to be given a floor here."""
    assert [name for name in CORE if _floor(name) is None] == []


def test_floors_are_those_of_the_page() -> None:
    """What docs/design.md draws as one storey are floors that follow each other here."""
    order = [storey.name for storey in STOREYS]
    highest = 0
    for floor in FLOORS:
        storeys = [order.index(STOREY[name.partition(".")[0]]) for name in floor if name != "_fastlib"]
        assert min(storeys) >= highest, floor
        highest = max(storeys)


@pytest.mark.parametrize("module", CORE)
def test_core_imports_point_down(module: str) -> None:
    """Nothing in the core imports from its own floor or from one above, nor from a wing."""
    own = _floor(module)
    assert own is not None
    for target, name, line in IMPORTS[module]:
        where = f"{module}:{line} imports {target or 'vxlanpkt'} {name}"
        assert target, f"{where}: the names of the package, which are loaded from above"
        assert _wing(target) is None, f"{where}: a wing"
        floor = _floor(target)
        assert floor is not None, f"{where}: not in the house"
        if module.startswith("layers.") and target.startswith("layers."):
            continue  # test_layers_do_not_know_each_other
        assert floor < own, f"{where}: up or sideways"


@pytest.mark.parametrize("module", [name for name in CORE if name.startswith("layers.")])
def test_layers_do_not_know_each_other(module: str) -> None:
    """No layer module imports one that defines another layer: who follows whom is data."""
    for target, name, line in IMPORTS[module]:
        if target.startswith("layers."):
            assert not _is_protocol(target), f"{module}:{line} imports {name} from the layer module {target}"


def test_protocols_are_found() -> None:
    """The rule above sees the layers that it is about."""
    protocols = {name.removeprefix("layers.") for name in CORE if name.startswith("layers.") and _is_protocol(name)}
    assert {"ethernet", "dot1q", "arp", "ipv4", "ipv6", "udp", "tcp", "icmp", "vxlan", "vxlan_gpe"} <= protocols
    assert not {"base", "messages", "neighbor_discovery", "ipv6_extensions"} & protocols


def test_no_cycles() -> None:
    """No module imports itself by way of others, in the core or in a wing."""
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in finished:
            return
        for target in {found.module for found in IMPORTS.get(module, ())}:
            visit(target, (*path, module))
        finished.add(module)

    for module in MODULES:
        visit(module, ())


HOMES = {name: module for module, names in vxlanpkt._MODULES.items() for name in names}


def _fault_in(wing: str, found: Import) -> str | None:
    """What is wrong with an import of a wing's module, if anything."""
    target, name, _ = found
    # A name of the whole package is loaded from its home, and so is one of that.
    other = _wing(target or HOMES.get(name, ""))
    if other is not None and WINGS.index(other) > WINGS.index(wing):
        return f"{other} is a wing above {wing}"
    if not target:
        public = not name or name in (*vxlanpkt.__all__, "open")
    else:
        public = other is not None or target in ("_names", "_values") or name in vxlanpkt._MODULES.get(target, ())
    return None if public or (target, name) in EXCEPTIONS else "no public name"


@pytest.mark.parametrize("module", IN_WINGS)
def test_wings_use_public_names(module: str) -> None:
    """Wings prove that the API suffices: of the core they import what users may, and what was made for them."""
    wing = _wing(module)
    assert wing is not None
    for found in IMPORTS[module]:
        fault = _fault_in(wing, found)
        where = f"{module}:{found.line} imports {found.name or 'all'} from {f'vxlanpkt.{found.module}'.rstrip('.')}"
        assert fault is None, f"{where}: {fault}"


@pytest.mark.parametrize(
    ("wing", "module", "name", "fault"),
    [
        ("capture", "", "flows", "analysis is a wing above capture"),
        ("capture", "analysis", "flows", "analysis is a wing above capture"),
        ("capture", "cli.app", "app", "cli is a wing above capture"),
        ("analysis", "", "flows", None),
        ("analysis", "", "open", None),
        ("capture", "", "", None),
        ("capture", "", "kernel_of_truth", "no public name"),
        ("capture", "tunnel", "Tunnel", None),
        ("capture", "tunnel", "EPHEMERAL", "no public name"),
        ("overlay", "kernel", "look_up", None),
    ],
)
def test_faults_of_wings_are_seen(wing: str, module: str, name: str, fault: str | None) -> None:
    """The rule above sees what it is about, also where a name comes by way of the package."""
    assert _fault_in(wing, Import(module, name, 1)) == fault


IN_OVERLAY = [name for name in IN_WINGS if name.count(".") == 2 and name.startswith("overlay.")]


def _overlay_floor(module: str) -> tuple[int, str]:
    """The floor of a module's package, and the package."""
    package = module.split(".")[1]
    return next(number for number, names in enumerate(OVERLAY) if package in names), package


@pytest.mark.parametrize("module", IN_OVERLAY)
def test_overlay_imports_point_down(module: str) -> None:
    """In the overlay too: inside a package modules may import each other, of another only from below."""
    floor, package = _overlay_floor(module)
    for target, name, line in IMPORTS[module]:
        if target.count(".") == 2 and target.startswith("overlay."):
            below, other = _overlay_floor(target)
            assert other == package or below < floor, f"{module}:{line} imports {target} {name}: up or sideways"


def test_exceptions_are_needed() -> None:
    """An exception that nobody uses any more is taken out."""
    used = {(found.module, found.name) for module in IN_WINGS for found in IMPORTS[module]}
    assert used >= EXCEPTIONS


@pytest.mark.parametrize("module", [name for name in MODULES if name != "layers"])
def test_docstrings(module: str) -> None:
    """Each module begins by saying what it is."""
    assert ast.get_docstring(TREES[module]), f"{module or '__init__'} has no docstring"


def _public_functions() -> set[str]:
    return {name for name in [*vxlanpkt.__all__, "open"] if name.islower() and not name.startswith("_")}


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_module_names(module: str) -> None:
    """No module takes the name of a public function (which it would shadow) or of the standard library's modules."""
    last = module.rpartition(".")[2]
    assert last not in _public_functions(), f"{module} is named as a public function"
    assert last not in sys.stdlib_module_names, f"{module} is named as a module of the standard library"


# The packages whose names are loaded on first use.
LAZY = ("", "analysis", "capture", "cni", "overlay", "strategies")


def _checked_imports(package: str) -> set[tuple[str, str]]:
    """(module, name) of every import under TYPE_CHECKING in a package's `__init__.py`."""
    found = set()
    prefix = f"vxlanpkt.{package}." if package else "vxlanpkt."
    for block in filter(is_type_checking, TREES[package].body):
        for node in ast.walk(block):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                for alias in node.names:
                    assert alias.asname == alias.name, f"{alias.name} is not exported: write it `as {alias.name}`"
                    found.add((node.module[len(prefix) :], alias.name))
    return found


@pytest.mark.parametrize("package", LAZY)
def test_public_table(package: str) -> None:
    """What is loaded on first use is what type checkers see."""
    loaded: Any = import_module(f"vxlanpkt.{package}".rstrip("."))
    table = {(module, name) for module, names in loaded._MODULES.items() for name in names}
    assert table == _checked_imports(package)
    for _, name in table:
        assert f"{package}.{name}".lstrip(".") not in MODULES, f"{name} is a module too, which takes its place"
        assert getattr(loaded, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = loaded.nothing


@pytest.mark.parametrize("name", vxlanpkt.__all__)
def test_public_names_resolve(name: str) -> None:
    """Every name of `__all__` is there."""
    assert getattr(vxlanpkt, name) is not None


def test_all() -> None:
    """`from vxlanpkt import *` does not take the place of the built-in `open`."""
    assert "open" not in vxlanpkt.__all__
    assert len(set(vxlanpkt.__all__)) == len(vxlanpkt.__all__)


def test_unknown_names() -> None:
    """A name that is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        vxlanpkt.nothing_of_the_kind  # noqa: B018
