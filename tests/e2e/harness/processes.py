"""Child processes with a log file and a pid file, ended by their own pid and never by name."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

from .waiting import TimedOut, eventually

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: the child may not import or allocate much.
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program of a test run, known by its pid file, so that a later invocation can end it too.

    With owned=True it dies with the test run even if that is killed. Call start from a thread that outlives it: the kernel
    ties the life of an owned child to the thread that made it.
    """

    def __init__(self, folder, name, command, env=None, owned=False):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = Path(folder) / "logs" / f"{name}.log"
        self._pid_file = Path(folder) / "pids" / name
        self._env = env
        self._owned = owned
        self._child = None

    def start(self):
        if self.running():
            raise RuntimeError(f"{self.name} runs already, as pid {self.pid()}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env,
                start_new_session=True, preexec_fn=_die_with_parent if self._owned else None)
        # The start time tells this process from a later one that was given the same pid.
        self._pid_file.write_text(f"{self._child.pid} {_start_time(self._child.pid)}\n")

    def pid(self):
        """The pid of the running process, or None."""
        try:
            pid, started = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _start_time(int(pid)) == started else None

    def running(self):
        if self._child is not None:
            self._child.poll()  # reaps
        return self.pid() is not None

    def signal(self, number):
        """Sends a signal if it runs; says whether it did."""
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, seconds):
        """Waits for the end; the exit status (negative: the signal) where it is our child, else None."""
        eventually(f"{self.name} ended", lambda: not self.running(), seconds, every=0.01)
        self._pid_file.unlink(missing_ok=True)
        # Dead, but perhaps not reaped yet: the poll may have been a moment before the end.
        return self._child.wait(10) if self._child is not None else None

    def stop(self, seconds=30):
        """Asks it to end and waits until it has; kills it if it takes longer than that."""
        if not self.running():
            return None
        self.signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except TimedOut:
            self.signal(signal.SIGKILL)
            return self.wait(10)

    def must_run(self):
        """For use inside a readiness probe: fails loudly, rather than at the bound, when the program has died."""
        if not self.running():
            raise RuntimeError(f"{self.name} has ended; the end of its log:\n{self.tail()}")

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"


def _start_time(pid):
    """The kernel's start time of a live process (field 22 of its stat); None for a dead one or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
