"""Texts that are put together where no template shows them, and those of Python's argparse.

A sentence stands here a second time where one of its values is a single word of ours, which as a value would
stay English, where another sentence may follow, or where a shorter template would take what follows for its
last value: whole it is found first.
"""

EXTRA = (
    (
        "Array {array} keeps volume {volume} undeleted for now ({refused}): volume protection is on there, "
        "which refuses this for {time} after I/O. Nothing is wrong: it can be deleted when that time is "
        "over, and agent and provisioner try it again by themselves. An administrator who will not wait: "
        "«{commands}»."
    ),
    (
        "Array {array} keeps volume {volume} mapped to {host} for now ({refused}): volume protection is on "
        "there, which refuses this for {time} after I/O. Nothing is wrong: it can be unmapped when that time "
        "is over, and agent and provisioner try it again by themselves. An administrator who will not wait: "
        "«{commands}»."
    ),
    (
        "Volume {volume} on array {array} is mapped to {others}: it cannot be given to {host} before it is "
        "unmapped there. The node that has it unmaps it when its last pod is gone. If that node is gone for "
        "good: instoragectl release {volume2} --from NODE. It takes nothing from a node that the array "
        "does not call logged out."
        " Volume protection is on there: that may take {minutes} minutes after the last I/O."
    ),
    (
        "Volume {volume} on array {array} is mapped to {others}: it cannot be given to {host} before it is "
        "unmapped there. The node that has it unmaps it when its last pod is gone. If that node is gone for "
        "good: instoragectl release {volume2} --from {node}. It takes nothing from a node that the array "
        "does not call logged out."
        " Volume protection is on there: that may take {minutes} minutes after the last I/O."
    ),
    (
        "Volume {volume} on array {array} is mapped to {others}: it cannot be given to {host} before it is "
        "unmapped there. The node that has it unmaps it when its last pod is gone. If that node is gone for "
        "good: instoragectl release {volume2} --from {node}. It takes nothing from a node that the array "
        "does not call logged out."
    ),
    (
        "Volume {volume} is mapped to host {named}, and one node alone may have it: end the pod there that "
        "uses it, and the node lets it go. If that node is gone for good: instoragectl release {volume2} "
        "--from {node}. It takes nothing from a node that the array does not call logged out."
    ),
    (
        "Volume {name} on array {array} is not deleted: it is mapped to {join}. It goes by itself when the "
        "mapping is gone: end the pod there that uses it. If that node is gone for good: instoragectl "
        "release {name2} --from {node}. It takes nothing from a node that the array does not call logged "
        "out."
    ),
    (
        "An active-active expansion of volume {volume} was broken off on this host, see the barrier file "
        "{path}: finish it with «instoragectl barrier resume», or do what «instoragectl barrier plan» prints "
        "and remove that file; until then nothing is attached or detached here."
    ),
    "An active-active expansion of volume {volume} is under way on this host (barrier file {path}): {mend}.",
    (
        "An active-active expansion of volume {volume} was broken off: {path} stops attach and detach on "
        "this node."
    ),
    "There is no pool {name} and no pool {other} on array {array}: correct volPoolName or volAuxPoolName.",
    "Array {name} maps nothing else to {node}.",
    "end what uses it: kubectl delete pod, the pods with UID {pods}",
    "{call} of {volume} succeeded after {took} ms (request {op})",
    "{call} of {volume} failed after {took} ms (request {op})",
    "Pool {name} of array {array}, in which the volume lies, is offline.",
    "Pool {name} of array {array}, in which the volume lies, is full.",
    "error", "warning", "note",
    "error {check}: {sentence}", "warning {check}: {sentence}", "note {check}: {sentence}",
    "error     {sentence}", "warning   {sentence}",
    "<-- first", "Do: {command}", "Where: {place}.", "Pod {name}", "Claim {name}",
    "{subject} waits: {sentence}", "{subject} waits since {clock} ({age}): {sentence}",
    "{subject} works, with a fault: {sentence}", "{subject} has ended: {sentence}",
    "{subject} works, with a fault since {clock} ({age}): {sentence}",
    "why: {text}", "risk: {text}", "do ({who}): {command}", "seen in: {proof}",
    "1 error", "1 warning", "Password: ", "usage: ", "options", "positional arguments",
    "show this help message and exit",
    "%(prog)s: error: %(message)s\n", "the following arguments are required: %s",
    "unrecognized arguments: %s", "expected one argument",
    "invalid choice: %(value)r (choose from %(choices)s)", "argument %(argument_name)s: %(message)s",
)  # fmt: skip
