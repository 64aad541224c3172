"""The pages are complete: what is public is in the reference, every parameter and preset is explained."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import vxlanpkt
from vxlanpkt.capture.tables import TableOptions
from vxlanpkt.cni import Code
from vxlanpkt.kernel.contract.columns import DECAP_COLUMNS
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _names_in_code(page: str) -> set[str]:
    """Every word that stands in a code span of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {word for span in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", span)}


def test_reference_has_every_public_name() -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"vxlanpkt\.(\w+)\s", text)) | _names_in_code("reference.md")
    assert {*vxlanpkt.__all__, "open"} - documented - {"__version__"} == set()


@pytest.mark.parametrize("wing", ["capture", "analysis", "overlay", "cni"])
def test_reference_has_the_names_of_wings(wing: str) -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(rf"^\.\. auto\w+:: vxlanpkt\.(?:{wing}\.)?(\w+)$", text, re.M))
    assert set(import_module(f"vxlanpkt.{wing}").__all__) - documented == set()


@pytest.mark.parametrize(
    ("recipe", "page"), [(vxlanpkt.Tunnel, "tunnels.md"), (vxlanpkt.DecapPolicy, "decapsulation.md")]
)
def test_every_parameter_is_explained(recipe: type[vxlanpkt.Tunnel | vxlanpkt.DecapPolicy], page: str) -> None:
    assert {*recipe.__match_args__} - _names_in_code(page) == set()


def test_every_preset_is_explained() -> None:
    presets = {name for name, value in vars(vxlanpkt.DecapPolicy).items() if isinstance(value, vxlanpkt.DecapPolicy)}
    assert presets - _names_in_code("decapsulation.md") == set()


def test_every_note_is_explained() -> None:
    assert {note.name for note in vxlanpkt.Note} - _names_in_code("decapsulation.md") == set()


def test_every_column_is_explained() -> None:
    assert {*DECAP_COLUMNS} - _names_in_code("batches.md") == set()


@pytest.mark.skipif(sys.platform != "linux", reason="agents are of Linux alone")
@pytest.mark.parametrize("verb", ["up", "status", "down"])
def test_every_option_of_the_overlay_is_explained(verb: str) -> None:
    command: click.Command = getattr(import_module(f"vxlanpkt.cli.overlay.{verb}"), verb)
    text = (DOCS / "overlay-commands.md").read_text(encoding="utf-8")
    options = {option for parameter in command.params for option in parameter.opts}
    assert {option for option in options if not re.search(rf"`{option}[` ]", text)} == set()


@pytest.mark.parametrize("part", [AgentStatus, LinkStatus, PeerStatus])
def test_every_field_of_a_status_is_explained(part: type) -> None:
    assert {field.name for field in dataclasses.fields(part)} - _names_in_code("overlay-commands.md") == set()


def test_every_reason_has_a_row() -> None:
    """The errors page draws its table from REASONS, which has a row for each reason that is an error."""
    assert "```{reasons}" in (DOCS / "errors.md").read_text(encoding="utf-8")
    assert set(vxlanpkt.REASONS) == set(vxlanpkt.Reason) - {vxlanpkt.Reason.OK}


def test_every_code_of_cni_has_a_row() -> None:
    """With its number, and no row has a code that is none."""
    text = (DOCS / "cni.md").read_text(encoding="utf-8")
    rows = {(int(number), name) for number, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", text, re.MULTILINE)}
    assert rows == {(int(code), code.name) for code in Code}


def test_columns_of_captures_are_drawn_from_their_table() -> None:
    """The columns page draws its table from COLUMNS, and explains each keyword of a table."""
    assert "```{columns}" in (DOCS / "columns.md").read_text(encoding="utf-8")
    assert {*TableOptions.__annotations__} - _names_in_code("columns.md") == set()


def test_every_file_in_c_has_its_coverage() -> None:
    """The table has a row for `_fast.c` and for each header, and nothing that is gone."""
    text = (DOCS / "fuzzing.md").read_text(encoding="utf-8").partition("\n## Coverage\n")[2]
    package = ROOT / "vxlanpkt"
    headers = {f"csrc/{header.name}" for header in (package / "csrc").glob("*.h")} - {"csrc/contract.h"}
    assert set(re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)) == {"_fast.c", *headers}


def test_the_order_of_the_pages() -> None:
    """Every section has a caption, and few enough pages to be looked through."""
    for page in ("index.md", "cookbook/index.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        sections = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert sections
        for section in sections:
            lines = [line for line in section.splitlines() if line]
            assert lines[0].startswith(":caption: ")
            assert sum(not line.startswith(":") for line in lines) <= 12, section


def test_the_pages_build(tmp_path: Path) -> None:
    """Sphinx has nothing to complain of, and every reason is in what it made."""
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    copy = tmp_path / "docs"
    shutil.copytree(DOCS, copy, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(copy), str(tmp_path / "html")],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "errors.html").read_text(encoding="utf-8")
    assert [reason.name for reason in vxlanpkt.Reason if f">{reason.name}<" not in page] == []
