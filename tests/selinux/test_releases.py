"""The archive's module is compiled with Debian 12's headers, and linked with those of 11 and 13."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.lab.policy import built
from tools.lab.releases import BULLSEYE, TRIXIE
from tools.selinux.headers import headers

if TYPE_CHECKING:
    from pathlib import Path

    from tools.lab.releases import Release

TO_CIL = "/usr/libexec/selinux/hll/pp"  # as semodule does it
# What stands in no optional block: without it the whole module is refused.
REQUIRED = re.compile(r"^\((?:type|role)attributeset cil_gen_require (\w+)\)", re.MULTILINE)


@pytest.fixture(scope="module")
def required(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of types, attributes and roles of others, without which the module is not linked."""
    module = built(tmp_path_factory.mktemp("module"))
    done = subprocess.run([TO_CIL, str(module)], capture_output=True, text=True, timeout=60, check=True)
    return {name for name in REQUIRED.findall(done.stdout) if not name.startswith("instorage_")}


def interfaces(include: Path) -> str:
    return "\n".join(file.read_text() for file in include.rglob("*.if"))


@pytest.mark.parametrize("release", [BULLSEYE, TRIXIE], ids=lambda release: str(release.name))
def test_the_policies_before_and_after_know_what_it_requires(release: Release, required: set[str]) -> None:
    """By their interfaces; tests/lab/selinux/test_releases.py has it linked there."""
    assert {"init_t", "system_r", "fixed_disk_device_t"} <= required
    known = set(re.findall(r"\w+", interfaces(headers(release, print) / "include")))
    assert required - known == set()
