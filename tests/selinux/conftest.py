"""The distribution's policy with our module linked in: nothing of this machine's own policy is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.selinux.linked import linked as make

if TYPE_CHECKING:
    from tools.selinux.linked import Linked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/selinux" in str(item.path):
            for marker in (pytest.mark.slow, pytest.mark.subprocess, pytest.mark.timeout(300)):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def linked() -> Linked:
    """The linked policy, made once for each change of the module."""
    return make(print)
