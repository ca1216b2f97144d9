"""The lab as a fixture: virtual machines with a real SAN, loaded from memory snapshots when first used."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.link import USUAL
from tests.lab.rig_site import prepare
from tools.lab import Lab, LabFault, denials
from tools.lab.fibre_channel import san_over
from tools.lab.product import Product, host_settings
from tools.lab.snapshots import snapshots
from tools.lab.topology import NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.lab.helper_rig import Rig, Volume
    from tools.lab import Machine
    from tools.lab.san import San

HERE = Path(__file__).parent
TIMEOUT = 300  # seconds for one lab test, its fixtures included; the machines are emulated
JOURNAL_LINES = 60
LAB = pytest.StashKey[Lab]()
SPOILED = pytest.StashKey[bool]()
"""A lab test has failed: what it left in the machines must not make the next one fail, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test here without the lab's mark: a native run beside the lab would load a second one."""
    for item in items:
        if item.path.is_relative_to(HERE) and not item.get_closest_marker("lab"):
            raise pytest.UsageError(f"{item.nodeid} has no mark «lab»: each test here loads machines")
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.subprocess)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before the first test, whose time limit is too short for it."""
    wanted = any(item.get_closest_marker("lab") for item in session.items)
    if wanted and not session.config.option.collectonly:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        say: Callable[[str], None] = reporter.write_line if reporter else print
        with contextlib.suppress(LabFault):  # the fixture meets it again and each test reports it
            snapshots(say)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The array and nodes a and b, each loaded when first asked for; `lab.fresh()` replaces them."""
    with Lab(NODES) as lab:
        request.config.stash[LAB] = lab
        yield lab
        del request.config.stash[LAB]


@pytest.fixture(scope="module")
def link(request: pytest.FixtureRequest) -> str:
    """`iscsi` or `fc`: both, one after the other, in a module that says so (`tests.lab.link.over`)."""
    return str(getattr(request, "param", USUAL))


@pytest.fixture
def iscsi_only(link: str) -> None:
    """Portals, sessions or records of iscsid: nothing that Fibre Channel has."""
    if link != "iscsi":
        pytest.skip("of iSCSI")


@pytest.fixture(scope="module", autouse=True)
def fresh_machines(lab: Lab, link: str) -> None:
    """Give each module, and each link, the machines as they were saved: no sessions, nothing installed."""
    lab.fresh()


@pytest.fixture(scope="module")
def denied_besides() -> tuple[str, ...]:
    """What the tests of a folder do besides, or see besides, and the product in the field does not."""
    return ()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_denied(
    lab: Lab, fresh_machines: None, denied_besides: tuple[str, ...], request: pytest.FixtureRequest
) -> Iterator[None]:
    """Fail on a denial of our domains that the module has not in its DENIED, in a permissive lab, too."""
    for machine in lab.machines:
        machine.denied.clear()
    yield
    listed = {*getattr(request.module, "DENIED", ()), *denied_besides}
    for machine in lab.machines:
        told = machine.denied | (denials.of(machine) if machine.running else {})
        found = {rule: line for rule, line in told.items() if rule not in listed}
        said = "".join(f"{rule}\n    {line}\n" for rule, line in found.items())
        assert not found, f"{machine.name}: SELinux denied what is ours; what would allow it:\n{said}"


@pytest.fixture(scope="session")
def array(lab: Lab) -> Machine:
    """The machine of the array."""
    return lab.array


@pytest.fixture(scope="session")
def node(lab: Lab) -> Machine:
    """The machine of node a, the array beside it."""
    lab.start("array", "a")
    return lab.node("a")


@pytest.fixture(scope="module")
def san(lab: Lab, link: str) -> Iterator[San]:
    """The array as a program beside node a."""
    lab.start("array", "a")
    with san_over(link, lab) as san:
        yield san


@pytest.fixture(scope="module")
def product(lab: Lab, link: str, san: San) -> Product:
    """The whole product, installed on node a and running."""
    product = Product(lab.node("a"), host=host_settings(link))
    product.install()
    return product


@pytest.fixture(scope="module")
def installed(lab: Lab, link: str) -> Iterator[Rig]:
    """The helper's units on node a, a SAN beside it, without an agent."""
    rig = prepare(lab, link)
    yield rig
    rig.plane.close()
    rig.client.close()
    print("\n".join(f"{verb:10} {ms:6} ms" for verb, ms in rig.milliseconds))


@pytest.fixture
def rig(installed: Rig, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The rig, on which a test must leave nothing of any volume."""
    yield installed
    if not {"volume", "standing"} & set(request.fixturenames):  # which look themselves, at their end
        installed.assert_clean()


@pytest.fixture
def volume(rig: Rig) -> Iterator[Volume]:
    """A volume mapped to node a; the test must leave nothing of it."""
    volume = rig.volume()
    yield volume
    try:
        rig.assert_clean()
    except AssertionError:
        rig.clear(volume)
        raise
    rig.delete(volume)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    lab = item.config.stash.get(LAB, None)
    if lab is not None and report.failed and item.get_closest_marker("lab"):
        report.sections.extend(_what_machines_say(lab))
        item.config.stash[SPOILED] = True
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """After a failure begin with fresh machines: end every fixture, so that the test makes them anew."""
    if item.config.stash.get(SPOILED, False):
        item.config.stash[SPOILED] = False
        item.session._setupstate.teardown_exact(None)


def _what_machines_say(lab: Lab) -> Iterator[tuple[str, str]]:
    for machine in lab.machines:
        if not machine.running:
            yield f"{machine.name}", "not running"
            continue
        yield f"{machine.name}: console", machine.console[-3000:]
        try:
            shown = machine.run(f"journalctl -b -q --no-pager -n {JOURNAL_LINES}", 20, check=False)
            yield f"{machine.name}: journal", shown.stdout
        except LabFault as fault:
            yield f"{machine.name}: journal", str(fault)
