"""The unit file that the vendor's manual prints (4.5), still there when ours is enabled."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.provisioner.test_manual import UNIT
from tools.install import ROOT

pytestmark = pytest.mark.subprocess
OURS, VENDORS = "instorage-provisioner", "inspur-instorage-provisioner"
LIB, ETC = Path("usr/lib/systemd/system"), Path("etc/systemd/system")


class Host:
    """A tree of unit files that `systemctl --root` works on."""

    def __init__(self, root: Path, place: Path) -> None:
        self.root = root
        for folder in (LIB, ETC):
            (root / folder).mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
        shutil.copy(ROOT / f"systemd/{OURS}.service", root / LIB)
        shutil.copy(UNIT, root / place / f"{VENDORS}.service")

    def systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemctl", f"--root={self.root}", *arguments],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def targets(self) -> set[str]:
        """What the links in /etc lead to."""
        links = [path for path in (self.root / ETC).rglob("*") if path.is_symlink()]
        return {path.readlink().name for path in links}


def removal() -> list[str]:
    """The command of deploy/README.md that takes the unit file away, between two to a running systemd."""
    text = (ROOT / "deploy/README.md").read_text()
    (lines,) = re.findall(
        rf"^    systemctl disable --now {VENDORS}\n((?:    .*\n)+?)    systemctl daem", text, re.M
    )
    return [line.strip() for line in lines.splitlines()]


@pytest.mark.parametrize("place", [LIB, ETC])
def test_the_vendors_unit_is_taken_away_before_ours_is_enabled_under_both_names(
    tmp_path: Path, place: Path
) -> None:
    host = Host(tmp_path, place)
    host.systemctl("enable", VENDORS)
    clash = [host.systemctl("enable", OURS), host.systemctl("enable", VENDORS)]
    assert any(done.returncode for done in clash), "nothing to warn of any more: change deploy/README.md"
    host.systemctl("disable", OURS)
    host.systemctl("disable", VENDORS)
    (command,) = removal()
    assert command.startswith("rm -f ")
    for path in command.split()[2:]:
        (tmp_path / path.lstrip("/")).unlink(missing_ok=True)
    done = host.systemctl("enable", OURS)
    assert done.returncode == 0, done.stderr
    assert host.targets() == {f"{OURS}.service"}
    assert (tmp_path / ETC / f"{VENDORS}.service").is_symlink()
