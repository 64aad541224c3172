"""Network namespaces that are told apart, also where one has the inode of another that has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("pyroute2")

from vxlanpkt.overlay.service.network_namespace import NetworkNamespace

from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]


@pytest.fixture
def other() -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.delete()


def test_entrance(other: Namespace) -> None:
    """It is found by its name; its cookie is its own, and that of this process stays what it is."""
    here, there = NetworkNamespace.current(), other.call(NetworkNamespace.current)
    assert there.cookie and there.cookie != here.cookie
    assert there.entrance() == f"ip netns exec {other.name}"
    assert not there.is_same(here)
    assert NetworkNamespace.current() == here


def test_an_inode_that_is_given_again(other: Namespace) -> None:
    """What has the inode of one that has ended is not taken for it."""
    there = other.call(NetworkNamespace.current)
    ended = there._replace(cookie=there.cookie + 1)
    assert ended.entrance() is None
    assert not ended.is_same(there)


def test_a_cookie_that_is_not_known(other: Namespace) -> None:
    """The inode has to do, as before Linux 5.14."""
    there = other.call(NetworkNamespace.current)
    old = there._replace(cookie=0)
    assert old.entrance() == f"ip netns exec {other.name}"
    assert old.is_same(there) and there.is_same(old)


def test_ended(other: Namespace) -> None:
    there = other.call(NetworkNamespace.current)
    other.delete()
    assert there.entrance() is None
