"""Texts that are put together where no template shows them, and those of Python's argparse.

A sentence stands here a second time where one of its values is a single word of ours, which as a value would
stay English: with the word in its own text it is found first.
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
    "<-- first", "Do: {command}", "Pod {name}", "Claim {name}",
    "{subject} waits: {sentence}", "{subject} waits since {clock} ({age}): {sentence}",
    "{subject} works, with a fault: {sentence}",
    "{subject} works, with a fault since {clock} ({age}): {sentence}",
    "why: {text}", "risk: {text}", "do ({who}): {command}", "seen in: {proof}",
    "1 error", "1 warning", "Password: ", "usage: ", "options", "positional arguments",
    "show this help message and exit",
    "%(prog)s: error: %(message)s\n", "the following arguments are required: %s",
    "unrecognized arguments: %s", "expected one argument",
    "invalid choice: %(value)r (choose from %(choices)s)", "argument %(argument_name)s: %(message)s",
)  # fmt: skip
