"""`python -m tools.man [--check]`: write man/ anew, or say what of it is not as its sources have it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.man.page import File, pages
from tools.man.translation import Untranslated

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).resolve().parents[2] / "man"


def made() -> dict[str, File]:
    """Return each file below man/ by its path."""
    return {file.path: file for page in pages() for file in page.files()}


def differences(folder: Path, wanted: dict[str, File]) -> list[str]:
    """Return the paths that are missing, not as wanted, or too many."""
    there = {one.path: one for one in _there(folder)}
    return sorted(path for path in {*there, *wanted} if there.get(path) != wanted.get(path))


def _there(folder: Path) -> Iterator[File]:
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            yield File(name, link=str(path.readlink()))
        elif path.is_file():
            yield File(name, path.read_text(encoding="utf-8"))


def write(folder: Path, wanted: dict[str, File]) -> None:
    """Make the folder's files those that are wanted, and no others."""
    for name in differences(folder, wanted):
        path = folder / name
        path.unlink(missing_ok=True)
        if name not in wanted:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if wanted[name].link:
            path.symlink_to(wanted[name].link)
        else:
            path.write_text(wanted[name].content, encoding="utf-8")


def main() -> int:
    """Write, or with --check compare; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.man", description="Make the man pages.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1: make man")
    given = parser.parse_args()
    try:
        wanted = made()
    except (Untranslated, ValueError) as error:
        print(f"tools.man: {error}", file=sys.stderr)
        return 1
    if given.check:
        found = differences(FOLDER, wanted)
        print("".join(f"man/{path} is not as its source has it: make man\n" for path in found), end="")
        return 1 if found else 0
    write(FOLDER, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
