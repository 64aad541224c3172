"""What holds for every built-in layer: a test class for a layer inherits from `LayerLaws`."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import Around, Fault, FieldError, IPv6, Layer, MalformedError, Span
from vxlanpkt.errors import Reason, TruncatedError
from vxlanpkt.reasons import REASONS

law = settings(
    max_examples=max(60, settings().max_examples // 100),
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
BELOW = (IPv6("2001:db8::1", "2001:db8::2"),)


def decoded(layer: Any, data: bytes) -> tuple[Any, Span]:
    """The layer at the start of *data*, which is sound, and where it lies."""
    span = layer.scan(data, 0, len(data))
    assert isinstance(span, Span), span
    return layer.decode(data, span), span


def encoded(value: Any, content: bytes = b"", below: Any = BELOW, next_key: int | None = None) -> tuple[Any, bytes]:
    """*value* resolved, and the bytes of its header."""
    result: tuple[Any, bytes] = value.encode(Around(below, content, next_key))
    return result


def refused(data: bytes, layer: Any, reason: Reason) -> Fault:
    """The fault of *layer* at the start of *data*."""
    fault = layer.scan(data, 0, len(data))
    assert isinstance(fault, Fault)
    assert fault.reason is reason
    return fault


def field_error(call: Any, layer: str, field: str) -> FieldError:
    """The error of a call that is to be refused for this field."""
    with pytest.raises(FieldError) as caught:
        call()
    assert (caught.value.layer, caught.value.field) == (layer, field)
    assert f"{layer}.{field}" in str(caught.value)
    return caught.value


def malformed(call: Any, layer: str, reason: Reason) -> MalformedError:
    """The error of a view of options whose lengths are broken."""
    with pytest.raises(MalformedError) as caught:
        call()
    assert (caught.value.layer, caught.value.reason) == (layer, reason)
    return caught.value


class LayerLaws:
    """The laws, for a value with every field set and the bytes that it is on the wire, written by hand.

    `required` are the arguments without a default; `truncated` the reason for a cut header.
    """

    example: ClassVar[Any]
    wire: ClassVar[str]
    required: ClassVar[dict[str, Any]] = {}
    truncated: ClassVar[Reason]

    @property
    def layer(self) -> Any:
        return type(self.example)

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.wire)

    def test_it_is_a_layer(self) -> None:
        """A built-in layer meets the protocol that a user's own layer has to meet."""
        assert isinstance(self.example, Layer)
        assert all(field in self.layer.BITS for field in self.layer.DERIVED)
        assert self.layer.NEXT_FIELD is None or self.layer.NEXT_FIELD in self.layer.DERIVED
        assert self.layer.__name__ == self.layer.NAME

    def test_vector(self) -> None:
        """The value is these bytes, and the bytes this value, wherever in a buffer they lie."""
        assert encoded(self.example) == (self.example, self.data)
        value, span = decoded(self.layer, self.data)
        assert value == self.example
        assert (span.start, span.header_end, span.missing) == (0, len(self.data), 0)
        shifted = self.layer.scan(b"\xff" * 3 + self.data, 3, 3 + len(self.data))
        assert self.layer.decode(memoryview(b"\xff" * 3 + self.data), shifted) == self.example

    def test_cut(self) -> None:
        """Every prefix of the header is refused as truncated, and says how many bytes it needs."""
        for cut in range(len(self.data)):
            fault = self.layer.scan(self.data[:cut], 0, cut)
            if isinstance(fault, Span):  # a message whose body takes what is there
                assert fault.header_end == cut
                continue
            assert REASONS[fault.reason].exception is TruncatedError
            assert fault.needed > cut
        refused(b"", self.layer, self.truncated)

    def test_field_errors(self) -> None:
        """A value that does not fit its field is refused, and the error says which, what, and how wide it is."""
        for field, bits in self.layer.BITS.items():
            for value in (1 << bits, -1, 1 << 200, "1", 1.5, b"\1"):
                error = field_error(lambda: self.example.replace(**{field: value}), self.layer.NAME, field)  # noqa: B023
                assert error.value == value
                assert error.bits == bits
                field_error(lambda: self.layer(**{**self.required, field: value}), self.layer.NAME, field)  # noqa: B023
            if field not in self.layer.DERIVED:
                field_error(lambda: self.example.replace(**{field: None}), self.layer.NAME, field)  # noqa: B023

    def test_widest_values(self) -> None:
        """Zero and all ones fit every field: what a peer could send can be made."""
        for field, bits in self.layer.BITS.items():
            if (self.layer.NAME, field) == ("VXLANGPE", "flags"):
                continue
            for value in (0, (1 << bits) - 1):
                assert getattr(self.example.replace(**{field: value}), field) == value

    def test_derived_fields_default_to_none(self) -> None:
        """What can be derived is None until the packet is resolved, and asking for it strictly says so."""
        fresh = self.layer(**self.required)
        for field in self.layer.DERIVED:
            assert getattr(fresh, field) is None
            error = field_error(lambda: fresh.require(field), self.layer.NAME, field)  # noqa: B023
            assert error.bits == self.layer.BITS[field]
            assert self.example.require(field) == getattr(self.example, field)

    def test_derived_fields_that_are_set_are_sent(self) -> None:
        """Any value but None is sent as it is, 0 and lies included."""
        for field in self.layer.DERIVED:
            for value in (0, 1):
                changed = self.example.replace(**{field: value})
                assert getattr(encoded(changed, b"content")[0], field) == value

    def test_replace(self) -> None:
        """replace copies, changes what it is told, checks, and knows no other field."""
        assert self.example.replace() == self.example
        assert self.example.replace() is not self.example
        for field in dataclasses.fields(self.example):
            assert self.example.replace(**{field.name: getattr(self.example, field.name)}) == self.example
        with pytest.raises(TypeError):
            self.example.replace(colour="red")

    def test_it_is_a_value(self) -> None:
        """Equal by its fields, hashed alike, pickled, frozen, equal to nothing else."""
        again, _ = decoded(self.layer, self.data)
        assert again == self.example
        assert type(again) is type(self.example)
        assert hash(again) == hash(self.example)
        assert repr(again) == repr(self.example)
        assert pickle.loads(pickle.dumps(again)) == self.example
        assert self.example != self.data
        assert self.example != tuple(getattr(again, field.name) for field in dataclasses.fields(again))
        for value in (again, self.example):
            for field in dataclasses.fields(value):
                with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
                    setattr(value, field.name, 0)

    def test_match(self) -> None:
        """A layer can be matched by class and fields, positions in the order of the constructor."""
        assert self.layer.__match_args__ == tuple(field.name for field in dataclasses.fields(self.example))

    @law
    @given(data=st.data())
    def test_lossless(self, data: st.DataObject) -> None:
        """Whatever bytes scan accepts, decode reads without fail and encode writes back unchanged."""
        own = st.builds(lambda tail: self.data + tail, st.binary(max_size=60))
        damaged = st.builds(
            lambda at, byte, tail: self.data[:at] + bytes((byte,)) + self.data[at + 1 :] + tail,
            st.integers(0, len(self.data) - 1), st.integers(0, 255), st.binary(max_size=80),
        )  # fmt: skip
        wire = data.draw(st.one_of(own, damaged, st.binary(max_size=120)))
        span = self.layer.scan(wire, 0, len(wire))
        if isinstance(span, Fault):
            assert REASONS[span.reason].layer == self.layer.NAME
            return
        assert 0 == span.start <= span.header_end <= span.end <= len(wire)
        value = self.layer.decode(wire, span)
        full, header = encoded(value, wire[span.header_end : span.end])
        assert full == value
        assert header == wire[: span.header_end]
        assert value.replace() == value
        assert pickle.loads(pickle.dumps(value)) == value
