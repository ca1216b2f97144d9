"""`python -m tools.code_pages [--check]`: write docs/codes.md, the codes of failures, from the catalogue."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instorage.catalogue import of_arrays, of_nodes
from instorage.catalogue.table import CATALOGUE, message_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instorage.catalogue.entry import Entry
    from instorage.wire.fault import Code

FILE: Final = Path(__file__).resolve().parents[1] / "docs/codes.md"
SECTIONS: Final = {"Arrays, volumes, requests": of_arrays.ENTRIES, "Nodes and processes": of_nodes.ENTRIES}
HEAD: Final = """\
# The codes of failures

Made by `python -m tools.code_pages` from `instorage/catalogue`. Every failure has a sentence that names the
thing and the mend, and one of these codes, which never changes its meaning: in brackets at the end of an
answer to kubelet, as `INSTORAGE_CODE` in the journal, as `code` of `--json`. Here is what holds of every one
with that code. In a terminal: `instoragectl codes CODE`, or `journalctl -x`, which knows a record by its
`MESSAGE_ID`.
"""


def page() -> str:
    """Return the page: a table to find a code, then a section for each."""
    return "\n".join(
        [HEAD, *_table(), *(line for name in SECTIONS for line in _section(name, SECTIONS[name]))]
    )


def _table() -> Iterator[str]:
    yield "| code | means |"
    yield "|---|---|"
    for code, entry in sorted(CATALOGUE.items(), key=lambda item: item[0].value):
        yield f"| [`{code.value}`](#{code.value}) | {_cell(entry.meaning)} |"
    yield ""


def _section(name: str, entries: Mapping[Code, Entry]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    for code, entry in entries.items():
        yield f"### {code.value}"
        yield ""
        yield from (f"{entry.meaning}", "")
        yield f"* Why: {entry.cause}"
        yield f"* Do: {entry.mend}"
        yield f"* `MESSAGE_ID`: `{message_id(code)}`"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page, or with `--check` say whether it is what the catalogue says."""
    parser = argparse.ArgumentParser(description="Write docs/codes.md from the catalogue.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when it is outdated")
    wanted = page()
    if parser.parse_args().check:
        return int(not FILE.exists() or FILE.read_text(encoding="utf-8") != wanted)
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
