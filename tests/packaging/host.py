"""A host on which install.sh runs for real, as root, in namespaces of its own.

`root` is its root directory: programs and libraries are this machine's, everything else is its own. systemd
(systemctl.sh beside this file) and the tools of a SAN are played.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.packaging.archive import SHELLS, put

if TYPE_CHECKING:
    from types import TracebackType

    Done = subprocess.CompletedProcess[str]

SHARED = {
    **{name: name for name in ("usr/bin", "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib/python3.11")},
    "usr/sbin": "mnt/sbin",  # the host's own gets a link
}
INSIDE = """
set -e
cd "$1"
for pair in $2; do
    mkdir -p "${pair#*:}"
    mount --bind -o ro "/${pair%:*}" "${pair#*:}"
done
mount --rbind /dev dev
mount -t proc proc proc
exec chroot . /usr/bin/dash -c ': >/run/begun; while :; do sleep 1; done'  # and reaps whom nobody waits for
"""
TOOLS = {
    "iscsiadm": "iscsiadm version $(cat /run/versions/iscsi)",
    "multipath": "multipath-tools v$(cat /run/versions/multipath) (12/19, 2022)",
    "mkfs.ext4": "mke2fs $(cat /run/versions/e2fsprogs) (5-Feb-2023)",
}
VERSIONS = {"systemd": "252", "iscsi": "2.1.8", "multipath": "0.9.4", "e2fsprogs": "1.47.0"}
RUNNING = ("iscsid.socket", "multipathd.service")
UNITS = "usr/lib/systemd/system"
QUESTIONS = ("is-", "show", "--version")


class Host:
    """The host, as a context manager; everything that runs on it ends with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (
            "dev",
            "proc",
            "tmp",
            "run/systemd/system",
            "run/process",
            "run/instorage",
            "etc",
            "usr/sbin",
            UNITS,
        ):
            (root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        tools = {name: f'#!/bin/sh\necho "{said}" >&2\n' for name, said in TOOLS.items()}
        systemctl = (Path(__file__).parent / "systemctl.sh").read_text()
        put(root / "usr/local/bin", tools | {"systemctl": systemctl}, 0o755)
        put(root / "run", {f"versions/{name}": version for name, version in VERSIONS.items()}, 0o644)
        put(root / "run/units", dict.fromkeys(RUNNING, ""), 0o644)
        put(root / "etc", {"passwd": "root:x:0:0::/root:/bin/sh\n", "group": "root:x:0:\n"}, 0o644)
        subprocess.run(["/usr/bin/mkfifo", root / "run/rest"], check=True)

    def __enter__(self) -> Self:
        shared = " ".join(f"{there}:{here}" for there, here in SHARED.items())
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "host"]
        self._process = subprocess.Popen([*argv, str(self.root), shared])
        deadline = time.monotonic() + 20
        while not (self.root / "run/begun").exists():
            assert self._process.poll() is None, "the host did not begin"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        (self._first,) = children.read_text().split()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def sh(self, command: str) -> str:
        """Run a shell's command line on the host; what it printed."""
        done = self._run("/usr/bin/dash", "-c", command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def install(self, archive: Path, *arguments: str, shell: str = "dash") -> Done:
        """Unpack an archive on the host, if it is not there yet, and run its install.sh."""
        there = self.root / "archives" / archive.name
        if not there.exists():
            there.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-R", archive, there], check=True)
        return self._run(*SHELLS[shell], f"/archives/{archive.name}/install.sh", *arguments)

    def _run(self, *argv: str) -> Done:
        inside = ["nsenter", f"--target={self._first}", "--mount", "--pid", "--root", "--wdns=/"]
        return subprocess.run(
            [*inside, *argv], capture_output=True, text=True, timeout=50, check=False,
            stdin=subprocess.DEVNULL, env={"PATH": "/usr/local/bin:/usr/sbin:/mnt/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """What systemctl was told since this was looked at last; questions are left out."""
        log = self.root / "run/systemctl.log"
        lines = log.read_text().splitlines()
        log.write_text("")
        return [line for line in lines if not line.removeprefix("--quiet ").startswith(QUESTIONS)]

    def program(self, unit: str) -> str:
        """The interpreter of a service; empty when it does not run."""
        return self.sh(f"readlink /proc/$(cat /run/process/{unit}.service)/exe || :")

    @property
    def version(self) -> str:
        """The version whose agent runs; empty when none does."""
        return self.program("instorage-nodeagent").removeprefix("/usr/lib/instorage/").partition("/")[0]
