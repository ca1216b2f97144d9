"""Sequences of commands as tables: what a client of the family sends, and what has to come of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


@dataclass(frozen=True)
class Do:
    """An operation: `outcome` is the code of a refusal, the text of a success, or nothing for silence."""

    line: str
    outcome: str = ""


@dataclass(frozen=True)
class See:
    """A query: the fields that are named, of each row in order (of a detail view: of its only section)."""

    line: str
    fields: str
    rows: tuple[str, ...] = ()


Table = tuple[Do | See, ...]


def play(ssh: Client, table: Table) -> None:
    """Send each line, and compare; fails with the line."""
    for number, step in enumerate(table, 1):
        where = f"step {number}: {step.line}"
        if isinstance(step, Do):
            assert _outcome(ssh, step.line) == step.outcome, where
        else:
            assert tuple(_shown(ssh, step)) == step.rows, where


def _outcome(ssh: Client, line: str) -> str:
    reply = ssh.run(f"mcsop {line}")
    if reply.status:
        assert (reply.status, reply.stdout) == (1, ""), reply
        return reply.code
    assert reply.stderr == "", reply
    return reply.stdout.rstrip("\n")


def _shown(ssh: Client, step: See) -> list[str]:
    reply = ssh.run(f"mcsinq {step.line} -delim !")
    if reply.status:
        return [reply.code]
    return ["!".join(row[name] for name in step.fields.split()) for row in reply.rows()]
