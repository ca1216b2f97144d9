"""Volume protection as administrators set it: chsystem for the system's time, chmdiskgrp for a pool.

Of chsystem and chmdiskgrp that alone; whether the system has protection on, the dialect says.
"""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.context import Change, Context
from simulator.model.state import find

CHSYSTEM = syntax("vdiskprotectiontime=", takes_object=False)
CHMDISKGRP = syntax("vdiskprotectionenabled=", needs_object=True)
SHORTEST, LONGEST = 15, 1440
"""Minutes, in the documentation of IBM's; of the maker's firmware nobody has said."""


def chsystem(context: Context, arguments: Arguments) -> Change:
    """Set for how many minutes after the last I/O a volume is protected."""
    text = arguments.require("vdiskprotectiontime")
    if not text.isdigit() or not SHORTEST <= int(text) <= LONGEST:
        raise ArrayError("CMMVC5711E", text)
    return Change(replace(context.state, protection=int(text)))


def chmdiskgrp(context: Context, arguments: Arguments) -> Change:
    """Have the volumes of a pool protected, or not."""
    pool = find(context.state.pools, arguments.object or "")
    if pool is None:
        raise ArrayError("CMMVC5754E")
    wanted = arguments.require("vdiskprotectionenabled")
    if wanted not in ("yes", "no"):
        raise ArrayError("CMMVC5711E", wanted)
    return Change(context.state.with_pool(replace(pool, protected=wanted == "yes")))
