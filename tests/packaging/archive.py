"""A small archive as `make dist` packs it, around the true installer, units and RECORDS; no true programs.

The interpreter `python3` is a copy of dash, so that a program that runs shows in /proc whose version it is;
programs are shell scripts. `python3.11`, which runs the installer, is this machine's: COUNT, KILL_AT and
FAIL_AT in its environment have it count its changes of files, and end or fail at one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tools.install import NODE, PLUGIN

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(PLUGIN).name
FOLDER = "inspur-instorage-provisioner"
PROGRAMS = tuple(Path(path).name for path in NODE.programs)
SHELLS = {"dash": ("/usr/bin/dash",), "busybox": ("/usr/bin/busybox", "sh")}
TEMPLATE = "storage: []  # of an archive\n"

SERVICE = """\
echo $$ >"$1"
if [ -e "/run/broken-$version" ]; then
    : >"$1.broken"
    exit 1
fi
: >"$1.ready"
read -r word </run/rest
"""
STUB = """\
case $1 in
    init) echo '{"status":"Success"}' ;;
    *)
        agent=$(cat /run/process/instorage-nodeagent.service)
        if [ -S "$INSTORAGE_AGENT_SOCKET" ] && [ -d "/proc/$agent" ]; then
            echo '{"status":"Not supported"}'
        else
            echo '{"status":"Failure","message":"no agent"}'
            exit 1
        fi
        ;;
esac
"""
INSTALLERS = """\
#!/usr/bin/python3.11 -IBS
import os, sys

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.chown")
count = 0

def changes(event, values):
    global count
    written = event == "open" and isinstance(values[2], int) and values[2] & (os.O_WRONLY | os.O_RDWR)
    if (event not in CHANGES and not written) or values[0] == os.environ["COUNT"]:
        return
    count += 1
    with open(os.environ["COUNT"], "w") as file:
        file.write(str(count))
    if str(count) == os.environ["KILL_AT"]:
        os.kill(0, 9)
    if str(count) == os.environ["FAIL_AT"]:
        raise OSError(28, "No space left on device")

if "COUNT" in os.environ:
    sys.addaudithook(changes)
at = sys.argv.index("-c")
code, sys.argv = sys.argv[at + 1], ["-c", *sys.argv[at + 2:]]
exec(code)
"""


def archive(directory: Path, version: str, *, build: str = "1", records: int = 1) -> Path:
    """Make `directory`/instorage-k8s_VERSION_noarch and return it; `build` tells two of one version apart."""
    top = directory / f"instorage-k8s_{version}_noarch"
    text = {"VERSION": f"{version}\n", "README.md": "Read me.\n", f"{DRIVER}/config/instorage.yaml": TEMPLATE}
    text[f"{FOLDER}/config/instorage.yaml"] = TEMPLATE
    text["node/RECORDS"] = (ROOT / "packaging/RECORDS").read_text().replace(" 1\n", f" {records}\n")
    text["node/lib/python3.11/module.py"] = f"{version} {build}\n"
    text[f"{FOLDER}/python/lib/python3.11/module.py"] = f"{version} {build}\n"
    put(top, text, 0o644)
    script = f"#!/usr/lib/instorage/current/bin/python3 -I\nversion={version}\n"
    programs = {f"node/libexec/{name}": script for name in PROGRAMS}
    programs["node/libexec/instorage-nodeagent"] += SERVICE
    beside = '$(readlink -f "${0%/*}/python")/bin/python3'
    checks = "case $1 in ext-*) exit ;; esac"
    begun = f"version={version}\n{SERVICE}"
    started = f'#!/bin/sh\n# {version}\n{checks}\nexec "{beside}" -c \'{begun}\' "$0" "$@"\n'
    programs |= {
        f"{FOLDER}/instorage-provisioner": started,
        f"{FOLDER}/instoragectl": f"#!/bin/sh\n# {version}\n",
    }
    programs[f"{DRIVER}/instorage-flexvolume"] = f"#!/bin/sh\n# {version}\n{STUB}"
    put(top, programs, 0o755)
    (top / DRIVER / "log").mkdir()
    for interpreter in ("node/bin/python3", f"{FOLDER}/python/bin/python3"):
        (top / interpreter).parent.mkdir(parents=True)
        shutil.copy("/usr/bin/dash", top / interpreter)
        put(top, {f"{interpreter}.11": INSTALLERS}, 0o755)
    shutil.copytree(ROOT / "installer", top / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "systemd", top / "systemd")
    shutil.copy(ROOT / "packaging/install.sh", top / "install.sh")
    return top


def put(directory: Path, files: Mapping[str, str], mode: int) -> None:
    """Write files below a directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)


def run(
    top: Path, *arguments: str, shell: str = "dash", path: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run install.sh of an archive by a shell; `path` comes before the host's programs."""
    return subprocess.run(
        [*SHELLS[shell], str(top / "install.sh"), *arguments],
        capture_output=True, text=True, timeout=50, check=False, stdin=subprocess.DEVNULL,
        env={"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin"} | environment, start_new_session=True,
    )  # fmt: skip


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a directory: kind, mode, owner, and content or target of each."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        mode = facts.st_mode if not path.is_symlink() else "link"
        found[str(path.relative_to(root))] = (mode, facts.st_uid, facts.st_gid, content)
    return found


def differences(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """The names that are not alike in two snapshots."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
