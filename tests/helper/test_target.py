"""What may be mounted on, and that nobody can lead a mount elsewhere."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helper.settings import Settings
from helper.target import parse, walk
from instorage.wire.fault import Fault

ROOT = "/var/lib/kubelet"
DEVICE = f"{ROOT}/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
POD = f"{ROOT}/pods/431a7251-1df7-43a7-b81a-9e1d775a898e/volumes/inspur~instorage-flexvolume/pvc-1"

BOUND = "bind,private,shared"  # what takes the place of a link; in deploy/README.md as well


def test_the_two_shapes_are_taken() -> None:
    device, pod = parse(DEVICE, Settings()), parse(POD, Settings())
    assert (device.is_device, device.name) == (True, "pvc-1")
    assert (pod.is_device, pod.name) == (False, "pvc-1")
    static = POD.replace("431a7251-1df7-43a7-b81a-9e1d775a898e", "0" * 32)
    assert not parse(static, Settings()).is_device


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/etc",
        ROOT,
        f"{ROOT}/pki",
        f"{ROOT}/pods",
        DEVICE + "/",
        DEVICE + "/x",
        DEVICE + "\n",
        DEVICE + "\0",
        DEVICE.replace("/mounts/", "//mounts/"),
        DEVICE.replace("pvc-1", ".."),
        DEVICE.replace("pvc-1", "."),
        DEVICE.replace("pvc-1", ".hidden"),
        DEVICE.replace("pvc-1", "a/../../../../../../../etc"),
        DEVICE.replace("pvc-1", "pvc-１"),
        DEVICE.replace("inspur/", "other/"),
        DEVICE.replace("kubernetes.io", "kubernetes_io"),
        POD.replace("431a7251", "431A7251"),
        POD.replace("431a7251-1df7-43a7-b81a-9e1d775a898e", ".."),
        POD.replace("~", "/"),
        POD.replace("/volumes/", "/volume-subpaths/"),
        DEVICE[1:],
        " " + DEVICE,
        "/" + DEVICE,
        DEVICE.replace("pvc-1", "a" * 254),
        DEVICE.replace("pvc-1", "a" * 5000),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="neither a device mount nor a pod's directory") as refused:
        parse(text, Settings())
    assert refused.value.code == "not-allowed"


@given(st.text(alphabet=st.sampled_from("./~\n\0aé-"), max_size=20))
def test_no_name_leads_out_of_its_directory(name: str) -> None:
    try:
        target = parse(DEVICE.replace("pvc-1", name), Settings())
    except Fault:
        return
    assert os.path.normpath(target.text) == target.text
    assert target.name == name


@pytest.fixture
def kubelet(tmp_path: Path) -> Settings:
    (tmp_path / "kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts").mkdir(
        parents=True
    )
    return Settings(roots=(str(tmp_path / "kubelet"),))


def test_the_last_directory_is_made_and_held(kubelet: Settings) -> None:
    target = parse(DEVICE.replace(ROOT, kubelet.roots[0]), kubelet)
    with pytest.raises(FileNotFoundError), walk(target):
        pass
    with walk(target, create=True) as place:
        assert os.path.samestat(os.fstat(place.open()), Path(target.text).stat())
        assert place.row() is None


def test_what_a_kubelet_without_attach_calls_never_made_is_made_for_a_device_mount_alone(
    tmp_path: Path,
) -> None:
    settings = Settings(roots=(str(tmp_path),))
    device, pod = (text.replace(ROOT, str(tmp_path)) for text in (DEVICE, POD))
    with walk(parse(device, settings), create=True) as place:
        assert place.row() is None
    assert Path(device).is_dir()
    with pytest.raises(Fault, match="cannot be opened"), walk(parse(pod, settings), create=True):
        pass
    assert not (tmp_path / "pods").exists()


def test_kubelets_directory_may_itself_be_a_link(kubelet: Settings, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kubelet.roots[0])
    settings = Settings(roots=(str(tmp_path / "link"),))
    with walk(parse(DEVICE.replace(ROOT, settings.roots[0]), settings), create=True) as place:
        assert os.path.samestat(os.fstat(place.open()), Path(place.target.text).stat())


@pytest.mark.parametrize("part", ["plugins", "plugins/kubernetes.io/flexvolume/inspur", "pvc-1"])
def test_a_link_on_the_way_is_refused(kubelet: Settings, part: str, tmp_path: Path) -> None:
    target = parse(DEVICE.replace(ROOT, kubelet.roots[0]), kubelet)
    swapped = Path(target.text) if part == "pvc-1" else Path(kubelet.roots[0]) / part
    if part != "pvc-1":
        swapped.rename(tmp_path / "moved")
    swapped.symlink_to(tmp_path / "moved" if part != "pvc-1" else "/etc")
    with pytest.raises(Fault, match="is a link or no directory"), walk(target, create=True):
        pass


def test_the_refusal_of_a_link_says_what_may_be_there_instead(kubelet: Settings, tmp_path: Path) -> None:
    root = Path(kubelet.roots[0])
    (root / "pods").symlink_to(tmp_path)
    with pytest.raises(Fault) as refused, walk(parse(POD.replace(ROOT, str(root)), kubelet)):
        pass
    assert f"put a bind mount there ({BOUND}), no link" in refused.value.sentence
    assert f"{root} alone may be one." in refused.value.sentence


def test_a_link_in_the_place_of_the_target_itself_is_to_be_removed(kubelet: Settings, tmp_path: Path) -> None:
    """A bind mount there would be another's mount; the directory is made where there is none."""
    target = parse(DEVICE.replace(ROOT, kubelet.roots[0]), kubelet)
    Path(target.text).symlink_to(tmp_path)
    with pytest.raises(Fault, match=r"^pvc-1 in .* is a link or no directory: remove it\.$"), walk(target):
        pass
    Path(target.text).unlink()
    with walk(target, create=True) as place:
        assert place.row() is None


def test_a_racer_that_swaps_directories_for_links_never_wins(kubelet: Settings, tmp_path: Path) -> None:
    target = parse(DEVICE.replace(ROOT, kubelet.roots[0]), kubelet)
    right, away, trap = Path(target.text).parent, tmp_path / "away", tmp_path / "trap"
    (trap / "pvc-1").mkdir(parents=True)
    (right / "pvc-1").mkdir()
    honest = (right / "pvc-1").stat()
    stop = threading.Event()

    def race() -> None:
        while not stop.is_set():
            right.rename(away)
            right.symlink_to(trap)
            right.unlink()
            away.rename(right)
            time.sleep(0.0002)

    racer = threading.Thread(target=race)
    racer.start()
    reached = 0
    try:
        for _ in range(2000):
            try:
                with walk(target) as place:
                    opened = place.open()
                    assert os.path.samestat(os.fstat(opened), honest)
                    os.close(opened)
                    reached += 1
            except (FileNotFoundError, Fault):
                continue
    finally:
        stop.set()
        racer.join()
    assert reached, "the racer left no chance at all: nothing was tested"
