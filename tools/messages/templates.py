"""The templates of a module: its texts for people, each expression in one a placeholder.

A text is for people when it has two words in a row, and is neither written to the journal, nor a docstring,
pattern or key, nor a command for another program.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tools.messages.exclusions import EXCLUDED

if TYPE_CHECKING:
    from collections.abc import Iterator

_TWO = re.compile(r"[A-Za-z]{2,}[»\])}']*[,;:.]?\s+[«(\[{']?[A-Za-z]{1,}|\{\} [a-z]{2,}|[a-z]{2,}:? \{\}")
_COMMAND = re.compile(
    r"(mcsop|mcsinq|iscsiadm|multipathd (show|reconfigure$)|systemctl (start|restart)|timedatectl|stat|"
    r"kubectl (-n|get|describe|instorage)|instoragectl (?!:)|semodule|statvfs|df -h|get pods|chvdisk|chgrp|"
    r"sudo|sh)"
    r"(?!\w)[^.:;]*$|"
    r"install.sh --node --plugin-dir|__|'__|  local |complete -F|#|<|allow \{|call \{"
)
_JOURNAL = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_CALLS = frozenset({"AssertionError", "compile", "sub", "match", "search", "fullmatch", "getenv", "Struct"})
HELP = "Support following subcommand"
_NAMES = re.compile(r"[A-Za-z_]\w*")


def templates(tree: ast.Module) -> Iterator[str]:
    """Yield the templates of a module's texts for people, in their order, one that comes twice twice."""
    for text in texts(tree):
        if for_people(text):
            yield text


def for_people(template: str) -> bool:
    """Say whether a template is a text that somebody reads."""
    plain = re.sub(r"\{\w*\}", "{}", template)
    if template in EXCLUDED or _COMMAND.match(template):
        return False
    if "\n" in template and not template.startswith(HELP):
        return False  # a file, or a picture
    return bool(_TWO.search(plain))


def texts(node: ast.AST) -> Iterator[str]:
    """Yield every text of a source as a template, whoever reads it."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value.replace("{", "{{").replace("}", "}}")
        return
    if isinstance(node, ast.JoinedStr):
        yield _template(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from texts(part.value)
        return
    for child in _children(node):
        yield from texts(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may hold a text for people."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "get":
            yield from (*node.args[1:], node.func)
            return
        if name in _CALLS or (isinstance(node.func, ast.Attribute) and name in _JOURNAL):
            return
    if isinstance(node, ast.Subscript):
        yield node.value
        return
    if isinstance(node, ast.arg | ast.AnnAssign):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.value
        return
    if isinstance(node, ast.FunctionDef):
        yield from (*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body)
        return
    yield from ast.iter_child_nodes(node)


def _template(node: ast.JoinedStr) -> str:
    """Return an f-string with a placeholder for each of its values, named after it and each name once."""
    parts, used = [], set[str]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(part, ast.FormattedValue):
            name = _name(part.value)
            count = 1
            while (numbered := name if count == 1 else f"{name}{count}") in used:
                count += 1
            used.add(numbered)
            parts.append("{" + numbered + "}")
    return "".join(parts)


def _name(value: ast.expr) -> str:
    """Return what a value is called for a translator: the last plain name of its expression."""
    names = [one for one in _NAMES.findall(ast.unparse(value)) if len(one) > 1]
    if isinstance(value, ast.Name):
        return value.id
    if isinstance(value, ast.Attribute):
        return value.attr
    return names[0].strip("_").lower() if names and not isinstance(value, ast.IfExp) else "text"
