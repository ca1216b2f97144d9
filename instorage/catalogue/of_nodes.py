"""Codes of the node, and of the processes themselves."""

from __future__ import annotations

from instorage.catalogue.entry import Entry
from instorage.wire.fault import Code as _C  # noqa: N814  # forty times

ENTRIES = {
    _C.TOOL_MISSING: Entry(
        "A program is not installed on this node.",
        "The package that brings it is missing.",
        "Install the package that the message names; «instoragectl doctor» lists all that are missing.",
    ),
    _C.NO_PATH: Entry(
        "No path to the volume came up.",
        "Sessions are down, or the array does not show the LUN over them.",
        "See «instoragectl doctor --volume VOLUME», and the SAN between node and array.",
    ),
    _C.PORTAL_UNREACHABLE: Entry(
        "No iSCSI portal of the array can be reached.",
        "This node has no route to them, a link is down, or something blocks port 3260.",
        "See the findings of «portals» in «instoragectl doctor», and mend the SAN network.",
    ),
    _C.WRONG_DEVICE: Entry(
        "A device is not the volume that it should be, and was not used.",
        "Identity or size differ from what the array says: a LUN was given to another volume, or it grew.",
        "Take the old devices away as the message says; then it is attached anew.",
    ),
    _C.NO_MULTIPATH: Entry(
        "A multipath map is demanded, and there is none.",
        "multipathd does not run, or its configuration hides the disks.",
        "systemctl enable --now multipathd; see «multipath» in «instoragectl doctor».",
    ),
    _C.MAP_QUEUES: Entry(
        "The volume's map would wait for a path for ever.",
        "multipath.conf has «no_path_retry queue», or «queue_if_no_path» without it, for the array's disks.",
        "Write no_path_retry 60 there, then multipathd reconfigure; see «instoragectl multipath».",
    ),
    _C.DEVICE_BUSY: Entry(
        "The device or the mount is in use.",
        "A pod, a process or another mount namespace has it; the message names the holder.",
        "End the holder; «instoragectl doctor --volume VOLUME» shows process and pod.",
    ),
    _C.NOT_EMPTY: Entry(
        "The volume is not proven new, and was not formatted.",
        "There is data on it, or the array does not say that nothing was written.",
        "Use a new volume; one whose data is not wanted is formatted by hand. What another node began to "
        "format is finished by a pod there: «kubectl instorage doctor» names the node.",
    ),
    _C.FILE_SYSTEM: Entry(
        "The file system cannot be mounted, or its check found what it does not mend alone.",
        "It was damaged, is of another type, or needs what this kernel does not know.",
        "Run the check that the message names by hand, with a copy of the data at hand.",
    ),
    _C.READ_ONLY_FIRST_USE: Entry(
        "A new volume is to be used read-only, and holds no file system.",
        "Nobody has written to it yet.",
        "Let a pod use it read-write first.",
    ),
    _C.NOT_OURS: Entry(
        "What is there belongs to somebody else, and was left alone.",
        "Another program mounted or mapped it, or another volume has the name now.",
        "See whose it is; nothing is taken over by a guess.",
    ),
    _C.BARRIER: Entry(
        "An active-active expansion was broken off, and stops this node's attaches and detaches.",
        "A command of the expansion failed, or its process was ended.",
        "«instoragectl barrier plan» says what is left, «instoragectl barrier resume» does it.",
    ),
    _C.HELPER_BUSY: Entry(
        "The root helper serves as many connections as it may.",
        "Many volumes come and go at once.",
        "It is tried again by itself.",
    ),
    _C.LOCK_TIMEOUT: Entry(
        "The host lock, or a volume's, was not free in time.",
        "An expansion, or another call for the same volume, holds it.",
        "It is tried again by itself.",
    ),
    _C.LOCK_LOST: Entry(
        "The host lock was lost, so nothing more was sent to the array.",
        "The helper was restarted, or this process stood still.",
        "It is tried again by itself.",
    ),
    _C.TOOL_FAILED: Entry(
        "A program of this node failed.",
        "The message has what it said.",
        "Mend what the program names.",
    ),
    _C.TIMEOUT: Entry(
        "Something did not answer in time.",
        "A device, a file system, a program or the array hangs.",
        "See what the message names; «instoragectl doctor» looks without hanging itself.",
    ),
    _C.CREDENTIAL_PLUGIN: Entry(
        "The program that gives access to Kubernetes gives none.",
        "The kubeconfig's exec entry fails, or answers what is no credential.",
        "Run the program of the kubeconfig by hand as the provisioner's user.",
    ),
    _C.HELPER_UNREACHABLE: Entry(
        "The root helper cannot be reached.",
        "Its socket unit is stopped, or the helper ended while it was asked.",
        "systemctl start instorage-helper.socket; journalctl -u instorage-helper.",
    ),
    _C.PROTOCOL: Entry(
        "Two processes of ours do not understand each other.",
        "They are of different versions.",
        "Restart instorage-node.target, so that all parts are of one version.",
    ),
    _C.INTERNAL: Entry(
        "Something happened that is a defect, or a file system of this node failed.",
        "The journal has more beside this record.",
        "Mend the file system if the message names one; else report it with «instoragectl bundle».",
    ),
}
