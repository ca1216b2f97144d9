"""The sources of Kubernetes 1.20.2 as Debian ships them, made ready for a build in GOPATH mode.

Two obstacles (found by trying): the vendored tree does not build in module mode, so it lies where GOPATH
wants it; and one generated file is not in Debian's tarball, so it is made with the generator that is.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from tools import debian
from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step

VERSION: Final = "1.20.2"
TREE: Final = "src/k8s.io/kubernetes"
# kube-controller-manager waits that long before it detaches from a node that does not unmount, and the time
# is no flag: the tests' build has 20 s. The true 6 minutes belong to a soak, not to every run.
PATCH_FILE: Final = "pkg/controller/volume/attachdetach/attach_detach_controller.go"
PATCH_FROM: Final = "ReconcilerMaxWaitForUnmountDuration: 6 * time.Minute"
PATCH_TO: Final = "ReconcilerMaxWaitForUnmountDuration: 20 * time.Second"
GENERATED: Final = "pkg/generated/openapi"


def root() -> Path:
    """Return the folder of what is built here."""
    return Path(os.environ.get("INSTORAGE_KUBE_CACHE") or "/var/cache/instorage-kube")


def go_environment(gopath: Path) -> dict[str, str]:
    """Return the environment of the Go tools; compiled packages are shared by all builds."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(root()),
        "GOPATH": str(gopath),
        "GOCACHE": str(root() / "gocache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
        "GOMAXPROCS": "2",
    }


def tree(report: Report) -> Path:
    """Return the GOPATH that holds the patched tree at `TREE`."""
    hashed = cache.key(Path(__file__), debian.RELEASE, VERSION)
    return cache.layer("source", hashed, lambda folder: _prepare(folder, report), report, below=root())


def _prepare(folder: Path, report: Report) -> None:
    programs = Programs(folder / "log", go_environment(folder))
    with step(report, f"sources of Kubernetes {VERSION}"):
        _unpack(folder, programs)
    _patch(folder / TREE / PATCH_FILE)
    with step(report, "the generated OpenAPI definitions"):
        _generate(folder, programs)


def _unpack(folder: Path, programs: Programs) -> None:
    debian.download(["kubernetes"], folder, programs)
    (description,) = folder.glob("kubernetes_*.dsc")
    if f"really{VERSION}" not in description.name and f"_{VERSION}" not in description.name:
        raise LabFault(
            "kube-version", f"Debian's source package is {description.name}, not {VERSION}: change VERSION."
        )
    (folder / TREE).parent.mkdir(parents=True)
    debian.unpack(description, folder / TREE, programs)
    for left in folder.glob("kubernetes_*"):
        left.unlink()


def _patch(file: Path) -> None:
    text = re.sub(r"(?<=\S)[ \t]+(?=6 \* time\.Minute)", " ", file.read_text())
    if text.count(PATCH_FROM) != 1:
        raise LabFault("kube-patch", f"{file.name} does not hold «{PATCH_FROM}» once: look at the sources.")
    file.write_text(text.replace(PATCH_FROM, PATCH_TO))


def _generate(folder: Path, programs: Programs) -> None:
    """Make what the API server needs and the tarball lacks (Kubernetes' own Makefile does the same)."""
    tree = folder / TREE
    tool = folder / "openapi-gen"
    programs.run("go", "build", "-o", tool, "./vendor/k8s.io/kube-openapi/cmd/openapi-gen", cwd=tree)
    packages = ",".join(f"k8s.io/kubernetes/{package}" for package in _tagged(tree))
    programs.run(
        tool, "--logtostderr", "-i", packages, "-p", f"k8s.io/kubernetes/{GENERATED}",
        "-O", "zz_generated.openapi", "-h", "hack/boilerplate/boilerplate.generatego.txt",
        "-r", folder / "violations", cwd=tree,
    )  # fmt: skip
    expected = tree / "api/api-rules/violation_exceptions.list"
    if (folder / "violations").read_bytes() != expected.read_bytes():
        raise LabFault("kube-openapi", "the generator saw other packages than upstream's Makefile: look why.")


def _tagged(tree: Path) -> list[str]:
    """Return the packages that ask for definitions, those of staging by their vendored path."""
    found = subprocess.run(
        ["grep", "-rlE", "--include=*.go", r"^// *\+k8s:openapi-gen=", "pkg", "cmd", "staging/src", "plugin"],
        cwd=tree, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    folders = {str(Path(name).parent).replace("staging/src/", "vendor/", 1) for name in found}
    left_out = ("vendor/k8s.io/code-generator/", "vendor/k8s.io/sample-apiserver/")
    return sorted(folder for folder in folders if not f"{folder}/".startswith(left_out))
