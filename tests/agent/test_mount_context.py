"""`host.mountContext`: one label for all of a volume, which the root helper gives the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.bench import Bench

LABEL = "system_u:object_r:container_file_t:s0:c1.c9"


def options_of_the_mount(bench: Bench, volume: str) -> object:
    bench.create(volume)
    bench.attach(volume).success()
    bench.mount_device(volume).success()
    return bench.helper.last("Mount")["options"]


def test_a_volume_is_mounted_with_the_label_of_the_configuration(bench: Bench) -> None:
    bench.configure(host=f"  mountContext: {LABEL}\n")
    assert options_of_the_mount(bench, "vol1") == [f"context={LABEL}"]


def test_without_one_a_volume_keeps_labels_of_its_own(bench: Bench) -> None:
    assert options_of_the_mount(bench, "vol1") == []
