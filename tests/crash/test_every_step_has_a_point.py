"""The table of steps is whole: nothing changes a host or an array without a point directly after it."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from instorage.wire import steps
from tests.crash.table import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RAW = {
    "mounts.mount", "mounts.bind", "mounts.unmount", "scsi.scan", "scsi.delete", "scsi.rescan",
    "filesystem.grow", "filesystem.order", "store.put", "store.drop",
    "os.mkdir", "os.rename", "os.unlink",
    "array.map_volume", "array.unmap_volume", "array.ensure_host", "records.put", "records.remove",
    "helper.attach", "helper.detach", "helper.mount", "helper.bind", "helper.unmount",
    "array.grow_volume", "array.expand_active_active", "array.resume_expansion",
    "_helper.barrier", "_helper.freeze", "_helper.thaw", "helper.grow_filesystem",
}  # fmt: skip
"""Calls that change something, by the last two names of what is called."""
PROGRAMS = {
    "iscsiadm": "login", "multipath": "map", "mkfs": "format", "fsck.ext4": "check", "blkid": "",
    "systemctl": "",
}  # fmt: skip
"""What `run` starts, and what it changes; an empty word: nothing."""
ORDERS = ("add path", "add map", "resize map", "del map", "disablequeueing")
"""What multipathd is asked to do; everything else is a question."""
NO_STEP = {
    (
        "helper/mounted.py",
        "prove",
    ): "puts a target back to what it was; what is left of that is a mount of ours",
    (
        "helper/mount.py",
        "_with_map",
    ): "a map that came too late for attach, whose step it is; the next call finds it",
    ("helper/target.py", "walk"): "the target's last directory, which kubelet makes and removes",
    ("helper/volume.py", "hold"): "the file of a lock, which the next one makes anew",
    ("helper/abandoned.py", "count"): "the list of children that ended",
    (
        "helper/freeze.py",
        "_keep_frozen",
    ): "has its own points; what somebody has thawed is frozen anew until the lease ends",
    (
        "nodeagent/recovery/comparison.py",
        "compare_all",
    ): "forgets formats of volumes that are no more: the helper's step, and the next start asks again",
    (
        "nodeagent/administration/release.py",
        "unmapped",
    ): "an administrator's one command to the array, which he repeats himself; nothing follows it",
    (
        "nodeagent/administration/barrier.py",
        "_resume",
    ): "an administrator's command, which he repeats himself; its steps are those of an expansion",
    ("nodeagent/expansion/guard.py", "_require_nobody_else"): "asks what is kept, and changes nothing",
    ("helper/iscsi.py", "leave_gone"): "ends sessions one by one; the next look ends the rest",
    (
        "nodeagent/recovery/addition.py",
        "_add_one",
    ): "has paths added: the helper's steps, and the next look asks again",
    ("nodeagent/operation/records.py", "remove"): "is itself a step of its callers",
}
"""Functions that change something and are no step of an operation, and why."""


class Function(NamedTuple):
    """A function of the product at the top of a module or class."""

    file: str
    node: ast.FunctionDef

    @property
    def name(self) -> str:
        return self.node.name


def functions() -> list[Function]:
    found = []
    for folder in ("helper", "nodeagent"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            tops = [
                *tree.body,
                *(one for top in tree.body if isinstance(top, ast.ClassDef) for one in top.body),
            ]
            file = str(path.relative_to(ROOT))
            found += [Function(file, one) for one in tops if isinstance(one, ast.FunctionDef)]
    return found


def spelled(node: ast.expr) -> str:
    """`a.b.c` as its last two names."""
    return ".".join(ast.unparse(node).split(".")[-2:])


def changes(call: ast.Call) -> bool:
    """Whether a call changes host or array by itself."""
    name = spelled(call.func)
    words = re.search(r"\w[^'\"]*", ast.unparse(call.args[0]).removeprefix("f")) if call.args else None
    first = words[0] if words else ""
    if name == "run":
        known = [what for program, what in PROGRAMS.items() if first.startswith(program)]
        if first.startswith("_MAKE"):
            known = ["format"]
        assert known, f"run({first}) is not known to this test: does it change something?"
        return bool(known[0])
    if name in ("ask", "multipath.ask"):
        return first.startswith(ORDERS)
    return name in RAW or any(name.endswith(f".{raw}") for raw in RAW)


def points(function: Function) -> Iterator[tuple[int, str]]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call) and spelled(node.func) == "reached":
            yield node.lineno, ast.unparse(node.args[0]).rpartition("Step.")[2]


def uses(name: str, file: str, everything: list[Function]) -> Iterator[tuple[Function, int]]:
    """Where a function is called or handed on: within its file by its name, elsewhere as `module.name`."""
    module = Path(file).stem
    for function in everything:
        for node in ast.walk(function.node):
            if isinstance(node, ast.Name):
                own = node.id == name and isinstance(node.ctx, ast.Load)
                used = own and (function.file == file or imported(function.file, module, name))
            elif isinstance(node, ast.Attribute):
                used = spelled(node).endswith(f"{module}.{name}")
            else:
                continue
            if used:
                yield function, node.lineno


def imported(file: str, module: str, name: str) -> bool:
    tree = ast.parse((ROOT / file).read_text())
    return any(
        isinstance(node, ast.ImportFrom)
        and str(node.module).endswith(module)
        and any(alias.name == name for alias in node.names)
        for node in ast.walk(tree)
    )


def unfollowed(function: Function, line: int, everything: list[Function], seen: set[str]) -> list[str]:
    """Where a change at `line` can end an operation without a point: in the function, else in its callers."""
    if (function.file, function.name) in NO_STEP or f"{function.file}:{function.name}" in seen:
        return []
    if any(at > line for at, _ in points(function)):
        return []
    callers = list(uses(function.name, function.file, everything))
    callers = [(user, at) for user, at in callers if user.node is not function.node]
    if not callers:
        return [f"{function.file}:{line} in {function.name}"]
    seen = seen | {f"{function.file}:{function.name}"}
    return [one for user, at in callers for one in unfollowed(user, at, everything, seen)]


def test_every_step_is_a_point_of_the_code_exactly_once() -> None:
    used = Counter(name for function in functions() for _, name in points(function))
    assert set(used) == {step.name for step in STEPS}
    assert [name for name, count in used.items() if count != 1] == []


@pytest.mark.parametrize("process", ["helper", "agent"])
def test_a_step_is_named_after_the_process_that_does_it(process: str) -> None:
    folder = {"helper": "helper", "agent": "nodeagent"}[process]
    used = {name for one in functions() if one.file.startswith(folder) for _, name in points(one)}
    assert {step.name for step in STEPS if step.startswith(f"{process}.")} == used


def test_whatever_changes_a_host_or_an_array_is_followed_by_a_point() -> None:
    everything = functions()
    bare, seen = [], 0
    for function in everything:
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and changes(node):
                seen += 1
                bare += unfollowed(function, node.lineno, everything, set())
    assert seen > 25, "the test no longer finds what changes a host"
    assert sorted(set(bare)) == []


def test_two_changes_of_one_function_have_a_point_between_them() -> None:
    """Steps that belong together (two words to multipathd about one map) are named here as one."""
    together = {
        ("helper/multipath.py", "assemble"),
        ("helper/multipath.py", "flush"),
        ("helper/iscsi.py", "_log_in_alone"),
    }
    for function in functions():
        if (function.file, function.name) in together or (function.file, function.name) in NO_STEP:
            continue
        handled = {
            node
            for one in ast.walk(function.node)
            if isinstance(one, ast.ExceptHandler)
            for node in ast.walk(one)
        }
        calls = [
            node for node in ast.walk(function.node) if isinstance(node, ast.Call) and node not in handled
        ]
        lines = sorted(node.lineno for node in calls if changes(node))
        at = [line for line, _ in points(function)]
        for first, second in itertools.pairwise(lines):
            assert any(first < line < second for line in at), f"{function.file}:{second} follows {first} bare"


def test_the_product_cannot_be_stopped_at_a_point() -> None:
    tree = ast.parse(Path(steps.__file__).read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(function.body) == 1, "reached() does something"
    assert isinstance(function.body[0], ast.Expr)
    assert [node.module for node in tree.body if isinstance(node, ast.ImportFrom)] == ["enum"]
