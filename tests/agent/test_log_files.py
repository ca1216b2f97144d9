"""The agent's log file (manual 3.3): with the helper's lines, rotated, and there again once it can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, until
from tests.agent.peer_kernel import FaultError
from tests.agent.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
NAME = "instorage-nodeagent.log"


@pytest.fixture
def service(directory: Path, portal: Callable[[], str]) -> Iterator[Service]:
    made = Service(Bench(directory, {1: portal()}))
    yield made
    made.close()
    made.bench.close()


def begin(service: Service, logdir: Path | str) -> str:
    """Start with this log.logdir, and return the UID of a volume."""
    path = service.bench.paths.configuration
    path.write_text(f"log: {{enabled: true, logdir: {logdir}}}\n{path.read_text()}")
    service.start()
    return service.bench.create("vol1")


def written(service: Service, file: Path) -> bool:
    """Have the agent say something, and look whether the file has it."""
    service.bench.attach("vol1").success()
    return file.exists() and "waitforattach: Success" in file.read_text()


def test_the_helpers_lines_are_in_the_file_and_the_journal_has_them_from_the_helper_alone(
    service: Service,
) -> None:
    bench = service.bench
    uid = begin(service, bench.directory / "logs")
    bench.helper.script("Attach", fault=FaultError("tool-failed", "It did not work."))
    bench.attach("vol1").failure("It did not work.")
    bench.attach("vol1").success()
    text = (bench.directory / "logs" / NAME).read_text()
    asked = [call["op"] for verb, call in bench.helper.calls if verb == "Attach"]
    for operation, outcome in zip(asked, ("tool-failed: It did not work.", "ok"), strict=True):
        assert f"instorage-helper: {operation} Attach {uid} -: {outcome} (" in text
    assert "instorage-helper: " not in service.log()


def test_a_relative_directory_is_the_plugin_folders(service: Service) -> None:
    begin(service, "log")
    assert written(service, service.bench.directory / "plugin/log" / NAME)


def test_a_directory_that_can_be_written_again_is_used_without_a_restart(service: Service) -> None:
    logs = service.bench.directory / "logs"
    logs.write_text("in the way")
    begin(service, logs)
    assert service.log().count(f"The log file {logs / NAME} cannot be written (File exists)") == 1
    service.bench.attach("vol1").success()
    logs.unlink()
    until(lambda: written(service, logs / NAME))
    assert service.log().count("cannot be written (File exists)") == 1
    assert f"The log file {logs / NAME} is written again." in service.log()


def test_a_file_that_was_moved_away_or_removed_with_its_directory_is_followed_by_a_new_one(
    service: Service,
) -> None:
    logs = service.bench.directory / "logs"
    begin(service, logs)
    assert written(service, logs / NAME)
    (logs / NAME).rename(logs / "moved")
    assert written(service, logs / NAME)
    for path in logs.iterdir():
        path.unlink()
    logs.rmdir()
    assert written(service, logs / NAME)
    assert "cannot be written" not in service.log()


@pytest.mark.parametrize("kind", ["link", "pipe", "second name"])
def test_what_somebody_put_there_under_the_files_name_is_not_written_to(service: Service, kind: str) -> None:
    logs = service.bench.directory / "logs"
    logs.mkdir()
    victim = service.bench.directory / "victim"
    victim.write_text("precious")
    match kind:
        case "link":
            (logs / NAME).symlink_to(victim)
        case "pipe":
            os.mkfifo(logs / NAME)
        case _:
            (logs / NAME).hardlink_to(victim)
    begin(service, logs)
    assert "it is there, and no plain file of this service's user): remove it." in service.log()
    service.bench.attach("vol1").success()
    assert victim.read_text() == "precious"
    (logs / NAME).unlink()
    until(lambda: written(service, logs / NAME))
    assert victim.read_text() == "precious"


@pytest.mark.root
def test_root_writes_no_log_where_another_user_may_make_files(service: Service) -> None:
    logs = service.bench.directory / "logs"
    logs.mkdir()
    os.chown(logs, 65534, -1)
    begin(service, logs)
    assert "root writes no log where another user may make files" in service.log()
    service.bench.attach("vol1").success()
    assert list(logs.iterdir()) == []
