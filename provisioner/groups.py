"""Keys that are ready, in a line for each group (array), and how many workers each group holds."""

from __future__ import annotations

Key = tuple[str, str]


class Groups:
    """Not thread-safe. Every method costs the same, however many keys wait in however many groups.

    The groups that have room take turns, so that a long line does not stand before a short one. `width`:
    workers that one group may hold; one in trouble holds one.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: dict[str, dict[Key, None]] = {}  # each in order of arrival
        self._where: dict[Key, str] = {}
        self._held: dict[str, int] = {}
        self._troubled: set[str] = set()
        self._open: dict[str, None] = {}  # groups with a key and room, in turn

    def add(self, key: Key, group: str) -> None:
        """Put a key at the end of its group's line; one that is in that line stays where it is."""
        before = self._where.get(key)
        if before == group:
            return
        if before is not None:
            del self._lines[before][key]
            self._review(before)
        self._where[key] = group
        self._lines.setdefault(group, {})[key] = None
        self._review(group)

    def next(self) -> tuple[Key, str] | None:
        """Take the next key out of a line, with its group, which holds one more worker then."""
        group = next(iter(self._open), None)
        if group is None:
            return None
        line = self._lines[group]
        key = next(iter(line))
        del line[key], self._where[key]
        self._held[group] = self._held.get(group, 0) + 1
        del self._open[group]  # to the end of the turn, if it stays open
        self._review(group)
        return key, group

    def release(self, group: str) -> None:
        """Take back a worker that a group held."""
        self._held[group] -= 1
        self._review(group)

    def trouble(self, group: str, *, now: bool) -> bool:
        """Say whether a group is in trouble; return whether that is news."""
        news = (group in self._troubled) != now
        (self._troubled.add if now else self._troubled.discard)(group)
        self._review(group)
        return news

    def _review(self, group: str) -> None:
        room = self._held.get(group, 0) < (1 if group in self._troubled else self._width)
        if room and self._lines.get(group):
            self._open.setdefault(group)
            return
        self._open.pop(group, None)
        if not self._lines.get(group):
            self._lines.pop(group, None)
        if not self._held.get(group):
            self._held.pop(group, None)
