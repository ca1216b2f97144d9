"""How far background work on copies of vdisks is: lsvdisksyncprogress, lsmigrate."""

import time

from simulator.language.arguments import Arguments, syntax
from simulator.language.tables import QUERY, Detail, Row, Table
from simulator.model.context import Context
from simulator.model.copying import progress
from simulator.model.state import Copy, Vdisk
from simulator.views.vdisks import copies_meant

LSVDISKSYNCPROGRESS = syntax(QUERY + "copy=")
LSMIGRATE = syntax(QUERY, takes_object=False)
THREADS = "4"


def lsvdisksyncprogress(context: Context, arguments: Arguments) -> Table:
    """Answer for the copies that are being synchronised; for a vdisk that is named, for each of its own."""
    columns = ("vdisk_id", "vdisk_name", "copy_id", "progress", "estimated_completion_time")
    pairs = copies_meant(context, arguments, needs_object=False)
    if arguments.object is None:
        pairs = [(v, copy) for v, copy in pairs if not copy.synchronized(context.sensors.now())]
    rows = [(str(v.id), v.name, str(copy.id), *_synchronized(context, copy)) for v, copy in pairs]
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in rows])


def _synchronized(context: Context, copy: Copy) -> tuple[str, str]:
    now = context.sensors.now()
    if copy.synchronized(now):
        return "100", ""
    if copy.progress < 100:
        return str(copy.progress), ""
    done = progress(copy.begun, copy.until, now)
    return str(done), time.strftime("%y%m%d%H%M%S", time.gmtime(copy.until))


def lsmigrate(context: Context, arguments: Arguments) -> Detail:
    """Answer a section for each migration under way, nothing when there is none."""
    del arguments
    under_way = [
        (vdisk, copy)
        for _, vdisk in sorted(context.state.vdisks.items())
        for copy in vdisk.copies
        if copy.target is not None
    ]
    return Detail([list(_migration(context, vdisk, copy).items()) for vdisk, copy in under_way])


def _migration(context: Context, vdisk: Vdisk, copy: Copy) -> Row:
    return {
        "migrate_type": "MDisk_Group_Migration",
        "progress": str(progress(copy.begun, copy.until, context.sensors.now())),
        "migrate_source_vdisk_index": str(vdisk.id),
        "migrate_target_mdisk_grp": str(copy.target),
        "max_thread_count": THREADS,
        "migrate_source_vdisk_copy_id": str(copy.id),
    }
