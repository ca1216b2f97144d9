"""security.md, «Tests to hold»: every value that must be refused, said to a real supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.interface import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

UID = "60050760008b09c0d000000000008062"
DEVICE = "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
POD = "/var/lib/kubelet/pods/431a7251-1df7-43a7-b81a-9e1d775a898e/volumes/inspur~instorage-flexvolume/pvc-1"
PATH = {"portal": "10.9.0.1:3260", "target": "iqn.2004-12.com.inspur:mcs.node1", "lun": 1}
MOUNT = {"uid": UID, "size": 1 << 30, "target": DEVICE, "fs_type": "ext4", "read_only": False}
REQUESTS: dict[str, dict[str, Any]] = {
    "Attach": {"uid": UID, "size": 1 << 30, "paths": [PATH], "multipath": "preferred", "wait_ms": 0},
    "Detach": {"uid": UID, "wait_ms": 0},
    "Mount": {**MOUNT, "may_format": True, "multipath": "preferred"},
    "Bind": {"uid": UID, "source": DEVICE, "target": POD, "read_only": False},
    "Unmount": {"target": DEVICE},
}
IN_ANY_TEXT = [
    "",
    "..",
    "/..",
    "//",
    "\0",
    "\n",
    "\r",
    " ",
    "\t",
    "/",
    "x" * 4096,
    "１",
    "é",
    "а",
    "\u202e",
    "\ud800",
]
TEXTS = [("Attach", "uid"), ("Detach", "uid"), ("Mount", "uid"), ("Mount", "fs_type"), ("Mount", "target")]
TEXTS += [
    ("Bind", "uid"),
    ("Bind", "source"),
    ("Bind", "target"),
    ("Unmount", "target"),
    ("Attach", "multipath"),
]
FILE_SYSTEMS = [
    "",
    "ext2",
    "btrfs",
    "vfat",
    "fuse",
    "fuse.sshfs",
    "overlay",
    "nfs",
    "nfs4",
    "tmpfs",
    "proc",
    "-oext4",
]
FILE_SYSTEMS += ["ext4,xfs", "ext4 ", " ext4", "EXT4", "auto", "none", "xfs\n", "/ext4"]
OPTIONS = [
    "suid",
    "dev",
    "exec",
    "bind",
    "rbind",
    "remount",
    "loop",
    "context=x",
    "move",
    "shared",
    "rw",
    "ro",
    "defaults",
]
OPTIONS += [
    "noatime,suid",
    'noatime"',
    "noatime'",
    "noatime=1",
    "-o",
    "noatime -o",
    "journal_path=/dev/sda",
    "errors=panic",
]
PLACES = [
    "/",
    "/etc",
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/kubelet/pki",
    "/var/lib/kubelet/config.yaml",
]
PLACES += [
    "/var/lib/kubelet/pods",
    "/var/lib/kubelet/plugins",
    DEVICE.rpartition("/")[0],
    POD.rpartition("/")[0],
]
PLACES += [
    "/run",
    "/proc/self/root",
    "/dev",
    DEVICE + "/lost+found",
    POD + "/..",
    POD.replace("volumes", "volume-subpaths"),
]
PLACES += [
    DEVICE.replace("inspur/", "other/"),
    POD.replace("inspur~", "kubernetes.io~"),
    DEVICE.replace("/var", "/srv"),
]
NAMES = [
    "-oX",
    "--login",
    "iqn.2004-12.com.inspur:x -p",
    "iqn.2004-12.com.inspur:x\n",
    "IQN.2004-12.com.inspur:x",
]
NAMES += [
    "iqn.2004-12.com.inspur:" + "x" * 300,
    "iqn.2004-13.com.inspur:x",
    " iqn.2004-12.com.inspur:x",
    "eui.zz",
    "",
]
PORTALS = [
    "-p",
    "10.9.0.1",
    "10.9.0.1:0",
    "10.9.0.1:65536",
    "10.9.0.1:3260,1",
    " 10.9.0.1:3260",
    "10.9.0.1:3260\n",
]
PORTALS += [
    "host:3260",
    "[fe80::1%eth0]:3260",
    "[::1]",
    "::1:3260",
    "010.9.0.1:3260",
    "10.9.0.1:3260 -o",
    "[../x]:1",
    "",
]
NUMBERS = [-1, 1.5, "1", True, None, [], 1 << 62, 10**18 * 9]


@pytest.fixture
def refused(start: Start, connect: Connect) -> Callable[..., None]:
    """Ask with one field changed; anything but a refusal that names no work is an error."""
    start()
    client = connect()

    def ask(verb: str, **changed: Any) -> None:
        answer = client.call(verb, **{**REQUESTS[verb], **changed})
        assert answer.get("error") == "io.inspur.instorage.Helper.Fault", f"{changed}: {answer}"
        assert answer["parameters"]["code"] in ("bad-request", "not-allowed"), f"{changed}: {answer}"

    return ask


@pytest.mark.parametrize(("verb", "field"), TEXTS)
def test_no_strange_text_passes_in_any_field(refused: Callable[..., None], verb: str, field: str) -> None:
    good = REQUESTS[verb][field]
    for strange in IN_ANY_TEXT:
        for text in {strange, strange + good, good + strange} - {good, DEVICE + ".."}:  # that is a name
            refused(verb, **{field: text})


def test_no_file_system_but_the_three(refused: Callable[..., None]) -> None:
    for name in FILE_SYSTEMS:
        refused("Mount", fs_type=name)


def test_no_option_that_gives_a_tenant_anything(refused: Callable[..., None]) -> None:
    for option in OPTIONS:
        refused("Mount", options=[option])
        refused("Mount", options=["noatime", option])
    refused("Mount", options="noatime")
    refused("Mount", options=[["noatime"]])


def test_no_target_outside_of_the_two_shapes(refused: Callable[..., None]) -> None:
    for place in PLACES:
        refused("Mount", target=place)
        refused("Bind", source=place)
        refused("Bind", target=place)
        refused("Unmount", target=place)
    refused("Mount", target=POD)
    refused("Bind", source=POD, target=DEVICE)
    refused("Bind", target=POD.replace("pvc-1", "pvc-2"))


def test_no_option_of_iscsiadm_in_a_name_or_a_portal(refused: Callable[..., None]) -> None:
    for name in NAMES:
        refused("Attach", paths=[{**PATH, "target": name}])
    for portal in PORTALS:
        refused("Attach", paths=[{**PATH, "portal": portal}])


def test_no_number_that_is_none(refused: Callable[..., None]) -> None:
    for number in NUMBERS:
        refused("Attach", size=number)
        refused("Attach", wait_ms=number)
        refused("Attach", paths=[{**PATH, "lun": number}])
        refused("Mount", size=number)
    refused("Attach", size=513)
    refused("Attach", paths=[{**PATH, "lun": 16384}])
    refused("Attach", paths=[PATH] * 65)


@pytest.mark.parametrize("verb", VERBS)
def test_no_request_id_that_forges_a_record(start: Start, connect: Connect, verb: str) -> None:
    start()
    client = connect()
    for op in ("a\nMESSAGE=forged", "x" * 33, "ABCD", "abc", "ab cd", "ab-cd", "", 1234, None):
        answer = client.call(verb, **{**REQUESTS.get(verb, {}), "op": op})
        assert answer["parameters"]["code"] == "bad-request"
