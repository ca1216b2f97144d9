"""The whole build once more, from nothing: the same bytes; and what the checkers of deb and rpm say."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import soak
from tools.dist import archive, packages, toolchain
from tools.dist.__main__ import make

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.dist,
    pytest.mark.slow,
    pytest.mark.subprocess,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not soak.WHOLE, reason="a quarter of an hour: make soak"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(toolchain.native(), tmp_path_factory.mktemp("made"))


def test_two_builds_from_nothing_are_one(
    made: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTORAGE_DIST_CACHE", str(tmp_path / "cache"))
    again = {file.name: archive.digest(file) for file in make(toolchain.native(), tmp_path / "again")}
    assert again == {file.name: archive.digest(file) for file in made}


def checked(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    return done.stdout + done.stderr


def test_lintian_finds_no_error(made: list[Path]) -> None:
    for package in made:
        if package.suffix == ".deb":
            said = checked("lintian", "--allow-root", "--fail-on", "none", package)
            assert not [line for line in said.splitlines() if line.startswith("E: ")], said


def test_rpmlint_finds_no_error(made: list[Path]) -> None:
    for package in made:
        if package.suffix == ".rpm":
            said = checked("rpmlint", "--config", packages.PACKAGING / "rpmlint.toml", package)
            assert " 0 errors" in said, said


def test_an_rpm_asks_for_systemd_and_for_nothing_that_was_found_out(made: list[Path]) -> None:
    for package in made:
        if package.suffix == ".rpm":
            wanted = checked("rpm", "-qp", "--requires", package).splitlines()
            ours = [line for line in wanted if not line.startswith(("rpmlib(", "/bin/sh"))]
            assert ours == [f"systemd >= {packages.SYSTEMD}"]
            assert checked("rpm", "-qp", "--provides", package).count("\n") <= 2
