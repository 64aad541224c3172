"""Errors of the library in the words of the command line: what keywords of Python are called there."""

from __future__ import annotations

import re

import click

# Of a click context's `meta`: what a verb reads, which its errors name; None where there are several files.
SOURCE = "vxlanpkt.source"
# What the library calls otherwise than a verb does.
_ALIASES = {"written_as": "format"}
_ADDRESS = re.compile(r"(?:IPv[46]Address|MACAddress)\('([^']*)'\)")


def in_words_of(command: click.Command, message: str) -> str:
    """A message in which keywords that *command* has an option for are called by that.

    Of short names, which are words of English too, only those are changed that the message begins with.
    """
    message = _ADDRESS.sub(r"\1", message)
    for parameter in command.params:
        option = next((name for name in parameter.opts if name.startswith("-")), None)
        if option is None or parameter.name is None:
            continue
        name = _ALIASES.get(parameter.name, parameter.name)
        message = re.sub(rf"^(?:[A-Z]\w*\.)?{name}(?=:| is\b)", option, message)
        if "_" in name:
            message = re.sub(rf"\b{name}\b", option, message)
    return message


def printable(text: str) -> str:
    """Without what a terminal takes for a command: others have a say in names of files, and in some texts."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
