"""What Cinder and administrators send, as tables: each step with the family's outcome and its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.sequence import Do, See, Table, play

if TYPE_CHECKING:
    from tests.simulator.conftest import Client

TIED = "LocalCopy Mapping, id [0], successfully created"
COPIED = "Vdisk [0] copy [{}] successfully created"
MADE = "Virtual Disk, id [{}], successfully created"
THIN = "-rsize 2% -autoexpand"
VOLUME = f"mkvdisk -name v -mdiskgrp Pool0 -iogrp 0 -size 1 -unit gb {THIN} -intier on"
MAPS = "name source_vdisk_name target_vdisk_name status progress copy_rate"

SNAPSHOT: Table = (
    Do(VOLUME, MADE.format(0)),
    See("lslcmap -filtervalue source_vdisk_name=v", "name"),
    Do(f"mkvdisk -name s -mdiskgrp Pool0 -iogrp 0 -size {1 << 30} -unit b {THIN}", MADE.format(1)),
    Do('mklcmap -source "v" -target "s" -autodelete -copyrate 0', TIED),
    See("lsvdisklcmappings v", "id name", ("0!lcmap0",)),
    See("lslcmap -filtervalue id=0", MAPS, ("lcmap0!v!s!idle_or_copied!0!0",)),
    Do("startlcmap 0", "CMMVC5903E"),
    Do("prestartlcmap 0"),
    See("lslcmap -filtervalue id=0", "status", ("prepared",)),
    Do("startlcmap -prep 0", "CMMVC5903E"),
    Do("startlcmap 0"),
    Do("startlcmap 0", "CMMVC5907E"),
    See("lslcmap -filtervalue id=0", MAPS, ("lcmap0!v!s!copying!0!0",)),
    See("lsvdisk", "name LC_name lc_map_count", ("v!lcmap0!1", "s!lcmap0!1")),
    Do("expandvdisksize -size 1 -unit gb v", "CMMVC5837E"),
    Do("rmvdisk v", "CMMVC5840E"),
    Do("rmvdisk s", "CMMVC5840E"),
    Do("rmlcmap 0", "CMMVC5903E"),
    Do("stoplcmap 0"),
    Do("stoplcmap 0", "CMMVC5912E"),
    See("lsvdisk", "name status", ("v!online", "s!offline")),
    Do("rmlcmap 0", "CMMVC5903E"),
    Do("rmlcmap -force 0"),
    Do("rmlcmap -force 0", "CMMVC5753E"),
    See("lsvdisk", "name status lc_map_count", ("v!online!0", "s!online!0")),
    Do("rmvdisk s"),
    Do("expandvdisksize -size 1 -unit gb v"),
    Do("rmvdisk v"),
)  # fmt: skip

CLONE: Table = (
    Do(VOLUME, MADE.format(0)),
    Do(f"mkvdisk -name c -mdiskgrp Pool1 -iogrp 0 -size 1 -unit gb {THIN}", MADE.format(1)),
    Do("mklcmap -copyrate 100 -cleanrate 100 -source v -target c", TIED),
    Do("mklcmap -copyrate 100 -source v -target c", "CMMVC6466E"),
    Do("startlcmap -prep 0"),
    See("lslcmap -filtervalue id=0", MAPS, ("lcmap0!v!c!idle_or_copied!100!100",)),
    Do("stoplcmap 0"),
    Do("chlcmap -copyrate 50 -autodelete on 0"),
    Do("startlcmap -prep 0"),
    See("lslcmap", "id"),
    Do("expandvdisksize -size 1 -unit gb c"),
    Do("mklcmap -source v -target c", "CMMVC5924E"),
    Do("mklcmap -source v -target v", "CMMVC6303E"),
    Do("mklcmap -source v -target nix", "CMMVC5754E"),
    Do("mklcmap -source v", "CMMVC5707E"),
    Do("startlcmap -prep 7", "CMMVC5753E"),
)  # fmt: skip

RETYPE: Table = (
    Do(VOLUME, MADE.format(0)),
    Do(f"addvdiskcopy {THIN} -warning 0% -intier off -mdiskgrp nix v", "CMMVC5754E"),
    Do(f"addvdiskcopy {THIN} -intier off -mdiskgrp Pool1 v", COPIED.format(1)),
    Do("addvdiskcopy -mdiskgrp Pool1 v", "CMMVC6352E"),
    See("lsvdisksyncprogress -copy 1 v", "vdisk_name copy_id progress", ("v!1!100",)),
    See("lsvdiskcopy v", "copy_id primary mdisk_grp_name in_tier", ("0!yes!Pool0!on", "1!no!Pool1!off")),
    See("lsvdisk", "mdisk_grp_name type copy_count", ("many!many!2",)),
    Do("rmvdiskcopy -copy 7 v", "CMMVC6353E"),
    Do("rmvdiskcopy v", "CMMVC5707E"),
    Do("rmvdiskcopy -copy 0 v"),
    See("lsvdiskcopy v", "copy_id sync primary mdisk_grp_name", ("1!yes!yes!Pool1",)),
    Do("rmvdiskcopy -copy 1 v", "CMMVC6357E"),
    Do("migratevdisk -mdiskgrp Pool1 -copy 1 -vdisk v", "CMMVC6430E"),
    Do("migratevdisk -mdiskgrp Pool0 -copy 0 -vdisk v", "CMMVC6353E"),
    Do("migratevdisk -mdiskgrp Pool0 -copy 1 -vdisk v"),
    See("lsvdisk", "mdisk_grp_name copy_count", ("Pool0!1",)),
    Do("movevdisk -iogrp io_grp1 v"),
    Do("addvdiskaccess -iogrp io_grp1 v"),
    Do("rmvdiskaccess -iogrp io_grp0 v"),
    See("lsvdisk", "IO_group_name", ("io_grp1",)),
    Do("movevdisk -iogrp 2 v", "CMMVC5729E"),
    Do("addvdiskcopy -mdiskgrp Pool1 v", COPIED.format(0)),
    Do("splitvdiskcopy -copy 1 -name v v", "CMMVC6035E"),
    Do("splitvdiskcopy -copy 1 -name half v", MADE.format(1)),
    See("lsvdisk", "name mdisk_grp_name copy_count", ("v!Pool1!1", "half!Pool0!1")),
    Do("splitvdiskcopy -copy 0 v", "CMMVC6357E"),
)  # fmt: skip

PROPERTIES: Table = (
    Do(VOLUME, MADE.format(0)),
    Do("chvdisk -warning 50% -autoexpand off -intier off v"),
    See("lsvdiskcopy v", "in_tier", ("off",)),
    Do("chvdisk -rate 200 -unitmb v"),
    Do("chvdisk -rate fast v", "CMMVC5711E"),
    Do("chvdisk -name w -rate 1 v", "CMMVC5713E"),
    Do("chvdisk v", "CMMVC5707E"),
    Do("chvdisk -autoexpand maybe v", "CMMVC5711E"),
    Do("chvdisk -colour red v", "CMMVC5709E"),
    Do("chvdisk -name 1st v", "CMMVC6527E"),
    Do("chvdisk -name w v"),
    Do("chvdisk -name w w", "CMMVC6035E"),
    Do("chvdisk -warning 1% v", "CMMVC5753E"),
    See("lsvdisk -filtervalue volume_name=v", "id"),
    See("lsvdisk -filtervalue volume_name=w", "id", ("0",)),
    Do("mkhost -force -iscsiname iqn.1993-08.org.debian:01:a -name h", "Host, id [0], successfully created"),
    Do("chhost -chapsecret abc h"),
    Do("chhost h", "CMMVC5707E"),
    Do("chhost -chapsecret abc nix", "CMMVC5753E"),
    See("lsiscsiauth", "name iscsi_auth_method iscsi_chap_secret", ("!none!", "h!chap!abc")),
)  # fmt: skip


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(SNAPSHOT, id="a snapshot and its end"),
        pytest.param(CLONE, id="a clone that grows"),
        pytest.param(RETYPE, id="another pool, another I/O group, a copy split off"),
        pytest.param(PROPERTIES, id="names, limits and secrets"),
    ],
)
def test_a_clients_commands_end_as_the_family_ends_them(ssh: Client, table: Table) -> None:
    play(ssh, table)
