"""Whatever umask a runtime has: nobody else may write where the plugins and the runtime keep what they know."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vxlanpkt.cni import Cached, Container, ResultCache
from vxlanpkt.cni.attachments import Attachments
from vxlanpkt.cni.files import make_directory
from vxlanpkt.cni.ipam.reservations import Reservations


@pytest.fixture
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _modes(home: Path) -> dict[str, int]:
    """The permissions of all directories below."""
    found = (path for path in home.rglob("*") if path.is_dir())
    return {str(path.relative_to(home)): stat.S_IMODE(path.stat().st_mode) for path in found}


@pytest.mark.usefixtures("_no_umask")
def test_directories(tmp_path: Path) -> None:
    with Attachments(f"{tmp_path}/a/b", "net").guarded(make=True):
        pass
    with Reservations(f"{tmp_path}/c/d", "net").locked(make=True):
        pass
    ResultCache(tmp_path / "e" / "f").write(Cached("net", Container("c1", ""), b"{}", {}))
    assert _modes(tmp_path) == {
        "a": 0o755, "a/b": 0o755, "a/b/net": 0o700, "c": 0o755, "c/d": 0o755, "c/d/net": 0o755,
        "e": 0o755, "e/f": 0o755, "e/f/results": 0o700,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["new", "new/", "new/inside", "there", "there/new", "linked/new"])
def test_a_directory_is_made_or_found(tmp_path: Path, path: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "there")
    for _ in range(2):
        make_directory(f"{tmp_path}/{path}")
        assert (tmp_path / path).is_dir()


@pytest.mark.parametrize("path", ["file", "file/new", "dangling"])
def test_what_is_in_the_way_stays(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    with pytest.raises(FileExistsError):
        make_directory(f"{tmp_path}/{path}")
    assert (tmp_path / "file").read_text() == "mine"
