"""One cipher key for all hosts and both parts: the commands that make, carry and use it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from instorage.configuration import shadow
from instorage.configuration.secret import Secret
from instorage.configuration.settings import load

pytestmark = pytest.mark.subprocess
ROOT = Path(__file__).parents[2]
NODES = "nodeagent.administration.ctl"
PROVISIONERS = "provisioner.ctl"
EXT = "nodeagent.administration.ext"
ENCRYPT = "ext-encrypt-password"
FILE = """\
host: {{link: iscsi}}
storage:
- {{name: s1, type: AS18000, host: '10.0.0.1:22', username: u, {login}}}
"""


@dataclass
class Host:
    """The places of a host with both parts."""

    directory: Path

    def __post_init__(self) -> None:
        for path in (self.node, self.provisioner):
            path.parent.mkdir(parents=True)

    @property
    def key(self) -> Path:
        return self.directory / "etc/shadow.key"

    @property
    def node(self) -> Path:
        return self.directory / "inspur~instorage-flexvolume/config/instorage.yaml"

    @property
    def provisioner(self) -> Path:
        return self.directory / "inspur-instorage-provisioner/config/instorage.yaml"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "INSTORAGE_SHADOW_KEY": str(self.key),
            "INSTORAGE_PLUGIN": str(self.node.parents[1]),
            "INSTORAGE_PLUGIN_DIRECTORY": str(self.node.parents[1]),
            "INSTORAGE_PROVISIONER": str(self.provisioner.parents[1]),
        }

    def run(self, module: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=self.environment, input=given,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def write(self, path: Path, login: str) -> None:
        path.write_text(FILE.format(login=login))
        path.chmod(0o640)

    def bring(self, given: str, *flags: str, module: str = NODES) -> str:
        done = self.run(module, "shadow-key", "import", *flags, given=given)
        return f"{done.returncode} {done.stdout}{done.stderr}"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "first")


def test_a_shadow_of_one_host_is_opened_on_another_once_the_key_was_carried(
    host: Host, tmp_path: Path
) -> None:
    other = Host(tmp_path / "other")
    assert "0 The key is in" in host.bring("the first host's\n")
    assert "0 The key is in" in other.bring("the other's\n")
    made = host.run(EXT, ENCRYPT, given="pass word\n").stdout
    other.write(other.node, f"shadow: {made}")
    checked = other.run(EXT, "ext-check-cfg")
    assert checked.returncode == 0
    for part in ("storage[0].shadow", "another cipher key", "shadow-key export", "import", ENCRYPT):
        assert part in checked.stdout
    carried = host.run(NODES, "shadow-key", "export")
    assert carried.stdout == "the first host's\n"
    assert "0 The key is in" in other.bring(carried.stdout)
    assert "storage[0].shadow" not in other.run(EXT, "ext-check-cfg").stdout
    assert load(other.node, key_file=other.key).storage[0].password == Secret("pass word")


@pytest.mark.parametrize("program", ["provisioner", EXT])
def test_a_shadow_that_either_part_made_is_opened_by_both(host: Host, program: str) -> None:
    host.bring("one key\n")
    done = host.run(program, ENCRYPT, given="größe\n")
    assert (done.returncode, done.stderr) == (0, "")
    for path in (host.node, host.provisioner):
        host.write(path, f"shadow: {done.stdout.strip()}")
        found = load(path, need_host=path == host.node, key_file=host.key)
        assert found.storage[0].password == Secret("größe")


def test_the_provisioners_command_says_how_it_is_used(host: Host) -> None:
    host.bring("one key\n")
    for arguments, given in ((("a", "b"), ""), ((), "")):
        done = host.run("provisioner", ENCRYPT, *arguments, given=given)
        assert done.returncode == 2
        assert "usage: instorage-provisioner ext-encrypt-password [plain password]" in done.stderr
    host.key.unlink()
    host.key.mkdir()
    done = host.run("provisioner", ENCRYPT, "plain")
    assert done.returncode == 1
    assert str(host.key) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", [NODES, PROVISIONERS])
@pytest.mark.parametrize("part", ["node", "provisioner"])
def test_a_key_that_shadows_here_were_made_with_is_not_replaced_unless_told(
    host: Host, module: str, part: str
) -> None:
    host.bring("old key\n")
    path: Path = getattr(host, part)
    host.write(path, f"shadow: {shadow.encrypt('secret', Secret('old key'))}")
    said = host.bring("new key\n", module=module)
    assert said.startswith("1 ")
    for wanted in (str(host.key), f"shadow of s1 in {path}", "shadow-key export", "--replace"):
        assert wanted in said
    assert host.key.read_text() == "old key\n"
    assert "0 The key was in" in host.bring("old key", module=module)
    assert "0 The key is in" in host.bring("new key", "--replace", module=module)
    assert host.key.read_text() == "new key\n"


def test_a_key_that_opens_nothing_here_gives_way(host: Host) -> None:
    host.bring("old key\n")
    host.write(host.node, f"shadow: {shadow.encrypt('secret', Secret('new key'))}")
    host.write(host.provisioner, "password: plain")
    assert "0 The key is in" in host.bring("new key\n")


def test_a_configuration_that_cannot_be_understood_keeps_the_key(host: Host) -> None:
    host.bring("old key\n")
    host.node.write_text("storage: [")
    said = host.bring("new key\n")
    assert said.startswith("1 ")
    assert f"shadows of {host.node} need cannot be told" in said
    assert host.key.read_text() == "old key\n"


@pytest.mark.parametrize("given", ["", "\n", "two\nlines\n", "bell\x07\n", "x" * 5000])
def test_what_is_no_key_is_refused(host: Host, given: str) -> None:
    said = host.bring(given)
    assert said.startswith("1 instoragectl: This is no cipher key")
    assert not host.key.exists()


@pytest.mark.parametrize("module", [NODES, PROVISIONERS])
def test_the_key_is_not_shown_on_a_terminal(host: Host, module: str) -> None:
    host.bring("secret-marker\n")
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, "shadow-key", "export"], cwd=ROOT, env=host.environment,
            stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 1
    assert "not shown on a terminal" in done.stderr
    assert "secret-marker" not in done.stderr
