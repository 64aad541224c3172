"""The recipe for Ray in docs/scale.md, where Ray is installed."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from tests.docs.test_examples import blocks

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_recipe() -> None:
    """It says how many bytes each VNI has."""
    ray: Any = pytest.importorskip("ray")
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (block,) = (block for block in blocks(page, "py") if "import ray" in block.code)
    pattern = str(ROOT / "tests" / "data" / "*_v4.pcap")
    names: dict[str, Any] = {}
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(block.code.replace("/mnt/captures/*.pcap", pattern), names)
        found = {row["vni"]: row["sum(inner_length)"] for row in names["by_vni"].take_all() if row["vni"] is not None}
    finally:
        ray.shutdown()
    whole = vxlanpkt.open(pattern)
    list(whole.decap())
    assert {vni: found[vni] for vni in whole.stats.vnis} == {
        vni: of.inner_bytes for vni, of in whole.stats.vnis.items()
    }
