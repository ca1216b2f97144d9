"""No fixed sleep in the product: what sleeps looks again, in a loop with an end, or is listed here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("helper", "nodeagent", "instorage", "provisioner", "installer")
LISTED = {
    "helper/thaw.py: main": "after a failure systemd would start it again at once, without end",
    "helper/detach.py: detach": "nothing of a volume is here: seen twice, apart, before that is believed",
    "nodeagent/volume/fencing.py: living": "a node is logged out: said twice, apart (safety.md 14)",
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


def test_nothing_in_the_product_sleeps_but_to_look_again() -> None:
    assert set(sleeps()) == set(LISTED)


def test_a_sleep_outside_of_a_loop_is_seen() -> None:
    visitor = Sleeps()
    inner = "        def g():\n            time.sleep(1)\n"
    visitor.visit(ast.parse(f"def f():\n    while True:\n{inner}        sleep(2)\n"))
    assert visitor.found == ["g"]
