"""The man pages in the packages: where install.sh takes them, and what lintian and rpmlint say of them."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests import soak
from tools.dist import archive, packages
from tools.man.__main__ import FOLDER

pytestmark = [pytest.mark.dist, pytest.mark.subprocess]
WHOLE = pytest.mark.skipif(not soak.WHOLE, reason="half a minute of lintian and rpmlint: make soak")
WHEN = 1_700_000_000
NODE = packages.PACKAGES[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A deb and an rpm that have the pages twice: as ours have them, and where a distribution puts them."""
    top = tmp_path_factory.mktemp("made")
    archive.put_beside(FOLDER, top / "archive/man")
    texts = top / "texts"
    texts.mkdir()
    packages._write_texts(NODE, texts, WHEN)
    for name in ("install.sh", "README.md", "LICENSE", "VERSION", "kubectl-instorage"):
        (top / "archive" / name).write_text(f"{name}\n")
    described = packages.description(NODE, top / "archive", "x86_64", WHEN, texts)
    described["contents"] += [*shared(top)]
    file = top / "nfpm.json"
    file.write_text(json.dumps(described))
    return {kind: packages.packed(file, kind, top / f"made.{kind}", WHEN) for kind in packages.FORMATS}


def shared(top: Path) -> list[dict[str, object]]:
    """Entries for share/man, compressed as both formats want it."""
    entries: list[dict[str, object]] = []
    for page in sorted(path for path in FOLDER.rglob("*.?") if path.is_file()):
        place = top / "usr/share/man" / page.relative_to(FOLDER).parent / f"{page.name}.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        if page.is_symlink():
            place.symlink_to(f"{page.readlink()}.gz")
        else:
            place.write_bytes(gzip.compress(page.read_bytes(), 9, mtime=0))
        entry = packages.entry(place, Path("/", place.relative_to(top)), WHEN)
        entries += [entry | {"packager": "deb"}, {"type": "doc"} | entry | {"packager": "rpm"}]
    return entries


@WHOLE
def test_lintian_says_nothing_of_a_page(made: dict[str, Path]) -> None:
    said = checked("lintian", "--allow-root", "--fail-on", "none", "--pedantic", "-I", made["deb"])
    about = [line for line in said.splitlines() if "/man/" in line]
    assert about, "it knows that the programs of these pages are not in this package"
    assert [line for line in about if ": spare-manual-page " not in line] == []


@WHOLE
def test_rpmlint_says_nothing_of_a_page(made: dict[str, Path]) -> None:
    said = checked("rpmlint", "--config", packages.PACKAGING / "rpmlint.toml", made["rpm"])
    about = [line for line in said.splitlines() if "/man/" in line]
    assert about, "it would have Mandriva's bzip2"
    assert [line for line in about if ": manpage-not-compressed bz2 " not in line] == []


def test_both_packages_bring_what_install_puts(made: dict[str, Path]) -> None:
    listed = checked("dpkg-deb", "--contents", made["deb"])
    for page in ("man/man8/instoragectl.8", "man/zh_CN/man8/instoragectl.8"):
        assert f"/usr/lib/instorage-node/{page}\n" in listed
    assert "man/man8/instorage-helper.8 -> instorage-helper.service.8\n" in listed


def checked(*argv: str | Path) -> str:
    done = subprocess.run([*argv], capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr
