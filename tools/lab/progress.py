"""Says what a build is doing, with seconds, and keeps the output of the programs it runs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.lab.fault import LabFault

Report = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Write a progress line for a person."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(report: Report, name: str) -> Iterator[None]:
    """Report the start of a step and the seconds that it took."""
    report(f"lab: {name} ...")
    start = time.monotonic()
    yield
    report(f"lab: {name}: {time.monotonic() - start:.1f} s")


class Programs:
    """Runs the programs of a build; their output goes into one log."""

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        self._environment = environment

    def run(self, *argv: str | Path, cwd: Path | None = None) -> None:
        """Run a program; raises LabFault with the end of its output when it fails."""
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(map(str, argv))}\n".encode())
            log.flush()
            try:
                done = subprocess.run(
                    list(map(str, argv)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=cwd,
                    env=self._environment,
                    check=False,
                )
            except FileNotFoundError:
                raise LabFault(
                    "lab-program-missing", f"{argv[0]} is not installed; run tools/system-packages lab."
                ) from None
        if done.returncode:
            tail = self._log.read_text(errors="replace")[-3000:]
            raise LabFault("lab-build-failed", f"{argv[0]} ended with {done.returncode}:\n{tail}")

    def output(self, argv: Sequence[str]) -> str:
        """Run a program and return what it prints."""
        try:
            return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        except FileNotFoundError:
            raise LabFault(
                "lab-program-missing", f"{argv[0]} is not installed; run tools/system-packages lab."
            ) from None
        except subprocess.CalledProcessError as failed:
            raise LabFault("lab-build-failed", f"{argv[0]} failed: {failed.stderr[-3000:]}") from None
