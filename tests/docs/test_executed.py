"""Commands and programs of the pages, executed as they are printed, with places of this test in them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from nodeagent.administration.command import parser
from nodeagent.administration.commands import table
from tests.docs.commands import all_commands
from tests.docs.markdown import PAGES, fences, of_language
from tests.ext.test_volumes import array, run
from tests.provisioner.test_deploy import dropped, schema_of
from tools.install import NODE, PLUGIN, ROOT

if TYPE_CHECKING:
    from simulator.array import Simulator

__all__ = ["array"]
pytestmark = pytest.mark.subprocess
MAKING = 120.0  # seconds to compile what a node gets
WAIT = 30.0  # seconds for the simulator to begin


def commands(page: str, begin: str) -> list[list[str]]:
    """The command lines of a page's shell blocks that begin so, as a shell takes them apart."""
    lines = [line for fence in fences(page) if fence.language == "sh" for line in fence.text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(begin)]


@pytest.mark.parametrize("page", PAGES)
def test_a_parser_takes_every_line_of_instoragectl_that_one_may_type(page: str) -> None:
    for words in commands(page, "instoragectl "):
        ends = [place for place, word in enumerate(words) if word in ("|", ">") or word.startswith(">")]
        given = words[1 : ends[0] if ends else None]
        if given[0] != "adopt":  # the provisioner's, which comes before
            assert parser("instoragectl", "", table()).parse_args(given).run


@pytest.mark.slow
def test_a_volume_for_a_pod_is_made_and_removed_as_the_page_says(array: Simulator, tmp_path: Path) -> None:
    made, gone = (words[1:] for words in commands("docs/first-volume.md", "./instorage-flexvolume "))
    status, answer = run(tmp_path, *made)
    assert (status, answer["status"], answer["size"]) == (0, "Success", int(made[2]) << 30)
    status, answer = run(tmp_path, *gone)
    assert (status, answer["status"]) == (0, "Success")
    assert f"volume {made[1]} is deleted" in answer["message"].lower()


def test_the_simulator_begins_and_obeys_as_its_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((program, *arguments),) = commands("docs/simulator.md", ".venv/bin/instorage-simulator")
    assert Path(program).name == "instorage-simulator"
    here = [re.sub(r"^/tmp/", f"{tmp_path}/", word).replace(":2222", ":0") for word in arguments]
    argv = [sys.executable, "-m", "simulator", *here]
    running = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        assert "127.0.0.1:" in running.stdout.readline(), "it says where it listens when it does"
        (snippet,) = of_language("python")
        exec(compile(snippet.text.replace('"/tmp/', f'"{tmp_path}/'), snippet.page, "exec"), {})
    finally:
        running.terminate()
        running.communicate(timeout=WAIT)
    assert "'total': 0" in capsys.readouterr().out


def test_the_simulator_says_its_options() -> None:
    argv = [str(Path(sys.executable).with_name("instorage-simulator")), "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, check=True)
    assert "--control" in done.stdout


@pytest.mark.slow
def test_the_node_part_is_put_where_the_page_says(tmp_path: Path) -> None:
    (command,) = (one for one in all_commands() if "tools.install DIRECTORY" in one)
    words = [sys.executable, *command.replace("DIRECTORY", str(tmp_path / "there")).split()[1:]]
    subprocess.run(words, cwd=ROOT, timeout=MAKING, check=True)
    for path in (f"{PLUGIN}/instorage-flexvolume", *NODE.programs):
        assert os.access(tmp_path / "there" / path, os.X_OK), path


def kinds() -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{one.page}:{one.line}", each)
        for one in of_language("yaml")
        for each in yaml.safe_load_all(one.text)
    ]
    return [(place, each) for place, each in found if "kind" in each]


@pytest.mark.parametrize(
    ("place", "document"), kinds(), ids=lambda one: one if isinstance(one, str) else one["kind"]
)
def test_an_object_of_the_pages_is_whole_by_the_apis_schema(place: str, document: dict[str, Any]) -> None:
    assert dropped(document, schema_of(document).model_validate(document).to_dict(serialize=True)) == [], (
        place
    )
