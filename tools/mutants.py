"""Take each safety rule out of a copy of the tree and see the tests named for it fail: `make mutants`.

`tests/mutants/rules.toml` names, for each patch of that folder, the rule of safety.md that it takes out and
the tests that must notice. A mutant that survives a named test, a patch that no longer applies and a rule
without a mutant are failures. Mutants whose tests need the lab are run with LAB=1 only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests/mutants"
RULES = tuple(range(1, 26))
COPIED = (
    "helper", "instorage", "nodeagent", "provisioner", "simulator", "tools", "tests", "systemd", "packaging",
    "installer", "po", "pyproject.toml",
)  # fmt: skip
LIMIT = 240  # seconds for the tests of one mutant
LIMIT_OF_ALL = 1200  # seconds for the tests of all of them, without any mutant
HANG = 20  # seconds for one test: a mutant may well hang
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    """A patch that takes (a part of) a rule out, and the tests that must see it."""

    rule: int
    patch: str
    what: str
    tests: tuple[str, ...]
    lab: bool = False


def table() -> tuple[Mutant, ...]:
    """Read the table."""
    found = tomllib.loads((FOLDER / "rules.toml").read_text())["mutant"]
    return tuple(Mutant(**{**one, "tests": tuple(one["tests"])}) for one in found)


def copied(folder: Path) -> Path:
    """Copy what tests need into a folder."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    (folder / "build").symlink_to(ROOT / "build")
    (folder / "Makefile").symlink_to(ROOT / "Makefile")
    return folder


def applied(mutant: Mutant, folder: Path) -> str:
    """Apply the patch; return what is wrong with it, nothing when it applied."""
    argv = ["git", "apply", "-C1", "--recount", str(FOLDER / mutant.patch)]
    ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    return ran.stderr.strip() if ran.returncode else ""  # a context that has shifted is only remarked


def run(tests: tuple[str, ...], folder: Path, *, hang: int = HANG, limit: int = LIMIT) -> tuple[int, str]:
    """Run tests in a copy; return pytest's exit status and output (-1 when it hung as a whole)."""
    argv = [sys.executable, "-m", "pytest", "-q", "-rfE", "--timeout", str(hang), "-p", "no:randomly", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, process_group=0,
    ) as process:  # fmt: skip
        try:
            out = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return -1, process.communicate()[0]
    hung = process.returncode == 1 and "+++ Timeout +++" in out  # pytest-timeout ended it without a summary
    return (-1 if hung else process.returncode), out


def survived(mutant: Mutant, out: str) -> list[str]:
    """Return the tests named for a mutant that did not fail."""
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", out, re.MULTILINE)
    return [test for test in mutant.tests if not any(one.startswith(test) for one in failed)]


def judged(mutant: Mutant) -> str:
    """Return «killed», or what is wrong."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = copied(Path(name))
        if trouble := applied(mutant, folder):
            return f"does not apply: {trouble}"
        status, out = run(mutant.tests, folder, hang=600 if mutant.lab else HANG)
    if status not in (0, 1, -1):
        return f"the tests could not be run (pytest's status {status}): {out[-300:]}"
    alive = [] if status == -1 else survived(mutant, out)
    return f"SURVIVED {', '.join(alive)}" if alive else "killed"


def healthy(tests: tuple[str, ...]) -> str:
    """Return what fails without any mutant: a test that fails anyhow proves nothing."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        status, out = run(tests, copied(Path(name)), hang=60, limit=LIMIT_OF_ALL)
    return "" if status == 0 else out[-3000:]


def line(mutant: Mutant, result: str) -> str:
    """Return a line of the table that is printed."""
    tests = ", ".join(test.rpartition("::")[2] for test in mutant.tests)
    return f"{mutant.rule:>4}  {mutant.what:<62}  {result:<10}  {tests}"


def main() -> int:
    """Judge every mutant, or those whose patch or rule is given as an argument."""
    wanted = sys.argv[1:]
    mutants = [one for one in table() if not wanted or one.patch in wanted or str(one.rule) in wanted]
    chosen = [one for one in mutants if not one.lab or os.environ.get("LAB")]
    if not chosen:
        print(f"{' '.join(wanted)}: neither a patch nor a rule (LAB=1 for those of the lab)")
        return 1
    began = time.monotonic()
    if trouble := healthy(tuple(dict.fromkeys(test for one in chosen for test in one.tests))):
        print(f"The tests fail without any mutant:\n{trouble}")
        return 1
    bad = 0
    print(f"rule  {'mutant':<62}  {'result':<10}  tests")
    with ThreadPoolExecutor(1 if os.environ.get("LAB") else AT_ONCE) as pool:
        for mutant, result in zip(chosen, pool.map(judged, chosen), strict=True):
            bad += result != "killed"
            print(line(mutant, result), flush=True)
    for rule in RULES if not wanted else ():
        if not any(one.rule == rule for one in mutants):
            bad += 1
            print(f"{rule:>4}  no mutant")
    skipped = len(mutants) - len(chosen)
    print(f"{len(chosen)} mutants, {len(chosen) - bad} killed, {bad} wrong, {skipped} need LAB=1; "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
