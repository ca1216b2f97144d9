"""The plugin directory that kubelet looks into, its rights, and the configuration in it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

STUB = "instorage-flexvolume"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def plugin(host: Host) -> Iterator[Finding]:
    """Find a plugin directory, stub or configuration that is not there, or that others can change."""
    check, place = "plugin", host.setup.plugin
    again = f"in the folder of the unpacked archive: ./install.sh --node --plugin-dir {place}"
    for path, what in (
        (place, "the plugin directory"),
        (f"{place}/{STUB}", "the stub that kubelet executes"),
    ):
        facts = host.looks.facts(path)
        if facts is None:
            yield Finding(
                check, "plugin-missing", Severity.ERROR, f"{path}, {what}, is not there.",
                risk="kubelet finds no driver, and pods wait for ever.", command=again, proof=path,
            )  # fmt: skip
            return
        if facts.uid != host.looks.owner or facts.mode & _OTHERS:
            yield Finding(
                check, "plugin-rights", Severity.ERROR,
                f"{path}, {what}, can be changed by others than root.",
                risk="Who changes it is executed by kubelet as root.",
                command=f"chown root: {path}; chmod go-w {path}", proof=f"stat {path}",
            )  # fmt: skip
    stub = host.looks.facts(f"{place}/{STUB}")
    if stub and not stub.mode & stat.S_IXUSR:
        yield Finding(
            check, "stub-not-executable", Severity.ERROR, f"{place}/{STUB} cannot be executed.",
            risk="kubelet finds no driver, and pods wait for ever.", command=f"chmod 755 {place}/{STUB}",
            proof=f"stat {place}/{STUB}",
        )  # fmt: skip


def configuration(host: Host) -> Iterator[Finding]:
    """Find a configuration that cannot be used, or that everybody can read."""
    path = host.setup.configuration
    facts = host.looks.facts(path)
    if host.setup.fault and facts and not host.looks.readable(path):  # that is no fault of it
        yield Finding(
            "configuration", "not-seen", Severity.OK,
            f"{path} was not looked at, nor any array asked: who is not root cannot read it.",
            command="sudo instoragectl doctor", proof=path,
        )  # fmt: skip
    elif host.setup.fault:
        yield Finding(
            "configuration", "bad-configuration", Severity.ERROR, host.setup.fault,
            risk="What was in force before works on until the agent is restarted.",
            command=f"{host.setup.plugin}/{STUB} ext-check-cfg {path}", proof=path,
        )  # fmt: skip
    for warning in host.setup.warnings:
        yield Finding("configuration", "configuration-warning", Severity.OK, warning, proof=path)
    if facts and facts.mode & stat.S_IROTH:
        yield Finding(
            "configuration", "configuration-open", Severity.WARNING, f"{path} can be read by everybody.",
            risk="The arrays' passwords are in it.", command=f"chmod o-r {path}", proof=f"stat {path}",
        )  # fmt: skip
