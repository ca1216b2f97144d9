"""The table of commands: name, how it is called, what it accepts, what it does."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.language.arguments import Arguments, Syntax
from simulator.language.tables import Detail, Table
from simulator.model.context import Change, Context
from simulator.operations import (
    copies,
    growing,
    hostmaps,
    hosts,
    lcmaps,
    moving,
    properties,
    protection,
    relationships,
    vdisks,
    volumes,
)
from simulator.views import addresses, fabric
from simulator.views import copies as copy_views
from simulator.views import hosts as host_views
from simulator.views import pools as pool_views
from simulator.views import progress as progress_views
from simulator.views import system as system_views
from simulator.views import vdisks as vdisk_views

Query = Callable[[Context, Arguments], Table | Detail]
Operation = Callable[[Context, Arguments], Change]

QUERY_PREFIX = "mcsinq"
OPERATION_PREFIX = "mcsop"

QUERIES: dict[str, tuple[Syntax, Query]] = {
    "lsfabric": (fabric.LSFABRIC, fabric.lsfabric),
    "lsguicapabilities": (system_views.LIST, system_views.lsguicapabilities),
    "lshost": (host_views.LSHOST, host_views.lshost),
    "lshostvdiskmap": (host_views.LSHOSTVDISKMAP, host_views.lshostvdiskmap),
    "lsiogrp": (system_views.LIST, system_views.lsiogrp),
    "lsip": (system_views.LIST, addresses.lsip),
    "lsiscsiauth": (host_views.LSISCSIAUTH, host_views.lsiscsiauth),
    "lslcmap": (copy_views.LSLCMAP, copy_views.lslcmap),
    "lslicense": (system_views.LIST, system_views.lslicense),
    "lsmdiskgrp": (pool_views.LSMDISKGRP, pool_views.lsmdiskgrp),
    "lsmigrate": (progress_views.LSMIGRATE, progress_views.lsmigrate),
    "lsnode": (system_views.LIST, system_views.lsnode),
    "lsnodecanister": (system_views.LIST, system_views.lsnode),
    "lspartnership": (system_views.LIST, system_views.lspartnership),
    "lsportethernet": (system_views.LIST, addresses.lsportethernet),
    "lsportfc": (system_views.LIST, fabric.lsportfc),
    "lsportip": (system_views.LIST, addresses.lsportip),
    "lsportset": (system_views.LIST, addresses.lsportset),
    "lsrcrelationship": (copy_views.LSRCRELATIONSHIP, copy_views.lsrcrelationship),
    "lssite": (system_views.LIST, system_views.lssite),
    "lssystem": (system_views.LSSYSTEM, system_views.lssystem),
    "lstargetportfc": (system_views.LIST, fabric.lstargetportfc),
    "lsvdisk": (vdisk_views.LSVDISK, vdisk_views.lsvdisk),
    "lsvdiskcopy": (vdisk_views.LSVDISKCOPY, vdisk_views.lsvdiskcopy),
    "lsvdiskhostmap": (host_views.LSVDISKHOSTMAP, host_views.lsvdiskhostmap),
    "lsvdisklcmappings": (copy_views.LSVDISKLCMAPPINGS, copy_views.lsvdisklcmappings),
    "lsvdisksyncprogress": (progress_views.LSVDISKSYNCPROGRESS, progress_views.lsvdisksyncprogress),
}

OPERATIONS: dict[str, tuple[Syntax, Operation]] = {
    "addhostport": (hosts.ADDHOSTPORT, hosts.addhostport),
    "addvdiskaccess": (moving.VDISKACCESS, moving.addvdiskaccess),
    "addvdiskcopy": (copies.ADDVDISKCOPY, copies.addvdiskcopy),
    "chhost": (hosts.CHHOST, hosts.chhost),
    "chlcmap": (lcmaps.CHLCMAP, lcmaps.chlcmap),
    "chmdiskgrp": (protection.CHMDISKGRP, protection.chmdiskgrp),
    "chrcrelationship": (relationships.CHRCRELATIONSHIP, relationships.chrcrelationship),
    "chsystem": (protection.CHSYSTEM, protection.chsystem),
    "chvdisk": (properties.CHVDISK, properties.chvdisk),
    "expandvdisksize": (growing.EXPANDVDISKSIZE, growing.expandvdisksize),
    "mkhost": (hosts.MKHOST, hosts.mkhost),
    "migratevdisk": (moving.MIGRATEVDISK, moving.migratevdisk),
    "mklcmap": (lcmaps.MKLCMAP, lcmaps.mklcmap),
    "mkrcrelationship": (relationships.MKRCRELATIONSHIP, relationships.mkrcrelationship),
    "mkvdisk": (vdisks.MKVDISK, vdisks.mkvdisk),
    "mkvdiskhostmap": (hostmaps.MKVDISKHOSTMAP, hostmaps.mkvdiskhostmap),
    "mkvolume": (volumes.MKVOLUME, volumes.mkvolume),
    "movevdisk": (moving.MOVEVDISK, moving.movevdisk),
    "prestartlcmap": (lcmaps.PRESTARTLCMAP, lcmaps.prestartlcmap),
    "rmhost": (hosts.RMHOST, hosts.rmhost),
    "rmhostport": (hosts.RMHOSTPORT, hosts.rmhostport),
    "rmlcmap": (lcmaps.RMLCMAP, lcmaps.rmlcmap),
    "rmrcrelationship": (relationships.RMRCRELATIONSHIP, relationships.rmrcrelationship),
    "rmvdisk": (vdisks.RMVDISK, vdisks.rmvdisk),
    "rmvdiskaccess": (moving.VDISKACCESS, moving.rmvdiskaccess),
    "rmvdiskcopy": (copies.RMVDISKCOPY, copies.rmvdiskcopy),
    "rmvdiskhostmap": (hostmaps.RMVDISKHOSTMAP, hostmaps.rmvdiskhostmap),
    "rmvolume": (volumes.RMVOLUME, volumes.rmvolume),
    "splitvdiskcopy": (copies.SPLITVDISKCOPY, copies.splitvdiskcopy),
    "startlcmap": (lcmaps.STARTLCMAP, lcmaps.startlcmap),
    "startrcrelationship": (relationships.STARTRCRELATIONSHIP, relationships.startrcrelationship),
    "stoplcmap": (lcmaps.STOPLCMAP, lcmaps.stoplcmap),
    "switchrcrelationship": (relationships.SWITCHRCRELATIONSHIP, relationships.switchrcrelationship),
}


@dataclass(frozen=True)
class Named:
    """A command as called: its bare name and the words after it."""

    name: str
    words: tuple[str, ...]


def recognise(words: tuple[str, ...]) -> Named | None:
    """Find the command that these words call: with its prefix or bare; None when there is none such."""
    prefix, *rest = words
    if prefix in (QUERY_PREFIX, OPERATION_PREFIX):
        table = QUERIES if prefix == QUERY_PREFIX else OPERATIONS
        return Named(rest[0], tuple(rest[1:])) if rest and rest[0] in table else None
    return Named(prefix, tuple(rest)) if prefix in QUERIES or prefix in OPERATIONS else None
