"""Wrong calls, and delegates that go wrong: the right code, an error that runtimes read, and nothing left over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import Code
from vxlanpkt.cni.dispatch import dispatch

from .calls import Answer, call, environment
from .delegates import Delegate

Config = dict[str, Any]
BOTH = pytest.mark.parametrize("name", ["vxlanpkt-cni", "vxlanpkt-ipam"])


@BOTH
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", Code.DECODING_FAILURE),
        (b"  \n", Code.DECODING_FAILURE),
        (b'{"cniVersion": ', Code.DECODING_FAILURE),
        (b"[]", Code.DECODING_FAILURE),
        (b"\xff\xfe{}", Code.DECODING_FAILURE),
        (b"[" * 100_000, Code.DECODING_FAILURE),
        (b'{"cniVersion": "1.0.0", "name": "n", "type": "x", "mtu": NaN}', Code.DECODING_FAILURE),
        (b'{"name": "n", "type": "x"}', Code.INCOMPATIBLE_VERSION),
        (b'{"cniVersion": "0.2.0", "name": "n", "type": "x"}', Code.INCOMPATIBLE_VERSION),
        (b'{"cniVersion": "2.0.0", "name": "n", "type": "x"}', Code.INCOMPATIBLE_VERSION),
        (b'{"cniVersion": 1, "name": "n", "type": "x"}', Code.INVALID_CONFIG),
        (b'{"cniVersion": "1.0.0", "type": "x"}', Code.INVALID_CONFIG),
        (b'{"cniVersion": "1.0.0", "name": "../n", "type": "x"}', Code.INVALID_CONFIG),
        (b'{"cniVersion": "1.0.0", "name": "n"}', Code.INVALID_CONFIG),
    ],
)
def test_input(plugins: Path, name: str, text: bytes, code: Code) -> None:
    assert call(plugins / name, environment(), text).code == code


@BOTH
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": None}, "CNI_COMMAND is not set"),
        ({"command": "add"}, "CNI_COMMAND is 'add'"),
        ({"CNI_CONTAINERID": None}, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "../x"}, "CNI_CONTAINERID"),
        ({"CNI_NETNS": ""}, "CNI_NETNS"),
        ({"CNI_IFNAME": None, "CNI_PATH": None}, "CNI_IFNAME, CNI_PATH"),
        ({"CNI_IFNAME": "sixteen-letters."}, "longer than 15"),
        ({"CNI_IFNAME": "a/b"}, "white space"),
        ({"CNI_IFNAME": ".."}, "no name"),
        ({"CNI_IFNAME": "eth\udcff"}, "not UTF-8"),
        ({"command": "DEL", "CNI_CONTAINERID": None}, "CNI_CONTAINERID"),
        ({"command": "GC", "CNI_PATH": None}, "CNI_PATH"),
    ],
)
def test_environment(plugins: Path, network: Config, name: str, changes: dict[str, str | None], said: str) -> None:
    answer = call(plugins / name, environment(**changes), network)
    assert answer.code == Code.INVALID_ENVIRONMENT
    assert said in answer.json["msg"]


@BOTH
@pytest.mark.parametrize(("command", "version"), [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0")])
def test_command_that_the_version_has_not(
    plugins: Path, network: Config, name: str, command: str, version: str
) -> None:
    answer = call(plugins / name, environment(command), {**network, "cniVersion": version})
    assert answer.code == Code.INCOMPATIBLE_VERSION
    assert answer.json["cniVersion"] == version


@BOTH
@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"", "1.1.0"),
        (b'{"cniVersion": "0.4.0"}', "0.4.0"),
        (b'{"name": "x", "cniVersion": "1.0.0"}', "1.0.0"),
        (b'{"cniVersion": "7.0.0"}', "1.1.0"),
    ],
)
def test_version(plugins: Path, name: str, text: bytes, version: str) -> None:
    """Runtimes make the environment up, so it is not looked at."""
    answer = call(plugins / name, environment("VERSION", "!", CNI_IFNAME="a/b", CNI_NETNS=None), text)
    assert answer.status == 0
    assert answer.json == {"cniVersion": version, "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}


@BOTH
def test_version_of_rubbish(plugins: Path, name: str) -> None:
    assert call(plugins / name, environment("VERSION"), b"{").code == Code.DECODING_FAILURE


@pytest.mark.parametrize("key", ["subnetFile", "dataDir", "delegate.type", "ipam.type"])
def test_half_a_character(plugins: Path, network: Config, delegate: Delegate, tmp_path: Path, key: str) -> None:
    """JSON may have it, no file or program can be named so; nothing is kept that no DEL and no GC gets rid of."""
    part, _, name = key.rpartition(".")
    (network.setdefault(part, {}) if part else network)[name] = "/x\ud800" if name != "type" else "x\ud800"
    answer = call(plugins / "vxlanpkt-cni", environment(CNI_PATH=str(tmp_path)), network)
    assert (answer.code, key in answer.json["msg"]) == (Code.INVALID_CONFIG, True)
    assert not (tmp_path / "data").exists()


def test_subnet_file(plugins: Path, network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """Not there, or cut anywhere: the runtime is told to try again, and nobody is called."""
    path = Path(network["subnetFile"])
    whole = path.read_text()
    for end in (0, 10, len(whole) // 2, len(whole) - 2):
        path.write_text(whole[:end])
        assert call(plugins / "vxlanpkt-cni", environment(), network).code == Code.TRY_AGAIN_LATER, whole[:end]
    path.unlink()
    assert call(plugins / "vxlanpkt-cni", environment(), network).code == Code.TRY_AGAIN_LATER
    path.mkdir()
    assert call(plugins / "vxlanpkt-cni", environment(), network).code == Code.IO_FAILURE
    assert delegate.calls == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("add", "code"),
    [
        ("exit 3", Code.DELEGATE_FAILED),
        ("echo rubbish", Code.DELEGATE_FAILED),
        ("echo rubbish; exit 1", Code.DELEGATE_FAILED),
        ("echo '{\"ips\": []}'", Code.DELEGATE_FAILED),
        ('echo \'{"cniVersion": "1.1.0", "ips": [{"address": "10.5.52.2"}]}\'', Code.DELEGATE_FAILED),
        ('echo \'{"code": "7"}\'; exit 1', Code.DELEGATE_FAILED),
        (":", Code.DELEGATE_FAILED),
        ("kill -9 $$", Code.DELEGATE_FAILED),
        ("yes", Code.DELEGATE_FAILED),
        ('echo \'{"code": 5, "msg": "no room"}\'; exit 1', Code.IO_FAILURE),
        ('echo \'{"code": 142, "msg": "its own"}\'; exit 1', 142),
        ("sleep 60", Code.DELEGATE_TIMEOUT),
        ("sleep 60 & wait", Code.DELEGATE_TIMEOUT),
        ("sleep 60 >&- & exec sleep 60", Code.DELEGATE_TIMEOUT),
    ],
)
def test_delegate(plugins: Path, network: Config, tmp_path: Path, add: str, code: int) -> None:
    """Whatever it does, it is undone, none of its processes is left, and nothing is kept."""
    delegate = Delegate(tmp_path, add=f"echo $$ >{tmp_path}/pid; {add}")
    variables = environment(CNI_PATH=str(tmp_path))
    seconds = 1 if code == Code.DELEGATE_TIMEOUT else 60
    answer = call(plugins / "vxlanpkt-cni", variables, {**network, "delegateTimeout": seconds})
    assert answer.code == code
    assert "delegate ADD" in answer.json["msg"]
    assert delegate.commands == ["ADD", "DEL"]
    assert list((tmp_path / "data" / "overlay").glob("*@*")) == []
    assert not _alive_in_group(int((tmp_path / "pid").read_text()))


def _alive_in_group(group: int) -> bool:
    """Whether a process of the group goes on; it has a moment to end."""
    for _ in range(100):
        states = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                states.append(fields[0])
        if not states:
            return False
        time.sleep(0.05)
    return True


def test_delegate_that_is_missing(plugins: Path, network: Config, tmp_path: Path) -> None:
    variables = environment(CNI_PATH=f"{tmp_path}:{tmp_path}/none")
    for make in (lambda path: None, lambda path: path.write_text("x"), lambda path: (path.unlink(), path.mkdir())):
        make(tmp_path / "delegate")
        answer = call(plugins / "vxlanpkt-cni", variables, network)
        assert answer.code == Code.DELEGATE_MISSING
        assert "'delegate'" in answer.json["msg"]
        assert list((tmp_path / "data" / "overlay").glob("*@*")) == []


def test_delegate_that_is_no_program(plugins: Path, network: Config, tmp_path: Path) -> None:
    (tmp_path / "delegate").write_bytes(b"\x7fELF")
    (tmp_path / "delegate").chmod(0o755)
    answer = call(plugins / "vxlanpkt-cni", environment(CNI_PATH=str(tmp_path)), network)
    assert answer.code == Code.DELEGATE_FAILED
    assert "Exec format error" in answer.json["msg"]


def test_state_directory_that_is_none(plugins: Path, network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """A file in its way stops root too: the delegate is not called."""
    (tmp_path / "data").write_text("in the way")
    for command in ("ADD", "DEL"):
        answer = call(plugins / "vxlanpkt-cni", environment(command, CNI_PATH=str(tmp_path)), network)
        assert answer.code == Code.IO_FAILURE
        assert str(tmp_path / "data") in answer.json["msg"]
    assert delegate.calls == []


def test_state_directory_without_permission(plugins: Path, network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """Root is stopped by it as well, without its capabilities."""
    drop = "setpriv --bounding-set=-all --inh-caps=-all" if os.geteuid() == 0 else ""
    script = tmp_path / "dropping"
    script.write_text(f"#!/bin/sh\nexec {drop} {plugins}/vxlanpkt-cni\n")
    script.chmod(0o755)
    (tmp_path / "data").mkdir(mode=0o500)
    answer = call(script, environment(CNI_PATH=str(tmp_path)), network)
    assert answer.code == Code.IO_FAILURE
    assert "Permission denied" in answer.json["msg"]
    assert delegate.calls == []


def test_input_and_output_that_are_closed(plugins: Path, network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """Closed standard input is no input."""
    script = tmp_path / "closed"
    script.write_text(f"#!/bin/sh\nexec {plugins}/vxlanpkt-cni <&-\n")
    script.chmod(0o755)
    assert call(script, environment(), b"").code == Code.DECODING_FAILURE


def test_a_fault_of_our_own_is_told_too(
    network: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not thought of is an error of CNI still, with a traceback beside it."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    assert dispatch(dict, json.dumps(network).encode()) == 1
    out, errors = capsys.readouterr()
    assert Answer(1, out, errors).code == Code.INTERNAL
    assert "Traceback" in errors
