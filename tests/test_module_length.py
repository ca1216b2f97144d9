"""The house's measure: no module is longer than one noun needs (CONTRIBUTING.md)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSES = ("helper", "nodeagent", "instorage", "provisioner", "simulator", "installer", "tools", "tests")
MOST = 250  # lines


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.subprocess
def test_no_module_is_longer_than_the_rule_allows() -> None:
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *(f"{house}/*.py" for house in HOUSES)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    modules = [path for name in listed.split("\0") if name and (path := ROOT / name).exists()]
    assert {path.relative_to(ROOT).parts[0] for path in modules} == set(HOUSES)
    long = {str(path.relative_to(ROOT)): lines for path in modules if (lines := length(path)) > MOST}
    told = ", ".join(f"{name} has {lines}" for name, lines in sorted(long.items()))
    assert not long, f"over {MOST} lines, to be cut by their nouns: {told}"
