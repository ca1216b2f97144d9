"""Our SELinux module, compiled with the headers of the policy that this machine has."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.lab.fault import LabFault
from tools.lab.progress import Programs

if TYPE_CHECKING:
    from tools.lab.machine import Machine
    from tools.selinux.linked import Linked

SOURCES: Final = Path(__file__).resolve().parents[2] / "selinux"
HEADERS: Final = Path("/usr/share/selinux/devel")
LOAD_LIMIT: Final = 120  # seconds


def built(folder: Path, sources: Path = SOURCES, headers: Path = HEADERS) -> Path:
    """Compile the module of `sources` into `folder` and return it; LabFault when it does not compile."""
    if not (headers / "include/Makefile").exists():
        raise LabFault("selinux-no-headers", f"{headers} is not there: run tools/system-packages selinux.")
    shared = headers.parent
    where = (f"OUT={folder}", f"DEVEL={headers}", f"SHAREDIR={shared}")
    Programs(folder / "log").run("make", "-s", "-C", sources, *where)
    return folder / "instorage.pp"


def load(machine: "Machine", linked: "Linked") -> None:
    """Have a machine's kernel take a policy that was linked here: linked there, it takes minutes."""
    machine.put(f"/{linked.policy.relative_to(linked.root)}", linked.policy.read_bytes())
    machine.run("load_policy", LOAD_LIMIT)
