"""Each capability of the helper's unit is needed, and what fails without it is what docs/security.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.helper_rig import GIB, POD, HelperFault, Rig, Volume
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.lab
UNIT = Path(__file__).parents[3] / "systemd/instorage-helper.service"
DROP_IN = "/run/systemd/system/instorage-helper.service.d/capabilities.conf"


def granted() -> list[str]:
    (found,) = re.findall(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.MULTILINE)
    return str(found).split()


def a_volumes_life(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.bind(volume)
    rig.unmount(volume.pod_directory)
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def a_holder_in_another_namespace_is_named(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.unmount(volume.device_mount)
    rig.sh(
        "systemd-run -q --unit=holder -p PrivateMounts=yes "
        f"sh -c 'mount {rig.device(volume)} /mnt; exec sleep 600'; "
        "for i in $(seq 100); do grep -q ' /mnt ' /proc/$(systemctl show -P MainPID holder)/mounts && break; "
        "sleep 0.1; done"
    )
    try:
        with pytest.raises(HelperFault, match=r"a mount on /mnt \(seen by process"):
            rig.detach(volume)
    finally:
        rig.sh("systemctl stop holder")


def a_directory_that_root_does_not_own(rig: Rig, volume: Volume) -> None:
    rig.sh(f"mkdir -p {volume.pod_directory}; chown 1000 {POD}; chmod 0700 {POD}")  # as kubelet does
    try:
        rig.attach(volume)
        rig.mount(volume)
        rig.bind(volume)
    finally:
        rig.sh(f"chown 0 {POD}; chmod 0755 {POD}")


def growth_while_mounted(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.plane.resize(volume.uid, 2 * GIB)
    rig.call("Rescan", uid=volume.uid, size=2 * GIB, wait_ms=40000)
    rig.call("GrowFilesystem", uid=volume.uid, target=volume.device_mount)


SHOWN: dict[str, tuple[Callable[[Rig, Volume], None], str]] = {
    "CAP_SYS_ADMIN": (a_volumes_life, "Permission denied"),  # the cache of a disk cannot be emptied
    "CAP_SYS_PTRACE": (a_holder_in_another_namespace_is_named, "a mount that no process sees"),
    "CAP_SYS_RESOURCE": (growth_while_mounted, "Operation not permitted"),
    "CAP_DAC_OVERRIDE": (a_directory_that_root_does_not_own, "Permission denied"),
}

IN_SOAK = "in make soak: other tests work with all of them every day, and the unit's list changes seldom"


@pytest.fixture
def without(rig: Rig, request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the helper without one capability."""
    left = " ".join(one for one in granted() if one != request.param)
    rig.node.put(DROP_IN, f"[Service]\nCapabilityBoundingSet=\nCapabilityBoundingSet={left}\n")
    rig.sh("systemctl daemon-reload; systemctl stop instorage-helper.service")
    yield request.param
    restore(rig)


def restore(rig: Rig) -> None:
    rig.sh(f"rm -f {DROP_IN}; systemctl daemon-reload; systemctl stop instorage-helper.service")


def cleaned(rig: Rig, volume: Volume) -> None:
    """Take down, with all capabilities, what is left."""
    rig.sh("systemctl stop holder", check=False)
    for target in (volume.pod_directory, volume.device_mount):
        rig.unmount(target)
    rig.detach(volume)


def test_the_table_names_what_the_unit_grants() -> None:
    assert set(SHOWN) == set(granted())
    text = (UNIT.parents[1] / "docs/security.md").read_text()
    assert all(f"`{name}`" in text for name in SHOWN)


@pytest.mark.skipif(not WHOLE, reason=IN_SOAK)
@pytest.mark.parametrize("what", {shown[0] for shown in SHOWN.values()}, ids=lambda one: one.__name__)
def test_with_all_of_them_it_works(rig: Rig, volume: Volume, what: Callable[[Rig, Volume], None]) -> None:
    what(rig, volume)
    cleaned(rig, volume)


@pytest.mark.skipif(not WHOLE, reason=IN_SOAK)
@pytest.mark.parametrize("without", SHOWN, indirect=True)
def test_what_fails_without_it(rig: Rig, volume: Volume, without: str) -> None:
    job, fails = SHOWN[without]
    said = ""
    try:
        job(rig, volume)
    except (HelperFault, AssertionError) as error:
        said = str(error)
    print(f"without {without}: {said or 'nothing fails'}")
    restore(rig)
    cleaned(rig, volume)
    assert fails in said
