"""A node installed, looked at and cleared by nothing but the commands of README.md and docs/install.md."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded, volume
from tests.packaging.pages import CHECKOUTS, block, blocks
from tests.soak import IN_SOAK, WHOLE, write_figures
from tools.install import PLUGIN
from tools.lab.archive import GUEST_FOLDER, INSTALL_LIMIT, Archive
from tools.lab.kubelet import Kubelet
from tools.lab.product import PASSWORD, USER, residue
from tools.lab.releases import BULLSEYE, Release
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from tools.lab import Machine
    from tools.lab.san import San

# Every day each command of the pages natively: tests/packaging/test_by_the_pages.py.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK]
RELEASE = BULLSEYE
INSTALLER_LIMIT = 60  # seconds, of a real machine; an emulated one keeps within it as well
KEY = "/etc/instorage/shadow.key"
# The administrator, who writes into the template what is his; the patience is the emulated machine's.
EDITS = {
    "10.0.0.1:22": f"{next(iter(MANAGEMENT))}:22",
    "username: username": f"username: {USER}",
    "password: password": f"password: {PASSWORD}",
    "RetryTimes: 3": "RetryTimes: 100",
}
# Another host's root is this one's, whose key is away meanwhile.
SSH = f"""#!/bin/sh
shift
key=$(cat) && mv {KEY} /root/first.key && printf '%s\\n' "$key" | "$@"
"""
TIMED = re.compile(r"^\+(\d+[.,]\d+) (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Typed:
    """What a block printed, and the seconds that each of its commands took."""

    said: str
    seconds: dict[str, float]


@dataclass(frozen=True)
class Administrator:
    """Who sits at the node, with the archive and its digests in his directory."""

    machine: Machine
    archive: Archive

    @property
    def version(self) -> str:
        return self.archive.name.split("_")[1]

    def type(self, text: str, folder: str = "", stdin: bytes = b"") -> Typed:
        """Type a block in a folder below his directory; CommandFailed at the first command that fails."""
        script = f"set -e; cd {GUEST_FOLDER}/{folder}; PS4='+$EPOCHREALTIME '; set -x\n{text}\n: end"
        done = self.machine.run(["bash", "-c", script], INSTALL_LIMIT, stdin=stdin)
        begun = [(float(time.replace(",", ".")), command) for time, command in TIMED.findall(done.stderr)]
        pairs = itertools.pairwise(begun)
        return Typed(done.stdout, {command: after - at for (at, command), (after, _) in pairs})


@pytest.fixture(scope="module")
def release() -> Release:
    """The oldest one that is a Debian."""
    return RELEASE


@pytest.fixture(scope="module")
def administrator(machine: Machine, san: San, archive: Archive) -> Administrator:
    """With what he was given."""
    machine.put(f"{GUEST_FOLDER}/{archive.path.name}", archive.path.read_bytes())
    machine.put(f"{GUEST_FOLDER}/SHA256SUMS", archive.path.with_name("SHA256SUMS").read_bytes())
    edits = " ".join(f"-e {shlex.quote(f's/{old}/{new}/')}" for old, new in EDITS.items())
    machine.put("/usr/local/bin/vi", f'#!/bin/sh\nexec sed -i {edits} "$1"\n', 0o755)
    machine.put("/usr/local/bin/ssh", SSH, 0o755)
    return Administrator(machine, archive)


def test_from_the_archive_to_a_first_mounted_volume_by_the_readme_alone(
    administrator: Administrator, san: San
) -> None:
    arch = administrator.archive.name.rpartition(f"{administrator.version}_")[2]
    administrator.type(block("unpack", VERSION=administrator.version, x86_64=arch))
    assert [*blocks(CHECKOUTS)] == ["node", "arrays"]
    installed = administrator.type(block("node"), administrator.archive.name)
    assert f"is installed on this node: plugin /{PLUGIN}" in installed.said
    looked = administrator.type(block("arrays"))
    assert "storage-01" in looked.said
    kubelet = Kubelet(administrator.machine, volume(san))
    answers = kubelet.start_pod()
    succeeded(answers)
    installer = sum(seconds for command, seconds in installed.seconds.items() if "install.sh" in command)
    first = sum(answer.seconds for answer in answers)
    said = f"installer {installer:.1f} s, first volume {first:.1f} s"
    print(f"by the README on Debian {RELEASE.number}: {said}")
    if WHOLE:
        write_figures(f"README on Debian {RELEASE.number}", said)
    assert len(installed.seconds) == len(block("node").splitlines())
    assert 0 < installer < INSTALLER_LIMIT
    succeeded(kubelet.end_pod())
    assert not residue(administrator.machine)


def test_one_shadow_is_opened_by_a_host_that_got_the_key(administrator: Administrator) -> None:
    machine = administrator.machine
    shadow = administrator.type(f"cd /{PLUGIN}\n{block('shadow')}", stdin=f"{PASSWORD}\n".encode()).said
    administrator.type(block("shadow-key", HOST="another"))
    machine.run(f"cmp {KEY} /root/first.key")
    configuration = f"/{PLUGIN}/config/instorage.yaml"
    edits = f"-e '/password: /d' -e 's/shadow: \"\"/shadow: {shadow.split()[-1]}/'"
    machine.run(f"sed -i {edits} {configuration}")
    assert PASSWORD not in machine.read(configuration).decode()
    assert "storage-01" in machine.run("instoragectl arrays").stdout


def test_the_journal_has_the_services_and_each_call(administrator: Administrator) -> None:
    answer = Kubelet(administrator.machine, "no-such-volume").call("waitforattach")
    assert not answer.success
    assert "instorage-nodeagent.service" in administrator.type(block("node-log")).said
    field = "journalctl -u instorage-nodeagent -o cat --output-fields=INSTORAGE_OP"
    named = [word for word in administrator.machine.run(field).stdout.split() if word in answer.message]
    assert named, answer.message
    shown = administrator.type(block("one-call", ID=named[-1])).said
    assert "no-such-volume" in shown


def test_nothing_is_left_but_what_the_page_says(administrator: Administrator) -> None:
    """The last test: it ends what the first one installed."""
    machine = administrator.machine
    for target in set(re.findall(r" (iqn\.\S+)", machine.run("iscsiadm -m session").stdout)):
        administrator.type(block("sessions", TARGET=target))
    assert machine.run("iscsiadm -m session", check=False).exit_status
    said = administrator.type(block("removal"), administrator.archive.name).said
    assert f"Kept, as configuration, keys or records: /{PLUGIN}" in said
    assert not machine.run("systemctl list-units --all --no-legend 'instorage*'").stdout.strip()
