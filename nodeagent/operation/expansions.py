"""Which active-active volume this process is expanding now."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.volume_name import VolumeName


class Expansions:
    """Which active-active volume this process is expanding: others wait for it, and say so."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._volumes: list[VolumeName] = []

    @contextlib.contextmanager
    def of(self, volume: VolumeName) -> Iterator[None]:
        """Note the volume for the time of this block."""
        with self._guard:
            self._volumes.append(volume)
        try:
            yield
        finally:
            with self._guard:
                self._volumes.remove(volume)

    @property
    def volume(self) -> VolumeName | None:
        """The volume whose expansion holds the host lock or was first to ask for it."""
        with self._guard:
            return self._volumes[0] if self._volumes else None
