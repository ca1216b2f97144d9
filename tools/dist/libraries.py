"""What Python needs inside: zlib, libffi, OpenSSL, SQLite, as archives whose names nobody outside sees."""

import shutil
from pathlib import Path
from typing import Final

from tools.dist import sources, toolchain
from tools.dist.workshop import PLACE, Workshop
from tools.lab import cache
from tools.lab.progress import Report, step

# Hidden: a wheel with a library of its own must not be given ours, nor we its.
CFLAGS: Final = "-O2 -fPIC -fvisibility=hidden"
TOOLS: Final = {"CC": "cc", "AR": "ar", "RANLIB": "ranlib"}  # else configure takes those of the machine
OUT: Final = PLACE / "out"
# No engine, module or configuration of the host's; its certificates, where most distributions have them.
OPENSSL: Final = (
    "no-shared", "no-tests", "no-module", "no-legacy", "no-engine", "no-dso", "no-ssl3",
    "no-weak-ssl-ciphers", "no-autoload-config", "--prefix=/usr/lib/instorage", "--libdir=lib",
    "--openssldir=/etc/ssl",
)  # fmt: skip


def libraries(arch: str, report: Report) -> Path:
    """Return a folder with `include/` and `lib/*.a`; five minutes, then cached."""
    here = Path(__file__)
    inputs = (here, here.with_name("workshop.py"), toolchain.digest(), sources.packages(report).name)
    hashed = cache.key(*inputs, arch)
    return cache.layer(
        f"libraries-{arch}", hashed, lambda folder: _build(folder, arch, report), report, below=sources.root()
    )


def _build(folder: Path, arch: str, report: Report) -> None:
    work = folder / "work"
    for wanted in ("include", "lib"):
        (work / "out" / wanted).mkdir(parents=True)
    workshop = Workshop(work, arch, report)
    for name, recipe in {"zlib": _zlib, "libffi": _libffi, "openssl": _openssl, "sqlite3": _sqlite}.items():
        with step(report, f"{name} for {arch}"):
            workshop.source(name)
            recipe(workshop)
            shutil.copy(work / name / "debian/copyright", work / "out" / f"{name}.copyright")
    for made in ("include", "lib"):
        (work / "out" / made).rename(folder / made)
    (folder / "licences").mkdir()
    for licence in (work / "out").glob("*.copyright"):
        licence.rename(folder / "licences" / licence.stem)
    shutil.rmtree(work)


def _zlib(workshop: Workshop) -> None:
    workshop.run("./configure", "--static", cwd="zlib", CFLAGS=CFLAGS, **TOOLS)
    workshop.run("make", workshop.jobs, "libz.a", cwd="zlib")
    workshop.run("cp", "zlib.h", "zconf.h", f"{OUT}/include", cwd="zlib")
    workshop.run("cp", "libz.a", f"{OUT}/lib", cwd="zlib")


def _libffi(workshop: Workshop) -> None:
    # The last: 3.4.4 does not compile with it: tramp.c calls what is not declared then.
    options = (
        "--disable-shared", "--disable-docs", "--disable-multi-os-directory", "--disable-exec-static-tramp",
    )  # fmt: skip
    hosts = (f"--host={toolchain.triplet(workshop.arch)}", f"--build={toolchain.triplet(toolchain.native())}")
    workshop.run("./configure", f"--prefix={OUT}", *hosts, *options, cwd="libffi", CFLAGS=CFLAGS, **TOOLS)
    workshop.run("make", workshop.jobs, cwd="libffi")
    workshop.run("make", "install", cwd="libffi")


def _openssl(workshop: Workshop) -> None:
    flags = ("-fvisibility=hidden", "-O2")
    workshop.run("./Configure", f"linux-{workshop.arch}", *OPENSSL, *flags, cwd="openssl", **TOOLS)
    workshop.run("make", "-s", workshop.jobs, "build_libs", cwd="openssl")
    workshop.run("make", "-s", "install_dev", f"DESTDIR={PLACE}/openssl-installed", cwd="openssl")
    made = workshop.folder / "openssl-installed/usr/lib/instorage"
    shutil.copytree(made / "include", workshop.folder / "out/include", dirs_exist_ok=True)
    for archive in (made / "lib").glob("*.a"):
        shutil.copy(archive, workshop.folder / "out/lib")


def _sqlite(workshop: Workshop) -> None:
    """Build from the one file that the sources are put together to, by programs of this machine (`PATH`)."""
    own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CC": "gcc"}
    workshop.run("./configure", "--disable-tcl", "--disable-readline", cwd="sqlite3", **own)
    workshop.run("make", "sqlite3.c", "sqlite3.h", cwd="sqlite3", **own)
    options = ("-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_THREADSAFE=1")
    workshop.run("cc", *CFLAGS.split(), *options, "-c", "sqlite3.c", cwd="sqlite3")
    workshop.run("ar", "rcs", f"{OUT}/lib/libsqlite3.a", "sqlite3.o", cwd="sqlite3")
    shutil.copy(workshop.folder / "sqlite3/sqlite3.h", workshop.folder / "out/include")
