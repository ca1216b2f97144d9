"""From an exec request to an answer: shell, command table, faults, engine."""

import sys
import time
import traceback
from dataclasses import dataclass

from simulator.execution.commands import OPERATION_PREFIX, QUERY_PREFIX, Named, recognise
from simulator.execution.engine import DataPlaneRefusedError, Engine
from simulator.face.shell import Invocation, ShellSyntaxError, When, split
from simulator.instruments.counters import Counters
from simulator.instruments.faults import Fault, Faults, delay_of
from simulator.language.codes import ArrayError

SYNTAX_ERROR, UNKNOWN, DEFECT = 2, 127, 255


@dataclass(frozen=True)
class Answer:
    """What one exec request gets back; `broken` says what happens instead (see faults.BREAKS)."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0
    broken: str = ""

    def followed_by(self, other: "Answer") -> "Answer":
        """Return the answer of a batch: texts joined, the last command's status."""
        return Answer(self.stdout + other.stdout, self.stderr + other.stderr, other.status, other.broken)


class Interpreter:
    """Runs command lines; thread safe, and the lines of several channels run at the same time."""

    def __init__(self, engine: Engine, faults: Faults, counters: Counters) -> None:
        self._engine = engine
        self._faults = faults
        self._counters = counters

    def run(self, line: str) -> Answer:
        """Run one exec request: one command or a batch."""
        try:
            invocations = split(line)
        except ShellSyntaxError as error:
            return Answer(stderr=f"rbash: {error}\n", status=SYNTAX_ERROR)
        answer = Answer()
        for invocation in invocations:
            if _due(invocation, answer.status):
                answer = answer.followed_by(self._invoke(invocation))
            if answer.broken:
                break
        return answer

    def _invoke(self, invocation: Invocation) -> Answer:
        if invocation.words[0] == "echo":
            return Answer(stdout=" ".join(invocation.words[1:]) + "\n")
        command = recognise(invocation.words)
        if command is None:
            self._counters.happened("unknown_commands")
            return Answer(
                stderr=f"rbash: {_called(invocation.words)} is not a recognized command\n", status=UNKNOWN
            )
        line, started = " ".join(invocation.words), time.time()
        self._counters.enter("running")
        answer = self._meet_faults(command, line)
        self._counters.leave("running")
        self._counters.served(line, command.name, started, -1 if answer.broken else answer.status)
        return answer

    def _meet_faults(self, command: Named, line: str) -> Answer:
        met = self._faults.meet(command.name, line)
        self._faults.wait(delay_of(met))
        for fault in met:
            if fault.before:
                return Answer(broken=fault.before)
            if fault.error:
                text = fault.text or str(ArrayError(fault.error)).partition(" ")[2]
                return Answer(stderr=f"{fault.error} {text}\n", status=1)
        answer = Answer() if any(fault.empty for fault in met) else self._execute(command)
        for fault in met:
            answer = self._afterwards(fault, answer)
        return answer

    def _execute(self, command: Named) -> Answer:
        try:
            return Answer(stdout=self._engine.run(command))
        except DataPlaneRefusedError as error:
            self._counters.happened(f"data plane: {error.cause}")
            return Answer(stderr=f"{error}\n", status=1)
        except ArrayError as error:
            return Answer(stderr=f"{error}\n", status=1)
        except Exception as error:  # else the channel would stay open: a dead array, for whoever looks
            self._counters.happened("defects")
            text = traceback.format_exc()
            sys.stderr.write(text)
            return Answer(stderr=f"simulator: {error!r} in {command.name}\n{text}", status=DEFECT)

    def _afterwards(self, fault: Fault, answer: Answer) -> Answer:
        self._faults.wait(fault.delay_after)
        if fault.after:
            return Answer(broken=fault.after)
        stderr = answer.stderr + (f"{fault.noise}\n" if fault.noise else "")
        if not fault.warning or answer.status:
            return Answer(answer.stdout, stderr, answer.status)
        stderr += f"{ArrayError(fault.warning)}\n"
        status = self._engine.dialect.warning_status
        return Answer("" if status else answer.stdout, stderr, status)


def _called(words: tuple[str, ...]) -> str:
    """Return the command that these words call: what comes after the prefix, if anything does."""
    prefixed = words[0] in (QUERY_PREFIX, OPERATION_PREFIX) and len(words) > 1
    return words[1] if prefixed else words[0]


def _due(invocation: Invocation, status: int) -> bool:
    if invocation.when is When.ALWAYS:
        return True
    return (invocation.when is When.SUCCESS) == (status == 0)
