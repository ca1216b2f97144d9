"""Texts that are put together where no template shows them, and those of Python's argparse."""

EXTRA = (
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
