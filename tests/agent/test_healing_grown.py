"""A volume that grew on its array alone: its paths are not tried at each look; and growth waits for paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.agent.attribute import show
from tests.agent.bench import GIB, until
from tests.agent.path_world import LONG, said
from tests.agent.peer_kernel import FaultError

if TYPE_CHECKING:
    import pytest

    from tests.agent.path_world import PathWorld, Port


def test_a_path_with_the_new_size_rests_and_what_mends_it_is_said_once(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    uid = world.use("vol1")
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    plain, sizes = world.bench.helper.do_attach, []

    def attach(asked: dict[str, Any]) -> dict[str, Any]:
        """The helper finds a disk of 2 GiB, and removes it."""
        sizes.append(asked["size"])
        if asked["size"] == 2 * GIB:
            return plain(asked | {"size": GIB})
        fault = FaultError("wrong-device", f"Disk sdx of volume {uid} has {2 * GIB} bytes.")
        fault.parameters["fields"] = {"expected": str(GIB), "found": str(2 * GIB)}
        raise fault

    world.bench.helper.do_attach = attach  # type: ignore[method-assign]
    late.open()
    until(lambda: sizes, LONG)
    looks = world.bench.agent.healer.looks
    until(lambda: world.bench.agent.healer.looks > looks + 20, LONG)
    assert sizes == [GIB], "the disk is scanned, refused and removed at each look"
    (grown,) = said(caplog, "bytes on its array")
    assert f"Volume vol1 has {2 * GIB} bytes on its array and {GIB} in its map here" in grown
    assert "kubectl edit pvc" in grown
    (at,) = world.sys.glob("block/dm-*/size")
    show(at, str(2 * GIB // 512))
    until(lambda: world.paths(uid) == 2, 20)


def test_a_volume_with_an_absent_path_does_not_grow_before_that_is_back(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    uid = world.use("vol1")
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    refused = world.bench.expandfs("vol1", 2 * GIB).failure("Not all paths of volume vol1 are up")
    assert f"none leads over portal {late.name}" in refused
    assert world.bench.size(uid) == GIB, "it grew on the array"
    late.open()
    until(lambda: world.paths(uid) == 2, LONG)
    world.bench.expandfs("vol1", 2 * GIB).success()
