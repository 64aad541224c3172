"""Who does which job, and by which command; those that the machine does not have are left out, with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import vxlanpkt
from benchmarks.capture.answers import check_count, check_flows, check_inner, check_rows
from benchmarks.capture.programs import tshark_flows
from benchmarks.capture.recording import Truth
from benchmarks.capture.workshop import Workshop, script

START, FLOWS, DECAP, PARQUET = "start", "flows", "decap", "parquet"
JOBS = {
    START: "what comes before any work",
    FLOWS: "packets and bytes by VNI and inner 5-tuple",
    DECAP: "the inner frames as a capture",
    PARQUET: "a row of each packet in a Parquet file",
}
OURS, OURS_OF_PCAPNG, OURS_FEW = "vxlanpkt", "vxlanpkt, pcapng", "vxlanpkt, the columns of dpkt's loop"
PYTHON, OURS_FLOWS = "python", "vxlanpkt, flows"
MAPPED, BUFFERED, LIBPCAP = "C, mmap", "C, read", "C, libpcap"
LOOP, DPKT, DPKT_PANDAS = "struct loop", "dpkt", "dpkt, pandas"
TSHARK, EDITCAP = "tshark", "editcap"

_FEW = "timestamp,vni,inner_protocol,inner_src,inner_dst,inner_src_port,inner_dst_port,inner_length"

Command = Callable[[Path, Path], list[str]]  # of a capture and of where to write


class Contender(NamedTuple):
    """A program that does a job.

    command      what is timed
    check        raises WrongAnswerError for a wrong answer
    answering    the same with the answer written, where that is no part of the job
    container    of the capture
    environment  variables for both
    """

    job: str
    name: str
    command: Command
    check: Callable[[Path, Truth], None] | None
    answering: Command | None = None
    container: str = "pcap"
    environment: Mapping[str, str] = {}

    @property
    def checked(self) -> Command:
        """The command whose answer is checked."""
        return self.answering or self.command


class Absent(NamedTuple):
    """One that cannot take part."""

    job: str
    name: str
    reason: str


def contenders(workshop: Workshop) -> list[Contender | Absent]:
    """All of them, ours first in each job."""
    return [*_starts(), *_ours(), *_in_c(workshop), *_in_python(), *_tools(workshop)]


def _starts() -> Iterator[Contender]:
    yield Contender(START, PYTHON, lambda *_: [sys.executable, "-c", "pass"], None)
    yield Contender(START, OURS, lambda *_: [sys.executable, "-c", "import vxlanpkt; vxlanpkt.decap_file"], None)
    yield Contender(START, OURS_FLOWS, lambda *_: [sys.executable, "-c", "import vxlanpkt; vxlanpkt.flows"], None)


def _ours() -> Iterator[Contender | Absent]:
    for name, container in ((OURS, "pcap"), (OURS_OF_PCAPNG, "pcapng")):
        if hasattr(vxlanpkt, "flows"):
            yield _told(FLOWS, name, partial(script, "ours", FLOWS), container)
        else:
            yield Absent(FLOWS, name, "this vxlanpkt has no flows()")
        yield _told(DECAP, name, partial(script, "ours", DECAP), container)
        if _has_export() and find_spec("pyarrow"):
            yield _told(PARQUET, name, _export, container)
        else:
            yield Absent(PARQUET, name, "this vxlanpkt has no export, or there is no pyarrow")
    if _has_export() and find_spec("pyarrow"):
        yield _told(PARQUET, OURS_FEW, lambda *files: [*_export(*files), "--columns", _FEW])


def _in_c(workshop: Workshop) -> Iterator[Contender | Absent]:
    for name, header in ((MAPPED, "mapped.h"), (BUFFERED, "buffered.h")):
        for job in (FLOWS, DECAP):
            yield _compiled(workshop, job, name, job, f'-DINPUT="{header}"')
    yield _compiled(workshop, DECAP, LIBPCAP, "libpcap", "-lpcap")


def _in_python() -> Iterator[Contender | Absent]:
    for job in (FLOWS, DECAP):
        yield _told(job, LOOP, partial(script, "struct_loop", job))
    for job, name, needed in ((FLOWS, DPKT, ["dpkt"]), (DECAP, DPKT, ["dpkt"]),
                              (PARQUET, DPKT_PANDAS, ["dpkt", "pandas", "pyarrow"])):  # fmt: skip
        missing = [module for module in needed if find_spec(module) is None]
        if missing:
            yield Absent(job, name, f"{' and '.join(missing)}: not installed")
        else:
            yield _told(job, name, partial(script, "dpkt_loop", job))


def _tools(workshop: Workshop) -> Iterator[Contender | Absent]:
    if shutil.which("tshark"):
        yield Contender(
            FLOWS,
            TSHARK,
            lambda capture, _: tshark_flows.command(str(capture)),
            check_flows,
            lambda capture, target: script("tshark_flows", capture, target),
            environment={"WIRESHARK_CONFIG_DIR": str(_settings(workshop))},
        )
    else:
        yield Absent(FLOWS, TSHARK, "it is not installed")
    if shutil.which("editcap"):
        yield Contender(DECAP, EDITCAP, _chop, check_count)
    else:
        yield Absent(DECAP, EDITCAP, "it is not installed")


def _compiled(workshop: Workshop, job: str, name: str, source: str, flag: str) -> Contender | Absent:
    try:
        program = workshop.program(source, flag)
    except (OSError, subprocess.CalledProcessError):
        return Absent(job, name, "it cannot be compiled: no compiler, or no headers")
    return _told(job, name, lambda *arguments: [str(program), *map(str, arguments)])


def _told(job: str, name: str, command: Callable[..., list[str]], container: str = "pcap") -> Contender:
    """A program that is told where to write; but flows are written for the check alone."""
    if job == FLOWS:
        return Contender(job, name, lambda capture, _: command(capture), check_flows, command, container)
    return Contender(job, name, command, check_inner if job == DECAP else check_rows, container=container)


def _export(capture: Path, target: Path) -> list[str]:
    return [sys.executable, "-m", "vxlanpkt.cli", "export", "-r", str(capture), "-w", str(target)]


def _has_export() -> bool:
    command = [sys.executable, "-m", "vxlanpkt.cli", "export", "--help"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _chop(capture: Path, target: Path) -> list[str]:
    """Take 50 bytes off every packet, whatever it is."""
    return ["editcap", "-F", "pcap", "-L", "-C", "50", str(capture), str(target)]


def _settings(workshop: Workshop) -> Path:
    """A folder of settings for tshark that switches needless dissectors off."""
    folder = workshop.folder / "tshark"
    folder.mkdir(exist_ok=True)
    names = folder / "disabled_protos"
    if not names.exists():
        names.write_text("".join(f"{name}\n" for name in tshark_flows.needless_dissectors()))
    return folder
