"""The provisioner's log files, those of the flag and that of the configuration: neither grows for ever."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.provisioner.test_program import AWAY, ROOT, Elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
STEM = f"instorage-provisioner.{socket.gethostname().partition('.')[0]}.{getpass.getuser()}.log.INFO."


class Folder(Elsewhere):
    """The provisioner's folder; its configuration has a section `log`."""

    def __init__(self, directory: Path, log: str) -> None:
        super().__init__(directory)
        (directory / "config").mkdir()
        text = (directory / "instorage.yaml").read_text()
        (directory / "config/instorage.yaml").write_text(f"log: {log}\n{text}")
        (directory / "config/instorage.yaml").chmod(0o600)

    def run(self, name: str, text: str, *flags: str) -> str:
        """Run until the file `name` (a pattern) has `text`; return standard error."""
        return self.until(name, text, "-strconfig", str(self.directory / "config/instorage.yaml"), *flags)


def test_a_relative_logdir_is_in_the_provisioners_folder_and_standard_error_has_everything_too(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path, "{enabled: true, logdir: log}")
    said = folder.run("log/instorage-provisioner.log", AWAY)
    assert AWAY in said
    text = (tmp_path / "log/instorage-provisioner.log").read_text()
    assert "API server" in text
    assert list((tmp_path / "log").iterdir()) == [tmp_path / "log/instorage-provisioner.log"]


def test_the_configurations_level_holds_for_its_file_and_for_no_other(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"{{enabled: true, logdir: {tmp_path}/logs, level: warning}}")
    assert "API server" in folder.run("logs/instorage-provisioner.log", AWAY)
    assert "API server" not in (tmp_path / "logs/instorage-provisioner.log").read_text()


def test_the_configurations_size_holds_for_its_file(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"{{enabled: true, logdir: {tmp_path}/logs, logrotatemaxsize: 300}}")
    folder.run("logs/instorage-provisioner.log", AWAY)
    assert "API server" in (tmp_path / "logs/instorage-provisioner.log.1").read_text()
    assert len(list((tmp_path / "logs").iterdir())) <= 6


@pytest.mark.parametrize("flags", [("-logtostderr",), ("-logtostderr=true", "-log_dir=/nowhere")])
def test_a_flag_that_says_where_the_log_goes_overrules_the_configuration(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """As in the manual's unit file."""
    Folder(tmp_path, "{enabled: true, logdir: log}").run("stderr", AWAY, *flags)
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("log", ["{enabled: perhaps}", "all", "{logdirr: /x}"])
def test_a_log_section_that_cannot_be_read_is_said_and_keeps_nobody_from_work(
    tmp_path: Path, log: str
) -> None:
    said = Folder(tmp_path, log).run("stderr", AWAY)
    assert "instorage.yaml, line 1: log" in said
    assert "Until then there is no log file." in said


def test_a_logdir_that_cannot_be_written_is_said_with_the_mend_and_used_after_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("in the way")
    folder = Folder(tmp_path, "{enabled: true, logdir: log}")

    def mend() -> None:
        if "cannot be written (File exists)" in (tmp_path / "stderr").read_text():
            (tmp_path / "log").unlink()

    said = folder.until(
        "log/instorage-provisioner.log", "is written again", "-strconfig",
        str(tmp_path / "config/instorage.yaml"), meanwhile=once(mend, tmp_path / "log"),
    )  # fmt: skip
    assert said.count("cannot be written (File exists): choose another directory.") == 1


def once(act: Callable[[], None], file: Path) -> Callable[[], None]:
    """Do something as long as `file` is a file."""
    return lambda: act() if file.is_file() else None


def test_the_files_of_log_dir_are_followed_by_new_ones_and_the_oldest_go(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    old = [logs / f"{STEM}20200101-00000{number}.1" for number in range(9)]
    others = logs / STEM.replace("log.INFO", "log.ERROR").replace("instorage", "another")
    for path in (*old, others):
        path.write_text("old\n")
    folder = Folder(tmp_path, "{logrotatemaxsize: 300}")
    folder.run("logs/*.log.INFO.*", AWAY, f"-log_dir={logs}")
    ours = sorted(path.name for path in logs.iterdir() if path.name.startswith(STEM))
    assert len(ours) == 6
    new = [name for name in ours if "20200101" not in name]
    assert len(new) > 1, "none was followed by another"
    assert ours[: 6 - len(new)] == [path.name for path in old[9 - (6 - len(new)) :]], "the newest are kept"
    assert others.exists()
    assert (logs / "instorage-provisioner.INFO").readlink() == Path(new[-1])
    assert AWAY in "".join((logs / name).read_text() for name in new)


def test_a_log_dir_that_cannot_be_had_ends_the_program_with_the_mend(tmp_path: Path) -> None:
    Elsewhere(tmp_path)
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", f"-log_dir={tmp_path}/file"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"The log file {tmp_path}/file/instorage-provisioner." in done.stderr
    assert "cannot be written (File exists): choose another directory." in done.stderr
    assert "Traceback" not in done.stderr
