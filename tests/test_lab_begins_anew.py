"""A lab test that fails leaves its machines to nobody: the next test begins with fresh ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFTEST = """
import types

import pytest

from tests.lab.conftest import LAB, pytest_runtest_makereport, pytest_runtest_setup


@pytest.fixture(scope="session")
def machines(request):
    request.config.stash[LAB] = types.SimpleNamespace(machines=())
    return []


@pytest.fixture(scope="module")
def product(machines):
    machines.append("installed")
    yield machines
    machines.clear()
"""
TESTS = """
import pytest

pytestmark = pytest.mark.lab


def test_first(product):
    product.append("left behind")
    assert False


def test_after_a_failure(product):
    assert product == ["installed"]
    product.append("kept")


def test_after_a_success(product):
    assert product == ["installed", "kept"]
"""


@pytest.mark.subprocess
def test_after_a_failure_everything_is_made_anew_and_after_a_success_nothing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_machines.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\nmarkers = lab: as ours\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert "1 failed, 2 passed" in ran.stdout, ran.stdout[-2000:]
