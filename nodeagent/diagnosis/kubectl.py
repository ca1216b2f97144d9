"""Kubernetes' objects by the administrator's own kubectl: with its rights and context, and to read alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from nodeagent.diagnosis.foreign import is_object
from nodeagent.diagnosis.objects import Unseen

if TYPE_CHECKING:
    from nodeagent.diagnosis.objects import Object

SECONDS = 20.0  # that one answer may take
_AWAY = ("The connection to the server", "no such host")
_SILENT = ("Unable to connect", "timed out", "Client.Timeout")
"""What is said of a server that is away, and of a list that is too long, or of a node behind the server."""
_CONTEXT = ("--request-timeout=10s",)


class Kubectl:
    """Asks kubectl; `options` go with every call («--context», «--kubeconfig»). Calls are `objects.Ask`."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._away = ""

    def __call__(self, kind: str, name: str = "", namespace: str = "") -> Object | None:
        """Return an object, or the list of a kind; None when there is none. `Unseen`: it cannot be read."""
        refuse(name, namespace)
        words = ["get", kind, *(["-n", namespace] if namespace else []), "-o", "json"]
        words += ["--", name] if name else []
        text = self.run(*words, alone=bool(name))
        if text is None:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            raise Unseen(f"kubectl {' '.join(words)} printed no JSON") from None
        return found if isinstance(found, dict) else None

    def everywhere(self, kind: str) -> Object:
        """Return the list of a kind in all namespaces."""
        text = self.run("get", kind, "--all-namespaces", "-o", "json")
        found = json.loads(text or "{}")
        return found if isinstance(found, dict) else {}

    def run(self, *words: str, alone: bool = False) -> str | None:
        """Return what kubectl prints; None when it says «NotFound»; `Unseen`.

        `alone`: it is one object of the server's own, so that silence means that the server is away.
        """
        program = shutil.which("kubectl")
        if self._away:  # it would be waited for again
            raise Unseen(self._away)
        if program is None:
            raise Unseen("kubectl is not on this machine")
        argv = (program, *self._options, *_CONTEXT, *words)
        try:
            ran = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=SECONDS, check=False, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            why = f"kubectl did not answer within {SECONDS:.0f} s"
            self._away = why if alone else ""
            raise Unseen(why) from None
        except OSError as error:
            raise Unseen(f"{program} cannot be started ({error.strerror})") from None
        if ran.returncode == 0:
            return ran.stdout
        said = ran.stderr.strip().splitlines()
        if "(NotFound)" in ran.stderr:
            return None
        why = said[-1][:300] if said else f"kubectl ended with status {ran.returncode}"
        if "--raw" not in words and any(sign in why for sign in (*_AWAY, *(_SILENT if alone else ()))):
            self._away = why
        raise Unseen(why)


def refuse(*names: str) -> None:
    """Raise `Unseen` for what is no name: a tenant may have written an option of kubectl into a field."""
    for name in names:
        if name and not is_object(name):
            raise Unseen(f"«{name}» is no name of an object of Kubernetes, so it was not asked for")
