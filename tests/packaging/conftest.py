"""Archives of two versions, and directories that stand for hosts (install.sh --root)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import archive, run
from tests.packaging.host import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an older version."""
    return archive(tmp_path_factory.mktemp("old"), "3.0.0")


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a newer version."""
    return archive(tmp_path_factory.mktemp("new"), "3.1.0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty host."""
    (tmp_path / "host/etc").mkdir(parents=True)
    return tmp_path / "host"


@pytest.fixture
def node(root: Path, old: Path) -> Path:
    """A host on which the older version's node part was installed."""
    done = run(old, "--node", "--root", str(root))
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that runs."""
    with Host(tmp_path / "host") as host:
        yield host


@pytest.fixture
def running(host: Host, old: Path) -> Host:
    """A host on which the older version runs."""
    done = host.install(old, "--node")
    assert done.returncode == 0, done.stderr
    assert host.version == "3.0.0"
    assert host.calls
    return host
