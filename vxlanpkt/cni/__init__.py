"""The Container Network Interface: the protocol, plugins that attach containers to an overlay, and a runtime for them.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.cni.execution import find_plugin as find_plugin
    from vxlanpkt.cni.execution import run_add as run_add
    from vxlanpkt.cni.execution import run_plugin as run_plugin
    from vxlanpkt.cni.execution import supported_versions as supported_versions
    from vxlanpkt.cni.installation import install as install
    from vxlanpkt.cni.networks import find_network as find_network
    from vxlanpkt.cni.networks import read_network as read_network
    from vxlanpkt.cni.protocol.configuration import Attachment as Attachment
    from vxlanpkt.cni.protocol.configuration import NetworkConfigList as NetworkConfigList
    from vxlanpkt.cni.protocol.configuration import PluginConfig as PluginConfig
    from vxlanpkt.cni.protocol.environment import Call as Call
    from vxlanpkt.cni.protocol.errors import CNIError as CNIError
    from vxlanpkt.cni.protocol.errors import Code as Code
    from vxlanpkt.cni.protocol.results import DNS as DNS
    from vxlanpkt.cni.protocol.results import Interface as Interface
    from vxlanpkt.cni.protocol.results import IPConfig as IPConfig
    from vxlanpkt.cni.protocol.results import Result as Result
    from vxlanpkt.cni.protocol.results import Route as Route
    from vxlanpkt.cni.result_cache import Cached as Cached
    from vxlanpkt.cni.result_cache import Container as Container
    from vxlanpkt.cni.result_cache import ResultCache as ResultCache
    from vxlanpkt.cni.runtime import Runtime as Runtime

_MODULES: dict[str, tuple[str, ...]] = {
    "execution": ("find_plugin", "run_add", "run_plugin", "supported_versions"),
    "installation": ("install",),
    "networks": ("find_network", "read_network"),
    "protocol.configuration": ("Attachment", "NetworkConfigList", "PluginConfig"),
    "protocol.environment": ("Call",),
    "protocol.errors": ("CNIError", "Code"),
    "protocol.results": ("DNS", "IPConfig", "Interface", "Result", "Route"),
    "result_cache": ("Cached", "Container", "ResultCache"),
    "runtime": ("Runtime",),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
