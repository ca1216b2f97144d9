"""The name of a volume, which array and kubelet must both take."""

import re

from instorage.wire.values import Text


class VolumeName(Text):
    """A name that the array takes for a volume and kubelet for a directory (array-as18000.md 3.5).

    The array allows a space inside; a PV's name and an inline volume's cannot have one: refused.
    """

    __slots__ = ()
    pattern = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,62}", re.ASCII)
    wanted = "a volume name the array takes (at most 63 letters, digits, '.', '-', '_', no digit first)"
