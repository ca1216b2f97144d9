"""`ext-check-cfg` says what of a valid configuration will not work on this host."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration import multipath_conf

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.subprocess
AGENT = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
PROGRAM = """
import sys
from pathlib import Path
from instorage import places
from nodeagent.administration import ext, host_check, multipath_conf, versions
host_check.USER, host_check.SHOW, multipath_conf.PLACES = sys.argv[1], ("/bin/cat", sys.argv[2]), ()
host_check.SYSFS = Path(sys.argv[2]).with_name("sys")
places.FILE = Path(sys.argv[3])
versions.DIRECTORIES, versions.TABLE = (sys.argv[4],), versions.TABLE if sys.argv[4] else ()
sys.argv[1:] = sys.argv[5:]
sys.exit(ext.main())
"""
STORAGE = "storage:\n- name: s1\n  type: AS18000\n  host: 10.0.0.1:22\n  username: u\n  password: p\n"


class Node:
    """A plugin directory, what systemd says of the agent, and directories."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plugin = directory / "inspur~instorage-flexvolume"
        (self.plugin / "config").mkdir(parents=True)
        self.path = self.plugin / "config/instorage.yaml"
        directory.chmod(0o755)
        self.places = directory / "no-places"
        self.said = self.tools = ""
        self.unit = f"LoadState=loaded\nProtectSystem=no\nEnvironment=A=b INSTORAGE_PLUGIN={self.plugin}\n"

    def check(
        self, text: str, *arguments: str, storage: str = STORAGE, key: Path = Path("/nowhere/key")
    ) -> str:
        """Return the warnings."""
        self.path.write_text(f"{text}{storage}")
        self.path.chmod(0o640)
        unit = str(self.directory / "unit")
        Path(unit).write_text(self.unit)
        done = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, AGENT, unit, str(self.places), self.tools),
                *("ext-check-cfg", *arguments),
            ],
            env={
                "INSTORAGE_PLUGIN_DIRECTORY": str(self.plugin), "PYTHONPATH": os.getcwd(),
                "INSTORAGE_SHADOW_KEY": str(key),
            },
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert f"The configuration {arguments[0] if arguments else self.path} is correct." in done.stdout
        self.said = done.stdout
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith("warning: "))


@pytest.fixture
def node() -> Iterator[Node]:
    """In a directory that everybody may enter; pytest's own are root's."""
    with tempfile.TemporaryDirectory(prefix="check-cfg-") as directory:
        yield Node(Path(directory))


def test_nothing_is_said_of_what_works(node: Node) -> None:
    places = [node.directory / name for name in ("logs", "barriers")]
    for place in places:
        place.mkdir()
        place.chmod(0o777)
    (node.plugin / "lock").touch()
    text = (
        f"log: {{enabled: true, logdir: {places[0]}/new}}\n"
        "host: {link: iscsi, attachExtendFileLockPath: lock}\n"
    )
    assert node.check(text, storage=f"{STORAGE}  barrierPath: {places[1]}\n") == ""
    assert node.check("host: {link: iscsi}\n") == ""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "this machine has no Fibre Channel port"),
        ("Linkdown", "no Fibre Channel port of this machine has a link (2100000e1e30acfc is Linkdown)"),
        ("Online", ""),
    ],
)
def test_fibre_channel_without_a_port_or_a_link_is_not_passed_over(
    node: Node, state: str | None, said: str
) -> None:
    if state:
        at = node.directory / "sys/class/fc_host/host3"
        at.mkdir(parents=True)
        (at / "port_name").write_text("0x2100000E1E30ACFC\n")
        (at / "port_state").write_text(f"{state}\n")
    assert said in node.check("host: {link: fc}\n")
    assert bool(said) is bool(node.check("host: {link: fc}\n"))


def test_a_log_directory_that_the_agent_may_not_write_is_named_with_the_mend(node: Node) -> None:
    closed = node.directory / "closed"
    closed.mkdir(mode=0o500)
    text = f"log: {{enabled: true, logdir: {closed}}}\nhost: {{link: iscsi}}\n"
    said = node.check(text)
    assert f"{closed} (log.logdir) gets no log files, the journal alone has all: its user may not" in said
    assert said.endswith(f"As root: install -d -m 1770 -g instorage {closed}")
    closed.chmod(0o777)
    node.unit += "ProtectSystem=strict\nReadWritePaths=-/other\nLogsDirectory=instorage\n"
    assert f"'[Service]' ReadWritePaths=-{closed} >/etc/systemd/system/" in node.check(text)
    node.unit += f"ReadWritePaths=-/other\\ one -{node.directory}\n"
    assert node.check(text) == ""
    assert node.check(text.replace("true", "false")) == ""


def test_a_directory_that_is_not_for_log_files_is_left_to_who_has_it(node: Node) -> None:
    """Its modes are not ours to change: the mend is another directory."""
    shared = node.directory / "shared"
    (shared / "of others").mkdir(parents=True)
    shared.chmod(0o755)
    said = node.check(f"log: {{enabled: true, logdir: {shared}}}\nhost: {{link: iscsi}}\n")
    assert f"choose one of its own, as {shared}/inspurlog." in said
    assert "install" not in said


def test_a_key_of_the_shadows_that_the_agent_cannot_read_is_named_with_the_mend(node: Node) -> None:
    key = node.directory / "shadow.key"
    key.write_text("key")
    key.chmod(0o600)
    said = node.check("host: {link: iscsi}\n", key=key)
    if os.geteuid() == 0:
        assert f"The user {AGENT} cannot read {key}, which opens shadows: chgrp instorage {key} && " in said
    key.chmod(0o644)
    assert node.check("host: {link: iscsi}\n", key=key) == ""


@pytest.mark.parametrize("there", [False, True])
def test_a_place_for_barrier_files_that_cannot_be_used_is_named(node: Node, there: bool) -> None:
    place = node.directory / "barriers"
    if there:
        place.mkdir(mode=0o500)
    said = node.check("host: {link: iscsi}\n", storage=f"{STORAGE}  barrierPath: {place}\n")
    assert f"{place} (barrierPath of s1) gets no barrier file, and without it no active-active" in said
    assert ("may not write in" if there else "it is no directory: make it") in said


def test_a_lock_file_that_does_not_exist_is_named(node: Node) -> None:
    said = node.check("host: {link: iscsi, attachExtendFileLockPath: /nowhere/lock}\n")
    assert "/nowhere/lock (host.attachExtendFileLockPath) does not exist" in said


def test_a_plugin_folder_that_the_agent_does_not_use_is_named_with_the_one_that_it_does(node: Node) -> None:
    node.unit = "LoadState=loaded\nEnvironment=INSTORAGE_PLUGIN=/opt/plugins/inspur~instorage-flexvolume\n"
    text = "host: {link: iscsi}\n"
    for arguments in ((), (str(node.path),)):
        said = node.check(text, *arguments)
        assert "which is /opt/plugins/inspur~instorage-flexvolume/config/instorage.yaml" in said
        assert f"install.sh --node --plugin-dir {node.directory}." in said
    draft = node.directory / "draft.yaml"
    draft.write_text(f"{text}{STORAGE}")
    draft.chmod(0o640)
    assert node.check(text, str(draft)) == ""
    other = "/opt/plugins/inspur~instorage-flexvolume/config/instorage.yaml"
    assert f"{draft} is correct. Arrays: s1" in node.said
    assert f"The node agent does not read it, but {other}.\n" in node.said


def test_the_file_of_this_hosts_places_is_the_agents(node: Node) -> None:
    places = node.directory / "places"
    places.write_text("INSTORAGE_PLUGIN=/srv/inspur~instorage-flexvolume\n")
    node.places, node.unit = places, "LoadState=loaded\n"
    assert "which is /srv/inspur~instorage-flexvolume/config" in node.check("host: {link: iscsi}\n")
    places.write_text(f"INSTORAGE_PLUGIN={node.plugin}\n")
    assert node.check("host: {link: iscsi}\n") == ""
    assert "does not read it" not in node.said


def test_a_tool_that_is_too_old_or_not_there_is_named(node: Node) -> None:
    (node.directory / "multipath").write_text("#!/bin/sh\necho 'multipath-tools v0.5.0 (02/27, 2013)' >&2\n")
    (node.directory / "multipath").chmod(0o755)
    node.tools = str(node.directory)
    said = node.check("host: {link: iscsi}\n")
    assert "warning: multipath-tools 0.5.0 is here, and 0.6 or later is wanted" in said
    assert "warning: open-iscsi is not installed, and without it no volume is attached over iSCSI" in said


MANUAL = 'blacklist {\n    devnode "%s"\n}\ndevices {\n  device {\n    vendor "INSPUR"\n  }\n}\n'


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        (MANUAL % "^sda", True),
        (MANUAL % "^sda$", False),
        (MANUAL % "^sd[a-z]", True),
        (MANUAL % "^(ram|raw|loop|fd|md|dm-|sr|scd|st)[0-9]", False),
        (MANUAL % "!^sda$", True),
        (MANUAL % "[", False),
        ("# " + MANUAL % "x" + 'blacklist {\n device {\n  vendor "X"\n }\n devnode ".*"  # all\n}\n', True),
        (MANUAL % "^sda" + 'blacklist_exceptions {\n devnode "^sda[a-z]+$"\n}\n', False),
        ('defaults {\n devnode "^sda"\n}\n', False),
    ],
)
def test_a_blacklist_that_hides_disks_of_the_array_is_named(tmp_path: Path, text: str, hides: bool) -> None:
    (tmp_path / "multipath.conf").write_text(text)
    said = "".join(multipath_conf.remarks((tmp_path / "absent", tmp_path / "multipath.conf")))
    assert (f"{tmp_path}/multipath.conf: devnode" in said) == hides
    assert ("sdaa" in said) == hides
    assert "".join(multipath_conf.remarks((tmp_path,))) == said  # a conf.d
