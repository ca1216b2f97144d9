"""`create` and `delete` against a simulated array, over its SSH command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.expansion import Expansion, Progress, Step
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes
from nodeagent.expansion import barrier_text
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def array(tmp_path: Path) -> Iterator[Simulator]:
    """A running array and a configuration that names it, in the plugin directory tmp_path."""
    with Simulator(Settings(tmp_path / "array", tmp_path / "control")) as running:
        path = tmp_path / "config" / "instorage.yaml"
        path.parent.mkdir()
        path.write_text(
            "storage:\n- name: storage-01\n  type: AS18000\n"
            f"  host: {running.address}\n  username: superuser\n  password: passw0rd\n"
        )
        (tmp_path / "state").mkdir()
        yield running


def run(directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "nodeagent.administration.ext", *arguments],
        cwd=ROOT,
        env={"INSTORAGE_PLUGIN_DIRECTORY": str(directory), "STATE_DIRECTORY": str(directory / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_a_volume_is_made_found_again_and_deleted(array: Simulator, tmp_path: Path) -> None:
    options = json.dumps({"inspur.com/volPoolName": "Pool0", "inspur.com/volThin": "true"})
    status, made = run(tmp_path, "create", "vol-1", "2", options)
    assert (status, made["status"], made["size"]) == (0, "Success", 2 << 30)
    assert made["volumeUid"].startswith("6")
    assert run(tmp_path, "create", "vol-1", "2", options) == (status, made), "asked again, it is the same"
    status, other = run(tmp_path, "create", "vol-1", "3", options)
    assert (status, other["status"]) == (1, "Failure")
    assert "vol-1" in other["message"]
    for said in ("is deleted from array storage-01", "was not on array storage-01"):
        status, gone = run(tmp_path, "delete", "vol-1", '{"volPoolName":"Pool0"}')
        assert (status, gone["status"]) == (0, "Success")
        assert said in gone["message"]


def test_a_mapped_volume_is_not_deleted(array: Simulator, tmp_path: Path) -> None:
    run(tmp_path, "create", "vol-1", "1", '{"volPoolName":"Pool0"}')
    command(array, tmp_path, "mcsop mkhost -iscsiname iqn.1993-08.org.debian:01:abc -name iscsi-node1 -force")
    command(array, tmp_path, "mcsop mkvdiskhostmap -host iscsi-node1 vol-1")
    status, refused = run(tmp_path, "delete", "vol-1", "{}")
    assert (status, refused["status"]) == (1, "Failure")
    assert "iscsi-node1" in refused["message"]


AA = json.dumps(
    {"volPoolName": "Pool0", "volAuxPoolName": "Pool1", "volLevel": "aa", "volIOGrp": "0", "volAuxIOGrp": "1"}
)


@pytest.fixture
def interrupted(array: Simulator, tmp_path: Path) -> Path:
    """The directory of a node with an active-active volume vol-1 whose expansion was broken off at once."""
    status, made = run(tmp_path, "create", "vol-1", "1", AA)
    assert status == 0, made
    host, _, port = array.address.rpartition(":")
    client = As18000(
        Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd"), tmp_path / "state/known"
    )
    seen = client.active_active(VolumeName("vol-1"))
    client.close()
    record = Expansion(
        "storage-01", seen.volume, seen.members[0].uid, "iscsi-node1", "mcs1", seen.members, seen.access,
        Bytes(2 << 30), state=Progress.FAILED, step=Step.UNTIE, failure="Lost.",
    )  # fmt: skip
    (tmp_path / "aa-extend-failure.barrier").write_text(barrier_text.broken_off(record, None))
    command(array, tmp_path, f"mcsop rmrcrelationship {seen.members[0].id}")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "barrier"),
    [
        (["delete", "vol-1", AA], False),
        (["delete", "vol-1", "{}"], True),
        (["delete", "vol-1"], True),
        (["create", "vol-1", "1", AA], False),
    ],
)
def test_an_active_active_volume_that_is_not_whole_is_refused_with_the_way_to_its_plan(
    array: Simulator, interrupted: Path, arguments: list[str], barrier: bool
) -> None:
    if not barrier:
        (interrupted / "aa-extend-failure.barrier").unlink()
    status, refused = run(interrupted, *arguments)
    assert (status, refused["status"]) == (1, "Failure")
    assert "instoragectl barrier plan vol-1" in refused["message"]
    assert len(array.control.do("volumes")) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "vol-1", "1", '{"volPool":"Pool0"}'], "did you mean volPoolName?"),
        (["create", "vol-1", "1", "{}"], "volPoolName is missing"),
        (["create", "vol-1", "0", '{"volPoolName":"Pool0"}'], "not a whole number of GB"),
        (["create", "vol 1", "1", '{"volPoolName":"Pool0"}'], "is not a volume name"),
        (["create", "vol-1", "1", "nonsense"], "must be a JSON object"),
        (
            ["create", "vol-1", "1", '{"volPoolName":"Pool0","storageName":"west"}'],
            "There is no array 'west'",
        ),
        (["create", "vol-1", "1", '{"volPoolName":"Pool9"}'], "no pool Pool9"),
        (["create", "vol-1"], "usage: create NAME SIZE_GB JSON"),
        (["delete"], "usage: delete NAME JSON"),
    ],
)
def test_a_wrong_request_is_a_failure_with_its_mend(
    array: Simulator, tmp_path: Path, arguments: list[str], said: str
) -> None:
    status, refused = run(tmp_path, *arguments)
    assert (status, refused["status"]) == (1, "Failure")
    assert said in refused["message"]


def command(array: Simulator, directory: Path, line: str) -> None:
    """Give the array a command as an administrator would."""
    import paramiko

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    host, _, port = array.address.rpartition(":")
    client.connect(
        host, int(port), "superuser", "passw0rd", look_for_keys=False, allow_agent=False, timeout=20
    )
    with client:
        _, out, errors = client.exec_command(line, timeout=20)
        assert out.channel.recv_exit_status() == 0, errors.read()


@pytest.mark.root
def test_root_goes_on_as_the_agents_user_for_good() -> None:
    program = (
        "import os; from nodeagent.administration import array; array.USER = 'nobody'; array._leave_root(); "
        "print(set(os.getresuid()), set(os.getresgid()), os.getgroups())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{65534} {65534} [65534]\n"
