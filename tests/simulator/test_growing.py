"""Volumes grow by a difference, in whole extents of every pool that a copy lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client

MIB, GIB = 1 << 20, 1 << 30
BASE = "mcsop mkvdisk -name v -size 1 -unit gb -iogrp 0 -mdiskgrp"
AA = "mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1"


def _free(ssh: Client, pool: str) -> int:
    return int(ssh.rows(f"lsmdiskgrp -bytes -filtervalue name={pool}")[0]["free_capacity"])


def _size(ssh: Client, name: str = "v") -> int:
    return int(ssh.rows(f"lsvdisk -bytes -filtervalue name={name}")[0]["capacity"])


@pytest.mark.parametrize(
    ("words", "more"),
    [("-size 2 -unit gb", 2 * GIB), ("-size 10", 10 * MIB), ("-size 512 -unit b", 512)],
)
@pytest.mark.parametrize("kind", ["Pool0", "Pool0 -rsize 2% -autoexpand", "Pool0:Pool1 -copies 2"])
def test_a_volume_grows_by_the_difference(ssh: Client, kind: str, words: str, more: int) -> None:
    ssh.good(f"{BASE} {kind}")
    assert ssh.good(f"mcsop expandvdisksize {words} v").stdout == ""
    assert _size(ssh) == GIB + more


def test_a_mirror_takes_extents_from_both_pools(ssh: Client) -> None:
    ssh.good(f"{BASE} Pool0:Pool1 -copies 2")
    before = _free(ssh, "Pool0"), _free(ssh, "Pool1")
    ssh.good("mcsop expandvdisksize -size 512 -unit b v")
    assert (_free(ssh, "Pool0"), _free(ssh, "Pool1")) == (before[0] - 256 * MIB, before[1] - 256 * MIB)


def test_a_thin_volume_takes_nothing_until_it_is_written(ssh: Client) -> None:
    ssh.good(f"{BASE} Pool0 -rsize 2% -autoexpand")
    before = _free(ssh, "Pool0")
    ssh.good("mcsop expandvdisksize -size 500 -unit gb v")
    assert _free(ssh, "Pool0") == before


@pytest.mark.parametrize("kind", ["Pool0", "Pool1:Pool0 -copies 2"])
def test_a_pool_that_is_one_extent_too_small_refuses(
    start: Callable[..., Simulator], connect: Callable[..., Client], kind: str
) -> None:
    ssh = connect(start(pools="Pool0:2GiB,Pool1:9GiB"))
    ssh.good(f"{BASE} {kind}")
    assert ssh.refusal(f"mcsop expandvdisksize -size {GIB + 512} -unit b v") == "CMMVC5860E"
    assert _size(ssh) == GIB
    ssh.good("mcsop expandvdisksize -size 1 -unit gb v")
    assert _free(ssh, "Pool0") == 0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mcsop expandvdisksize -size 1 -unit gb nix", "CMMVC5753E"),
        ("mcsop expandvdisksize -unit gb v", "CMMVC5707E"),
        ("mcsop expandvdisksize -size 0 -unit gb v", "CMMVC5711E"),
        ("mcsop expandvdisksize -size 100 -unit b v", "CMMVC5711E"),
        ("mcsop expandvdisksize -size 1 -unit gb", "CMMVC5701E"),
        ("mcsop expandvdisksize -size 1 -unit gb source", "CMMVC5837E"),
        ("mcsop expandvdisksize -size 1 -unit gb target", "CMMVC5837E"),
        ("mcsop expandvdisksize -size 1 -unit gb aa", "CMMVC5838E"),
        ("mcsop expandvdisksize -size 1 -unit gb {aux}", "CMMVC5838E"),
        ("mcsop expandvdisksize -size 1 -unit gb {master_change}", "CMMVC5837E"),
    ],
)
def test_a_refusal_has_its_code_and_nothing_grows(
    array: Simulator, ssh: Client, line: str, code: str
) -> None:
    ssh.good(f"{BASE} Pool0")
    for name in ("source", "target"):
        ssh.good(f"mcsop mkvdisk -name {name} -size 1 -unit gb -iogrp 0 -mdiskgrp Pool0")
    array.control.do("snapshot", volume="source", target="target")
    ssh.good(AA)
    names = {row["function"] or row["name"]: row["name"] for row in ssh.rows("lsvdisk")}
    assert ssh.refusal(line.format_map(names)) == code
    assert {row["capacity"] for row in ssh.rows("lsvdisk -bytes")} == {str(GIB)}


def test_a_volume_that_is_being_formatted_does_not_grow(array: Simulator, ssh: Client) -> None:
    array.control.do("dialect", format_seconds=3600)
    ssh.good(f"{BASE} Pool0")
    assert ssh.refusal("mcsop expandvdisksize -size 1 -unit gb v") == "CMMVC8587E"


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_lost_answer_leaves_the_growth_not_done_or_done(
    array: Simulator, ssh: Client, connect: Callable[..., Client], point: str
) -> None:
    ssh.good(f"{BASE} Pool0")
    array.control.do("fault", command="expandvdisksize", **{point: "connection"})
    assert ssh.run("mcsop expandvdisksize -size 1 -unit gb v").status == -1
    assert _size(connect(array)) == (2 * GIB if point == "after" else GIB)
