"""What a multipath map does while it has no path: known from multipathd, said, and never for ever.

The words are those of its format «%Q %f» (libmultipath/print.c): «60 chk 0», «55 sec 1 queue_if_no_path»,
«off 0», «on 1 queue_if_no_path», «- 0».
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.volume_name import VolumeName

MEND = (
    'write no_path_retry 60 into the section of vendor "INSPUR" in multipath.conf (and take no_path_retry '
    "queue out of its section overrides), then multipathd reconfigure; see instoragectl multipath"
)


def for_ever(words: str) -> bool:
    """Say whether a map waits for a path without end."""
    how, _, features = words.partition(" ")
    return how == "on" or (how == "-" and "queue_if_no_path" in features)


def sentence(words: str) -> str:
    """Return what happens to what is written while no path is left."""
    how, unit = [*words.split(), "", ""][:2]
    if for_ever(words):
        return "What uses it waits until a path is back, without end."
    if unit == "chk":
        return f"What uses it waits for a path for {how} checks of multipathd, then it gets I/O errors."
    if unit == "sec":
        return f"What uses it waits for a path for {how} s more, then it gets I/O errors."
    if how in ("off", "-"):
        return "What uses it gets I/O errors now."
    return "multipathd show maps says whether what uses it waits."


def refuse_endless(name: VolumeName, words: str) -> None:
    """Raise `Fault(MAP_QUEUES)` for a map that would keep its users, and a detach, waiting for ever.

    It is refused and not changed: whoever configured it so meant it for his devices, and multipathd can be
    told only to give up at once, which would be an error at each hiccup of the SAN.
    """
    if for_ever(words):
        text = (
            f"The multipath map of volume {name} would wait for ever once no path is left, and with it "
            f"whatever uses the volume: {MEND}."
        )
        raise Fault(Code.MAP_QUEUES, text, volume=name)
