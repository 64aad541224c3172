"""Runs a command and prints what it took: processor time of user and system in seconds, and peak memory in KiB.

A process of its own, and a small one: at first a child counts its parent's memory as its own peak.
"""

import os
import sys

pid = os.posix_spawnp(
    sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
