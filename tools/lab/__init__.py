"""Virtual machines with a real SAN: an array and its nodes.

`Lab` gives machines in seconds from memory snapshots; the images and snapshots are built once by
`tools.lab.layers.build` and kept outside the checkout. `python -m tools.lab --help` for people.
"""

from tools.lab.channel import CommandFailed, Result
from tools.lab.fault import LabFault
from tools.lab.lab import Lab
from tools.lab.machine import Machine

__all__ = ["CommandFailed", "Lab", "LabFault", "Machine", "Result"]
