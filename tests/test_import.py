"""What `import vxlanpkt` costs: names are loaded from their modules when they are first used."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import vxlanpkt

# What the package's own few lines need. Everything else waits for the first name.
ALLOWED = frozenset(("vxlanpkt", "vxlanpkt._names"))
# Expensive in themselves, or a sign that something was loaded too early.
FORBIDDEN = ("ipaddress", "dataclasses", "struct", "array", "inspect", "ast", "cffi", "hypothesis", "vxlanpkt.layers")


@cache
def _loaded(statement: str) -> frozenset[str]:
    """The modules that *statement* adds in a fresh interpreter, beside the standard ones that it may use."""
    program = (
        "import __future__, importlib, sys, typing\n"  # what vxlanpkt/__init__.py imports
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(_home())!r})\n{program}"],
        check=True, capture_output=True, text=True, env={**os.environ, "VXLANPKT_BACKEND": "auto"},
    )  # fmt: skip
    return frozenset(done.stdout.split())


def _home() -> Path:
    return Path(vxlanpkt.__file__).parent.parent


def test_import_loads_itself_alone() -> None:
    """Nothing but the package comes with `import vxlanpkt`."""
    assert _loaded("import vxlanpkt") == ALLOWED


def test_dir_and_version_load_nothing() -> None:
    """Looking around is free."""
    assert _loaded("import vxlanpkt; dir(vxlanpkt); vxlanpkt.__version__; vxlanpkt.__all__") == ALLOWED


@pytest.mark.parametrize("module", FORBIDDEN)
def test_import_does_not_load(module: str) -> None:
    """Named one by one, so that a failure says which."""
    assert module not in _loaded("import vxlanpkt")


def test_a_name_loads_what_it_needs() -> None:
    """A low name does not bring the floors above it."""
    loaded = _loaded("import vxlanpkt; vxlanpkt.Reason")
    assert "vxlanpkt.errors" in loaded
    assert not {name for name in loaded if name.startswith("vxlanpkt.")} - {"vxlanpkt.errors", "vxlanpkt._names"}


def test_no_wing_comes_with_the_core() -> None:
    """The core does without captures, command line and strategies."""
    loaded = _loaded("import vxlanpkt; vxlanpkt.decap_batch; vxlanpkt.encap_batch; vxlanpkt.parse; vxlanpkt.Tunnel")
    wings = ("capture", "analysis", "overlay", "cni", "cli", "strategies")
    assert not [name for name in loaded if name.startswith(tuple(f"vxlanpkt.{wing}" for wing in wings))]
    assert not {"hypothesis", "argparse"} & loaded


@pytest.mark.parametrize("name", ["flows", "vteps", "open"])
def test_one_process_does_without_what_several_need(name: str) -> None:
    """Which takes as long to load as the rest."""
    loaded = _loaded(f"import vxlanpkt; vxlanpkt.{name}('tests/data/flannel_v4.pcap', ports=[8472])")
    assert not {"multiprocessing", "concurrent.futures", "logging", "socket", "subprocess", "tempfile"} & loaded


# Of the standard library, what takes longer to load than most of this one does; and of this one what only few captures,
# frames or tunnels need.
SLOW = frozenset((
    "ast", "ctypes", "dataclasses", "dis", "fnmatch", "glob", "heapq", "inspect", "linecache", "pathlib", "tokenize",
    "urllib.parse", "zlib",
    "vxlanpkt.assigned", "vxlanpkt.bindings", "vxlanpkt.layers.ethernet", "vxlanpkt.packet", "vxlanpkt.reasons",
))  # fmt: skip


def _loaded_with_c(statement: str) -> frozenset[str]:
    """The same with the C kernel; the Python kernel loads some of what is slow."""
    fastlib = pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
    assert fastlib.lib
    cffi = Path(sys.modules["_cffi_backend"].__file__ or "").parent
    return _loaded(f"sys.path.append({str(cffi)!r}); {statement}; assert vxlanpkt.backend == 'c'")


@pytest.mark.parametrize("program", [
    "decap", "decap_batch", "decap_file", "encap_batch", "encap_file", "flows", "open", "vteps",
    "flows('tests/data/flannel_v4.pcap', ports=[8472])[0]",
    "vteps('tests/data/flannel_v4.pcap', ports=[8472])[0]",
    "decap_file('tests/data/flannel_v4.pcap', __import__('io').BytesIO(), ports=[8472])",
    "Tunnel(1, '192.0.2.1', '192.0.2.2').encap(bytes(60))",
    "DecapPolicy.LINUX.replace(vnis=[1])",
])  # fmt: skip
def test_what_is_slow_to_load_is_not_there(program: str) -> None:
    """Neither for a name, nor when it is used on what is plain."""
    assert not SLOW & _loaded_with_c(f"import vxlanpkt; vxlanpkt.{program}")


def test_records_are_made_without_what_is_slow_to_load() -> None:
    program = "import vxlanpkt; assert repr(list(vxlanpkt.open('tests/data/flannel_v4.pcap'))[0])"
    assert not SLOW & _loaded_with_c(program)


@pytest.mark.parametrize("module", ["series", "parts", "boundaries", "pcapng", "sinks", "decompress"])
def test_a_plain_capture_is_read_without(module: str) -> None:
    """What few captures need is loaded with them."""
    loaded = _loaded("import vxlanpkt; list(vxlanpkt.open('tests/data/flannel_v4.pcap'))")
    assert "vxlanpkt.capture.pcap" in loaded
    assert f"vxlanpkt.capture.{module}" not in loaded


def _loaded_here(statements: str) -> set[str]:
    """The modules that a fresh interpreter has after *statements*, those of installed libraries among them."""
    program = f"{statements}\nimport sys; print(*sys.modules, file=sys.stderr)"
    # Not in the root of the tree, where Python finds the sources before what is installed.
    tests = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tests)
    return set(done.stderr.split())


def test_the_c_kernel_does_without_the_specification() -> None:
    """What is done in C is not loaded in Python too."""
    if vxlanpkt.backend != "c":
        pytest.skip("it is the kernel here")
    loaded = _loaded_here("import vxlanpkt; vxlanpkt.decap_batch; vxlanpkt.encap_batch; vxlanpkt.decap_file")
    assert "vxlanpkt.kernel.c" in loaded
    assert not {f"vxlanpkt.kernel.{module}" for module in ("decapsulation", "filtering", "inner", "scanning")} & loaded


def test_a_verb_loads_no_other() -> None:
    """Neither the overlay nor tunnels come with a look at a capture."""
    loaded = _loaded_here(
        "from vxlanpkt.cli.app import app\n"
        "app(['info', '-r', 'data/flannel_v4.pcap'], standalone_mode=False)"
    )  # fmt: skip
    assert "vxlanpkt.cli.info" in loaded
    assert not {"vxlanpkt.cli.show", "vxlanpkt.cli.overlay", "vxlanpkt.cli.containers", "vxlanpkt.tunnel"} & loaded


def test_dir() -> None:
    """What is offered to whoever looks around is what is public."""
    assert dir(vxlanpkt) == sorted(vxlanpkt.__all__)
