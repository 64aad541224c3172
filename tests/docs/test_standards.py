"""The standards page: its tests exist, no row says nothing, and no clause of RFC 7348 is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
THIS = "tests/docs/test_standards.py"
PAGE = ROOT / "docs" / "standards.md"
COLUMNS = ["section", "clause", "what we do", "test"]
OWNERS = ("caller's", "overlay's", "host's", "operator's", "routers'")  # as the page's introduction explains them

KEYWORD = re.compile(r"\b(?:MUST NOT|MUST|REQUIRED|SHALL NOT|SHALL|SHOULD NOT|SHOULD|RECOMMENDED|MAY|OPTIONAL)\b")
TEST = re.compile(r"`(tests/[^`]+?\.py::[^`]+)`")

# Each section of RFC 7348 that has keywords of RFC 2119, with their number, as counted in its text. Section 2, which
# only names the keywords, is left out. Sections 1, 3, 4, 4.1, 4.2, 7 and 8 have none.
RFC_7348 = {"4.3": 4, "5": 12, "6": 1, "6.1": 3}

# Every document that the page has to have, by what its heading begins with.
DOCUMENTS = (
    "RFC 7348", "RFC 6040", "RFC 6935", "RFC 6936", "RFC 6335", "RFC 768", "RFC 791", "RFC 6864", "RFC 1122",
    "RFC 8200", "RFC 2675", "RFC 6946", "RFC 6438", "RFC 826", "RFC 4861", "RFC 4862 and RFC 5227",
    "RFC 1071 and RFC 1624", "VXLAN group policy", "VXLAN-GPE",
)  # fmt: skip


class Row(NamedTuple):
    """One clause, with the line of the page that it stands on."""

    line: int
    document: str
    section: str
    clause: str
    behaviour: str
    test: str


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows(text: str) -> list[Row]:
    """The rows of every table of clauses."""
    found, document, in_table = [], "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            document = line[3:]
        if not line.startswith("|"):
            in_table = False
        elif cells(line) == COLUMNS:
            in_table = True
        elif in_table and not line.startswith("|---"):
            assert len(cells(line)) == len(COLUMNS), f"line {number}: {line}"
            found.append(Row(number, document, *cells(line)))
    return found


ROWS = rows(PAGE.read_text(encoding="utf-8"))


@cache
def collected() -> set[str]:
    """The ids of the tests in the files that the page names, and in this one, with and without their parameters."""
    files = {test.split("::")[0] for row in ROWS for test in TEST.findall(row.test)} | {THIS}
    assert [file for file in files if not (ROOT / file).is_file()] == []
    # Not in the root of the tree, where Python finds the package before the installed one.
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-o", "addopts=--import-mode=importlib"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    paths = [str(ROOT / file) for file in sorted(files)]
    done = subprocess.run([*command, *paths], cwd=ROOT / "tests", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    whole = {line for line in done.stdout.splitlines() if "::" in line}
    return whole | {re.sub(r"\[.*", "", line) for line in whole}


def is_there(test: str) -> bool:
    """Whether pytest collects a test. Of a file that is skipped as a whole, as it is without a C kernel, no more can be
    said than that it has a function of that name."""  # fmt: skip
    file, name = test.split("::", 1)
    if any(found.startswith(f"{file}::") for found in collected()):
        return test in collected()
    function = re.sub(r"\[.*", "", name).split("::")[-1]
    return f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_test_is_there() -> None:
    """Each id in the tables is one that pytest collects."""
    named = {test: row.line for row in ROWS for test in TEST.findall(row.test)}
    assert {test: line for test, line in named.items() if not is_there(test)} == {}


def complaint(row: Row) -> str | None:
    """What a row lacks: a section, a clause, what we do, and a test; or "-", with a word on whose business it is."""
    if not (row.section and row.clause and row.behaviour):
        return "an empty cell"
    if row.test == "-":
        return None if any(owner in row.behaviour for owner in OWNERS) else "no test, and nobody's business"
    rest = TEST.sub("", row.test).replace(",", "").strip()
    return None if TEST.findall(row.test) and not rest else f"not the ids of tests: {row.test}"


def test_every_row_says_something() -> None:
    """No row lacks anything."""
    assert {row.line: complaint(row) for row in ROWS if complaint(row)} == {}


def test_every_document_is_there() -> None:
    """One table each."""
    headings = list(dict.fromkeys(row.document for row in ROWS))
    assert [heading.split(":")[0] for heading in headings] == list(DOCUMENTS)


def test_no_clause_of_rfc_7348_is_forgotten() -> None:
    """One row for each keyword of the RFC, in each of its sections."""
    counted: Counter[str] = Counter()
    for row in ROWS:
        if row.document.startswith("RFC 7348"):
            counted[row.section] += len(KEYWORD.findall(row.clause))
    assert +counted == RFC_7348


def test_the_checks_see_what_is_wrong() -> None:
    """A test that is not there, an empty cell, a "-" without an owner, and what is no id."""
    head = "## RFC 1\n\n| section | clause | what we do | test |\n|---|---|---|---|\n"
    lines = {
        "| 1 | it MUST be | the host's business | - |": None,
        "| 1 | it MUST be | so it is | `tests/x.py::test_x[a b]`, `tests/x.py::test_y` |": None,
        "| 1 | it MUST be | it is | - |": "no test, and nobody's business",
        "| 1 | it MUST be |  | `tests/x.py::test_x` |": "an empty cell",
        "| 1 | it MUST be | it is | |": "not the ids of tests: ",
        "| 1 | it MUST be | it is | `tests/x.py` |": "not the ids of tests: `tests/x.py`",
    }
    assert [complaint(row) for row in rows(head + "\n".join(lines))] == list(lines.values())
    assert KEYWORD.findall("MUST NOT be, SHOULD be, may be") == ["MUST NOT", "SHOULD"]
    assert is_there(f"{THIS}::test_the_checks_see_what_is_wrong")
    assert not is_there(f"{THIS}::test_that_is_not_there")
    assert not is_there("tests/hostile/test_cases.py::test_decap[that-is-not-there]")
