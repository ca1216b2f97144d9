"""Debian's packages, of sources and for other processors, from the mirrors that apt on this machine uses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault
from tools.lab.progress import Programs

RELEASE: Final = "bookworm"


def mirrors(programs: Programs, kind: str) -> list[str]:
    """Return lines of a sources.list for this machine's mirrors of the release; `kind` is deb or deb-src."""
    wanted = f"$(ARCHITECTURE) {kind} $(REPO_URI) $(RELEASE) $(COMPONENT)"
    known = programs.output(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
    lines = {line.split(" ", 1)[1] for line in known.splitlines() if f" {kind} " in line}
    found = sorted(line for line in lines if line.split()[2].startswith(RELEASE))
    if not found:
        raise LabFault("debian-no-mirror", f"apt on this machine knows no mirror of Debian {RELEASE}.")
    return found


def download(wanted: Sequence[str], folder: Path, programs: Programs) -> None:
    """Put source packages, each `NAME` or `NAME=VERSION`, into `folder`, whose digests apt has compared.

    First from the release alone: a mirror of updates may list what it does not hand out, and apt takes that.
    """
    released = [line for line in mirrors(programs, "deb-src") if line.split()[2] == RELEASE]
    command = ("source", "--download-only", *wanted)
    try:
        programs.run(*_apt(released, folder, programs), *command, cwd=folder)
    except LabFault:
        programs.run(*_apt(mirrors(programs, "deb-src"), folder, programs), *command, cwd=folder)


def download_binaries(wanted: Sequence[str], architecture: str, folder: Path, programs: Programs) -> None:
    """Put packages of a processor, as Debian calls it, into `folder`: files to unpack, not to install."""
    foreign = f"APT::Architecture={architecture}", f"APT::Architectures={architecture}"
    apt = _apt(mirrors(programs, "deb"), folder, programs, *foreign, "Dir::State::status=/dev/null")
    programs.run(*apt, "download", *wanted, cwd=folder)


def _apt(lines: Sequence[str], folder: Path, programs: Programs, *settings: str) -> list[str]:
    """Return apt-get with lists of its own, fetched now: the machine's may be old, or have no sources."""
    listed, lists = folder / "sources.list", folder / "lists"
    listed.write_text("".join(f"{line}\n" for line in lines))
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    given = (
        f"Dir::Etc::SourceList={listed}", "Dir::Etc::SourceParts=/dev/null", f"Dir::State::Lists={lists}",
        "APT::Sandbox::User=root", "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", *settings,
    )  # fmt: skip
    apt = ["apt-get", "-q", *(word for setting in given for word in ("-o", setting))]
    programs.run(*apt, "update")
    return apt


def unpack(description: Path, folder: Path, programs: Programs, *options: str) -> None:
    """Unpack a source package, Debian's patches applied, into `folder`, which must not be there."""
    programs.run("dpkg-source", "--no-check", *options, "-x", description, folder)
