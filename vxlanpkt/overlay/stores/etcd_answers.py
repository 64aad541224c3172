"""What etcd's JSON answers say, as values. ValueError for what is none of its answers: the gateway then asks again.

int64 are strings, bytes are base64, and what is false, zero or empty is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from vxlanpkt.overlay.leases.lease_errors import StoreError

Message = dict[str, Any]

MOST_BYTES = 1 << 28
"""The longest answer that is read."""
CHUNK = 1 << 16
_NOT_FOUND = 5  # gRPC's code


class EtcdRefusal(StoreError):
    """etcd answered, and it said no: `.code` is gRPC's."""

    code: int

    @property
    def not_found(self) -> bool:
        """What was asked for is not there."""
        return self.code == _NOT_FOUND


class KeyValue(NamedTuple):
    """A key, as etcd has it; lease: the lease of etcd that it hangs on, 0 for none."""

    key: str
    value: bytes
    mod_revision: int
    lease: int


class KeyRange(NamedTuple):
    """Keys at one revision of etcd."""

    revision: int
    pairs: tuple[KeyValue, ...]


class Granted(NamedTuple):
    """A lease of etcd; seconds: how long it holds from now on, 0 or less where it is gone."""

    number: int
    seconds: int


class WatchAnswer(NamedTuple):
    """One message of a watch."""

    revision: int
    created: bool
    canceled: str | None  # why, None where it goes on
    events: tuple[tuple[bool, KeyValue], ...]  # whether it was put, or removed


def text64(data: str | bytes) -> str:
    """base64 of it, as protobuf's JSON has bytes."""
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode("ascii")


def bytes64(text: object) -> bytes:
    """What `text64` was made from."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no base64")
    return base64.b64decode(text)


def key_range(answer: Message) -> KeyRange:
    """The answer to `kv/range`."""
    return KeyRange(revision(answer), tuple(_key_value(pair) for pair in _list(answer, "kvs")))


def revision(answer: Message) -> int:
    """At which revision etcd answered: every answer of it says so."""
    return _int64(_object(answer, "header"), "revision")


def succeeded(answer: Message) -> bool:
    """Whether a transaction did what was to be done if its conditions held."""
    revision(answer)
    return answer.get("succeeded", False) is True


def granted(answer: Message) -> Granted:
    """The answer to `lease/grant`."""
    revision(answer)
    found = Granted(_int64(answer, "ID"), _int64(answer, "TTL"))
    if found.number <= 0 or found.seconds <= 0:  # a key that hangs on lease 0 would never end
        raise ValueError(f"{found} is no lease")
    return found


def kept_alive(answer: Message) -> Granted:
    """The answer to `lease/keepalive`, which is the first of a stream."""
    result = _object(answer, "result")
    return Granted(_int64(result, "ID"), _int64(result, "TTL"))


def watch_answer(result: Message) -> WatchAnswer:
    """One message of a watch. An event without a type is a PUT."""
    canceled = str(result.get("cancel_reason") or "etcd has ended it") if result.get("canceled") else None
    events = tuple(
        (event.get("type") != "DELETE", _key_value(_object(event, "kv"))) for event in _list(result, "events")
    )
    return WatchAnswer(revision(result), bool(result.get("created")), canceled, events)


def _key_value(pair: Message) -> KeyValue:
    key = bytes64(pair.get("key")).decode("utf-8", "backslashreplace")
    return KeyValue(key, bytes64(pair.get("value", "")), _int64(pair, "mod_revision"), _int64(pair, "lease"))


def _object(message: Message, name: str) -> Message:
    found = message.get(name)
    if not isinstance(found, dict):
        raise ValueError(f"the answer has no {name}")
    return found


def _list(message: Message, name: str) -> list[Message]:
    found = message.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is no list of objects")
    return found


def _int64(message: Message, name: str) -> int:
    found = message.get(name, "0")
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        raise ValueError(f"{name} is no number: {found!r}")
    return int(found)


def judged(path: str, status: int, content: bytes, store: str) -> Message:
    """The answer as JSON. Raises `EtcdRefusal` where it is one, ValueError for what is no answer."""
    try:
        read = json.loads(content)
    except RecursionError as deep:
        raise ValueError(f"{path}: the answer is nested too deeply") from deep
    if not isinstance(read, dict):
        raise ValueError(f"{path}: the answer is no JSON object")
    if status == 200 and "error" not in read:
        return read
    error = read.get("error")
    said: Mapping[str, Any] = error if isinstance(error, dict) else read
    message = said.get("message") or said.get("error") or f"HTTP status {status}"
    code = said.get("code", said.get("grpc_code", 2))
    raise EtcdRefusal(f"etcd at {store}: {path}: {message}", code=code if isinstance(code, int) else 2, store=store)


def said(error: BaseException) -> str:
    """What an error says, or else what it is."""
    return str(error) or type(error).__name__
