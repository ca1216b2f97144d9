"""The array's tcm_fc.ko: Debian's source of the image's kernel, mended (fc/tcm_fc.patch). Fibre Channel only.

Headers and source come as packages of the same version; the machine's own compiler is the kernel's (gcc 12).
"""

import re
from pathlib import Path
from typing import Final

from tools.lab import cache, packages
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step

PATCH: Final = Path(__file__).with_name("fc") / "tcm_fc.patch"
DOWNLOAD: Final = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download")
SOURCE: Final = "drivers/target/tcm_fc"


def target_module(report: Report) -> Path:
    """Return `tcm_fc.ko` for the image's kernel; builds it if the cache lacks it (a minute, once)."""
    kernel = packages.root_archive(report) / "kernel.deb"
    hashed = cache.key(kernel.parent.name, PATCH, Path(__file__))
    return cache.layer("target", hashed, lambda folder: _build(folder, kernel, report), report) / "tcm_fc.ko"


def _build(folder: Path, kernel: Path, report: Report) -> None:
    programs = Programs(folder / "log")
    fields = programs.output(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", str(kernel)])
    name, version = fields.split()
    release = re.match(r"linux-image-((\d+\.\d+)\..*)-amd64", name)
    if release is None:
        raise LabFault("lab-kernel-format", f"{name} is no kernel whose headers have a known name.")
    abi, series = release[1], release[2]
    wanted = (f"headers-{abi}-amd64", f"headers-{abi}-common", f"kbuild-{series}", f"source-{series}")
    with step(report, f"tcm_fc.ko for Linux {abi}"):
        for part in wanted:
            command = (
                "apt-get",
                "-q",
                "-o",
                "APT::Sandbox::User=root",
                "download",
                f"linux-{part}={version}",
            )
            programs.run(*command, cwd=folder)
        for package in folder.glob("linux-[hk]*.deb"):
            programs.run("dpkg-deb", "-x", package, folder)
        (source,) = folder.glob("linux-source-*.deb")
        unpack = f'dpkg-deb --fsys-tarfile "$1" | tar -xO ./usr/src/{_tree(series)}.tar.xz | tar -xJ "$2"'
        programs.run("sh", "-ec", unpack, "sh", source, f"{_tree(series)}/{SOURCE}", cwd=folder)
        _compile(folder, abi, folder / _tree(series) / SOURCE, programs)
    programs.run("sh", "-c", f"rm -rf usr lib {_tree(series)} *.deb", cwd=folder)


def _tree(series: str) -> str:
    return f"linux-source-{series}"


def _compile(folder: Path, abi: str, source: Path, programs: Programs) -> None:
    headers = folder / f"usr/src/linux-headers-{abi}-amd64"
    (headers / "Makefile").write_text(f"include {folder}/usr/src/linux-headers-{abi}-common/Makefile\n")
    programs.run("patch", "-s", "-p1", "-d", source, "-i", PATCH)
    programs.run("make", "-s", "-C", headers, f"M={source}", "CONFIG_TCM_FC=m", "modules")
    programs.run("strip", "-g", "-o", folder / "tcm_fc.ko", source / "tcm_fc.ko")
