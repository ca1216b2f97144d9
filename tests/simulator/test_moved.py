"""A volume that is given to another I/O group is seen through the groups of its access, by whoever has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.conftest import IQN
from tests.simulator.shelf import SECOND, Shelf, mapped, shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client

__all__ = ["shelf"]


def _groups(ssh: Client) -> list[str]:
    return [row["IO_group_id"] for row in ssh.rows("lsvdiskhostmap v")]


def test_the_mapping_follows_the_access_not_the_caching_group(ssh: Client) -> None:
    mapped(ssh)
    for line, groups in (
        ("movevdisk -iogrp 1 v", ["0"]),
        ("addvdiskaccess -iogrp 1 v", ["0", "1"]),
        ("rmvdiskaccess -iogrp 0 v", ["1"]),
        ("rmvdiskaccess -iogrp 1 v", ["1"]),
    ):
        ssh.good(f"mcsop {line}")
        assert _groups(ssh) == groups


def test_a_volume_that_no_portal_reaches_any_more_is_taken_from_its_hosts_and_comes_back(
    start: Callable[..., Simulator],
    connect: Callable[..., Client],
    shelf: Shelf,
) -> None:
    ssh = connect(start(shelf))
    mapped(ssh)
    seen = {(IQN, 0), (SECOND, 0)}
    assert shelf.luns.keys() == seen
    ssh.good("mcsop movevdisk -iogrp 1 v")
    assert ssh.refusal("mcsop rmvdiskaccess -iogrp 0 v") == "CMMVC5753E"
    assert shelf.luns.keys() == seen, "its caching group changed, its access did not"
    ssh.good("mcsop addvdiskaccess -iogrp 1 v")
    ssh.good("mcsop rmvdiskaccess -iogrp 0 v")
    assert shelf.luns == {}
    ssh.good("mcsop addvdiskaccess -iogrp 0 v")
    assert shelf.luns.keys() == seen
    assert len(shelf.volumes) == 1


def test_a_data_plane_that_fails_leaves_the_access_as_it_was(
    start: Callable[..., Simulator],
    connect: Callable[..., Client],
    shelf: Shelf,
) -> None:
    ssh = connect(start(shelf))
    mapped(ssh)
    ssh.good("mcsop movevdisk -iogrp 1 v")
    ssh.good("mcsop addvdiskaccess -iogrp 1 v")
    shelf.failing["unmap"] = 1
    assert ssh.refusal("mcsop rmvdiskaccess -iogrp 0 v") == "CMMVC5786E"
    assert _groups(ssh) == ["0", "1"]
    assert shelf.luns.keys() == {(IQN, 0), (SECOND, 0)}


def test_an_unknown_command_is_named_in_its_refusal(ssh: Client) -> None:
    for line, name in (
        ("mcsop mklcconsistgrp -name g", "mklcconsistgrp"),
        ("mcsinq mkvdisk", "mkvdisk"),
        ("lsnonsense -delim !", "lsnonsense"),
        ("mcsinq", "mcsinq"),
    ):
        reply = ssh.run(line)
        assert (reply.status, reply.stderr) == (127, f"rbash: {name} is not a recognized command\n")
