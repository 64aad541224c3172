"""Objects of JSON, read member by member: what has the wrong kind is an error that says where, and what it should be.

null is as good as absent, as Go reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from vxlanpkt.cni.protocol.errors import CNIError, Code

_T = TypeVar("_T")


def decoded(text: bytes | str, what: str, code: Code = Code.DECODING_FAILURE) -> dict[str, Any]:
    """The object that JSON *text* has; *what* it is, for the error."""
    if not text.strip():
        raise CNIError(code, f"{what} is empty: it has to be an object of JSON")
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise CNIError(code, f"{what} is no JSON: {error}", _shown(text)) from error
    if not isinstance(content, dict):
        raise CNIError(code, f"{what} is no object of JSON", _shown(text))
    return content


def _no_number(name: str) -> float:
    """Python reads NaN and Infinity, which JSON does not have, and no plugin in Go takes."""
    raise ValueError(f"{name} is no number")


def _shown(text: bytes | str) -> str:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return text if len(text) <= 200 else text[:200] + "..."


class Fields:
    """The members of an object: *where* it stands in what was read, and the *code* of what is wrong with it."""

    __slots__ = ("code", "content", "where")

    def __init__(self, content: object, where: str = "", code: Code = Code.INVALID_CONFIG) -> None:
        self.where = where
        self.code = code
        if not isinstance(content, dict):
            raise self.wrong("", "is no object")
        self.content: dict[str, Any] = content

    def path(self, name: str) -> str:
        """Where a member stands: `ipam.ranges`."""
        return ".".join(part for part in (self.where, name) if part)

    def wrong(self, name: str, reason: str) -> CNIError:
        """The error of a member."""
        return CNIError(self.code, f"{self.path(name) or 'the input'} {reason}")

    def has(self, name: str) -> bool:
        """Whether a member is there, and not null."""
        return self.content.get(name) is not None

    def given(self) -> dict[str, Any]:
        """The members that are not null."""
        return {name: value for name, value in self.content.items() if value is not None}

    def text(self, name: str, default: str | None = None) -> str:
        """A string; needed, if there is no *default*."""
        value = self.content.get(name)
        if value is None:
            if default is None:
                raise self.wrong(name, "is missing")
            return default
        if not isinstance(value, str):
            raise self.wrong(name, f"is no string: {json.dumps(value)}")
        if "\0" in value:  # no file, program or interface can be named so
            raise self.wrong(name, f"has a 0 character: {json.dumps(value)}")
        try:
            value.encode("utf-8", "surrogateescape")  # as the system's names are
        except UnicodeEncodeError as error:
            raise self.wrong(name, f"has half a character: {json.dumps(value)}") from error
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.content.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, f"is neither true nor false: {json.dumps(value)}")
        return value

    def number(self, name: str) -> int | None:
        """A whole number that is not negative, or None."""
        value = self.content.get(name)
        if value is None:
            return None
        if type(value) is not int or value < 0:
            raise self.wrong(name, f"is no whole number from 0 on: {json.dumps(value)}")
        return value

    def parsed(self, name: str, parse: Callable[[str], _T]) -> _T:
        """What *parse* makes of a string; its ValueError says what is wrong."""
        text = self.text(name)
        try:
            return parse(text)
        except ValueError as error:
            raise self.wrong(name, f"is wrong: {error}") from error

    def parsed_or_none(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """The same, but None for what is empty or not there."""
        return self.parsed(name, parse) if self.text(name, "") else None

    def items(self, name: str) -> list[Any]:
        """A list; empty, if it is not there."""
        value = self.content.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, f"is no list: {json.dumps(value)}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        found = self.items(name)
        for number, value in enumerate(found):
            if not isinstance(value, str):
                raise self.wrong(f"{name}[{number}]", f"is no string: {json.dumps(value)}")
        return tuple(found)

    def object(self, name: str) -> Fields:
        """The members of an object inside; none, if it is not there."""
        value = self.content.get(name)
        return Fields({} if value is None else value, self.path(name), self.code)

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of a list."""
        for number, value in enumerate(self.items(name)):
            yield Fields(value, self.path(f"{name}[{number}]"), self.code)
