"""The machines of a lab whose node has a release of its own: the ordinary array, and node `a`."""

from collections.abc import Callable

from tools.lab.lab import Saved, ordinary
from tools.lab.progress import Report
from tools.lab.releases import confined
from tools.lab.releases.image import PYTHON, image
from tools.lab.releases.release import Release
from tools.lab.snapshots import saved
from tools.lab.topology import ARRAY, ROLES

NODE = "a"


def of(release: Release, *, selinux: bool = False) -> Callable[[Report], dict[str, Saved]]:
    """Return what `Lab` takes as its machines; builds what the cache lacks when called (3 minutes, once).

    With `selinux` the node has the release's policy with our module in it, permissive.
    """
    kind, make = ("selinux-snapshots", confined.image) if selinux else ("snapshots", image)

    def machines(report: Report) -> dict[str, Saved]:
        array = ordinary(report)[ARRAY]
        role = ROLES[NODE]
        folder, boot = saved(f"{release.name}-{kind}", make(release, report), {NODE: role}, report)
        return {ARRAY: array, NODE: Saved(role, folder / f"{NODE}.qcow2", boot, PYTHON)}

    return machines
