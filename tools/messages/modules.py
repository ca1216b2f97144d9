"""Which modules' sentences a person may read: what the administrator's programs import, by their source.

Their imports are followed, those inside of functions too. What the helper or a call raises is not read:
a Fault of theirs that such a program shows stays English, but for a text that a module read here has as well.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tools.messages.exclusions import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = (
    "nodeagent.administration.ctl",
    "nodeagent.administration.ext",
    "nodeagent.diagnosis.plugin",
    "provisioner.ctl",
)
HOUSES = ("instorage", "nodeagent", "provisioner")


def source(module: str) -> Path | None:
    """Return a module's file, or None when it is none of ours."""
    if module.partition(".")[0] not in HOUSES:
        return None
    path = ROOT / module.replace(".", "/")
    found = (one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file())
    return next(found, None)


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module imports anywhere; a name of a package may be a module of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def modules() -> dict[Path, ast.Module]:
    """Return the files whose sentences count, with their trees, in the order of their paths."""
    found: dict[Path, ast.Module] = {}
    ahead = list(PROGRAMS)
    while ahead:
        path = source(ahead.pop())
        if path is not None and path not in found:
            found[path] = ast.parse(path.read_text(encoding="utf-8"))
            ahead += imported(found[path])
    return {path: found[path] for path in sorted(found) if str(path.relative_to(ROOT)) not in MODULES}
