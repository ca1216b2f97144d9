"""instorage-selinux as deb and rpm: the policy's sources, the module for Debian's policy, what loads it.

For the others' policies the module is made on the host by their selinux-policy-devel: interfaces become
rules when a module is compiled, and those of another version of a policy would be another's.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from instorage.version import VERSION
from tools.dist import packages

NAME: Final = "instorage-selinux"
HOME: Final = Path("/usr/share", NAME)
SUMMARY: Final = "InStorage SAN volumes for Kubernetes: SELinux policy"
# Debian's name of what `semodule` and `restorecon` come in, and others'.
TOOLS: Final = {"deb": ["policycoreutils", "selinux-utils"], "rpm": ["policycoreutils", "libselinux-utils"]}
SCRIPTS: Final = {"postinstall": "selinux-after-install", "preremove": "selinux-before-remove"}
LOADER: Final = "load.sh"


def make(top: Path, when: int, target: Path) -> list[Path]:
    """Make deb and rpm from the archive's folder `top`, one for all processors; return the files."""
    scratch = target / f".{NAME}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    text = (packages.PACKAGING / "copyright").read_text().replace("@PACKAGE@", NAME)
    (scratch / "copyright").write_text(text)
    packages.write_changelog(NAME, scratch, when)
    described = scratch / "nfpm.json"
    described.write_text(json.dumps(description(top, when, scratch), indent=1))
    version = packages.debian_version()
    files = {kind: target / f"{NAME}_{version}_{arch}.{kind}" for kind, arch in _ARCHES.items()}
    made = [packages.packed(described, kind, file, when) for kind, file in files.items()]
    shutil.rmtree(scratch)
    return made


_ARCHES: Final = {"deb": "all", "rpm": "noarch"}


def description(top: Path, when: int, scratch: Path) -> dict[str, Any]:
    """Return nfpm's description of both formats."""
    release, _, stage = VERSION.partition(".dev")
    return {
        "name": NAME,
        "arch": "all",
        "platform": "linux",
        "version": release,
        "version_schema": "none",
        "disable_globbing": True,
        "prerelease": f"dev{stage}" if stage else "",
        "section": "admin",
        "priority": "optional",
        "maintainer": packages.MAINTAINER,
        "description": f"{SUMMARY}\nConfines node agent, root helper, stub and provisioner.",
        "license": "Apache-2.0",
        "umask": 0o022,
        "mtime": packages.date(when),
        "contents": list(contents(top, when, scratch)),
        "scripts": {when_: str(packages.PACKAGING / name) for when_, name in SCRIPTS.items()},
        "overrides": {kind: {"depends": needed} for kind, needed in TOOLS.items()},
        "deb": {"compression": "gzip"},
        "rpm": {"compression": "gzip", "buildhost": "instorage", "summary": SUMMARY, "group": "System"},
    }


def contents(top: Path, when: int, scratch: Path) -> Iterator[dict[str, Any]]:
    """Return nfpm's entry for each file and folder."""
    yield packages.entry(scratch, HOME, when)
    for path in sorted((top / "selinux").rglob("*")):
        found = packages.entry(path, HOME / path.relative_to(top / "selinux"), when)
        if path.name == LOADER:
            found["file_info"]["mode"] = 0o755
        yield found
    documents = Path("/usr/share/doc", NAME)
    yield packages.entry(scratch, documents, when)
    for name in ("copyright", "changelog.gz"):
        yield packages.entry(scratch / name, documents / name, when) | {"packager": "deb"}
    yield packages.entry(scratch / "copyright", documents / "copyright", when) | {"packager": "rpm"}
