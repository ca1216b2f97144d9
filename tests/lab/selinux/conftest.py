"""Node a with SELinux enforcing, no rule silent, the product installed before: as on a host of that kind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tools.lab.archive import built
from tools.lab.policy import load
from tools.lab.product import Product, host_settings
from tools.lab.progress import to_stderr
from tools.selinux.linked import audited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine
    from tools.lab.archive import Unpacked
    from tools.lab.san import San

    MakeVolume = Callable[..., str]

THIN = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand"
# What a module of the site would say (instorage_volume), here of a type in the place of a container type.
# And, for runcon, that a Python may be the entry of our domains and of another one, from a shell.
FURTHER = (
    "(typeattributeset instorage_volume_type (user_home_t))\n"
    + "".join(
        f"(allow instorage_{one}_t bin_t (file (entrypoint)))\n" for one in ("agent", "provisioner", "helper")
    )
    + """\
(allow httpd_t bin_t (file (entrypoint execute read open map getattr ioctl)))
(allow httpd_t instorage_runtime_t (dir (search)))
(allow initrc_t httpd_t (process (transition)))
"""
)
BACKLOG = "auditctl -b 65536"  # with every denial audited more come at a time than the kernel keeps
RESTART = "systemctl restart iscsid.service multipathd.service && systemctl restart instorage-node.target"


@pytest.fixture(scope="module")
def denied_besides() -> tuple[str, ...]:
    """What policies keep silent about, and here none is silent.

    At a change of domain the kernel asks whether environment, signals and limits are kept: they are not.
    systemctl, which is asked at shutdown and for a look at the configuration, looks where SELinux is
    configured, would send much at once, and needs nothing of it.
    """
    kept = (
        f"allow instorage_{change}:process {what};"
        for change in ("helper_t iscsid_t", "helper_t lvm_t", "helper_t fsadm_t", "stub_t instorage_ext_t")
        for what in ("noatsecure", "siginh", "rlimitinh")
    )
    asked = ("selinux_config_t:dir search", "security_t:filesystem getattr", "self:capability net_admin")
    systemctl = ("allow instorage_shutdown_t selinux_config_t:dir search;",)
    return (*kept, *systemctl, *(f"allow instorage_ext_t {what};" for what in asked))


@pytest.fixture(scope="module")
def archive(lab: Lab, san: San) -> Unpacked:
    """What users get, unpacked on node a."""
    return built().put_on(lab.node("a"))


@pytest.fixture(scope="module")
def enforced(lab: Lab, san: San, link: str) -> Iterator[Product]:
    """The product on node a, every process of it in its domain, and nothing denied in silence."""
    product = Product(lab.node("a"), host=host_settings(link))
    product.install()
    product.machine.run(BACKLOG)
    load(product.machine, audited(to_stderr, FURTHER))
    product.machine.run("setenforce 1")
    product.machine.run(RESTART, 120)
    yield product
    assert "lost 0\n" in product.machine.run("auditctl -s").stdout, "what was denied is not all known"
    product.machine.run("setenforce 0")


@pytest.fixture(scope="module")
def node(enforced: Product) -> Machine:
    """Node a, enforcing."""
    return enforced.machine


@pytest.fixture
def make_volume(san: San) -> Iterator[MakeVolume]:
    """Make volumes on the array and return their names; they are deleted when the test has ended."""
    made: list[str] = []

    def make(size_gib: int = 1) -> str:
        name = f"pvc-{uuid.uuid4()}"
        san.command(f"mcsop mkvdisk -name {name} -size {size_gib} -unit gb {THIN}")
        made.append(name)
        return name

    yield make
    for volume in made:
        san.command(f"mcsop rmvdisk -force {volume}")
