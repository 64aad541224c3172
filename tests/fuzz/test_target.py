"""The C kernel under compilers: no warnings, and nothing that AddressSanitizer and UBSan complain of in the corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

import vxlanpkt

from .corpus import as_lines, inputs
from .layout import HERE

INPUTS = inputs()
SOURCES = Path(vxlanpkt.__file__).parent
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
SANITIZERS = ("-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ADDRESS = ("-g", "-O0", "-fsanitize=address")
COMPILERS = ("gcc", "clang")


@cache
def works(compiler: str, *options: str) -> bool:
    """Whether there is such a compiler, and it can link a program with these options."""
    if shutil.which(compiler) is None:
        return False
    command = [compiler, *options, "-x", "c", "-", "-o", os.devnull]
    return subprocess.run(command, input=b"int main(void) { return 0; }", capture_output=True).returncode == 0


def demand(compiler: str, *options: str) -> None:
    """Skip without this compiler; where C is required, one of the compilers has to be there."""
    if not works(compiler, *options):
        if os.environ.get("VXLANPKT_REQUIRE_C"):
            assert any(works(other, *options) for other in COMPILERS), f"no compiler for {options}"
        pytest.skip(f"{compiler} with {' '.join(options) or 'no options'} is not there")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "LC_ALL": "C"}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)


def build(compiler: str, options: tuple[str, ...], sources: Path, into: Path, *more: Path) -> Path:
    """Build the target with the kernel in *sources*."""
    files = HERE / "fuzz_kernel.c", HERE / "replay.c", sources / "_fast.c", *more
    built = run(compiler, "-std=c11", *options, "-I", sources, *files, "-o", into / "replay")
    assert built.returncode == 0, built.stderr
    (into / "inputs.txt").write_text(as_lines(INPUTS), encoding="ascii")
    return into / "replay"


def replay(target: Path) -> subprocess.CompletedProcess[str]:
    """Run it over the corpus and the seeds."""
    return run(target, target.with_name("inputs.txt"))


every_compiler = pytest.mark.parametrize("compiler", COMPILERS)


@every_compiler
@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize(
    "source", [SOURCES / "_fast.c", HERE / "fuzz_kernel.c", HERE / "replay.c"], ids=lambda p: p.name
)
def test_no_warnings(compiler: str, level: str, source: str) -> None:
    """Neither at compile time nor from the flow analysis that optimising brings."""
    demand(compiler)
    path = (SOURCES if source == "_fast.c" else HERE) / source
    done = run(compiler, "-std=c11", *WARNINGS, level, "-I", SOURCES, "-c", path, "-o", os.devnull)
    assert done.returncode == 0, done.stderr


@every_compiler
@pytest.mark.parametrize("registers", ["wide", "narrow"])
def test_corpus(compiler: str, registers: str, tmp_path: Path) -> None:
    """On every input no byte is read or written too far, nothing is undefined, and all checks of the target hold."""
    demand(compiler, *SANITIZERS)
    options = (*SANITIZERS, "-DVXLANPKT_NARROW") if registers == "narrow" else SANITIZERS
    done = replay(build(compiler, options, SOURCES, tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"{len(INPUTS)} inputs" in done.stdout


BROKEN = {
    "reads one byte too far":
        ("scanning.h", "in.end - in.start < 14", "in.end - in.start < 13", "heap-buffer-overflow"),
    "takes a record that is cut":
        ("records.h", "left < found.needed", "left + 64 < found.needed", "heap-buffer-overflow"),
    "drops the last byte of a sum":
        ("bytes.h", "at < (size & 7)", "at + 1 < (size & 7)", "not so: "),
}  # fmt: skip
SWITCH = """
#include <stdlib.h>

int broken;

__attribute__((constructor)) static void choose(void) { broken = atoi(getenv("BROKEN")); }
"""


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target whose kernel has each of these lines both ways; which one it takes, the environment says."""
    compiler = next((name for name in COMPILERS if works(name, *ADDRESS)), "gcc")
    demand(compiler, *ADDRESS)
    here = tmp_path_factory.mktemp("breakable")
    shutil.copytree(SOURCES / "csrc", here / "csrc")
    shutil.copy(SOURCES / "_fast.c", here)
    for number, (header, sound, broken, _) in enumerate(BROKEN.values(), 1):
        changed = here / "csrc" / header
        text = changed.read_text(encoding="ascii")
        assert sound in text
        both = text.replace(sound, f"(broken == {number} ? {broken} : {sound})", 1)
        changed.write_text(f"extern int broken;\n{both}", encoding="ascii")
    (here / "switch.c").write_text(SWITCH, encoding="ascii")
    return build(compiler, ADDRESS, here, here, here / "switch.c")


@pytest.mark.parametrize("number", range(1, len(BROKEN) + 1), ids=BROKEN)
def test_a_broken_kernel_is_caught(number: int, breakable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus and the checks find what is wrong in a copy of the kernel with one line changed."""
    complaint = list(BROKEN.values())[number - 1][-1]
    monkeypatch.setenv("BROKEN", str(number))
    done = replay(breakable)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_no_other_kernel_is_caught(breakable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found where no line is changed."""
    monkeypatch.setenv("BROKEN", "0")
    done = replay(breakable)
    assert done.returncode == 0, done.stderr
