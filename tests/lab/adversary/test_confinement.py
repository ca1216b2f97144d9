"""In the unit as it is installed, what reads a tenant's file system reads no file of root's.

systemd passes over what it does not know in a unit's list of system calls, and the helper goes on without
Landlock where it is refused: so nothing but an attempt shows that it is in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.soak import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.helper_rig import Rig, Volume

pytestmark = [pytest.mark.lab, in_turn(1, 2)]
DENIED = tuple(
    f"allow instorage_helper_t shell_exec_t:file {right};" for right in ("execute", "open", "read")
)
"""The program of this test is a script, and the helper may start no shell."""

PRYING = """#!/bin/sh
if read -r line </etc/shadow; then exit 77; fi
exec {program}.true "$@"
"""
"""In the place of a program: it does that one's work, but where it can read root's files it fails."""


@pytest.fixture(params=["blkid", "mkfs.xfs"])
def prying(rig: Rig, request: pytest.FixtureRequest) -> Iterator[str]:
    program = rig.sh(f"readlink -f $(command -v {request.param})")
    rig.sh(f"mv {program} {program}.true")
    rig.node.put(program, PRYING.format(program=program))
    rig.sh(f"chmod 0755 {program}; chcon --reference={program}.true {program}")
    yield program
    rig.sh(f"mv {program}.true {program}")


def test_a_program_that_reads_what_a_tenant_wrote_reads_nothing_of_roots(
    rig: Rig, volume: Volume, prying: str
) -> None:
    status = rig.node.run(f"{prying} -V", check=False).exit_status
    assert status == 77, "outside of the helper it reads what it likes"
    rig.attach(volume)
    rig.mount(volume, fs_type="xfs")
    rig.unmount(volume.device_mount)
    rig.detach(volume)
