"""Packet loops that were built from other declarations are never used in silence."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import vxlanpkt.overlay
from vxlanpkt.kernel import contract
from vxlanpkt.overlay.datapath import loops

HEADER = Path(vxlanpkt.overlay.__file__).parent / "csrc" / "datapath.h"
DEFINITION = re.compile(r"#define VXLANPKT_DATAPATH (\w+)")


def test_number() -> None:
    """Whoever changes a declaration changes the number on both sides."""
    text = HEADER.read_text(encoding="ascii")
    found = DEFINITION.search(text)
    assert found is not None
    declarations = re.sub(r"/\*.*?\*/", " ", DEFINITION.sub("", text), flags=re.DOTALL)
    wanted = zlib.crc32(" ".join(declarations.split()).encode())
    assert int(found[1], 16) == wanted, f"in {HEADER}: #define VXLANPKT_DATAPATH 0x{wanted:08X}"
    assert wanted == loops.CONTRACT, f"in overlay/loops.py: CONTRACT = 0x{wanted:08X}"


@pytest.mark.parametrize("lib", [
    SimpleNamespace(),
    SimpleNamespace(VXLANPKT_DATAPATH=1, vxlanpkt_datapath_kernel=lambda: contract.CONTRACT),
    SimpleNamespace(VXLANPKT_DATAPATH=loops.CONTRACT, vxlanpkt_datapath_kernel=lambda: 1),
])  # fmt: skip
def test_stale_extension_is_refused(lib: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    fake = ModuleType("vxlanpkt.overlay._datapathlib")
    fake.__file__, fake.lib = "old.so", lib  # type: ignore[attr-defined]
    monkeypatch.setattr(loops, "import_module", lambda name: fake)
    with pytest.raises(ImportError, match=r"old\.so was built from other sources than these: rebuild it"):
        loops.load()


def test_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler, or elsewhere than on Linux, the error says why there are none."""

    def fail(name: str) -> ModuleType:
        raise ImportError("nothing there")

    monkeypatch.setattr(loops, "import_module", fail)
    with pytest.raises(ImportError, match="packet loops are not built: they need Linux, and a C compiler"):
        loops.load()
