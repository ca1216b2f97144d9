"""What multipathd has in force for the array's disks, compared with the manual's section (manual 3.2)."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from nodeagent.administration.multipath_conf import NAMES, PLACES, fits, hides
from nodeagent.administration.multipath_syntax import parse
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.multipath_syntax import Section

VENDOR, PRODUCT = "INSPUR", "MCS"
MANUAL = {
    "path_grouping_policy": "group_by_prio",
    "path_selector": "round-robin 0",
    "features": "1 queue_if_no_path",
    "prio": "alua",
    "path_checker": "tur",
    "failback": "immediate",
    "no_path_retry": "60",
    "rr_min_io": "1",
    "dev_loss_tmo": "120",
    "fast_io_fail_tmo": "5",
}
"""The device section of manual 3.2; `features` says no more than a `no_path_retry` that is a number does."""
DROP_IN = "/etc/multipath/conf.d/instorage.conf"
_SPEED = ("path_selector", "rr_min_io")  # what differs there is slower or faster, and loses nothing
_ANY = "36005076" + "0" * 25  # a WWID as the arrays give them, where no volume is here
_PROTOCOLS = ("scsi:iscsi", "scsi:fcp")
_RELOAD = "then, at a quiet moment, multipathd reconfigure"
_TAKE = (
    f"where {DROP_IN} is there, multipathd has not read it yet: at a quiet moment, multipathd reconfigure; "
    f"else take the manual's section, or write the key into your own, {_RELOAD}"
)


def check(host: Host) -> Iterator[Finding]:
    """Find what multipathd has in force otherwise, and a blacklist that hides the array's disks.

    The blacklist is looked for in its files when it says nothing: it does not run («services» says so), or
    whoever looks may not ask it.
    """
    ran = host.looks.run("multipathd", "show", "config")
    if ran is not None and not ran.status and ran.out.strip():
        yield from judged(ran.out, _wwids(host))
        return
    files = dict(_files(host))
    for one in _hiding(parse("\n".join(files.values())), [*_wwids(host), _ANY]):
        yield dataclasses.replace(one, proof=", ".join(files))


def _files(host: Host) -> Iterator[tuple[str, str]]:
    for place in map(str, PLACES):
        try:
            names = [f"{place}/{name}" for name in host.looks.names(place) if name.endswith(".conf")]
        except NotADirectoryError:
            names = [place]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield name, host.looks.text(name)


def _wwids(host: Host) -> list[str]:
    """Return the WWIDs of volumes that are here, as far as one may know."""
    try:
        return [f"3{uid}" for uid in host.records()]
    except OSError:
        return []


def judged(config: str, wwids: Iterable[str] = ()) -> list[Finding]:
    """Return what is to be mended in a configuration as «show config» prints it."""
    found = parse(config)
    return [*_differences(in_force(found)), *_hiding(found, [*wwids, _ANY])]


def in_force(config: Section) -> dict[str, str]:
    """Return the manual's keys with what counts for the array's disks; a key without a value is not there.

    Of the device sections that fit, a later one counts more; «overrides» more than all, «defaults» least.
    """
    found: dict[str, str] = {}
    devices = [one for part in config.named("devices") for one in part.named("device")]
    sources = [
        *config.named("defaults"),
        *(one for one in devices if _is_ours(one)),
        *config.named("overrides"),
    ]
    for source in sources:
        found |= {key: source.get(key) for key in MANUAL if source.all(key)}
    return found


def _is_ours(device: Section) -> bool:
    pairs = ((device.get("vendor"), VENDOR), (device.get("product", ".*"), PRODUCT))
    return all(pattern and fits(pattern, name) for pattern, name in pairs)


def _differences(force: dict[str, str]) -> Iterator[Finding]:
    retry = force.get("no_path_retry", "")
    queues = "queue_if_no_path" in force.get("features", "")
    if retry == "queue" or (not retry and queues):
        yield _finding(
            "multipath-queues-for-ever",
            f"Maps of {VENDOR} volumes wait for ever when no path is left (no_path_retry {retry or 'unset'}, "
            f"features {force.get('features', 'unset')}): new volumes are refused.",
            f"write no_path_retry {MANUAL['no_path_retry']}: {_TAKE}",
        )
    elif not retry.isdigit():
        yield _finding(
            "multipath-no-retry",
            f"What uses an {VENDOR} volume gets I/O errors at once when no path is left (no_path_retry "
            f"{retry or 'unset'}; the manual has {MANUAL['no_path_retry']}).",
            _TAKE,
        )
    for key, wanted in MANUAL.items():
        value = force.get(key, "")
        if key == "features" or value == wanted or (key == "no_path_retry" and not value.isdigit()):
            continue
        sentence = f"{key} is {value or 'unset'} for {VENDOR} {PRODUCT}; the manual has {wanted}."
        yield _finding("multipath-differs", sentence, _TAKE, serious=key not in _SPEED)


def _hiding(config: Section, wwids: list[str]) -> Iterator[Finding]:
    """Yield a finding for each blacklist entry that keeps disks of the array out of maps."""
    shown = [one for part in config.named("blacklist_exceptions") for one in part.values]
    for part in config.named("blacklist"):
        for kind, pattern in part.values:
            samples = {"devnode": list(NAMES), "wwid": wwids, "protocol": list(_PROTOCOLS)}.get(kind, [])
            spared = [exception for key, exception in shown if key == kind]
            if hidden := hides(pattern, spared, samples):
                yield _hidden(kind, pattern, hidden)
        for device in part.named("device"):
            if _is_ours(device) and not _is_spared(config):
                yield _hidden("device", f"{device.get('vendor')} {device.get('product', '.*')}", [VENDOR])


def _is_spared(config: Section) -> bool:
    parts = config.named("blacklist_exceptions")
    return any(_is_ours(device) for part in parts for device in part.named("device"))


def _hidden(kind: str, pattern: str, hidden: list[str]) -> Finding:
    mend = (
        'write the whole name ("^sda$")'
        if kind == "devnode"
        else "take it out, or make it fit your disks alone"
    )
    return _finding(
        f"multipath-hides-{kind}",
        f"{kind} «{pattern}» in blacklist hides {', '.join(hidden[:3])}: a disk of the array gets no map.",
        f"{mend}, {_RELOAD}",
    )


def _finding(code: str, sentence: str, mend: str, *, serious: bool = True) -> Finding:
    return Finding(
        "multipath", code, Severity.ERROR if serious else Severity.OK, sentence,
        risk="A pod hangs, or fails, when all paths are gone for a moment." if serious else "",
        command=mend, proof="multipathd show config",
    )  # fmt: skip
