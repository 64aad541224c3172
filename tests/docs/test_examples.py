"""Every ```python block in the documentation runs, and what it says that it gives, it gives.

The blocks of a page run one behind the other and share their names. Three things are checked:

    expression  # -> TEXT       the repr of the expression is TEXT; the comment may have the next line for itself
    statement   # raises NAME   it raises an exception of the class NAME
    a ```text block right behind a ```python block: what that printed

In a ```console block, what stands behind "$ " is run by bash, and the lines up to the next "$ " are what it prints,
on standard error too; a line of "..." stands for any number of lines, and spaces at the ends of lines do not count.
A command that needs a program which is not installed is left out: OTHERS has those that pages may call.

Pages run from top to bottom, in a directory of their own, in which `tests` is this repository's: captures are found,
and what an example writes is gone afterwards.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md") if "_build" not in page.parts]

OTHERS = ("tcpdump", "tshark")

_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"#\s*->\s*(?P<text>.+?)\s*$")
_RAISES = re.compile(r"#\s*raises\s+(?P<name>\w+)")


class Block(NamedTuple):
    """A block of Python: the line that its code begins on, the code, and what is shown as printed."""

    line: int
    code: str
    printed: str | None


def blocks(text: str, language: str = "python") -> Iterator[Block]:
    """The Python blocks of a page; those that call themselves py need more than others, and run elsewhere."""
    fences = list(_FENCE.finditer(text))
    for fence, following in zip_longest(fences, fences[1:]):
        if fence["language"] != language:
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
            last, *rest = lines[statement.end_lineno - block.line :]
            where = f"{page}:{statement.lineno}"
            raises, shown = _RAISES.search(last), _SHOWN.search(last) or _SHOWN.match(rest[0] if rest else "")
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


class Command(NamedTuple):
    """A command line in a console block, the line of the page that it is on, and what is shown as printed."""

    line: int
    text: str
    printed: str


def commands(text: str) -> Iterator[Command]:
    """The commands of a page that show what they print."""
    for fence in _FENCE.finditer(text):
        if fence["language"] != "console" or not fence["code"].startswith("$ "):
            continue
        begin = text.count("\n", 0, fence.start("code")) + 1
        lines = fence["code"].splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            yield Command(begin + start, lines[start][2:], "\n".join(lines[start + 1 : end]).strip("\n"))


def run_command(command: Command, page: str) -> None:
    """Run one command where the page's examples are, with this interpreter and its command line."""
    python = f'python3() {{ "{sys.executable}" "$@"; }}\n'
    script = f'{python}vxlanpkt() {{ python3 -I -m vxlanpkt.cli "$@"; }}\n{command.text}'
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    pattern = "\n".join(
        r"(?:.*\n)*?.*" if line == "..." else re.escape(line) for line in command.printed.splitlines()
    )  # fmt: skip
    found = "\n".join(line.rstrip() for line in done.stdout.decode("utf-8").splitlines()).strip("\n")
    assert re.fullmatch(pattern, found), f"{page}:{command.line} prints\n{found}"


def new_module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Where a page's names are. It has no loader, and Python 3.15 deprecates one that is None."""
    module = ModuleType(f"docs_{name}")
    del module.__loader__, module.__spec__
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look for the module that they are in
    return module


def can_run(command: Command) -> bool:
    """Whether the programs that a command calls are there."""
    return all(shutil.which(name) for name in OTHERS if re.search(rf"(?:^|[|;(] *){name} ", command.text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).with_suffix("").as_posix())
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of one page, from top to bottom."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    module = new_module(page.stem.replace("-", "_"), monkeypatch)
    text = page.read_text(encoding="utf-8")
    steps: list[Block | Command] = [*blocks(text), *commands(text)]
    for step in sorted(steps, key=lambda step: step.line):
        if isinstance(step, Block):
            run(step, page.name, vars(module))
        elif can_run(step):
            run_command(step, page.name)


@pytest.mark.parametrize("name", ["quickstart", "guides/analyst", "guides/overlay-author", "guides/tester"])
def test_first_pages_run_as_files(name: str, tmp_path: Path) -> None:
    """A newcomer puts the blocks of a page into a file, and Python runs it to the end."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    (tmp_path / "page.py").write_text("\n".join(block.code for block in blocks(text)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_runner_sees_what_is_wrong() -> None:
    """The runner itself: a wrong value, a missing error and wrong output are found."""
    text = (
        "```python\n1 + 1  # -> 3\n```\n\n```python\nprint(1)\n```\n```text\n2\n```\n\n"
        "```python\n(1 +\n 1)\n# -> 3\n```\n\n```python\nx = 1  # raises KeyError\n```\n"
    )
    found = list(blocks(text))
    assert [block.printed for block in found] == [None, "2\n", None, None]
    for block in found[:3]:
        with pytest.raises(AssertionError):
            run(block, "page", {})
    with pytest.raises(pytest.fail.Exception):
        run(found[3], "page", {})


def test_runner_sees_what_commands_print() -> None:
    """Several in a block, lines left out, and a wrong line."""
    text = (
        "```console\n$ echo a\na\n\n$ seq 9; echo b >&2\n1\n...\n9\nb\n```\n\n```console\nnot run\n```\n\n"
        "```console\n$ seq 3\n1\n3\n```\n"
    )
    found = list(commands(text))
    assert [(command.line, command.text) for command in found] == [
        (2, "echo a"),
        (5, "seq 9; echo b >&2"),
        (17, "seq 3"),
    ]
    for command in found[:2]:
        run_command(command, "page")
    with pytest.raises(AssertionError):
        run_command(found[2], "page")
