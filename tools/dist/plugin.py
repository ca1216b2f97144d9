"""Makes `kubectl-instorage`: one file, a zip of Python's, with what runs on an administrator's machine.

    python -m tools.dist.plugin FILE

The same bytes each time: entries in order, with one date, stored as they are.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

from tools.messages import catalogue

ROOT = Path(__file__).resolve().parents[2]
NAME = "kubectl-instorage"
_DIAGNOSIS = (
    "branches", "claim", "cluster", "console", "event", "foreign", "kubectl", "leader", "link", "objects",
    "plugin", "pod", "pv", "remedy", "report", "running", "waiting",
)  # fmt: skip
MODULES = (
    *(f"nodeagent/diagnosis/{name}.py" for name in _DIAGNOSIS),
    "instorage/language.py",
    "instorage/translation.py",
)
_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom nodeagent.diagnosis.plugin import main\n\nsys.exit(main())\n"
_DATE = (1980, 1, 1, 0, 0, 0)


def made() -> bytes:
    """Return the file's content."""
    files = {"__main__.py": _MAIN.encode(), catalogue.PLACE: catalogue.compiled(_spoken)}
    files |= {f"{package}/__init__.py": b"" for package in ("instorage", "nodeagent", "nodeagent/diagnosis")}
    files |= {module: (ROOT / module).read_bytes() for module in MODULES}
    data = io.BytesIO(_SHEBANG)
    data.seek(0, io.SEEK_END)
    with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return data.getvalue()


def _spoken(file: str) -> bool:
    """Say whether a text of this source may be shown by the plugin: its own, and what nodes' doctors say."""
    return file in MODULES or file.startswith(("nodeagent/administration/doctor/", "tools/messages/"))


def write(file: Path) -> None:
    """Write the file, for everybody to execute."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made())
    file.chmod(0o755)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
