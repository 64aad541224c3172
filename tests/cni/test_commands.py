"""What `vxlanpkt-cni` tells its delegate, keeps, and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import Attachment, Call, CNIError, Code, PluginConfig
from vxlanpkt.cni.commands import COMMANDS

from .delegates import RESULT, Delegate

Config = dict[str, Any]


def run(command: str, config: Config, path: Path, container: str = "c1", ifname: str = "eth0", netns: str = "") -> Any:
    """Run a command in this process."""
    version = PluginConfig(config["cniVersion"], config["name"], config["type"], config)
    return COMMANDS[command](Call(command, container, netns, ifname, path=(str(path),)), version)


def refused(command: str, config: Config, path: Path, **call: str) -> CNIError:
    """The error that a command ends with."""
    with pytest.raises(CNIError) as caught:
        run(command, config, path, **call)
    return caught.value


def stored(tmp_path: Path) -> list[str]:
    """The attachments that are kept."""
    return sorted(path.name for path in (tmp_path / "data").rglob("*@*"))


def test_delegate_is_told_what_flannel_tells(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    network["delegate"]["hairpinMode"] = True
    network["runtimeConfig"] = {"portMappings": []}
    run("ADD", network, tmp_path)
    assert delegate.given("ADD") == {
        "cniVersion": "1.1.0",
        "name": "overlay",
        "type": "delegate",
        "mtu": 1450,
        "ipMasq": False,
        "hairpinMode": True,
        "runtimeConfig": {"portMappings": []},
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.5.52.0/24"}]],
            "routes": [{"dst": "10.5.0.0/16"}],
        },
    }


def test_bridge_is_the_default_and_a_gateway(network: Config, tmp_path: Path) -> None:
    bridge = Delegate(tmp_path, "bridge")
    network["delegate"] = {"isDefaultGateway": True, "mtu": 1400, "type": None}
    run("ADD", network, tmp_path)
    given = bridge.given("ADD")
    assert (given["type"], given["isGateway"], given["isDefaultGateway"], given["mtu"]) == ("bridge", True, True, 1400)


def test_dual_stack_and_several_networks(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    Path(network["subnetFile"]).write_text(
        "FLANNEL_NETWORK=10.5.0.0/16,192.168.0.0/16\nFLANNEL_SUBNET=10.5.52.1/24\n"
        "FLANNEL_IPV6_NETWORK=fc00:5::/48\nFLANNEL_IPV6_SUBNET=fc00:5:0:52::1/64\n"
        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
    )
    network["ipam"] = {"type": "vxlanpkt-ipam", "dataDir": "/x", "routes": [{"dst": "0.0.0.0/0"}]}
    run("ADD", network, tmp_path)
    given = delegate.given("ADD")
    assert given["ipMasq"] is True
    assert given["ipam"] == {
        "type": "vxlanpkt-ipam",
        "dataDir": "/x",
        "ranges": [[{"subnet": "10.5.52.0/24"}], [{"subnet": "fc00:5:0:52::/64"}]],
        "routes": [{"dst": dst} for dst in ("0.0.0.0/0", "10.5.0.0/16", "192.168.0.0/16", "fc00:5::/48")],
    }


def test_del_says_what_add_said(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """Whatever the administrator and the node say by then."""
    result = run("ADD", network, tmp_path)
    Path(network["subnetFile"]).unlink()
    run("DEL", {**network, "delegate": {"type": "bridge", "mtu": 9}, "prevResult": result}, tmp_path)
    assert delegate.given("DEL") == {**delegate.given("ADD"), "prevResult": result}
    assert stored(tmp_path) == []


def test_del_of_nothing(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """Without a subnet.env and a directory of state, too; and none is made."""
    Path(network["subnetFile"]).unlink()
    run("DEL", network, tmp_path)
    run("DEL", network, tmp_path)
    assert delegate.calls == []
    assert not (tmp_path / "data").exists()


def test_del_with_a_result_that_nobody_understands(
    network: Config, delegate: Delegate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ADD", network, tmp_path)
    run("DEL", {**network, "prevResult": {"cniVersion": "9"}}, tmp_path)
    assert delegate.commands == ["ADD", "DEL"]
    assert "prevResult" not in delegate.given("DEL")
    assert "prevResult.cniVersion" in capsys.readouterr().err


def test_del_that_fails_can_be_tried_again(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, delete='echo \'{"code": 11, "msg": "busy"}\'; exit 1')
    run("ADD", network, tmp_path)
    assert refused("DEL", network, tmp_path).code == Code.TRY_AGAIN_LATER
    assert stored(tmp_path) == ["c1@eth0"]
    Delegate(tmp_path)
    run("DEL", network, tmp_path)
    assert stored(tmp_path) == []


@pytest.mark.parametrize("command", ["DEL", "GC", "ADD"])
def test_state_that_was_damaged_is_forgotten(
    network: Config, delegate: Delegate, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """By whatever comes next, so that a container can be deleted, and attached again after a power failure."""
    run("ADD", network, tmp_path)
    (tmp_path / "data" / "overlay" / "c1@eth0").write_text('{"config": {')
    run(command, {**network, "cni.dev/valid-attachments": []}, tmp_path)
    assert "c1@eth0" in capsys.readouterr().err
    assert "DEL" not in delegate.commands
    assert stored(tmp_path) == (["c1@eth0"] if command == "ADD" else [])


def test_damaged_state_of_what_is_valid_stays(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """GC tells of it, and of what it did besides."""
    for container in ("c1", "c2"):
        run("ADD", network, tmp_path, container)
    (tmp_path / "data" / "overlay" / "c1@eth0").write_text("")
    with pytest.raises(CNIError, match="eth0 of c1"):
        _collect(network, tmp_path, Attachment("c1", "eth0"))
    assert stored(tmp_path) == ["c1@eth0"]


@pytest.mark.parametrize("command", ["DEL", "GC", "ADD"])
def test_delegate_that_does_not_know_the_version_of_the_add(network: Config, tmp_path: Path, command: str) -> None:
    """As where an ADD was killed before it found out, or an older delegate was put in the place of a newer one."""
    Delegate(tmp_path, "host-local")
    Delegate(tmp_path)
    result = run("ADD", network, tmp_path)
    older = Delegate(tmp_path, versions=("1.0.0",))
    run(command, {**network, "cni.dev/valid-attachments": [], "prevResult": result}, tmp_path)
    assert older.commands[:4] == ["ADD", "DEL", "VERSION", "DEL"]
    if command == "DEL":
        given = older.given("DEL")
        assert (given["cniVersion"], given["prevResult"]["cniVersion"]) == ("1.0.0", "1.0.0")
    assert stored(tmp_path) == (["c1@eth0"] if command == "ADD" else [])


def test_two_interfaces_of_a_container(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    run("ADD", network, tmp_path)
    run("ADD", {**network, "delegate": {"type": "delegate", "mtu": 1300}}, tmp_path, ifname="eth1")
    assert stored(tmp_path) == ["c1@eth0", "c1@eth1"]
    run("DEL", network, tmp_path)
    assert stored(tmp_path) == ["c1@eth1"]
    run("DEL", network, tmp_path, ifname="eth1")
    assert [delegate.given("DEL", ifname=name)["mtu"] for name in ("eth0", "eth1")] == [1450, 1300]


def test_failed_add_is_undone(network: Config, tmp_path: Path) -> None:
    failing = Delegate(tmp_path, add='echo \'{"code": 7, "msg": "no", "details": "why"}\'; exit 1')
    error = refused("ADD", network, tmp_path)
    assert (error.code, error.message, error.details) == (7, "delegate ADD: no", "why")
    assert failing.commands == ["ADD", "DEL"]
    assert stored(tmp_path) == []


def test_add_that_cannot_be_undone_is_remembered(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, add="exit 1", delete="exit 2")
    error = refused("ADD", network, tmp_path)
    assert error.code == Code.DELEGATE_FAILED
    assert "could not be undone" in error.details
    assert "exit 2" in error.details
    assert stored(tmp_path) == ["c1@eth0"]


_REFUSES_TEXT = 'if grep -q \'"mtu": "\' "$0.$CNI_COMMAND.$CNI_CONTAINERID.$CNI_IFNAME"; then exit 3; fi; '


@pytest.mark.parametrize("command", ["DEL", "GC", "ADD"])
def test_what_a_delegate_never_took_is_no_trap(command: str, network: Config, tmp_path: Path) -> None:
    """A configuration that it refuses in DEL too: when that is mended, the attachment goes."""
    delegate = Delegate(
        tmp_path,
        add=_REFUSES_TEXT + f"echo '{json.dumps({'cniVersion': '1.1.0', **RESULT})}'",
        delete=_REFUSES_TEXT + ":",
    )
    assert refused("ADD", {**network, "delegate": {"type": "delegate", "mtu": "1450"}}, tmp_path)
    assert stored(tmp_path) == ["c1@eth0"]
    run(command, {**network, "cni.dev/valid-attachments": []}, tmp_path)
    assert delegate.given("DEL")["mtu"] == 1450
    assert stored(tmp_path) == (["c1@eth0"] if command == "ADD" else [])


def test_what_was_attached_is_detached_as_it_was(network: Config, tmp_path: Path) -> None:
    """Another configuration might succeed, and leave what this one made."""
    Delegate(tmp_path)
    run("ADD", network, tmp_path)
    delegate = Delegate(tmp_path, delete="exit 2")
    assert refused("DEL", {**network, "delegate": {"type": "delegate", "mtu": 1300}}, tmp_path)
    assert delegate.given("DEL")["mtu"] == 1450
    assert stored(tmp_path) == ["c1@eth0"]


def test_second_add_leaves_the_first_alone(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    namespace = "/proc/self/ns/net"
    run("ADD", network, tmp_path, netns=namespace)
    assert refused("ADD", network, tmp_path, netns=namespace).code == Code.INVALID_ENVIRONMENT
    assert delegate.commands == ["ADD"]


def test_add_after_a_reboot(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    """State was kept, the namespace was not: what was held is given back first, and the namespace is not named."""
    namespace = tmp_path / "namespace"
    namespace.touch()
    run("ADD", network, tmp_path, netns=str(namespace))
    (tmp_path / "another").touch()
    (tmp_path / "another").rename(namespace)
    run("ADD", network, tmp_path, netns=str(namespace))
    assert [(each.command, bool(each.netns)) for each in delegate.calls] == [
        ("ADD", True),
        ("DEL", False),
        ("ADD", True),
    ]


def test_older_delegate(network: Config, tmp_path: Path) -> None:
    """It is called in the newest version that it knows, and the result is given in the network's."""
    older = Delegate(tmp_path, versions=("0.3.1", "0.4.0"))
    result = run("ADD", network, tmp_path)
    assert older.commands == ["ADD", "DEL", "VERSION", "ADD"]
    assert older.given("ADD")["cniVersion"] == "0.4.0"
    assert result == {"cniVersion": "1.1.0", **RESULT, "dns": {}}
    run("DEL", {**network, "prevResult": result}, tmp_path)
    assert older.given("DEL")["cniVersion"] == older.given("DEL")["prevResult"]["cniVersion"] == "0.4.0"


def test_delegate_that_knows_no_common_version(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, versions=("0.1.0", "0.2.0"))
    assert refused("ADD", network, tmp_path).code == Code.INCOMPATIBLE_VERSION
    assert stored(tmp_path) == []


def test_check_asks_the_delegate(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    result = run("ADD", network, tmp_path)
    run("CHECK", {**network, "prevResult": result}, tmp_path)
    assert delegate.given("CHECK")["prevResult"]["routes"] == [{"dst": "10.5.0.0/16", "gw": "10.5.52.1"}]


def test_check_finds_what_is_wrong(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, other='echo \'{"code": 104, "msg": "no eth0"}\'; exit 1')
    prev = {"prevResult": {"cniVersion": "1.1.0"}}
    assert refused("CHECK", network, tmp_path).code == Code.INVALID_CONFIG
    assert refused("CHECK", {**network, **prev}, tmp_path).code == Code.UNKNOWN_CONTAINER
    run("ADD", network, tmp_path)
    assert refused("CHECK", {**network, **prev}, tmp_path).message == "delegate CHECK: no eth0"
    text = Path(network["subnetFile"]).read_text()
    Path(network["subnetFile"]).write_text(text.replace("10.5.52.1", "10.5.77.1"))
    error = refused("CHECK", {**network, **prev}, tmp_path)
    assert error.code == Code.CHECK_FAILED
    assert "10.5.52.0/24" in error.message
    assert "10.5.77.0/24" in error.message


def _collect(network: Config, path: Path, *valid: Attachment) -> None:
    kept = [{"containerID": each.container_id, "ifname": each.ifname} for each in valid]
    run("GC", {**network, "cni.dev/valid-attachments": kept}, path, container="", ifname="")


@pytest.mark.parametrize("versions", [("1.0.0",), ("1.0.0", "1.1.0")])
def test_gc(network: Config, tmp_path: Path, versions: tuple[str, ...]) -> None:
    """What leaked is deleted, what is valid is not, and a delegate that knows GC is asked for it."""
    Delegate(tmp_path, "host-local", versions=versions)
    delegate = Delegate(tmp_path, versions=versions)
    for container in ("c1", "c2", "c3"):
        run("ADD", network, tmp_path, container=container)
    (tmp_path / "data" / "overlay" / ".new-1-ab").touch()
    _collect(network, tmp_path, Attachment("c2", "eth0"), Attachment("c3", "eth1"))
    assert stored(tmp_path) == ["c2@eth0"]
    deleted = [each.container for each in delegate.calls if each.command == "DEL"]
    assert deleted[-2:] == ["c1", "c3"]
    assert ("GC" in delegate.commands) == ("1.1.0" in versions)
    if "1.1.0" in versions:
        given = delegate.given("GC", "", "")["cni.dev/valid-attachments"]
        assert given == [{"containerID": "c2", "ifname": "eth0"}, {"containerID": "c3", "ifname": "eth1"}]
    assert not (tmp_path / "data" / "overlay" / ".new-1-ab").exists()


@pytest.mark.parametrize("command", ["GC", "STATUS"])
@pytest.mark.parametrize("versions", [("1.0.0",), ("1.0.0", "1.1.0")])
def test_address_management_is_asked_where_the_delegate_cannot(
    network: Config, tmp_path: Path, command: str, versions: tuple[str, ...]
) -> None:
    """It is told what the delegate would tell it; a delegate that has the command hands it on itself."""
    ipam = Delegate(tmp_path, "host-local")
    delegate = Delegate(tmp_path, versions=versions)
    valid = [{"containerID": "c1", "ifname": "eth0"}]
    run(command, {**network, "cni.dev/valid-attachments": valid}, tmp_path, container="", ifname="")
    assert (command in delegate.commands, command in ipam.commands) == ("1.1.0" in versions, "1.1.0" not in versions)
    given = (delegate if "1.1.0" in versions else ipam).given(command, "", "")
    assert (given["cniVersion"], given["name"], given["type"]) == ("1.1.0", "overlay", "delegate")
    assert given["ipam"]["ranges"] == [[{"subnet": "10.5.52.0/24"}]]
    assert given.get("cni.dev/valid-attachments") == (valid if command == "GC" else None)


def test_gc_leaves_other_networks_alone(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    run("ADD", network, tmp_path)
    _collect({**network, "name": "another"}, tmp_path)
    assert stored(tmp_path) == ["c1@eth0"]
    Path(network["subnetFile"]).unlink()
    _collect(network, tmp_path)
    assert stored(tmp_path) == []


def test_gc_without_a_list_keeps_everything(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    run("ADD", network, tmp_path)
    assert refused("GC", network, tmp_path).code == Code.INVALID_CONFIG
    assert stored(tmp_path) == ["c1@eth0"]


def test_gc_goes_on_after_a_failure(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, delete='[ "$CNI_CONTAINERID" != c1 ]')
    for container in ("c1", "c2"):
        run("ADD", network, tmp_path, container=container)
    with pytest.raises(CNIError, match="eth0 of c1: "):
        _collect(network, tmp_path)
    assert stored(tmp_path) == ["c1@eth0"]


def test_status(network: Config, delegate: Delegate, tmp_path: Path) -> None:
    error = refused("STATUS", network, tmp_path, container="", ifname="")
    assert (error.code, "host-local" in error.message) == (Code.NOT_AVAILABLE, True)
    Delegate(tmp_path, "host-local")
    run("STATUS", network, tmp_path, container="", ifname="")
    assert delegate.commands[-1] == "STATUS"
    whole = Path(network["subnetFile"]).read_text()
    for half in (whole[:40], ""):
        Path(network["subnetFile"]).write_text(half)
        assert refused("STATUS", network, tmp_path).code == Code.NOT_AVAILABLE
    Path(network["subnetFile"]).write_text(whole)
    run("ADD", network, tmp_path)
    Path(network["subnetFile"]).unlink()
    assert refused("STATUS", network, tmp_path).code == Code.LIMITED_CONNECTIVITY


def test_status_of_the_delegate_is_ours(network: Config, tmp_path: Path) -> None:
    Delegate(tmp_path, "host-local")
    Delegate(tmp_path, other='echo \'{"code": 50, "msg": "no bridge"}\'; exit 1')
    assert refused("STATUS", network, tmp_path).code == Code.NOT_AVAILABLE
    asked = Delegate(tmp_path, versions=("1.0.0",), other="exit 1")
    run("STATUS", network, tmp_path)
    assert asked.commands[-1] == "VERSION"
    asked.path.unlink()
    assert refused("STATUS", network, tmp_path).code == Code.NOT_AVAILABLE


@pytest.mark.parametrize("name", ["name", "ipam", "cniVersion"])
def test_what_is_not_for_the_delegate(network: Config, delegate: Delegate, tmp_path: Path, name: str) -> None:
    """The error has the key and the value, as the specification has it."""
    network["delegate"][name] = "other"
    error = refused("ADD", network, tmp_path)
    assert error.code == Code.UNSUPPORTED_FIELD
    assert f"delegate.{name} is 'other'" in error.message
    assert delegate.calls == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delegate": []}, "delegate is no object"),
        ({"delegate": {"type": "a/b"}}, "delegate.type"),
        ({"delegate": {"type": 1}}, "delegate.type is no string"),
        ({"ipam": "host-local"}, "ipam is no object"),
        ({"ipam": {"routes": {}}}, "ipam.routes is no list"),
        ({"subnetFile": 1}, "subnetFile"),
        ({"dataDir": "/x\0"}, "dataDir has a 0"),
        ({"delegateTimeout": 0}, "delegateTimeout"),
        ({"delegateTimeout": True}, "delegateTimeout"),
    ],
)
def test_wrong_configurations(network: Config, delegate: Delegate, tmp_path: Path, changes: Config, said: str) -> None:
    error = refused("ADD", {**network, **changes}, tmp_path)
    assert (error.code, said in error.message) == (Code.INVALID_CONFIG, True), error
    assert delegate.calls == []
    assert stored(tmp_path) == []
