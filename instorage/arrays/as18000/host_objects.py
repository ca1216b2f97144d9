"""This machine's host object, remembered for minutes; a refusal that cost a search, for a minute."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import ownership
from instorage.arrays.as18000.foreign import HeldElsewhere
from instorage.arrays.as18000.remembered import Remembered

if TYPE_CHECKING:
    from instorage.arrays.as18000.claim import Claim
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Host
    from instorage.volume_name import VolumeName

REMEMBERED = 300.0  # seconds: then it is looked at again whether every port in it is still this machine's
REFUSED = 60.0  # seconds: kubelet asks again for each volume of a node, and each would search


class HostObjects:
    """The host objects of an array that are this machine's; for several threads."""

    def __init__(self, cli: Cli, *, width: int) -> None:
        self._cli = cli
        self._width = width
        self._lock = threading.Lock()  # held over the search: of 20 first attaches one searches
        self._found: Remembered[tuple[Claim, bool], Host] = Remembered(REMEMBERED)
        self._refused: Remembered[Claim, HeldElsewhere] = Remembered(REFUSED)

    def ensure(self, claim: Claim, volume: VolumeName | None) -> Host:
        """See `Array.ensure_host`; for an active-active volume a host without a site is looked at anew."""
        key = (claim, volume is not None)
        with self._lock:
            host = self._found.get(key)
            if host is None and (refused := self._refused.get(claim)) is not None:
                raise HeldElsewhere(refused.code, refused.sentence, **refused.fields)
            if host is None:
                host = self._ensure(claim, volume)
                self._found.put(key, host)
                self._found.put((claim, False), host)
            return host

    def _ensure(self, claim: Claim, volume: VolumeName | None) -> Host:
        try:
            return ownership.ensure(self._cli, claim, volume, width=self._width)
        except HeldElsewhere as held:
            self._refused.put(claim, held)
            raise

    def forget(self) -> None:
        """Look at them again at the next call; not at those that were refused a moment ago."""
        self._found.clear()
