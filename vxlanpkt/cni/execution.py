"""Running a plugin: found in CNI_PATH, told its configuration, bounded in time and in what it may print.

Made of the kernel's calls (Linux 5.3 has them all): to import `subprocess` takes as long as a plugin in Go does to run.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields, decoded
from vxlanpkt.cni.protocol.results import Result

DEFAULT_SECONDS = 60.0  # that a plugin may take
_MOST_PRINTED = 1 << 24
_SHOWN = 500  # of rubbish, in an error
_LONGEST_WAIT = (1 << 31) - 1  # milliseconds, that poll() takes: 24 days


class Ended(NamedTuple):
    """How a process ended: its exit code, or minus the signal's number; and what it printed."""

    status: int
    output: bytes


def find_plugin(kind: str, call: Call) -> str:
    """The path of the executable that has the name *kind*, in the directories of the call."""
    for directory in call.path:
        path = os.path.join(directory, kind)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise CNIError(Code.DELEGATE_MISSING, f"there is no executable {kind!r} in CNI_PATH, {':'.join(call.path)!r}")


def run_plugin(kind: str, config: Mapping[str, Any], call: Call, seconds: float = DEFAULT_SECONDS) -> bytes:
    """What the plugin printed that has the name *kind*; its error, if it fails, with its own code."""
    path = find_plugin(kind, call)
    try:
        ended = _run(path, json.dumps(config).encode(), {**os.environ, **call.to_environment()}, seconds)
    except TimeoutError as error:
        raise CNIError(
            Code.DELEGATE_TIMEOUT, f"{kind} {call.command} was killed: it took longer than {seconds:g} s"
        ) from error
    except OSError as error:
        raise CNIError(Code.DELEGATE_FAILED, f"{path} {call.command}: {error.strerror}") from error
    if ended.status:
        raise _reported(kind, call.command, ended)
    return ended.output


def run_add(kind: str, config: Mapping[str, Any], call: Call, seconds: float = DEFAULT_SECONDS) -> dict[str, Any]:
    """The result of a plugin's ADD as it printed it, after it was looked at; `Result.from_json` reads it."""
    output = run_plugin(kind, config, call, seconds)
    try:
        content = decoded(output, "the output")
        Result.from_json(content)
    except CNIError as error:
        raise CNIError(
            Code.DELEGATE_FAILED, f"{kind} ADD printed no result: {error.message}", _shown(output)
        ) from error
    return content


def supported_versions(kind: str, call: Call, seconds: float = DEFAULT_SECONDS) -> tuple[str, ...]:
    """The versions of CNI that a plugin answers to VERSION."""
    output = run_plugin(kind, {"cniVersion": "1.0.0"}, call._replace(command="VERSION"), seconds)
    try:
        return Fields(decoded(output, "the output")).texts("supportedVersions")
    except CNIError as error:
        raise CNIError(Code.DELEGATE_FAILED, f"{kind} VERSION printed {error.message}", _shown(output)) from error


def _reported(kind: str, command: str, ended: Ended) -> CNIError:
    """The error that a failed plugin printed, or that it printed none."""
    try:
        found = CNIError.from_json(decoded(ended.output, "the output"))
    except CNIError:
        found = None
    if found is not None and found.code:
        return CNIError(found.code, f"{kind} {command}: {found.message}", found.details)
    how = f"exit {ended.status}" if ended.status > 0 else f"killed by signal {-ended.status}"
    return CNIError(Code.DELEGATE_FAILED, f"{kind} {command} failed and printed no error: {how}", _shown(ended.output))


def _shown(output: bytes) -> str:
    return output[:_SHOWN].decode("utf-8", "backslashreplace")


def _run(path: str, given: bytes, environment: Mapping[str, str], seconds: float) -> Ended:
    """Run an executable in a process group of its own, of which nothing is left where it takes too long."""
    until = time.monotonic() + seconds
    # A file takes all of the input at once, whether it is read or not.
    stdin = os.memfd_create("stdin")
    reading, writing = os.pipe()
    try:
        os.write(stdin, given)
        os.lseek(stdin, 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, writing, 1)]
        child = os.posix_spawn(
            path, [path], environment, file_actions=actions, setpgroup=0, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ)
        )
        os.close(writing)
        writing = -1
        try:
            output = _read(reading, until)
            return Ended(_wait(child, until), output)
        except BaseException:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
    finally:
        for descriptor in (stdin, reading, writing):
            if descriptor >= 0:
                os.close(descriptor)


def _read(descriptor: int, until: float) -> bytes:
    """All that comes until the other end is closed."""
    found = bytearray()
    while True:
        _wait_for(descriptor, until)
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return bytes(found)
        found += chunk
        if len(found) > _MOST_PRINTED:
            raise OSError(errno.EFBIG, f"it printed more than {_MOST_PRINTED} bytes")


def _wait(child: int, until: float) -> int:
    descriptor = os.pidfd_open(child)
    try:
        _wait_for(descriptor, until)
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _wait_for(descriptor: int, until: float) -> None:
    poll = select.poll()  # select() knows no descriptor from 1024 on, as programs with many files have
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(min(max(0.0, until - time.monotonic()) * 1000, _LONGEST_WAIT)):
        raise TimeoutError
