"""What frames say of themselves, and which were seen before: the classes over the kernels."""

from __future__ import annotations

from array import array

import pytest

from vxlanpkt import FieldError, FrameBatch, LinkType, Tunnel, decap_batch
from vxlanpkt.kernel.contract.sightings import Trait
from vxlanpkt.sightings import DIGEST_SEED_SIZE, Digests, Sightings, traits

SEED = bytes(range(DIGEST_SEED_SIZE))
INNER = bytes(12) + b"\x88\xb5" + b"something"


def test_traits() -> None:
    """Of the frames as they are, and of what is inside, by its own link type."""
    wire = Tunnel(7, "192.0.2.1", "192.0.2.2", df="set").encap(INNER)
    batch = FrameBatch.from_frames([wire, b""])
    outer = traits(batch, LinkType.ETHERNET)
    assert outer.length.tolist() == [len(wire) - 14, 0]
    assert outer.traits.tolist() == [Trait.IP | Trait.DF, 0]
    result = decap_batch(batch)
    inner = traits(result.inner, LinkType.ETHERNET, result.inner_link_type)
    assert inner.traits.tolist() == [0, 0] and inner.segment.tolist() == [0, 0]
    assert traits(batch, None).traits.tolist() == [0, 0]
    assert traits(FrameBatch.from_frames([]), LinkType.ETHERNET).traits.tolist() == []
    with pytest.raises(FieldError):
        traits(batch, LinkType.ETHERNET, memoryview(array("H", [1])))


def test_digests() -> None:
    """They depend on the key, the frame and the seed; rows that are left out have none."""
    digests = Digests({"vni": "I"}, seed=SEED)
    frames = FrameBatch.from_frames([b"a", b"a", b"b", b"a"])
    vnis = array("I", [1, 1, 1, 2])
    found = digests.of(4, [vnis], frames=frames).tolist()
    assert found[0] == found[1] and len(set(found)) == 3
    assert digests.of(4, [vnis]).tolist()[:3] == [digests.of(1, [array("I", [1])])[0]] * 3
    assert Digests({"vni": "I"}, seed=bytes(DIGEST_SEED_SIZE)).of(4, [vnis], frames=frames).tolist() != found
    chosen = digests.of(4, [vnis], frames=frames, selected=b"\1\0\1\1", status=b"\0\0\0\5").tolist()
    assert chosen == [found[0], 0, found[2], 0]
    assert digests.of(0, [array("I")]).tolist() == []


def test_refused_digests() -> None:
    with pytest.raises(FieldError):
        Digests({"vni": "I"}, seed=b"short")
    with pytest.raises(FieldError):
        Digests({"vni": "I"}, seed=SEED).of(3, [array("I", [1, 2])])


def test_sightings() -> None:
    """Over batches; numbers count from 1 over all of them."""
    seen = Sightings(capacity=100, window=10)
    digests, marks = memoryview(array("Q", [5, 6])), memoryview(array("I", [0, 1]))
    earlier, repeated = seen.see(digests, marks, memoryview(array("q", [0, 1])), 0)
    assert earlier.tolist() == repeated.tolist() == [0, 0]
    earlier, repeated = seen.see(digests, memoryview(array("I", [0, 2])), memoryview(array("q", [10, 11])), 2)
    assert earlier.tolist() == [1, 2] and repeated.tolist() == [1, 2]
    assert seen.forgotten == 0
    assert [len(column) for column in seen.see(digests[:0], marks[:0], memoryview(array("q")), 4)] == [0, 0]
    with pytest.raises(FieldError):
        seen.see(digests, marks, memoryview(array("q")), 0)
