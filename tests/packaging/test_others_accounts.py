"""What somebody with an account on the host can do against install.sh while root runs it: nothing."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from tests.packaging import vendors
from tests.packaging.archive import DRIVER, FOLDER, archive, run
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.host import Host

pytestmark = pytest.mark.subprocess
LOCK = "etc/.instorage-install.lock"


def test_a_directory_that_everybody_may_lock_is_not_the_installers_lock(root: Path, old: Path) -> None:
    directory = os.open(root / "etc", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        done = run(old, "--node", "--root", str(root))
    finally:
        os.close(directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (root / LOCK).exists()


def test_the_installers_lock_is_roots_alone_and_what_a_kill_left_of_it_is_in_nobodys_way(
    root: Path, old: Path
) -> None:
    (root / LOCK).touch(0o600)
    with (root / LOCK).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run(old, "--node", "--root", str(root))
        assert done.returncode == 1
        assert "another install.sh is at work on this host" in done.stderr
    assert run(old, "--node", "--root", str(root)).returncode == 0
    assert not (root / LOCK).exists()


# Reports a copy of a password that others may read, at whatever change of a file: what is open stays open.
WATCHER = """import os, sys

def readable(event, values):
    if event in ("os.chmod", "os.chown", "os.rename") and "LEAK" in os.environ:
        name = values[0] if isinstance(values[0], str) else f"/proc/self/fd/{values[0]}"
        if os.path.isfile(name) and os.stat(name).st_mode & 4:
            if open(name, "rb").read() == b"password: a secret":
                open(os.environ["LEAK"], "w").write(os.path.realpath(name))

sys.addaudithook(readable)
"""


@pytest.mark.parametrize("arguments", [("--plugin-dir", "/srv/plugins"), ("--prefix", "/srv")])
def test_a_password_is_at_no_moment_readable_for_others(
    root: Path, tmp_path: Path, old: Path, arguments: tuple[str, ...]
) -> None:
    parts = ("--node", "--provisioner", "--root", str(root))
    assert run(old, *parts).returncode == 0
    for place in (PLUGIN, f"opt/{FOLDER}"):
        (root / place / "config/instorage.yaml").write_text("password: a secret")
        (root / place / "config/instorage.yaml").chmod(0o640)
    top = archive(tmp_path, "3.1.0")
    python = top / "node/bin/python3.11"
    python.write_text(python.read_text().replace("import os, sys\n", WATCHER, 1))
    done = run(top, *parts, *arguments, LEAK=str(tmp_path / "leak"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "leak").exists(), (tmp_path / "leak").read_text()
    moved = f"{root}/srv/plugins/{DRIVER}" if "--plugin-dir" in arguments else f"{root}/srv/{FOLDER}"
    assert os.stat(f"{moved}/config/instorage.yaml").st_mode & 0o777 == 0o640


KUBELET = (
    "cp /usr/bin/dash /usr/local/bin/kubelet; mkfifo -m 666 /tmp/never; setpriv --reuid 1000 --clear-groups "
    "/usr/local/bin/kubelet -c 'read x </run/rest; :' {} </dev/null >/dev/null 2>&1 &"
)


@pytest.mark.root
@pytest.mark.parametrize("said", ["--volume-plugin-dir=/srv/theirs", "--config=/tmp/never"])
def test_a_program_of_somebody_that_is_called_kubelet_is_not_asked(host: Host, old: Path, said: str) -> None:
    host.sh("chmod 666 /run/rest")
    host.sh(KUBELET.format(said))
    done = host.install(old, "--check", "--node")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.root
def test_a_program_that_somebody_else_wrote_is_not_started_to_be_looked_at(host: Host, old: Path) -> None:
    vendors.leave_node(host.root)
    program = host.root / vendors.STUB
    program.write_text(program.read_text().replace("#!/bin/sh\n", "#!/bin/sh\n: >/run/started\n"))
    for change, said in (("chown 1000", "of an unknown version"), ("chown 0", "2.1.0")):
        host.sh(f"{change} /{vendors.STUB}")
        assert f"The vendor's K8sPlugin {said} is taken over" in host.install(old, "--check", "--node").stdout
        assert (host.root / "run/started").exists() is (change == "chown 0")


@pytest.mark.parametrize("made", ["fifo", "link", "large"])
def test_what_lies_among_the_records_holds_up_nobody_who_reads_them(
    node: Path, old: Path, new: Path, made: str
) -> None:
    records = node / "var/lib/instorage/volumes"
    records.mkdir(parents=True)
    if made == "fifo":
        os.mkfifo(records / "x")
    elif made == "link":
        (records / "x").symlink_to("/dev/zero")
    else:
        with (records / "x").open("w") as file:
            file.truncate(1 << 40)
    assert run(new, "--node", "--root", str(node)).returncode == 0
    done = run(old, "--uninstall", "--node", "--root", str(node))
    assert done.returncode == 1
    assert "(record /var/lib/instorage/volumes/x)" in done.stderr
