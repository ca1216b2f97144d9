"""Volume protection as an administrator sets it, with the commands that docs/operating.md has him type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.model.context import Change
from simulator.model.state import find
from tests.docs.commands import all_commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from simulator.model.context import Context
    from tests.simulator.conftest import Client

PROTECTED = "CMMVC9999E"
AGO = 20 * 60  # seconds: longer than the shortest time, shorter than the hour that is in force before


def typed(begin: str, **words: str) -> str:
    """The one command of the pages that begins so, with these words in place of its own."""
    (line,) = (one for one in all_commands() if one.startswith(begin))
    for word, this in words.items():
        assert word in line, line
        line = line.replace(word, this)
    return line


def used(array: Simulator, volume: str) -> None:
    """Let a volume have had its last I/O so long ago."""

    def change(context: Context) -> Change:
        vdisk = find(context.state.vdisks, volume)
        assert vdisk is not None
        return Change(context.state.with_vdisk(replace(vdisk, used_at=context.sensors.now() - AGO)))

    array.engine.change(change)


@pytest.fixture
def protecting(array: Simulator, ssh: Client) -> Client:
    """An array that protects for an hour, with a volume in each pool, used twenty minutes ago."""
    array.control.do("dialect", protection_minutes=60)
    for name, pool, group in (("v", "Pool0", 0), ("w", "Pool1", 1)):
        ssh.good(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp {pool} -iogrp {group}")
        used(array, name)
        assert ssh.refusal(f"mcsop rmvdisk -force {name}") == PROTECTED
    return ssh


def system(ssh: Client) -> tuple[str, str]:
    (pairs,) = ssh.good("mcsinq lssystem -delim !").sections()
    return dict(pairs)["vdisk_protection_enabled"], dict(pairs)["vdisk_protection_time"]


def pools(ssh: Client) -> dict[str, tuple[str, str]]:
    rows = ssh.rows("lsmdiskgrp")
    return {row["name"]: (row["vdisk_protection_enabled"], row["vdisk_protection_status"]) for row in rows}


def test_a_shorter_time_lets_go_what_was_used_before_it_and_stays_over_a_restart(
    protecting: Client, start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    assert system(protecting) == ("yes", "60")
    protecting.good(typed("mcsop chsystem -vdiskprotectiontime", MINUTES="15"))
    assert system(protecting) == ("yes", "15")
    protecting.good("mcsop rmvdisk -force v")
    protecting.good("mcsop rmvdisk -force w")
    again = start()
    again.control.do("dialect", protection_minutes=60)
    assert system(connect(again)) == ("yes", "15")


def test_a_pool_without_protection_lets_its_volumes_go_and_another_keeps_its_own(protecting: Client) -> None:
    assert pools(protecting) == {"Pool0": ("yes", "active"), "Pool1": ("yes", "active")}
    protecting.good(typed("mcsop chmdiskgrp -vdiskprotectionenabled no", POOL="Pool0"))
    assert pools(protecting) == {"Pool0": ("no", "inactive"), "Pool1": ("yes", "active")}
    protecting.good("mcsop rmvdisk -force v")
    assert protecting.refusal("mcsop rmvdisk -force w") == PROTECTED
    protecting.good("mcsop chmdiskgrp -vdiskprotectionenabled yes Pool0")
    assert pools(protecting)["Pool0"] == ("yes", "active")


def test_a_time_that_is_none_and_a_pool_that_is_not_there_are_refused(ssh: Client) -> None:
    for minutes in ("14", "1441", "soon"):
        assert ssh.refusal(f"mcsop chsystem -vdiskprotectiontime {minutes}") == "CMMVC5711E"
    assert ssh.refusal("mcsop chsystem") == "CMMVC5707E"
    assert ssh.refusal("mcsop chmdiskgrp -vdiskprotectionenabled no PoolX") == "CMMVC5754E"
    assert ssh.refusal("mcsop chmdiskgrp -vdiskprotectionenabled off Pool0") == "CMMVC5711E"
    assert ssh.refusal("mcsop chmdiskgrp Pool0") == "CMMVC5707E"
    assert system(ssh) == ("no", "15")
