"""An extension that was built from other declarations than csrc/contract.h has now is never used in silence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import vxlanpkt
from vxlanpkt.kernel import contract

HEADER = Path(vxlanpkt.__file__).parent / "csrc" / "contract.h"
DEFINITION = re.compile(r"#define VXLANPKT_CONTRACT (\w+)")
NONE = "None"
OLDER = {"none": "object()", "another": "types.SimpleNamespace(VXLANPKT_CONTRACT=1)"}


def number_of(text: str) -> int:
    """The number that stands for a header's declarations, whatever the comments and the spaces in it."""
    declarations = re.sub(r"/\*.*?\*/", " ", DEFINITION.sub("", text), flags=re.DOTALL)
    return zlib.crc32(" ".join(declarations.split()).encode())


def ask_backend(lib: str, wanted: str) -> subprocess.CompletedProcess[str]:
    """Import the kernel beside an extension whose `lib` is this expression; beside none, if it is NONE."""
    program = (
        "import sys, types\n"
        "fake = types.ModuleType('vxlanpkt._fastlib')\n"
        f"fake.__file__, fake.lib = '_fastlib.so', {lib}\n"
        "sys.modules['vxlanpkt._fastlib'] = fake if fake.lib else None\n"
        "import vxlanpkt; print(vxlanpkt.backend)\n"
    )
    environment = {**os.environ, "VXLANPKT_BACKEND": wanted}
    # Not in the root of the tree, where Python finds the package before the installed one.
    here = Path(__file__).parent
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=here)


def test_number() -> None:
    """Whoever changes a declaration changes the number on both sides, and so every extension built before is stale."""
    text = HEADER.read_text(encoding="ascii")
    found = DEFINITION.search(text)
    assert found is not None
    wanted = number_of(text)
    assert int(found[1], 16) == wanted, f"in {HEADER}: #define VXLANPKT_CONTRACT 0x{wanted:08X}"
    assert wanted == contract.CONTRACT, f"in kernel/contract/__init__.py: CONTRACT = 0x{wanted:08X}"


def test_number_means_declarations() -> None:
    """A comment may be reworded; a value may not."""
    text = HEADER.read_text(encoding="ascii")
    assert number_of(text.replace("/* ", "/* Now, ")) == number_of(text)
    assert number_of(text.replace("REASON_OK = 0", "REASON_OK = 1")) != number_of(text)


@pytest.mark.parametrize("wanted", ["auto", "c"])
@pytest.mark.parametrize("lib", OLDER.values(), ids=OLDER)
def test_stale_extension_is_refused(lib: str, wanted: str) -> None:
    """Neither used nor passed over: the error says what to do."""
    done = ask_backend(lib, wanted)
    assert done.returncode != 0
    assert "ImportError: _fastlib.so was built from other sources than these: rebuild it" in done.stderr


def test_python_kernel_runs_beside_a_stale_extension() -> None:
    """The way out that the error names."""
    assert ask_backend(OLDER["another"], "python").stdout == "python\n"


@pytest.mark.parametrize(
    ("wanted", "said"), [("c", "this build has only the kernel 'python'"), ("fast", "it is one of auto, c, python")]
)
def test_a_kernel_that_cannot_be_had(wanted: str, said: str) -> None:
    """Whoever asks for one by name gets that or an error, which says what there is."""
    done = ask_backend(NONE, wanted)
    assert done.returncode != 0
    assert f"ImportError: VXLANPKT_BACKEND={wanted}: {said}" in done.stderr


def test_without_an_extension() -> None:
    """Whoever does not ask for one gets the kernel that there is."""
    assert ask_backend(NONE, "auto").stdout == "python\n"
