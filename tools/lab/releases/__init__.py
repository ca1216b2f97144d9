"""Nodes of other releases of Debian, without any Python of their own: `Lab(["a"], machines=of(BULLSEYE))`.

Their layers stand beside the ordinary lab's, which they never rebuild; the array is the ordinary one.
"""

from tools.lab.releases.machines import of
from tools.lab.releases.release import BOOKWORM, BULLSEYE, RELEASES, TRIXIE, Release

__all__ = ["BOOKWORM", "BULLSEYE", "RELEASES", "TRIXIE", "Release", "of"]
