"""Traffic control that sends by one device all that comes from another, as it is."""

from __future__ import annotations

from socket import htons

from pyroute2.netlink.rtnl.tcmsg import tcmsg

from vxlanpkt.overlay.linux.rtnetlink import CREATE, NEWQDISC, NEWTFILTER, REPLACE, Message, Request

_CLSACT, _CLSACT_HANDLE, _INGRESS = 0xFFFFFFF1, 0xFFFF0000, 0xFFFFFFF2
_PRIORITY, _ETH_P_ALL, _HANDLE = 1, 3, 0x80000800  # the first entry of the first table of u32
_STOLEN, _EGRESS_REDIRECT = 4, 1


def redirect(index: int, target: int) -> list[Request]:
    """What makes the device *target* send what comes from the device *index*; once more, it names another target."""
    return [
        Request(NEWQDISC, _qdisc(index), CREATE),
        Request(NEWTFILTER, _filter(index, target), CREATE | REPLACE),
    ]


def _qdisc(index: int) -> Message:
    message = tcmsg()
    message["index"], message["parent"], message["handle"] = index, _CLSACT, _CLSACT_HANDLE
    message["attrs"] = [["TCA_KIND", "clsact"]]
    return message


def _filter(index: int, target: int) -> Message:
    """A u32 filter, which is older than matchall and there in more kernels, whose one key fits everything."""
    parameters = {"eaction": _EGRESS_REDIRECT, "action": _STOLEN, "ifindex": target}
    action = [["TCA_ACT_KIND", "mirred"], ["TCA_ACT_OPTIONS", {"attrs": [["TCA_MIRRED_PARMS", parameters]]}]]
    message = tcmsg()
    message["index"], message["parent"], message["handle"] = index, _INGRESS, _HANDLE
    message["info"] = _PRIORITY << 16 | htons(_ETH_P_ALL)
    message["attrs"] = [
        ["TCA_KIND", "u32"],
        ["TCA_OPTIONS", {"attrs": [
            ["TCA_U32_SEL", {"keys": ["0x0/0x0+0"]}],
            ["TCA_U32_ACT", {"attrs": [["TCA_ACT_PRIO_1", {"attrs": action}]]}],
        ]}],
    ]  # fmt: skip
    return message
