"""What multipathd has in force for the array's disks, compared with the manual's section (manual 3.2).

`findings` is for programs (`instoragectl multipath`, and whoever looks a host over); each has a stable code.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent.administration import multipathd
from nodeagent.administration.multipath_conf import NAMES, fits
from nodeagent.administration.multipath_syntax import parse
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
_TAKE = f"take the manual's section ({DROP_IN}), or write the key into your own, {_RELOAD}"


@dataclass(frozen=True)
class Finding:
    """Something to mend: a stable code, a sentence, the mend. `serious`: data may be lost or hang."""

    code: str
    sentence: str
    mend: str
    serious: bool = True


def findings(state: Path | None = None) -> list[Finding]:
    """Ask multipathd, and return what to mend, empty when all is as the manual has it. As root.

    `state` is the agent's directory, whose records name the WWIDs of volumes that are here.
    """
    return _asked(state)[1]


def _asked(state: Path | None = None) -> tuple[Section | None, list[Finding]]:
    records = (state or Paths.from_environment().state) / "volumes"
    wwids = [f"3{one.name}" for one in records.glob("6*")] if records.is_dir() else []
    try:
        config = multipathd.ask("show config")
    except Fault as fault:
        sentence, _, mend = fault.sentence.rstrip(".").partition(": ")
        return None, [Finding("multipathd-silent", f"{sentence}.", mend)]
    return parse(config), judged(config, wwids)


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
        yield Finding(
            "multipath-queues-for-ever",
            f"Maps of {VENDOR} volumes wait for ever when no path is left (no_path_retry {retry or 'unset'}, "
            f"features {force.get('features', 'unset')}): new volumes are refused.",
            f"write no_path_retry {MANUAL['no_path_retry']}: {_TAKE}",
        )
    elif not retry.isdigit():
        yield Finding(
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
        yield Finding("multipath-differs", sentence, _TAKE, serious=key not in _SPEED)


def _hiding(config: Section, wwids: list[str]) -> Iterator[Finding]:
    """Yield a finding for each blacklist entry that keeps disks of the array out of maps."""
    shown = [one for part in config.named("blacklist_exceptions") for one in part.values]
    for part in config.named("blacklist"):
        for kind, pattern in part.values:
            samples = {"devnode": list(NAMES), "wwid": wwids, "protocol": list(_PROTOCOLS)}.get(kind, [])
            spared = [exception for key, exception in shown if key == kind]
            hidden = [one for one in samples if fits(pattern, one) and not any(fits(x, one) for x in spared)]
            if hidden:
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
    return Finding(
        f"multipath-hides-{kind}",
        f"{kind} «{pattern}» in blacklist hides {', '.join(hidden[:3])}: a disk of the array gets no map.",
        f"{mend}, {_RELOAD}",
    )


def run(_: argparse.Namespace) -> Outcome:
    """Say what is in force, then what to mend (`instoragectl multipath`); status 1 when it is serious."""
    config, found = _asked()
    force = in_force(config) if config is not None else {}
    data = {"in_force": force, "findings": [dataclasses.asdict(one) for one in found]}
    return Outcome(_lines(force, found), data, int(any(one.serious for one in found)))


def _lines(force: dict[str, str], found: list[Finding]) -> Iterator[str]:
    if force:
        yield f"multipathd has in force for {VENDOR} {PRODUCT}:"
        yield from (f"  {key} {force.get(key, '(unset)')}" for key in MANUAL)
    for one in found:
        yield f"{'trouble' if one.serious else 'remark'}: {one.sentence} {one.mend} [{one.code}]"
    if not found:
        yield "It is as the manual has it, and no blacklist hides the array's disks."
