"""The manual's log directory, and one that systemd keeps the agent from, under the installed units."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.soak import in_turn
from tools.lab.kubelet import Kubelet
from tools.lab.product import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, in_turn(0, 2)]
NAME = "instorage-nodeagent.log"
ELSEWHERE = "/srv/logs of ours"
SECONDS = 60.0
DENIED = tuple(
    f"allow instorage_agent_t var_t:{what};"
    for what in (
        *("dir write", "dir add_name"),
        *(f"file {right}" for right in ("create", "append", "open", "getattr", "ioctl")),
    )
)
"""Logs elsewhere have no label of ours until an administrator gives it (docs/selinux.md)."""


@contextlib.contextmanager
def logging_to(product: Product, directory: str) -> Iterator[None]:
    """Have a log section as the manual's in force for a while."""
    node = product.machine
    text: dict[str, Any] = json.loads(node.read(CONFIGURATION))
    text["log"] = {"enabled": True, "logdir": directory, "level": "debug", "logrotatemaxsize": 0}
    node.put(CONFIGURATION, json.dumps(text), 0o640)
    node.run(f"chown root:instorage-agent {CONFIGURATION}")
    try:
        yield
    finally:
        product.configure()


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.3)
    return found


def test_the_manuals_directory_gets_the_agents_and_the_helpers_lines(
    product: Product, node: Machine, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(node, make_volume())
    with logging_to(product, "/var/log/inspurlog"):
        failed = [one.message for one in (*kubelet.start_pod(), *kubelet.end_pod()) if not one.success]
        assert not failed
        text = node.read(f"/var/log/inspurlog/{NAME}").decode()
    for verb in ("Attach", "Mount", "Bind", "Unmount", "Detach"):
        assert any("instorage-helper: " in line and f" {verb} " in line for line in text.splitlines()), verb
    assert "mountdevice: Success" in text
    shown = node.run(f"stat -c '%U %G %a' /var/log/inspurlog /var/log/inspurlog/{NAME}").stdout.splitlines()
    assert shown[0] == "root instorage 1770"
    assert shown[1].startswith("instorage-agent ")


def test_what_the_agent_says_of_a_directory_that_its_unit_forbids_works_when_root_types_it(
    product: Product, node: Machine
) -> None:
    since = node.run("date +%s").stdout.strip()
    unit = "instorage-nodeagent"

    def mend() -> str:
        said = node.run(f"journalctl -q -o cat -u {unit} --since=@{since}").stdout.splitlines()
        wanted = f"{ELSEWHERE}/{NAME} cannot be written (Read-only file system)"
        return next((line.partition("As root: ")[2] for line in said if wanted in line), "")

    with logging_to(product, ELSEWHERE):
        try:
            node.run(until(mend), timeout=120)
            until(lambda: "volumeKey" in node.run(f"cat '{ELSEWHERE}/{NAME}'", check=False).stdout)
        finally:
            node.run(f"rm -rf /etc/systemd/system/{unit}.service.d/logdir.conf '{ELSEWHERE}'")
            node.run(f"systemctl daemon-reload && systemctl restart {unit}", timeout=120)
