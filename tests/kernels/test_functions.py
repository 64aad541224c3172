"""The functions of the kernels: the list of them, what type checkers see, and both kernels say the same."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from vxlanpkt import kernel
from vxlanpkt.kernel.contract.functions import FUNCTIONS

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
NAMES = [(module, name) for module, names in FUNCTIONS.items() for name in names]
# Not functions.
CONSTANTS = {"ENDS_STREAMS", "RELEASES"}


def twins(module: str) -> tuple[ModuleType, ModuleType]:
    python, c = (import_module(f"vxlanpkt.kernel.{package}.{module}") for package in ("python", "c"))
    return python, c


def test_what_type_checkers_see() -> None:
    """The imports under TYPE_CHECKING are the list, in its order."""
    tree = ast.parse(Path(inspect.getfile(kernel)).read_text(encoding="utf-8"))
    seen = [
        (node.module.removeprefix("vxlanpkt.kernel.python."), alias.name)
        for block in tree.body if isinstance(block, ast.If)
        for node in block.body if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]  # fmt: skip
    assert seen == NAMES


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_twins(module: str, name: str) -> None:
    """Both kernels have each of them; what they are called with has one name, and one default; so has what they do."""
    ours, theirs = (getattr(twin, name) for twin in twins(module))
    if name in CONSTANTS:
        return
    parameters = [
        [(one.name, one.default, one.kind) for one in inspect.signature(function).parameters.values()]
        for function in (ours, theirs)
    ]
    assert parameters[0] == parameters[1]
    first = [(inspect.getdoc(function) or "").partition("\n")[0] for function in (ours, theirs)]
    assert first[0] == first[1] != ""


@pytest.mark.parametrize("module", FUNCTIONS)
def test_order(module: str) -> None:
    """Functions stand in one order in both files."""
    orders = [
        sorted(set(FUNCTIONS[module]) - CONSTANTS, key=lambda name: inspect.getsourcelines(getattr(twin, name))[1])
        for twin in twins(module)
    ]
    assert orders[0] == orders[1]
