"""Builds the programs of Kubernetes when they are first wanted: `python -m tools.kube.build PROGRAM...`."""

import shutil
import sys
from pathlib import Path
from typing import Final

from tools.kube import source
from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step, to_stderr

PROGRAMS: Final = ("kube-controller-manager", "kube-apiserver", "kubectl", "kube-scheduler", "kubelet")
STAMPS: Final = {
    "gitVersion": f"v{source.VERSION}",
    "gitMajor": "1",
    "gitMinor": "20",
    "gitCommit": "faecb196815e248d3ecfb03c680a4507229c2a56",
    "gitTreeState": "clean",
    "buildDate": "2021-01-13T00:00:00Z",
}
STAMPED: Final = (
    "k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version",
    "k8s.io/kubernetes/vendor/k8s.io/component-base/version",
)


def program(name: str, report: Report = to_stderr) -> Path:
    """Return the program's path; about 4 minutes for the first one, seconds for each further, then cached."""
    if name not in PROGRAMS:
        raise LabFault("kube-no-program", f"{name} is not one of {', '.join(PROGRAMS)}.")
    hashed = cache.key(Path(__file__), Path(source.__file__), source.VERSION)
    made = cache.layer(name, hashed, lambda folder: _build(name, folder, report), report, below=source.root())
    return made / name


def _build(name: str, folder: Path, report: Report) -> None:
    gopath = source.tree(report)
    programs = Programs(folder / "log", source.go_environment(gopath))
    with step(report, name):
        # niced, two compilers at a time: the machine is shared. Tags: no cloud providers, no dockershim.
        programs.run(
            "nice", "go", "build", "-p", "2", "-tags", "providerless dockerless", "-ldflags", _flags(),
            "-o", folder / name, f"./cmd/{name}", cwd=gopath / source.TREE,
        )  # fmt: skip


def _flags() -> str:
    """Return linker flags with the version, without which the API server calls itself v0.0.0-master."""
    stamps = (f"-X {package}.{key}={value}" for package in STAMPED for key, value in STAMPS.items())
    return " ".join(("-s", "-w", *stamps))


def main() -> int:
    """Build what is named, or everything."""
    if shutil.which("go") is None:
        print("go is not installed: run tools/system-packages kube", file=sys.stderr)
        return 1
    try:
        for name in sys.argv[1:] or PROGRAMS:
            print(program(name))
    except LabFault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
