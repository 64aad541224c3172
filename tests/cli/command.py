"""The command line as tests call it: `call` in this process, which is quick, or COMMAND as a program of its own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from vxlanpkt.cli import main

# -I: what is installed, with what was compiled, and not the sources where the tests are started.
COMMAND = [sys.executable, "-I", "-m", "vxlanpkt.cli"]


class _Pipe(io.BytesIO):
    """As much of a pipe as the command line sees of one: it is read once."""

    def seekable(self) -> bool:
        return False


def call(
    *arguments: str | Path, given: bytes = b"", environment: Mapping[str, str] | None = None
) -> CompletedProcess[bytes]:
    """What a program of its own would have printed and ended with; an exception that is nobody's is the test's.

    Signals, pipes that break and what the interpreter does at its end need COMMAND.
    """
    words = [COMMAND[-1], *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    status: str | int | None = None
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(_Pipe(given), encoding="utf-8")),
        mock.patch.dict(os.environ, environment or {}),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
    assert isinstance(status, int), status
    return CompletedProcess(words, status, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()
