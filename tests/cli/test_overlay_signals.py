"""Signals at the very end of an agent, when who waits for them has ended or is about to: in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import os, signal, threading, time
from vxlanpkt.cli.overlay.signals import stopped_by_signals

def strike():
    os.kill(os.getpid(), signal.SIGTERM)
"""
WITHIN = """
with stopped_by_signals(lambda: print("stop", flush=True)):
    pass
"""
END = """
print("over", flush=True)
"""
# Just after the thread has ended: the signal is pending when signals are let through again.
PENDING = """
join = threading.Thread.join
def late(thread, timeout=None):
    join(thread, timeout)
    strike()
threading.Thread.join = late
"""
# Just before the thread is woken, which takes the signal for what wakes it.
TAKEN = """
kill = signal.pthread_kill
def late(thread, number):
    strike()
    time.sleep(0.2)
    kill(thread, number)
signal.pthread_kill = late
"""


def _run(*parts: str) -> subprocess.CompletedProcess[str]:
    code = "".join((BEGIN, *parts))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("when", [PENDING, TAKEN, PENDING + TAKEN], ids=["pending", "taken", "both"])
def test_a_signal_when_all_is_over(when: str) -> None:
    """It does no more than one that came before."""
    done = _run(when, WITHIN, END)
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")


def test_a_signal_afterwards() -> None:
    """Is one of a program that ends by it."""
    done = _run(WITHIN, "strike()", END)
    assert (done.returncode, done.stdout) == (-15, "")


def test_a_signal_within() -> None:
    """Each is told of, for as long as it lasts."""
    done = _run("told = threading.Semaphore(0)\nwith stopped_by_signals(told.release):\n",
                "    for _ in range(3):\n        strike()\n        told.acquire()\n", END)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")
