"""One node after the other: Debian 11, 12 and 13, without any Python, the product as users get it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.conftest import LAB
from tests.lab.releases.footprint import footprint
from tests.soak import IN_SOAK, in_turn
from tools.install import PLUGIN
from tools.lab import Lab, LabFault
from tools.lab.archive import Archive, Unpacked, built
from tools.lab.product import Product
from tools.lab.releases import BOOKWORM, BULLSEYE, RELEASES, TRIXIE, Release, of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tools.lab import Machine
    from tools.lab.lab import Saved
    from tools.lab.progress import Report
    from tools.lab.san import San

# The oldest and the newest in turn, on the other one's day enforcing (tests/lab/selinux). Debian 12 is the
# ordinary lab's: tests/lab/node.
_MARKS = {BOOKWORM: IN_SOAK, BULLSEYE: in_turn(0, 2), TRIXIE: in_turn(1, 2)}
# It watches its plugin directory, which is there before and stays; the installer asks how it was started.
KUBELET = """
mkdir -p /run/lab && cp /bin/sleep /run/lab/kubelet && systemd-run -q --unit=kubelet /run/lab/kubelet infinity
mkdir -p $(dirname {plugin})
"""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before the first test, whose time limit is too short for it."""
    here = Path(__file__).parent
    items = [item for item in session.items if item.path.parent == here and isinstance(item, pytest.Function)]
    items = [item for item in items if not any(mark.args[0] for mark in item.iter_markers("skipif"))]
    if items and not session.config.option.collectonly:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        say: Callable[[str], None] = reporter.write_line if reporter else print
        wanted = {_release(item) for item in items}
        for release in (release for release in RELEASES.values() if release in wanted):
            with contextlib.suppress(LabFault):  # the fixture meets it again and each test reports it
                of(release)(say)
        with contextlib.suppress(LabFault):
            built(say)


def _release(item: pytest.Function) -> object:
    """Return the release of a test: one of all, or that of its module."""
    return item.callspec.params["release"] if hasattr(item, "callspec") else item.module.RELEASE


@contextlib.contextmanager
def other_lab(config: pytest.Config, machines: Callable[[Report], Mapping[str, Saved]]) -> Iterator[Lab]:
    """Have other machines; the ordinary ones end, and the next module has fresh ones."""
    ordinary = config.stash.get(LAB, None)
    for machine in ordinary.machines if ordinary else ():
        machine.end()
    with Lab(["a"], machines=machines) as lab:
        config.stash[LAB] = lab
        yield lab
    del config.stash[LAB]
    if ordinary:
        config.stash[LAB] = ordinary


@pytest.fixture(
    scope="module",
    params=[pytest.param(one, id=name, marks=_MARKS.get(one, ())) for name, one in RELEASES.items()],
)
def release(request: pytest.FixtureRequest) -> Release:
    """The node's release of Debian."""
    found: Release = request.param
    return found


@pytest.fixture(scope="module")
def lab(release: Release, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The array and a node of the release."""
    with other_lab(request.config, of(release)) as lab:
        yield lab


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Machine:
    """The node, with a program that is called kubelet."""
    lab.start()
    node = lab.node("a")
    node.run(KUBELET.format(plugin=f"/{PLUGIN}"))
    return node


@pytest.fixture(scope="session")
def archive() -> Archive:
    """What a user of this version gets."""
    return built()


@dataclass(frozen=True)
class Installed:
    """The product on the node; `before` is what was there without it, `seconds` what its installer took."""

    product: Product
    archive: Unpacked
    before: frozenset[str]
    seconds: float


@pytest.fixture(scope="module")
def installed(machine: Machine, san: San, archive: Archive) -> Installed:
    """The product from its archive, configured and started."""
    before = footprint(machine)
    unpacked, product = archive.put_on(machine), Product(machine)
    return Installed(product, unpacked, before, product.install_from(unpacked))
