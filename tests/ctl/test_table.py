"""`instoragectl`'s one table: help, parser and completion know the same commands."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from nodeagent.administration import commands, completion, ctl
from nodeagent.administration.command import leaves, parser
from nodeagent.diagnosis.finding import Finding, Severity, Who, exit_status
from nodeagent.diagnosis.terminal import Paint
from provisioner import ctl as provisioners

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TABLE = commands.table()
WORDS = [words for words, _ in leaves(TABLE)]
PLAIN = [words for words, command in leaves(TABLE) if command.plain]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_each_command_has_help_and_says_how_programs_read_it(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made = parser("instoragectl", "", TABLE)
    with pytest.raises(SystemExit) as ended:
        made.parse_args([*words, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: instoragectl {' '.join(words)}" in said
    assert ("--json" in said) is (words not in PLAIN)


def test_the_general_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ctl.main(["--help"])
    said = capsys.readouterr().out
    assert [
        one.name for one in TABLE if f"    {one.name} " not in said and f"    {one.name}\n" not in said
    ] == []


@pytest.mark.parametrize("program", [ctl, provisioners], ids=["of a node", "of a provisioner"])
def test_the_version_is_said_in_one_line(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"instoragectl {VERSION}\n"


def test_a_wrong_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ctl.main(["docter"])
    assert ended.value.code == 2
    assert "docter" in capsys.readouterr().err


def completed(directory: Path, *words: str) -> list[str]:
    """What bash offers after these words; the last one is begun."""
    script = directory / "completion"
    script.write_text("\n".join(completion.script("bash", TABLE)) + "\n")
    line = " ".join(f"'{word}'" for word in ("instoragectl", *words))
    ask = f"instoragectl() {{ echo vol-a vol-b; }}; source {script}; COMP_WORDS=({line}); "
    ask += f"COMP_CWORD={len(words)}; "
    ask += "_instoragectl; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(
        ["/bin/bash", "-c", ask], capture_output=True, text=True, check=True, timeout=30
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.subprocess
def test_bash_completes_commands_actions_options_and_volumes(tmp_path: Path) -> None:
    assert completed(tmp_path, "") == [one.name for one in TABLE]
    assert completed(tmp_path, "ba") == [one.name for one in TABLE if one.name.startswith("ba")]
    assert completed(tmp_path, "barrier", "") == ["show", "plan", "resume", "clear"]
    assert completed(tmp_path, "barrier", "plan", "vol") == ["vol-a", "vol-b"]
    assert completed(tmp_path, "release", "--al") == ["--although-logged-in"]
    assert completed(tmp_path, "completion", "") == ["bash", "zsh", "fish"]
    files = completed(tmp_path, "arrays", "--config", str(tmp_path / "comp"))
    assert files == [str(tmp_path / "completion")]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_is_told_every_command_and_option(shell: str) -> None:
    said = "\n".join(completion.script(shell, TABLE))
    for words, command in leaves(TABLE):
        assert all(word in said for word in words)
        assert all(one.name.lstrip("-") in said for one in command.all_options if one.name.startswith("-"))


def test_a_failure_is_an_object_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ctl.main(["arrays", "--json", "--config", str(tmp_path / "none.yaml")]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["format"] == ctl.FORMAT
    assert (found["command"], found["status"]) == ("arrays", 1)
    assert found["fault"]["code"] == "bad-configuration"
    assert found["fault"]["sentence"] in said.err


def test_findings_decide_the_exit_status() -> None:
    warning = Finding("clock", "clock-not-synchronised", Severity.WARNING, "The clock is not synchronised.")
    error = Finding("iscsid", "unit-inactive", Severity.ERROR, "iscsid does not run.", who=Who.NODE)
    assert [exit_status(some) for some in ([], [warning], [warning, error])] == [0, 1, 2]
    assert Finding.from_json(json.loads(json.dumps(error.to_json()))) == error


def test_colours_are_on_a_terminal_alone_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Paint.here().on  # pytest reads it
    assert Paint(on=False).severity(Severity.ERROR, "error") == "error"
    assert Paint(on=True).severity(Severity.ERROR, "error") == "\x1b[31;1merror\x1b[0m"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint.here().on
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Paint.here().on
