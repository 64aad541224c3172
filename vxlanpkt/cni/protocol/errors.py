"""Errors of CNI: a code, what is wrong and what to change, as plugins print them and runtimes read them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """The specification's codes up to 99, and this plugin's own from 100 on."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3  # what is not there: nothing has to be deleted
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING_FAILURE = 6
    INVALID_CONFIG = 7
    TRY_AGAIN_LATER = 11
    NOT_AVAILABLE = 50  # no ADD can be served
    LIMITED_CONNECTIVITY = 51  # nor do the containers that are there have all of their network
    DELEGATE_MISSING = 100
    DELEGATE_FAILED = 101  # and did not say why as CNI says it
    DELEGATE_TIMEOUT = 102
    NO_ADDRESS = 103
    CHECK_FAILED = 104
    INTERNAL = 999


class CNIError(Exception):
    """What a plugin reports: `.code` (of `Code`, or another plugin's own), `.message`, and `.details`, if any."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}: {self.details}" if self.details else self.message

    def to_json(self, version: str) -> dict[str, Any]:
        """The object that a plugin prints, in a version of CNI."""
        found: dict[str, Any] = {"cniVersion": version, "code": int(self.code), "msg": self.message}
        if self.details:
            found["details"] = self.details
        return found

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CNIError | None:
        """The error that a plugin printed; None for an object that is no error of CNI."""
        code, message, details = content.get("code"), content.get("msg", ""), content.get("details", "")
        if type(code) is not int or not isinstance(message, str) or not isinstance(details, str):
            return None
        return cls(code, message, details)
