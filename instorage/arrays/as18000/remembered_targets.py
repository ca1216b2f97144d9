"""The target ports of an array as they were asked for, kept for minutes, whatever the link."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from instorage.arrays.as18000.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class _Target(Protocol):
    @property
    def io_group(self) -> str: ...


T = TypeVar("T", bound=_Target)


class RememberedTargets(Generic[T]):
    """Targets by what they were asked for; for several threads.

    `seconds` is how long an answer is kept, `lacking` for how long (s) an I/O group is taken to have none:
    not at each attach is it asked whether it has one by now.
    """

    def __init__(self, seconds: float, lacking: float) -> None:
        self._lock = threading.Lock()  # held over the queries: of 20 first attaches one asks
        self._found: Remembered[str, tuple[T, ...]] = Remembered(seconds)
        self._lacking: Remembered[tuple[str, str], bool] = Remembered(lacking)

    def get(self, key: str, io_groups: Collection[str], read: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        """Return what is remembered, or what `read` says; an empty answer is not remembered."""
        with self._lock:
            found = self._found.get(key)
            if found is not None and all(self._lacking.get((key, one)) for one in _without(found, io_groups)):
                return found
            found = read()
            if found:
                self._found.put(key, found)
                for group in _without(found, io_groups):
                    self._lacking.put((key, group), value=True)
            return found

    def forget(self) -> None:
        """Ask anew at the next call."""
        self._found.clear()


def _without(found: tuple[T, ...], io_groups: Collection[str]) -> set[str]:
    return set(io_groups) - {target.io_group for target in found}
