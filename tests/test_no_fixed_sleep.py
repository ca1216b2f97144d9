"""No fixed sleep in the product: what sleeps looks again, in a loop with an end, or is listed here.

Python by its syntax tree; shell scripts and the stub in C by a look at their lines.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("helper", "nodeagent", "instorage", "provisioner", "installer")
SCRIPTS = ("deploy", "packaging", "selinux", "systemd", "tools/dist")
LISTED = {
    "helper/thaw.py: main": "after a failure systemd would start it again at once, without end",
    "helper/detach.py: detach": "nothing of a volume is here: seen twice, apart, before that is believed",
    "nodeagent/volume/fencing.py: living": "a node is logged out: said twice, apart (safety.md 14)",
    "nodeagent/volume/proof.py: unmap": "a twin is logged out: said twice, apart",
    "nodeagent/volume/leftover.py: confirm_unmapped": "«not mapped» is said twice, apart",
    "nodeagent/recovery/vanished.py: forget_format": "«no array has it» is said twice, apart",
    "instorage/arrays/as18000/session/hesitation.py: sure": "an empty answer is asked for twice, apart",
}
"""`file: function` of a sleep outside of a loop, and why nothing can be waited for there."""


class Sleeps(ast.NodeVisitor):
    """Collects the calls of `sleep` that stand in no loop, by the function they are in."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._functions: list[str] = []
        self._loops = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._functions.append(node.name)
        loops, self._loops = self._loops, 0
        self.generic_visit(node)
        self._loops = loops
        self._functions.pop()

    def visit_While(self, node: ast.While) -> None:
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func).rpartition(".")[2] == "sleep" and not self._loops:
            self.found.append(self._functions[-1] if self._functions else "module")
        self.generic_visit(node)


def sleeps() -> Iterator[str]:
    for path in (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")):
        visitor = Sleeps()
        visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
        yield from (f"{path.relative_to(ROOT)}: {name}" for name in visitor.found)


def scripts() -> Iterator[Path]:
    for path in (path for folder in SCRIPTS for path in (ROOT / folder).rglob("*") if path.is_file()):
        if re.match(rb"#!.*\bsh\b", path.read_bytes()[:40]):
            yield path


def endless(text: str) -> list[int]:
    """Return the lines of a shell script that sleep outside of a loop that counts and gives up."""
    found, loops = [], list[list[str]]()
    waits: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(while|until)\b", line):
            loops.append([])
        for loop in loops:
            loop.append(line)
        if re.search(r"^\s*sleep\b|[;&|]\s*(do\s+)?sleep\b", line):
            waits.append((number, loops[-1])) if loops else found.append(number)
        if re.search(r"^\s*done\b|;\s*done\b", line) and loops:
            loops.pop()
    ends = r"(?s)\[ .* -(le|lt|ge|gt|eq) .*\b(exit|return|break)\b"
    return found + [number for number, loop in waits if not re.search(ends, "\n".join(loop))]


def test_a_script_sleeps_only_in_a_loop_that_gives_up() -> None:
    by_name = {path.name: endless(path.read_text(encoding="utf-8")) for path in scripts()}
    assert {"kubeconfig.sh", "install.sh", "after-install", "load.sh"} <= by_name.keys()
    assert {name: lines for name, lines in by_name.items() if lines} == {}


def test_a_script_that_sleeps_for_nothing_or_for_ever_is_seen() -> None:
    counted = "until up; do\n    n=$((n - 1))\n    [ $n -le 0 ] && exit 1\n    sleep 1\ndone\n"
    assert endless(counted) == []
    assert endless(f"{counted}sleep 5\n") == [6]
    assert endless("until up; do\n    sleep 1\ndone\n") == [2]
    assert endless("until up; do sleep 1; done\n") == [1]
    assert endless("start && sleep 2\n") == [1]


def test_the_stub_lets_time_pass_only_until_its_deadline() -> None:
    lines = (ROOT / "flexvolume-stub/stub.c").read_text(encoding="utf-8").splitlines()
    passing = [line for line in lines if "wait_for(-1" in line]
    assert len(passing) == 1, "what retries a connect"
    assert all("left_ms()" in line for line in passing)
    assert not [line for line in lines if re.search(r"sleep|alarm|setitimer", line)]


def test_nothing_in_the_product_sleeps_but_to_look_again() -> None:
    assert set(sleeps()) == set(LISTED)


def test_a_sleep_outside_of_a_loop_is_seen() -> None:
    visitor = Sleeps()
    inner = "        def g():\n            time.sleep(1)\n"
    visitor.visit(ast.parse(f"def f():\n    while True:\n{inner}        sleep(2)\n"))
    assert visitor.found == ["g"]
