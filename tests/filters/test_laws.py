"""Laws of filters: what the kernels select is what holds of the layers, and joining is joining."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import VXLAN, DecapPolicy, Filter, FrameBatch, LinkType, Reason, decap, decap_batch
from vxlanpkt.starts import Start
from vxlanpkt.strategies import batches, filter_expressions, policies

from .oracle import matches, take_apart

law = settings(suppress_health_check=list(HealthCheck))

# Those under which a frame's layers are what the policy reads: lengths are believed, and inner frames looked into.
READERS = st.sampled_from((
    DecapPolicy(), DecapPolicy(lengths="snapped"), DecapPolicy(inner_vlan="strip", ecn="rfc6040", gbp=True),
    DecapPolicy(ports=(4789, 8472, 4790), gpe=True, lengths="snapped"),
))  # fmt: skip
STARTS: st.SearchStrategy[Start] = st.sampled_from(
    (LinkType.ETHERNET, LinkType.ETHERNET, LinkType.ETHERNET, VXLAN, LinkType.LINUX_SLL)
)


def originals_of(batch: FrameBatch) -> list[int | None]:
    return [None] * len(batch) if batch.original_lengths is None else list(batch.original_lengths)


def selected(text: str, batch: FrameBatch, **options: Any) -> list[int]:
    return list(Filter(text).select(decap_batch(batch, **options)))


@law
@given(text=filter_expressions(), batch=batches(), policy=READERS, start=STARTS)
def test_layers(text: str, batch: FrameBatch, policy: DecapPolicy, start: Start) -> None:
    """A row is selected where the expression holds of its layers; so says `matches` of the frame alone."""
    frames = [
        take_apart(bytes(data), policy, start, original)
        for data, original in zip(batch, originals_of(batch), strict=True)
    ]
    expected = [matches(text, frame) for frame in frames]
    assert selected(text, batch, policy=policy, start=start) == expected
    assert [frame is not None and Filter(text).matches(frame.got) for frame in frames] == expected


@law
@given(text=filter_expressions(), batch=batches(outside=True), policy=policies())
def test_any_policy(text: str, batch: FrameBatch, policy: DecapPolicy) -> None:
    """Under any policy a row of the batch and the frame alone are judged alike, and no refused row is selected."""
    result = decap_batch(batch, policy=policy)
    chosen = list(Filter(text).select(result))
    for row, (status, original) in enumerate(zip(result.status, originals_of(batch), strict=True)):
        if status == Reason.OK:
            got = decap(bytes(batch[row]), policy=policy, original_length=original)
            assert Filter(text).matches(got) == chosen[row]
        else:
            assert not chosen[row]


@law
@given(one=filter_expressions(), other=filter_expressions(), batch=batches())
def test_joined(one: str, other: str, batch: FrameBatch) -> None:
    """`&`, `|` and `~` are and, or and not of every accepted row."""
    result = decap_batch(batch)
    first, second = (Filter(text) for text in (one, other))
    rows = list(zip(result.status, first.select(result), second.select(result), strict=True))
    assert list((first & second).select(result)) == [a & b for _, a, b in rows]
    assert list((first | second).select(result)) == [a | b for _, a, b in rows]
    assert list((~first).select(result)) == [int(not status and not a) for status, a, _ in rows]


@given(text=filter_expressions())
def test_values(text: str) -> None:
    """Filters are values."""
    made = Filter(text)
    made.select(decap_batch(FrameBatch.from_frames([])))
    copy = pickle.loads(pickle.dumps(made))
    assert copy == made and hash(copy) == hash(made)
    assert eval(repr(made)) == made
