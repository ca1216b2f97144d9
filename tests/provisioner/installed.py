"""The provisioner as it is installed on a host: its tree below a directory, which it sees at /opt."""

from __future__ import annotations

import io
import os
import subprocess
import sysconfig
import tarfile
import venv
from pathlib import Path

from tools.install import PARTS, as_tar

PART = PARTS["provisioner"]
FOLDER = Path("/opt/inspur-instorage-provisioner")
BOUND = ("opt", "var/lib")  # of the host's places, those that the provisioner has or writes
INSIDE = """
for place in {places}; do mount --bind "$0/$place" "/$place" || exit 125; done
exec sh -c "$1"
"""


class Installed:
    """`root` holds what tools.install unpacks, and the virtual environment that an administrator makes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with tarfile.open(fileobj=io.BytesIO(as_tar(part=PART))) as tar:
            tar.extractall(root, filter="fully_trusted")
        (root / "var/lib").mkdir(parents=True)
        environment = root / PART.prefix
        venv.create(environment, symlinks=True, with_pip=False)
        (site,) = environment.glob("lib/python*/site-packages")
        third_party = sysconfig.get_path("purelib")  # what requirements-provisioner.lock brings
        (site / "third-party.pth").write_text(f"{third_party}\n")

    @property
    def folder(self) -> Path:
        """The provisioner's directory, as it is seen from outside."""
        return self.root / str(FOLDER).lstrip("/")

    def argv(self, command: str) -> list[str]:
        """What runs a shell's command line on this host; the process stays the one that is started."""
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        inside = INSIDE.format(places=" ".join(BOUND))
        return ["unshare", *user, "--mount", "sh", "-c", inside, str(self.root), f"exec {command}"]

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(command), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            check=False, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | environment,
        )  # fmt: skip
