"""Root code: what its main loads is listed, and little."""

from __future__ import annotations

import ast
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED = {"sdnotify"}

# What a start needs nothing of, and is slow to load: dataclasses compiles each class, and brings inspect.
SLOW = {"asyncio", "dataclasses", "decimal", "email", "http", "inspect", "logging", "secrets", "ssl"}

MAX_LINES = 3200  # of code: no blank lines, comments, docstrings, tables of words

SHOW_MODULES = """
import sys
sys.path[:0] = [sys.argv[1]]
import helper.__main__
for name, module in sorted(sys.modules.items()):
    print(name, getattr(module, "__file__", None) or "-")
"""


@pytest.mark.subprocess
def test_root_code_loads_nothing_that_is_not_listed_and_is_small() -> None:
    argv = [sys.executable, "-I", "-c", SHOW_MODULES, str(ROOT)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    loaded = dict(line.split(" ", 1) for line in shown.stdout.splitlines())
    foreign = {name.partition(".")[0] for name, file in loaded.items() if "site-packages" in file}
    assert foreign - {"_distutils_hack", "__editable___instorage_k8s_3_0_0_dev0_finder"} == ALLOWED
    ours = {name: file for name, file in loaded.items() if file.startswith(str(ROOT / "helper"))}
    wire = {name: file for name, file in loaded.items() if name.partition(".")[0] == "instorage"}
    assert all(name in ("instorage", "instorage.wire") or name.startswith("instorage.wire.") for name in wire)
    lines = {name: _code_lines(Path(file)) for name, file in (ours | wire).items()}
    print(f"{sum(lines.values())}: {lines}")
    assert sum(lines.values()) <= MAX_LINES


@pytest.mark.subprocess
def test_the_helper_loads_nothing_slow_before_it_serves() -> None:
    """The first call waits for the start of root code, which is socket-activated and leaves when idle."""
    argv = [sys.executable, "-I", "-c", SHOW_MODULES, str(ROOT)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert {line.split()[0] for line in shown.stdout.splitlines()} & SLOW == set()


def test_words_alone_are_no_code_and_what_is_computed_is() -> None:
    words = "class Code(StrEnum):\n    A = 'a'\n    B = 'b'\n"
    assert _words(words) == {2, 3}
    assert _words(words + "    def run(self): ...\n") == set()
    assert _words(words + "    C = made()\n") == set()
    assert _words("class Code(str):\n    A = 'a'\n") == set()


def _words(source: str) -> set[int]:
    """Return the lines of enumerations that hold nothing but names and their texts: a table, no code."""
    found: set[int] = set()
    for one in ast.walk(ast.parse(source)):
        if isinstance(one, ast.ClassDef) and [ast.unparse(base) for base in one.bases] == ["StrEnum"]:
            members = [line for line in one.body if not _is_docstring(line)]
            if all(isinstance(line, ast.Assign) and _is_text(line.value) for line in members):
                found.update(line.lineno for line in members)
    return found


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and _is_text(line.value)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _code_lines(path: Path) -> int:
    """Count the lines that hold code."""
    source = path.read_text(encoding="utf-8")
    silent = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    held: set[int] = set()
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type not in silent and not (
            token.type == tokenize.STRING and token.line.strip()[:3] == '"""'
        ):
            held.update(range(token.start[0], token.end[0] + 1))
    return len(held - _words(source))
