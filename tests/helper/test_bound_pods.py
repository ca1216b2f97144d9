"""A bind mount in the place of kubelet's `pods`, as the refusal of a link and deploy/README.md tell it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import device, mounts
from helper.bind import bind
from helper.device import Volume
from helper.multipath import Map
from helper.settings import Settings
from helper.unmount import unmount
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import BindRequest, UnmountRequest
from tests.helper.host import UID
from tests.helper.own_mounts import apart
from tests.helper.test_target import BOUND, ROOT
from tests.helper.test_target import DEVICE as TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.root, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

README = Path(__file__).parents[2] / "deploy/README.md"
DEVICE = TARGET.removeprefix(f"{ROOT}/")
POD = f"pods/{1:032x}/volumes/inspur~instorage-flexvolume/pvc-1"
OP, VOLUME = RequestId("test1"), VolumeUid.parse(UID)
_SHARED = 1 << 20  # MS_SHARED, as systemd has all of a host


def told() -> str:
    """The line of /etc/fstab."""
    (line,) = re.findall(rf"`(/data/pods {ROOT}/pods none \S+ 0 0)`", README.read_text(encoding="utf-8"))
    return str(line)


@pytest.fixture
def on_such_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Callable[[Path], Any]], Any]:
    """Do a job with a kubelet's directory: `pods` by a line of fstab, a volume on its device mount."""
    monkeypatch.setattr(device, "uid_of", lambda _: UID)
    host, fstab = tmp_path / "host", tmp_path / "fstab"

    def do(line: str, job: Callable[[Path], Any]) -> Any:
        def inside() -> Any:
            mounts.mount("host", str(host), "tmpfs", 0)
            mounts.mount("none", str(host), "", _SHARED)
            for name in ("data/pods", "kubelet/pods", f"kubelet/{DEVICE}"):
                (host / name).mkdir(parents=True)
            fstab.write_text(line.replace(ROOT, f"{host}/kubelet").replace("/data/", f"{host}/data/") + "\n")
            subprocess.run(("mount", "-T", str(fstab), f"{host}/kubelet/pods"), check=True, timeout=30)
            (host / "kubelet" / POD).mkdir(parents=True)
            mounts.mount("volume", f"{host}/kubelet/{DEVICE}", "tmpfs", 0)
            return job(host / "kubelet")

        host.mkdir()
        return apart(inside)

    return do


def bound(kubelet: Path) -> tuple[Settings, str, str]:
    """Give a pod its directory; return the settings, the directory, and the volume's major:minor."""
    settings, pod = Settings(roots=(str(kubelet),)), str(kubelet / POD)
    bind(BindRequest(OP, VOLUME, str(kubelet / DEVICE), pod, False), settings)
    return settings, pod, next(row.number for row in mounts.table() if row.target == pod)


def test_a_pods_directory_is_given_and_what_a_fenced_volume_left_there_goes(
    on_such_a_host: Callable[[str, Callable[[Path], Any]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but kubelet has a mount of it: were it seen at the other end too, it would be refused."""

    def job(kubelet: Path) -> list[str]:
        settings, pod, number = bound(kubelet)
        without_paths = Volume(UID, Map("dm-test", "test", number, 1, ()), ())
        monkeypatch.setattr(device, "find", lambda _: without_paths)
        unmount(UnmountRequest(OP, pod, True), settings)
        return [row.target.removeprefix(f"{kubelet}/") for row in mounts.table() if row.number == number]

    assert on_such_a_host(told(), job) == [DEVICE]


def test_it_is_the_bind_mount_that_the_refusal_names() -> None:
    assert told().split()[3] == BOUND
