"""Manual 4.5 taken literally: its command lines and its unit file start a provisioner that works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.provisioner.installed import FOLDER, Installed
from tests.provisioner.program import Program

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
HERE = Path(__file__).parent
UNIT = HERE / "manual-4.5.service"


def commands() -> list[tuple[str, str]]:
    """(directory, command line) of each prompt in the manual; a line broken at a dash is one line."""
    text = (HERE / "manual-4.5.console").read_text().replace("-\n", "-")
    return re.findall(r"^root@\S+?:(\S+)# (.*)$", text, re.MULTILINE)


def unit_command() -> str:
    """ExecStart of the manual's unit as systemd reads it: a line that ends with a backslash goes on."""
    text = UNIT.read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return str(command)


class Host:
    """A host with the provisioner, configured as manual 4.5 says."""

    def __init__(self, world: World, kubeconfig: Path) -> None:
        self.world = world
        self.installed = Installed(world.directory / "host")
        world.array()
        world.provisioner = "inspur/instorage"
        config = self.installed.folder / "config"
        shutil.copy(world.configuration, config / "instorage.yaml")
        (world.directory / ".kube").mkdir()
        for place in (config, world.directory / ".kube"):
            shutil.copy(kubeconfig, place / "kubefconfig")

    def start(self, directory: str, command: str) -> Program:
        """Type a command line in a directory."""
        log = self.world.directory / "log"
        line = f"env HOME={self.world.directory} sh -c 'cd {directory} && exec {command}'"
        program = Program(self.installed.argv(line), self.world.directory / "state", log)
        self.world.programs.append(program)
        return program


@pytest.fixture
def host(world: World, kubeconfig: Path) -> Host:
    return Host(world, kubeconfig)


def serves(host: Host, program: Program) -> None:
    """The program works: a claim of the manual's class gets its volume; it ends as it is told to."""
    program.says("This provisioner works")
    name = host.world.claim(host.world.storage_class())
    volume = host.world.bound(name)
    host.world.delete_claim(name)
    program.says(f"Volume {volume['metadata']['name']} on array storage-01 is deleted")
    assert program.stop() == 0


def test_the_manuals_command_lines_are_those_that_are_tried() -> None:
    assert [command.split()[:2] for _, command in commands()] == [
        ["./instorage-provisioner", "-h"],
        ["./instorage-provisioner", "-kubefconfig"],
    ]


def test_the_command_line_for_help_prints_it(host: Host) -> None:
    directory, command = commands()[0]
    program = host.start(directory, command)
    program.says("-vmodule value")
    assert "Usage of ./instorage-provisioner:" in program.log


def test_the_command_line_starts_a_provisioner_that_works(host: Host) -> None:
    directory, command = commands()[1]
    serves(host, host.start(directory, command))


def test_the_unit_file_starts_a_provisioner_that_works(host: Host) -> None:
    serves(host, host.start("/", unit_command()))


def test_systemd_finds_nothing_wrong_with_the_unit_file(host: Host) -> None:
    units = host.installed.folder / "units"
    units.mkdir()
    shutil.copy(UNIT, units / "inspur-instorage-provisioner.service")
    (units / "kube-apiserver.service").write_text("[Service]\nExecStart=/bin/true\n")
    inside = FOLDER / "units" / "inspur-instorage-provisioner.service"
    done = host.installed.run(f"systemd-analyze verify --man=no {inside}")
    ours = [line for line in done.stderr.splitlines() if "instorage" in line or "kube-apiserver" in line]
    assert ours == [], done.stderr
    assert done.returncode == 0, done.stderr
