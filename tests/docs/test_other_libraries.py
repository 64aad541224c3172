"""The examples of two pages that take more than the test extra has to have: programs, or root.

Their fences say `py needs=NAME`. They run here, in their places between the other blocks of the page. Those that
need what is not here are left out, and shown as skipped; with VXLANPKT_REQUIRE_LIVE=1 they fail.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT, Block, blocks, new_module, run
from tests.live.namespaces import Namespace, missing

PAGES = ("interoperability", "migrating")
_NEEDS = re.compile(r"^```py needs=(\w+)\n", re.MULTILINE)


def _parts(page: str) -> Iterator[tuple[Block, str | None]]:
    """All blocks of a page in their order, with what each needs."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    needs = {text.count("\n", 0, match.end()) + 1: match[1] for match in _NEEDS.finditer(text)}
    found = [*blocks(text), *blocks(text, "py")]
    assert {block.line for block in blocks(text, "py")} == set(needs), "a fence does not say what it needs"
    yield from ((block, needs.get(block.line)) for block in sorted(found))


def _lacking(need: str) -> str | None:
    """Why what is needed is not here."""
    if need == "veth":
        return missing()
    if need == "pyshark" and sys.version_info >= (3, 14):
        return "pyshark 0.6 takes what asyncio no longer has"
    if need in ("pypacker", "pyshark") and find_spec(need) is None:
        return f"there is no {need}"
    if need == "pypacker":
        return None
    program = "tshark" if need == "pyshark" else need
    return None if shutil.which(program) is not None else f"there is no {program}"


@contextmanager
def _devices() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A namespace with the devices that the page makes; what is called is called in it."""
    page = (ROOT / "docs" / "interoperability.md").read_text(encoding="utf-8")
    namespace = Namespace()
    try:
        namespace.quieten()
        for line in re.findall(r"^(ip .*)$", page, re.MULTILINE):
            for command in line.split("; "):
                namespace.exec(*command.split())
        yield namespace.call
    finally:
        namespace.delete()


NEEDED = sorted({(page, need) for page in PAGES for _, need in _parts(page) if need is not None})


@pytest.mark.filterwarnings("ignore:.*hild.?[wW]atcher:DeprecationWarning")  # pyshark's
@pytest.mark.parametrize(("page", "need"), NEEDED)
def test_examples(page: str, need: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that need this, between those that need nothing but the test extra."""
    lacking = _lacking(need)
    if lacking is not None and os.environ.get("VXLANPKT_REQUIRE_LIVE") == "1":
        pytest.fail(f"required, but {lacking}")
    if lacking is not None:
        pytest.skip(lacking)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    module = new_module(f"{page}_{need}", monkeypatch)
    wanted = [block for block, needed in _parts(page) if needed in (None, need)]

    def run_all() -> None:
        for block in wanted:
            run(block, f"{page}.md", vars(module))

    if need != "veth":
        run_all()
        return
    with _devices() as inside:
        inside(run_all)
