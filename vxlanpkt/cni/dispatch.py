"""One call of a plugin from its environment and input to what it prints, whatever happens in between."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from vxlanpkt.cni.protocol.configuration import PluginConfig
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields, decoded
from vxlanpkt.cni.protocol.versions import NEWEST, VERSIONS, version_reply

Handler = Callable[[Call, PluginConfig], "dict[str, Any] | None"]


def dispatch(load: Callable[[], Mapping[str, Handler]], stdin: bytes) -> int:
    """Carry out the call, print its result or its error, and return the exit code.

    load: loads the plugin's commands, which asks for what only Linux has.
    """
    version = NEWEST
    try:
        call = Call.from_environment(os.environ)
        if call.command == "VERSION":
            print(version_reply(_asked(stdin)))
            return 0
        config = PluginConfig.from_json(stdin)
        version = config.version
        config.require_command(call.command)
        result = _loaded(load)[call.command](call, config)
    except CNIError as error:
        failure = error
    except Exception as error:  # whatever it is, the runtime reads JSON
        from traceback import print_exc  # not needed by calls that go well

        print_exc()
        failure = CNIError(Code.INTERNAL, f"{type(error).__name__}: {error}", "standard error has the traceback")
    else:
        if result is not None:
            json.dump(result, sys.stdout, indent=2)
        return 0
    json.dump(failure.to_json(version), sys.stdout, indent=2)
    return 1


def _loaded(load: Callable[[], Mapping[str, Handler]]) -> Mapping[str, Handler]:
    try:
        return load()
    except ModuleNotFoundError as error:
        if error.name != "fcntl":
            raise
        raise CNIError(Code.NOT_AVAILABLE, "the plugins run on Linux alone") from None


def _asked(stdin: bytes) -> str:
    """The version that a VERSION call was made in; the newest, if it is one that is not known here."""
    version = Fields(decoded(stdin, "the input of VERSION")).text("cniVersion", "")
    return version if version in VERSIONS else NEWEST
