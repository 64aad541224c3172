"""Interrupts: they come where input is read, so that what is under way is done."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from vxlanpkt import DecapBatch
from vxlanpkt.capture import PartialResultError, decap_file
from vxlanpkt.capture import open as open_capture
from vxlanpkt.capture.sources import READING
from vxlanpkt.cli.signals import Interrupted, at_once, handled_signals

DATA = Path(__file__).parent.parent / "data"


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_until_input_is_read() -> None:
    before = signal.getsignal(signal.SIGINT)  # a shell may have had it ignored
    with handled_signals():
        interrupt()
        gate = READING.get()
        assert gate is not None
        with pytest.raises(Interrupted), gate:
            raise AssertionError("it has not come")
        with gate:  # and comes once
            pass
        with pytest.raises(KeyboardInterrupt):
            interrupt()  # a second one does not wait
    assert READING.get() is None
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_comes_at_once_where_input_is_waited_for() -> None:
    with handled_signals():
        gate = READING.get()
        assert gate is not None
        with pytest.raises(Interrupted), gate:
            interrupt()


def test_what_prints_as_it_reads_is_interrupted_at_once() -> None:
    with handled_signals(), pytest.raises(Interrupted), at_once():
        interrupt()


class Interrupting:
    """A filter that matches all, and is interrupted over it."""

    def select(self, batch: DecapBatch) -> bytes:
        interrupt()
        return b"\1" * len(batch)


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng", "a.pcap.gz", "a.pcap.zst"])
def test_a_job_that_is_interrupted_has_done_what_it_says(name: str, tmp_path: Path) -> None:
    """The interrupt comes while records are taken: these are all written."""
    with handled_signals(), pytest.raises(PartialResultError) as caught:
        decap_file(DATA / "flannel_v4.pcap", tmp_path / name, filter=Interrupting())
    result = caught.value.result
    assert isinstance(caught.value.__cause__, Interrupted)
    assert result.written == result.stats.vxlan == 78
    assert len(list(open_capture(tmp_path / name))) == 78
