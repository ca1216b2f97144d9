"""Codes of requests, and of the array."""

from __future__ import annotations

from instorage.catalogue.entry import Entry
from instorage.wire.fault import Code as _C  # noqa: N814  # forty times

ENTRIES = {
    _C.BAD_REQUEST: Entry(
        "A request or an argument is malformed.",
        "A command line is mistyped, or two parts of different versions talk to each other.",
        "Correct what the message names; after an upgrade restart instorage-nodeagent.service.",
    ),
    _C.BAD_CONFIGURATION: Entry(
        "The configuration cannot be used.",
        "A key is missing, mistyped or has a value that means nothing; or the file cannot be read.",
        "Correct the line that the message names; «instorage-flexvolume ext-check-cfg FILE» checks it.",
    ),
    _C.NOT_SUPPORTED: Entry(
        "What was asked for is not in this version.",
        "An option or a kind of volume was chosen that another version has.",
        "Choose what the message offers, or upgrade.",
    ),
    _C.NOT_ALLOWED: Entry(
        "The root helper, or the agent, was asked for something outside of what is permitted.",
        "A path, portal, target or option is none of those that this node may use; pins may be old.",
        "After a change on an array run «instoragectl pin»; else see who asked for it.",
    ),
    _C.NOT_SIGNED: Entry(
        "Nothing that is valid gives this volume to the pod that asks for it.",
        "The PV was made by hand, by the vendor's provisioner, or copied from another cluster.",
        "On the provisioner's host: «instoragectl adopt», and its output into config/adopted on the nodes.",
    ),
    _C.ARRAY_UNREACHABLE: Entry(
        "The array's management address does not answer.",
        "The management network is down, the address is wrong, or the array is away.",
        "«instoragectl arrays» tries again; check the address under storage and the way to its port 22.",
    ),
    _C.ARRAY_AUTHENTICATION: Entry(
        "The array refuses the user or the password.",
        "The password was changed or has expired on the array, or the shadow's key is another one.",
        "Correct username and password under storage; it is used with the next call, without a restart.",
    ),
    _C.ARRAY_HOST_KEY: Entry(
        "The array shows another SSH host key than the one that was pinned.",
        "The array was replaced or initialised anew; or somebody else answers at its address.",
        "When the array's administrator confirms the new key, remove the old line that the message names.",
    ),
    _C.ARRAY_ALGORITHMS: Entry(
        "The array's SSH offers no algorithm that is used here.",
        "Its firmware is old and knows SHA-1 alone.",
        "Upgrade the firmware, or allow it for that array with sshLegacy: true.",
    ),
    _C.ARRAY_SESSIONS: Entry(
        "All SSH sessions of the array are taken.",
        "Other programs, or people, keep sessions open.",
        "It is tried again by itself; end sessions on the array that nobody needs.",
    ),
    _C.ARRAY_REFUSED: Entry(
        "The array refused a command for a reason that has no code of its own here.",
        "The message has the array's own number (CMMVC) and text.",
        "Do what the array's documentation says of that number.",
    ),
    _C.ARRAY_BUSY: Entry(
        "The array was not able to carry out a command for as long as it was asked.",
        "A node of it restarts, or its configuration moves to another node; or an unmapping whose answer was "
        "lost may still be carried out, and the volume is not mapped again before that is over.",
        "It is tried again by itself; if it stays so, see the array's event log.",
    ),
    _C.ARRAY_ANSWER: Entry(
        "The array's answer cannot be understood.",
        "A firmware has changed what a command prints.",
        "Report it with the output of «instoragectl bundle»; nothing was changed by a guess.",
    ),
    _C.OUTCOME_UNKNOWN: Entry(
        "It is not known whether the array carried a command out.",
        "The connection was lost under the command, and reading the state again failed too.",
        "It is seen with the next call: nothing is done twice.",
    ),
    _C.POOL_FULL: Entry(
        "The pool has not enough room.",
        "The message has the figures: what is free, and what is wanted.",
        "Free space, add drives, or choose another pool in the StorageClass.",
    ),
    _C.POOL_MISSING: Entry(
        "The array has no pool of that name.",
        "The StorageClass names another array's pool, or it was renamed.",
        "Correct volPoolName in the StorageClass.",
    ),
    _C.VOLUME_MISSING: Entry(
        "The array has no volume of that name.",
        "It was deleted or renamed on the array, or the PV names another array.",
        "Correct the name or storageName in the PV, or give the volume its name back.",
    ),
    _C.VOLUME_EXISTS: Entry(
        "A volume of that name is there, with other properties.",
        "Somebody made it by hand, or another cluster uses the same names.",
        "Use another name, or delete the volume that the message describes if nobody needs it.",
    ),
    _C.VOLUME_MAPPED_ELSEWHERE: Entry(
        "The volume is mapped to another host, and one alone may write.",
        "Its pod runs on another node, or that node died with it.",
        "End that pod; of a node that is gone: «instoragectl release VOLUME --from NODE».",
    ),
    _C.VOLUME_MAPPED: Entry(
        "The volume is mapped, and is therefore neither deleted nor taken away.",
        "A pod uses it.",
        "End the pod that uses it.",
    ),
    _C.VOLUME_PROTECTED: Entry(
        "The array keeps the volume for some minutes after its last I/O.",
        "Volume protection is on.",
        "It goes by itself; a shorter time is set on the array (chsystem -vdiskprotectiontime).",
    ),
    _C.VOLUME_NOT_READY: Entry(
        "The volume cannot be used now.",
        "It is offline or being formatted by the array, or an expansion of it was broken off.",
        "Wait, or bring it online; of an expansion: «instoragectl barrier plan VOLUME».",
    ),
    _C.HOST_OBJECT: Entry(
        "The array's host object is not surely this machine's.",
        "It has ports of another machine, was renamed, or a clone has the same initiator name.",
        "See «instoragectl doctor»; give clones an initiator name of their own, or set host.objects.",
    ),
    _C.HOST_MISSING: Entry(
        "The array has no such host object.",
        "It was removed or renamed.",
        "It is made with the next attach; of a renamed one set host.objects.",
    ),
    _C.NAME_INVALID: Entry(
        "A name is none that the array takes.",
        "It is too long or has characters that the array's command line does not know.",
        "Use letters, digits, «_», «-» and «.», at most 63 characters.",
    ),
}
