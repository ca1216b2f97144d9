"""The copies of the cluster's objects, and what systemd hears."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from provisioner.cluster import CLASSES, Cluster
from provisioner.reflection import Reflection
from tests.provisioner.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.cluster import Object
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

pytestmark = pytest.mark.kube


def test_what_vanished_while_nobody_watched_is_noticed(world: World) -> None:
    class_name = world.storage_class()
    found = world.api.get(f"{CLASSES}/{class_name}")
    assert found is not None
    gone: list[str] = []

    def changed(old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            gone.append(old["metadata"]["name"])

    reflection = Reflection(world.api, CLASSES, changed)
    reflection._list()
    world.api.delete(f"{CLASSES}/{class_name}", found["metadata"]["uid"])
    reflection._list()
    assert gone == [class_name]


def test_systemd_hears_that_it_is_ready_and_alive(world: World) -> None:
    world.array()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(world.directory / "notify"))
        systemd.settimeout(20)
        program = world.start(notify=world.directory / "notify")
        heard = hear(systemd, "", "READY=1")
        assert "STATUS=working" in heard
        heard = hear(systemd, heard, "WATCHDOG=1")
        assert program.stop() == 0
        hear(systemd, heard, "STOPPING=1")


def hear(systemd: socket.socket, heard: str, wanted: str) -> str:
    """Read messages until one of them is the wanted one; return all that was heard."""
    while wanted not in heard.splitlines():
        heard += systemd.recv(4096).decode() + "\n"
    return heard


def test_without_the_authority_only_insecure_reaches_the_server(plane: ControlPlane, tmp_path: Path) -> None:
    document = json.loads(plane.kubeconfig("admin").read_text())
    del document["clusters"][0]["cluster"]["certificate-authority"]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document))
    until(lambda: Cluster(path, insecure=True).objects(CLASSES)[1])
    with pytest.raises(Exception, match="certificate"):
        Cluster(path).objects(CLASSES)
