"""One agent for each device: the second is told, and a crash leaves no claim."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from vxlanpkt.overlay.agent.claims import claimed

NAME = f"test-{os.getpid()}"


def test_the_second_is_told_who_is_first() -> None:
    with (
        claimed([NAME, f"{NAME}-v6"]),
        pytest.raises(OSError, match=rf"another agent \(pid {os.getpid()}\) has this device"),
        claimed([f"{NAME}-v6"]),
    ):
        pass


def test_a_claim_ends() -> None:
    with claimed([NAME]):
        pass
    with claimed([NAME]):
        pass


def test_nothing_is_held_where_one_is_refused() -> None:
    with claimed([f"{NAME}-z"]), pytest.raises(OSError, match="another agent"), claimed([NAME, f"{NAME}-z"]):
        pass
    with claimed([NAME]):
        pass


def test_many_ask() -> None:
    """Who waits in the queue of the first one's socket is told as well."""
    with claimed([NAME]):
        for _ in range(20):
            with pytest.raises(OSError, match="another agent"), claimed([NAME]):
                pass


def test_killed() -> None:
    """A process that is killed holds nothing any more."""
    code = (
        f"from vxlanpkt.overlay.agent.claims import claimed\n"
        f"import time\nwith claimed([{NAME!r}]):\n    print(1, flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(OSError, match=f"pid {holder.pid}"), claimed([NAME]):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with claimed([NAME]):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's part")
def test_another_users_socket_is_in_nobodys_way() -> None:
    """Anybody can bind an address."""
    code = (
        "import os, socket, time\nos.setuid(65534)\n"
        f"s = socket.socket(socket.AF_UNIX)\ns.bind('\\0vxlanpkt-overlay/{NAME}')\ns.listen(1)\n"
        "print(1, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            with claimed([NAME]):
                pass
        finally:
            holder.kill()


def test_what_the_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel refuses for another reason is passed on."""

    class Odd(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(socket, "socket", Odd)
    with pytest.raises(OSError, match="allocate"), claimed([NAME]):
        pass
