"""A node as `instoragectl` finds it, and what it says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodeagent.administration import ctl
from tests.diagnosis.recorded import kubectl

if TYPE_CHECKING:
    import pytest

    from tests.agent.bench import Bench
    from tests.diagnosis.recorded import Recorded


class Node:
    """A bench as `instoragectl` finds it, by its environment, and what it says."""

    def __init__(self, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench = bench
        self._capsys = capsys

    def why(self, subject: str = "vol1") -> dict[str, Any]:
        self._capsys.readouterr()
        ctl.main(["why", subject, "--json"])
        said = self._capsys.readouterr()
        found: dict[str, Any] = json.loads(said.out)
        assert "sentence" in found, said.err
        return found

    def text(self, *words: str) -> str:
        self._capsys.readouterr()
        ctl.main(list(words))
        return self._capsys.readouterr().out


def prepared(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Node:
    directory = bench.directory
    monkeypatch.setenv("INSTORAGE_PLUGIN", str(directory / "plugin"))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory / "state"))
    monkeypatch.setenv("INSTORAGE_AGENT_SOCKET", str(bench.socket))
    monkeypatch.setenv("PATH", str(directory / "bin"))
    monkeypatch.setattr("nodeagent.diagnosis.why.leave_root", lambda _: None)
    return Node(bench, capsys)


def reached(node: Node, api: Recorded) -> None:
    """Let the node's kubectl find these objects."""
    kubectl(node.bench.directory, api)
    (node.bench.directory / "bin/python3").symlink_to("/usr/bin/python3")
    (node.bench.directory / "bin/env").symlink_to("/usr/bin/env")


def of_place(found: dict[str, Any], place: str, state: str) -> list[str]:
    return [one["sentence"] for one in found["links"] if (one["place"], one["state"]) == (place, state)]
