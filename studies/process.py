"""Which process is which: where its number counts, when it began, and whether it is still there."""

import contextlib
import os
import sys
import uuid
from pathlib import Path

PROC = Path("/proc")
"""Where Linux tells of processes; elsewhere, and where it is hidden, others are asked."""

RANDOM = 1 << 40
"""The bit of a machine's number that says that it was made up for this process."""


def machine() -> str:
    """Where process numbers mean the same: this boot of this machine, and the container in it.

    Where Linux doesn't tell, the machine by the number of its network interface: a process is
    known by its start, too. Empty where that can't be known either, which equals no other place.
    """
    with contextlib.suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(PROC / 'self/ns/pid')}"
    node = uuid.getnode()
    return "" if node & RANDOM else f"{sys.platform} {node:012x}"


def start(pid: int) -> int | None:
    """When that process began: on Linux in clock ticks from the machine's start, else in seconds.

    None if it is gone or hidden.
    """
    try:
        fields = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if sys.platform == "linux" else _start_elsewhere(pid)
    return None if fields[0] in "ZX" else int(fields[19])


def _start_elsewhere(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time())
    except psutil.Error:
        return None


def alive(pid: int, started: int) -> bool:
    """Whether the process of that number on this machine is the one that started then."""
    if (found := start(pid)) is not None:
        return found == started
    if sys.platform == "win32":  # where signal 0 would end it
        import psutil

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's, which may be hidden
        return True
    except ProcessLookupError:
        return False
    # Where processes are told of, it has ended, and waits for its parent to hear of it.
    return sys.platform == "linux" and not (PROC / "self").exists()
