"""Every ```python block in the documentation runs, and what it says that it gives, it gives.

The blocks of a page run one behind the other and share their names. Three things are checked:

    expression  # -> TEXT       the repr of the expression is TEXT
    statement   # raises NAME   it raises an exception of the class NAME
    a ```text block right behind a ```python block: what that printed

Pages run in a directory of their own, in which `tests` is this repository's: captures are found, and what an example
writes is gone afterwards.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md") if page.exists()]

_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"#\s*->\s*(?P<text>.+?)\s*$")
_RAISES = re.compile(r"#\s*raises\s+(?P<name>\w+)")


class Block(NamedTuple):
    """A block of Python: the line that its code begins on, the code, and what is shown as printed."""

    line: int
    code: str
    printed: str | None


def blocks(text: str) -> Iterator[Block]:
    """The Python blocks of a page."""
    fences = list(_FENCE.finditer(text))
    for fence, following in zip_longest(fences, fences[1:]):
        if fence["language"] != "python":
            continue
        shown = None
        if following is not None and following["language"] == "text":
            between = text[fence.end() : following.start()]
            shown = following["code"] if not between.strip() else None
        yield Block(text.count("\n", 0, fence.start("code")) + 1, fence["code"], shown)


def run(block: Block, page: str, names: dict[str, Any]) -> None:
    """Run one block, statement by statement."""
    lines = block.code.splitlines()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for statement in ast.parse(block.code).body:
            assert statement.end_lineno is not None
            ast.increment_lineno(statement, block.line - 1)
            last = lines[statement.end_lineno - block.line]
            where = f"{page}:{statement.lineno}"
            raises, shown = _RAISES.search(last), _SHOWN.search(last)
            if raises:
                _expect_error(statement, raises["name"], where, names)
            elif shown and isinstance(statement, ast.Expr):
                value = eval(compile(ast.Expression(statement.value), where, "eval", dont_inherit=True), names)
                assert repr(value) == shown["text"], where
            else:
                assert not shown, f"{where}: -> behind what is no expression"
                _execute(statement, where, names)
    if block.printed is not None:
        assert out.getvalue() == block.printed, f"{page}:{block.line}"


def _execute(statement: ast.stmt, where: str, names: dict[str, Any]) -> None:
    exec(compile(ast.Module([statement], []), where, "exec", dont_inherit=True), names)


def _expect_error(statement: ast.stmt, name: str, where: str, names: dict[str, Any]) -> None:
    try:
        _execute(statement, where, names)
    except Exception as error:
        assert name in [kind.__name__ for kind in type(error).__mro__], f"{where}: {error!r}"
    else:
        pytest.fail(f"{where}: no {name} was raised")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of one page, from top to bottom."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"docs_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look for the module that they are in
    for block in blocks(page.read_text(encoding="utf-8")):
        run(block, page.name, vars(module))


def test_runner_sees_what_is_wrong() -> None:
    """The runner itself: a wrong value, a missing error and wrong output are found."""
    text = (
        "```python\n1 + 1  # -> 3\n```\n\n```python\nprint(1)\n```\n```text\n2\n```\n\n"
        "```python\nx = 1  # raises KeyError\n```\n"
    )
    found = list(blocks(text))
    assert [block.printed for block in found] == [None, "2\n", None]
    for block in found[:2]:
        with pytest.raises(AssertionError):
            run(block, "page", {})
    with pytest.raises(pytest.fail.Exception):
        run(found[2], "page", {})
