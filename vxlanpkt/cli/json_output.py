"""What verbs print as JSON."""

from __future__ import annotations

import json
from typing import Any

import click


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """One object on a line."""
    click.echo(as_line(value), err=to_stderr)


def as_line(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value)
