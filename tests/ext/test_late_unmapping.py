"""`instoragectl fence` and `release`: an array keeps an unmapping waiting while the node comes back."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Initiator
from instorage.volume_name import VolumeName
from instorage.wire.values import Iqn
from tests.ext.test_fence import administered
from tests.ext.test_release import IQN, Site, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
__all__ = ["site"]
BUSY = "CMMVC5786E"  # «the cluster is not in a stable state»: its nodes change over
SECONDS = 4.0  # that the array hesitates: longer than a look is believed
FENCE, RELEASE = ("fence", "node1"), ("release", "vol-1", "--from", "node1")
either = pytest.mark.parametrize("command", [FENCE, RELEASE], ids=["fence", "release"])


def counted(site: Site, command: str) -> int:
    return sum(entry["name"] == command for entry in site.array.control.do("log"))


@contextlib.contextmanager
def after(site: Site, seen: Callable[[], bool], *orders: dict[str, Any]) -> Iterator[None]:
    """Give the array its orders once something is seen there, while the command runs."""
    ended = threading.Event()

    def wait() -> None:
        while not seen():
            if ended.wait(0.02):
                return
        for order in orders:
            site.array.control.do(**order)

    watching = threading.Thread(target=wait)
    site.array.control.do("reset-counters")
    watching.start()
    yield
    ended.set()
    watching.join()


@contextlib.contextmanager
def unstable(site: Site, *orders: dict[str, Any]) -> Iterator[None]:
    """The array refuses to unmap until `SECONDS` after the first time; then it is given its orders."""
    number = site.array.control.do("fault", command="rmvdiskhostmap", error=BUSY, times=0)
    for_a_while = {"verb": "fault", "command": "rmvdiskhostmap", "error": BUSY, "seconds": SECONDS}
    stable = {"verb": "clear", "number": number}
    with after(site, lambda: counted(site, "rmvdiskhostmap") > 0, *orders, for_a_while, stable):
        yield


def logged_in(port: str = IQN) -> dict[str, Any]:
    return {"verb": "logins", "port": port, "nodes": [1]}


@either
def test_a_node_that_comes_back_while_the_array_is_not_stable_keeps_its_volume(
    site: Site, command: tuple[str, ...]
) -> None:
    with unstable(site, logged_in()):
        status, said = site.ctl(*command)
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "its host object iscsi-node1 is logged in, so the node lives" in said


@either
def test_a_node_that_stays_away_while_the_array_is_not_stable_is_fenced(
    site: Site, command: tuple[str, ...]
) -> None:
    with unstable(site):
        status, said = site.ctl(*command)
    assert (status, site.maps()) == (0, []), said


def test_the_administrators_word_needs_no_look(site: Site) -> None:
    with unstable(site, logged_in()):
        status, said = site.release("vol-1", "--from", "node1", "--although-logged-in")
    assert (status, site.maps()) == (0, []), said
    assert counted(site, "lshost") == 0


@pytest.mark.parametrize(("command", "looks"), [(FENCE, 4), (RELEASE, 2)], ids=["fence", "release"])
def test_an_unmapping_whose_answer_was_lost_is_not_told_again_once_the_node_is_back(
    site: Site, command: tuple[str, ...], looks: int
) -> None:
    site.array.control.do("fault", command="rmvdiskhostmap", delay=SECONDS, before="connection")
    with after(site, lambda: counted(site, "lshost") >= looks, logged_in()):
        status, said = site.ctl(*command)
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "may yet be done" in said


@either
def test_a_node_that_comes_back_while_its_first_mapping_goes_keeps_the_second(
    site: Site, command: tuple[str, ...]
) -> None:
    other = f"{IQN}2"
    with administered(site) as client:
        client.ensure_host(Initiator(Iqn(other)), link="iscsi", names=("esx-17",))
        client.map_volume(VolumeName("vol-1"), "esx-17", share=True)
    path = site.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("nodeName: node9", "nodeName: node9, objects: {node1: esx-17}"))
    site.array.control.do("fault", command="rmvdiskhostmap", delay_after=SECONDS)
    with after(site, lambda: len(site.maps()) == 1, logged_in(), logged_in(other)):
        status, said = site.ctl(*command)
    (left,) = site.maps()
    assert status == 1
    assert f"may still map vol-1 to {left}: repeat this" in said
    assert "is logged in, so the node lives" in said
