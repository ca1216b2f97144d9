"""What is kept of each frozen file system, in a file named by its UID: where it is, who guards it."""

from typing import NamedTuple

RECORDS = "/run/instorage/frozen"


class Frozen(NamedTuple):
    """The mount target; process id of the guardian, and its start in clock ticks since boot (proc(5))."""

    target: str
    pid: int
    start: str

    def text(self) -> str:
        """Return the file's text."""
        return f"{self.target}\n{self.pid} {self.start}"


def understood(text: str) -> Frozen:
    """Take a file's text; an older helper's has no guardian."""
    target, _, guardian = text.partition("\n")
    pid, _, start = guardian.partition(" ")
    return Frozen(target, int(pid) if pid.isdigit() else 0, start)
