"""Queries, which are repeated when the connection breaks, and operations, which never are.

Both are repeated while the array says that it is not well for the moment and did nothing.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from instorage import operation, trail
from instorage.arrays.as18000.session import quoting
from instorage.arrays.as18000.session.answer import DELIMITER, Detail, Row, Source, parse_detail, parse_list
from instorage.arrays.as18000.session.call import note
from instorage.arrays.as18000.session.connection import Lost
from instorage.arrays.as18000.session.hesitation import patiently, sure
from instorage.arrays.as18000.session.refusal import judge
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000.session.refusal import Output
    from instorage.arrays.as18000.session.ssh import Ssh
    from instorage.arrays.endpoint import Limits

QUERY_ATTEMPTS = 3
BY_NAME = 300.0  # seconds until a filter that was refused is tried again
log = logging.getLogger("instorage.arrays")


class OutcomeUnknown(Fault):
    """The connection broke under an operation: read the state again before anything else."""


class Cli:
    """The command line of one array: words in, rows out."""

    def __init__(self, array: str, ssh: Ssh, limits: Limits) -> None:
        self.array = array
        self.flash: dict[str, bool] = {}  # of pools by name, as far as it was asked for
        self._by_name_until = 0.0
        self._ssh = ssh
        self._limits = limits

    @property
    def volume_filter(self) -> str:
        """What volumes are looked for by: `volume_name`, which the four of an active-active one share.

        `name` for a while after it was refused: old firmware does not know it, and any may refuse it once.
        """
        return "name" if time.monotonic() < self._by_name_until else "volume_name"

    def filter_by_name(self) -> None:
        """Look for volumes by `name` for a while."""
        self._by_name_until = time.monotonic() + BY_NAME

    def rows(self, query: str, *words: str) -> tuple[Row, ...]:
        """Return the rows of a list view; empty also when the array hiccups (see `sure_rows`)."""
        source, text = self._query(query, words)
        return parse_list(source, text)

    def sure_rows(self, query: str, *words: str) -> tuple[Row, ...]:
        """Return the rows of a list view; an empty answer is asked for once more, after a pause."""
        return sure(lambda: self.rows(query, *words))

    def detail(self, query: str, *words: str) -> Detail:
        """Return a detailed view. It is never empty: ARRAY_ANSWER when it is twice."""
        detail = sure(lambda: parse_detail(*self._query(query, words)))
        if not detail:
            raise detail.source.misfit("it is empty")
        return detail

    def operate(self, name: str, *words: str) -> None:
        """Change something, if `operation.demand` lets it be sent.

        `Refused`, or `OutcomeUnknown` when it may have been done.
        """
        patiently(lambda: self._operate(name, words), self._limits.operation)

    def _operate(self, name: str, words: tuple[str, ...]) -> None:
        command = quoting.command("mcsop", name, *words)
        try:
            output = self._run(command, self._limits.operation, logging.INFO, operation.demand)
        except Lost as lost:
            note(command)
            raise OutcomeUnknown(
                Code.OUTCOME_UNKNOWN,
                f"Array {self.array} did not answer «{command}» ({lost}): it may have been done or not. "
                "It will be seen when the array answers again.",
                array=self.array,
                command=command,
            ) from lost
        judge(Source(self.array, command), output)
        note(command)

    def _query(self, name: str, words: tuple[str, ...]) -> tuple[Source, str]:
        return patiently(lambda: self._asked(name, words), self._limits.call)

    def _asked(self, name: str, words: tuple[str, ...]) -> tuple[Source, str]:
        command = quoting.command("mcsinq", name, "-delim", DELIMITER, *words)
        source = Source(self.array, command)
        output = self._repeated(command)
        judge(source, output)
        return source, output.stdout

    def _repeated(self, command: str) -> Output:
        for _ in range(QUERY_ATTEMPTS):
            try:
                return self._run(command, self._limits.query, logging.DEBUG)
            except Lost as lost:
                why = str(lost)
                if operation.left(1.0) < 1.0:
                    break
        raise Fault(
            Code.ARRAY_UNREACHABLE,
            f"Array {self.array} does not answer «{command}» ({why}). Check the management network and the "
            "load of the array.",
            array=self.array,
            command=command,
        )

    def _run(
        self, command: str, patience: float, level: int, before: Callable[[], None] = lambda: None
    ) -> Output:
        began = time.monotonic()
        said = "not sent"
        try:
            with trail.timed(trail.Kind.COMMAND, f"{self.array}: {command}") as timing:
                output = self._ssh.run(command, patience, before)
                said = timing.outcome = f"status {output.status}"
        except Lost as lost:
            said = f"lost ({lost})"
            raise
        finally:
            took = (time.monotonic() - began) * 1000
            log.log(
                level, "array %s: %s: %s, %.0f ms", self.array, command, said, took, extra=operation.extra()
            )
        return output
