"""docs/cookbook/flannel.md, as it stands there: a script gets an answer from a node that has the kernel's device."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .namespaces import run

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

PAGE = Path(__file__).parents[2] / "docs" / "cookbook" / "flannel.md"
_FENCE = re.compile(r"^```(?:python|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS = 60.0
_APART = ("unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")

# The agent is the node of the page, so the two lines that stand for it there go.
_NODE = ("store.set_config(", "node = store.acquire(")
# It hears of the script's lease within a second.
_HEARD = """
import subprocess
subprocess.run(["bash", "-c", "until ip -n node route | grep -q flannel; do sleep 0.1; done"], timeout=30, check=True)
"""

_SCRIPT = """
mount -t tmpfs run /run
ip netns add node
ip link add eth0 type veth peer name eth0 netns node
ip addr add 192.0.2.9/24 dev eth0; ip link set eth0 up
ip -n node addr add 192.0.2.1/24 dev eth0; ip -n node link set eth0 up; ip -n node link set lo up
echo '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}' >net.json
ip netns exec node "$0" -I -m vxlanpkt.cli overlay up --config net.json --store network --iface eth0 \
    --run-dir run --subnet-env node.env --backend vxlan 2>agent.log &
timeout 30 bash -c 'until [ -s node.env ]; do sleep 0.1; done'
"$0" -I recipe.py
"$0" -I -m vxlanpkt.cli overlay down --run-dir run >/dev/null
wait
"""


def test_a_script_pings_a_node(tmp_path: Path) -> None:
    """The node answers to the lease of a script, from its address on flannel.1 and by VXLAN."""
    blocks = "".join(_FENCE.findall(PAGE.read_text(encoding="utf-8")))
    lines = [line for line in blocks.splitlines() if not line.startswith(_NODE)]
    assert len(lines) == len(blocks.splitlines()) - len(_NODE)
    asking = next(number for number, line in enumerate(lines) if line.startswith("print(ask("))
    recipe = "\n".join([*lines[:asking], _HEARD, *lines[asking:]])
    (tmp_path / "recipe.py").write_text(recipe, encoding="utf-8")
    script = f"cd {tmp_path}\n{_SCRIPT}"
    printed = run(*_APART, "bash", "-euo", "pipefail", "-c", script, sys.executable, seconds=_SECONDS).stdout
    assert re.search(r"^ICMP +type 0 \(ECHO_REPLY\).*Echo\(identifier 9, sequence_number 1", printed, re.MULTILINE), (
        printed
    )
