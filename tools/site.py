"""`python -m tools.site DIRECTORY`: the pages as HTML that a browser shows without a network.

Each page lies where its Markdown lies (docs/growth.md becomes docs/growth.html), so links between pages stay
as they are but for their ends; files that a page points to (YAML, pictures, licence) are copied to the same
places. Nothing is fetched, no script is run, and of the same pages the same bytes come.
"""

from __future__ import annotations

import argparse
import re
import shutil
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = (
    "README.md",
    "README.zh.md",
    "ARCHITECTURE.md",
    "PROTOCOL.md",
    "CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/README.zh.md",
)
STYLE: Final = """\
body{margin:0 auto;max-width:62rem;padding:1rem 1.5rem 4rem;font:1rem/1.5 sans-serif;color:#1a1a1a}
html{background:#fff}
nav{border-bottom:1px solid #ccc;padding-bottom:.5rem}nav a{margin-right:1.2rem}
a{color:#1f5f9c}h1,h2,h3{line-height:1.2}img{max-width:100%}
pre{background:#f4f4f4;padding:.7rem;overflow-x:auto}code{font:.92em monospace}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}
"""
HEAD: Final = """\
<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="{up}style.css"></head>
<body>
<nav>{links}</nav>
"""
LINKS: Final = {
    "README.md": "InStorage",
    "docs/README.md": "Administrators",
    "docs/engineering.md": "Engineers",
}
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_TARGET = re.compile(r'(href|src)="([^"]*)"')


class Lost(ValueError):
    """A link that leads to nothing; the message names page and link."""


def pages(root: Path = ROOT) -> list[str]:
    """Return the pages, relative to the checkout or archive, sorted."""
    found = [name for name in PAGES if (root / name).exists()]
    return sorted([*found, *(f"docs/{path.name}" for path in (root / "docs").glob("*.md"))])


def anchor(heading: str) -> str:
    """Return the fragment of a heading, as GitHub makes it: lower case, no punctuation, hyphens."""
    words = unescape(re.sub(r"<[^>]+>", "", heading)).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def rendered(root: Path, name: str) -> str:
    """Return a page's HTML document, its links not yet turned."""
    text = (root / name).read_text(encoding="utf-8")
    body = MarkdownIt("commonmark").enable("table").render(text)
    title = next(iter(re.findall(r"^# (.+)$", text, re.MULTILINE)), name)
    up = "../" * name.count("/")
    listed = LINKS | _translated(root, name)
    links = " ".join(f'<a href="{up}{to}">{word}</a>' for to, word in listed.items() if (root / to).exists())
    language = "zh" if name.endswith(".zh.md") else "en"
    head = HEAD.format(language=language, title=escape(title), up=up, links=links)
    return head + _anchored(body) + "</body>\n</html>\n"


def _translated(root: Path, name: str) -> dict[str, str]:
    """Return the same page in the other language, and its name there; the first page where there is none."""
    if name.endswith(".zh.md"):
        return {"docs/README.zh.md": "管理员文档", name.replace(".zh.md", ".md"): "English"}
    chinese = name.replace(".md", ".zh.md")
    return {chinese if (root / chinese).exists() else "docs/README.zh.md": "中文"}


def _anchored(body: str) -> str:
    seen: dict[str, int] = {}

    def one(found: re.Match[str]) -> str:
        name = anchor(found[2])
        seen[name] = seen.get(name, -1) + 1
        name += f"-{seen[name]}" if seen[name] else ""
        return f'<h{found[1]} id="{name}">{found[2]}</h{found[1]}>'

    return _HEADING.sub(one, body)


def targets(html: str) -> Iterator[str]:
    """Yield where a page's links and pictures lead, those to the network left out."""
    for _, to in _TARGET.findall(html):
        if "://" not in to and not to.startswith("mailto:") and not to.endswith("style.css"):
            yield unquote(unescape(to))  # sections have names in every script


def build(root: Path, site: Path) -> None:
    """Write the site of the pages below `root` into the new directory `site`. `Lost` names a dead link."""
    documents = {name: rendered(root, name) for name in pages(root)}
    fragments = {name: set(re.findall(r' id="([^"]+)"', html)) for name, html in documents.items()}
    beside: set[str] = set()
    for name, html in documents.items():
        beside |= set(_checked(root, name, targets(html), fragments))
    site.mkdir(parents=True)
    (site / "style.css").write_text(STYLE, encoding="utf-8")
    for name, html in documents.items():
        path = site / _turned(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            _TARGET.sub(lambda found: f'{found[1]}="{_turned(found[2])}"', html), encoding="utf-8"
        )
    for name in sorted(beside):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, site / name)


def _turned(to: str) -> str:
    """Return a link between pages as one between HTML files; the first page is index.html."""
    path, mark, fragment = to.partition("#")
    if "://" not in to and path.endswith(".md"):
        path = re.sub(r"(?:(?<=/)|^)README\.md$", "index.md", path)[: -len("md")] + "html"
    return path + mark + fragment


def _checked(root: Path, name: str, leads: Iterable[str], fragments: dict[str, set[str]]) -> Iterator[str]:
    """Yield the files beside pages that a page leads to."""
    for to in leads:
        path, _, fragment = to.partition("#")
        target = (root / name).parent.joinpath(path).resolve() if path else root / name
        inside = target.is_relative_to(root.resolve()) or not path
        known = str(target.relative_to(root.resolve())) if path and inside else name
        if not inside or not target.exists() or (fragment and fragment not in fragments.get(known, set())):
            raise Lost(f"{name} leads to {to}, which is not there")
        if known not in fragments and target.is_file():
            yield known


def main() -> int:
    """Build the site of this checkout anew."""
    parser = argparse.ArgumentParser(description="Make the pages a site that is read without a network.")
    parser.add_argument("directory", type=Path, help="where it comes, in place of what is there")
    directory = parser.parse_args().directory
    beside = directory.with_name(f".{directory.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    build(ROOT, beside)
    shutil.rmtree(directory, ignore_errors=True)
    beside.rename(directory)
    print(directory / "index.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
