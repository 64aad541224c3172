"""Networks are found in a directory as libcni finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import CNIError, Code, find_network, read_network


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def conflist(name: str, *kinds: str, **members: Any) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": name, "plugins": [{"type": kind} for kind in kinds], **members}


def test_lists_come_first_and_files_in_order(tmp_path: Path) -> None:
    """Of several files with the same network: lists before single plugins, and then by the files' names."""
    write(tmp_path / "05-single.conf", {"cniVersion": "1.0.0", "name": "net", "type": "single"})
    write(tmp_path / "30-late.conflist", conflist("net", "late"))
    write(tmp_path / "20-early.conflist", conflist("net", "early"))
    write(tmp_path / "10-other.conflist", conflist("other", "other"))
    write(tmp_path / "00-unread.txt", conflist("net", "unread"))
    (tmp_path / "01-directory.conflist").mkdir()
    for expected in ("early", "late", "single"):
        assert find_network("net", tmp_path).plugins[0]["type"] == expected
        next(tmp_path.glob(f"*-{expected}.*")).unlink()
    with pytest.raises(CNIError, match="no network 'net' in"):
        find_network("net", tmp_path)


@pytest.mark.parametrize("suffix", ["conf", "json"])
def test_a_single_plugin_is_a_list_of_one(tmp_path: Path, suffix: str) -> None:
    content = {"cniVersion": "0.4.0", "name": "net", "type": "bridge", "mtu": 1450}
    write(tmp_path / f"10-net.{suffix}", content)
    found = find_network("net", tmp_path)
    assert (found.name, found.version, found.plugins) == ("net", "0.4.0", (content,))


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    """It may be of another network; if none is found, the error tells of it."""
    write(tmp_path / "10-broken.conflist", '{"name": "net", "plug')
    write(tmp_path / "20-empty.conflist", "")
    write(tmp_path / "30-net.conflist", conflist("net", "a"))
    assert find_network("net", tmp_path).plugins == ({"type": "a"},)
    with pytest.raises(CNIError) as caught:
        find_network("missing", tmp_path)
    assert caught.value.code == Code.INVALID_CONFIG
    assert "10-broken.conflist: " in caught.value.details
    assert "20-empty.conflist: " in caught.value.details


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(CNIError, match="no network 'net' in"):
        find_network("net", tmp_path / "nothing")


def test_plugins_in_files_of_their_own(tmp_path: Path) -> None:
    """They come behind those of the list, from a directory that bears the network's name."""
    write(tmp_path / "10-net.conflist", conflist("net", "a"))
    write(tmp_path / "net" / "20-c.conf", {"type": "c"})
    write(tmp_path / "net" / "10-b.conf", {"type": "b"})
    write(tmp_path / "net" / "30-d.json", {"type": "d"})
    assert [plugin["type"] for plugin in find_network("net", tmp_path).plugins] == ["a", "b", "c"]
    write(tmp_path / "10-net.conflist", {"cniVersion": "1.0.0", "name": "net"})
    assert [plugin["type"] for plugin in find_network("net", tmp_path).plugins] == ["b", "c"]
    write(tmp_path / "10-net.conflist", conflist("net", "a", loadOnlyInlinedPlugins=True))
    assert [plugin["type"] for plugin in find_network("net", tmp_path).plugins] == ["a"]


def test_a_plugin_whose_file_cannot_be_read(tmp_path: Path) -> None:
    """Its network is passed over, and the error says which file it was."""
    write(tmp_path / "10-net.conflist", conflist("net", "a"))
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "10-b.conf").symlink_to("/proc/self/mem")
    with pytest.raises(CNIError) as caught:
        find_network("net", tmp_path)
    assert "10-net.conflist: net/10-b.conf cannot be read: " in caught.value.details


def test_a_name_leads_to_no_other_directory(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "10-b.conf", {"type": "b"})
    path = write(tmp_path / "nets" / "10-net.conflist", conflist("../outside", "a"))
    with pytest.raises(CNIError, match="name"):
        read_network(path)
