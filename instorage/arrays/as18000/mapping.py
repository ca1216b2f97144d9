"""Host mappings: which volume is shown to which host object, under which LUN (array-as18000.md 4.14, 5.7)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import protection, volumes
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import LUN_USED, MAPPED, MAPPED_HERE, NOT_FOUND, Refused
from instorage.arrays.model import Mapping
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Lun, VolumeUid

if TYPE_CHECKING:
    from collections.abc import Collection

    from instorage.arrays.as18000.resting import RestingLuns
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.volume_name import VolumeName

ATTEMPTS = 3  # an operation is given again only after the array said that it was not done


def of_volume(cli: Cli, volume: VolumeName) -> tuple[Mapping, ...]:
    """Return every mapping of a volume; empty when the array shows none twice, or the volume is gone."""
    return tuple(
        Mapping(volume, host, own[0]["host_id"], _luns(own), own[0]["vdisk_UID"].lower())
        for host, own in _by(_rows(cli, "lsvdiskhostmap", object_name(volume, "volume")), "host_name").items()
    )


def of_host(cli: Cli, host: str) -> tuple[Mapping, ...]:
    """Return what is mapped to a host object; empty when the array shows none twice, or it is gone."""
    return tuple(
        Mapping(name, host, own[0]["id"], _luns(own), own[0]["vdisk_UID"].lower())
        for name, own in _by(_rows(cli, "lshostvdiskmap", object_name(host, "host")), "vdisk_name").items()
    )


def make(
    cli: Cli,
    resting: RestingLuns,
    volume: VolumeName,
    host: str,
    *,
    share: bool,
    uid: VolumeUid | None = None,
    avoid: Collection[int] = (),
) -> Mapping:
    """Map, or return the mapping that is there, its LUN read from the array afterwards, with `made`.

    VOLUME_MAPPED_ELSEWHERE, VOLUME_MISSING, HOST_MISSING, OUTCOME_UNKNOWN; NOT_OURS, with nothing left mapped
    by this call, when another volume than that of `uid` has the name. ARRAY_BUSY while an unmapping whose
    answer was lost may still be carried out: it would take away what is mapped now.
    """
    object_name(host, "host"), object_name(volume, "volume")
    _refuse_under_way(cli, resting, volume, host)
    made: bool | None = False
    for attempt in range(ATTEMPTS):
        options = _options(resting.choose(host, avoid), share=share)
        try:
            cli.operate("mkvdiskhostmap", *options, "-host", host, volume)
            made = True
        except OutcomeUnknown:
            made = None  # it may be there since before
            if _here(of_volume(cli, volume), host) is None and attempt < ATTEMPTS - 1:
                continue
        except Refused as refused:
            if refused.cmmvc == LUN_USED and attempt < ATTEMPTS - 1:
                resting.seen(of_host(cli, host))
                continue
            if refused.cmmvc in NOT_FOUND:
                raise _missing(cli, volume, host, refused) from refused
            if refused.cmmvc not in (MAPPED, MAPPED_HERE):
                raise
        break
    try:
        mapping = _alone(cli, volume, host, share=share)
    except Fault as fault:
        if made and fault.code is Code.VOLUME_MAPPED_ELSEWHERE:  # a reader came between
            _take_back(cli, resting, volume, host)
        elif made is None and fault.code is Code.VOLUME_MAPPED_ELSEWHERE:
            raise _stays(cli, volume, host, fault) from fault
        raise
    resting.seen((mapping,))
    if uid not in (None, mapping.uid):
        if made:
            _take_back(cli, resting, volume, host)
        raise _another(cli, mapping, uid)
    return dataclasses.replace(mapping, made=made)


def remove(cli: Cli, resting: RestingLuns, volume: VolumeName, host: str) -> bool:
    """Unmap; False when the volume was not mapped to that host. OUTCOME_UNKNOWN."""
    words = ("-host", object_name(host, "host"), object_name(volume, "volume"))
    before = resting.leaving(volume, host)
    removed, lost = True, 0  # lost: of those sent, how many may be carried out yet
    try:
        for attempt in range(ATTEMPTS):
            try:
                cli.operate("rmvdiskhostmap", *words)
            except OutcomeUnknown:
                lost += 1
                resting.leaving(volume, host)  # from now on
                if _here(of_volume(cli, volume), host) is not None:
                    if attempt == ATTEMPTS - 1:
                        raise
                    continue
                lost -= 1
            except Refused as refused:
                if refused.cmmvc not in NOT_FOUND or _here(of_volume(cli, volume), host) is not None:
                    raise protection.explained(cli, refused, volume, host=host) from refused
                removed = attempt > 0  # else a first attempt without an answer did it after all
                lost = max(0, lost - 1)
            break
    finally:
        if not lost:
            resting.answered(volume, host, before)
    resting.freed(volume, host)
    return removed


def _take_back(cli: Cli, resting: RestingLuns, volume: VolumeName, host: str) -> None:
    """Unmap what was mapped just now; OUTCOME_UNKNOWN when it may stay: who mapped it must not forget it."""
    try:
        remove(cli, resting, volume, host)
    except Fault as fault:
        raise _stays(cli, volume, host, fault) from fault


def _stays(cli: Cli, volume: VolumeName, host: str, fault: Fault) -> Fault:
    return Fault(
        Code.OUTCOME_UNKNOWN,
        f"Volume {volume} on array {cli.array} was to be taken back from {host}, and may stay mapped there; "
        f"it is tried again. {fault.sentence}",
        array=cli.array,
        volume=volume,
        host=host,
    )


def _refuse_under_way(cli: Cli, resting: RestingLuns, volume: VolumeName, host: str) -> None:
    if (left := resting.under_way(volume, host)) > 0:
        raise Fault(
            Code.ARRAY_BUSY,
            f"Array {cli.array} may still carry out an unmapping of volume {volume} from {host} whose answer "
            f"was lost: it would take the volume from its next pod. It is mapped again in {left:.0f} s.",
            array=cli.array,
            volume=volume,
            host=host,
        )


def _options(lun: int | None, *, share: bool) -> tuple[str, ...]:
    # -force only lets a second host in; without it the array itself refuses one, whoever is faster
    force = ("-force",) if share else ()
    return force if lun is None else (*force, "-scsi", str(lun))


def _rows(cli: Cli, query: str, name: str) -> tuple[Row, ...]:
    try:
        return cli.sure_rows(query, name)
    except Refused as refused:
        if refused.cmmvc in NOT_FOUND:
            return ()
        raise


def _by(rows: tuple[Row, ...], column: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def _luns(rows: list[Row]) -> tuple[tuple[str, Lun], ...]:
    """Return LUN by I/O group; an answer without groups counts as group 0."""
    return tuple((row.get("IO_group_id") or "0", _lun(row)) for row in rows)


def _lun(row: Row) -> Lun:
    try:
        return Lun.parse(row.number("SCSI_id"))
    except Fault as fault:
        raise row.source.misfit(fault.sentence.rstrip("."), column="SCSI_id") from fault


def _here(found: tuple[Mapping, ...], host: str) -> Mapping | None:
    return next((mapping for mapping in found if mapping.host == host), None)


def _alone(cli: Cli, volume: VolumeName, host: str, *, share: bool) -> Mapping:
    found = of_volume(cli, volume)
    others = sorted(mapping.host for mapping in found if mapping.host != host)
    if others and not share:
        raise Fault(
            Code.VOLUME_MAPPED_ELSEWHERE,
            f"Volume {volume} on array {cli.array} is mapped to {', '.join(others)}: it cannot be given to "
            f"{host} before it is unmapped there. The node that has it unmaps it when its last pod is gone. "
            f"If that node is gone for good: instoragectl release {volume} --from NODE. It takes nothing "
            "from a node that the array does not call logged out." + protection.hint(cli),
            array=cli.array,
            volume=volume,
            hosts=", ".join(others),
        )
    mapping = _here(found, host)
    if mapping is None:
        raise Fault(
            Code.OUTCOME_UNKNOWN,
            f"Array {cli.array} does not show the mapping of volume {volume} to {host} after it was made.",
            array=cli.array,
            volume=volume,
            host=host,
        )
    return mapping


def _another(cli: Cli, mapping: Mapping, uid: VolumeUid | None) -> Fault:
    return Fault(
        Code.NOT_OURS,
        f"Volume {mapping.volume} on array {cli.array} is not mapped to {mapping.host}: its name was given "
        f"to another volume just now (UID {mapping.uid}, not {uid}). Look at both on the array.",
        array=cli.array,
        volume=mapping.volume,
    )


def _missing(cli: Cli, volume: VolumeName, host: str, refused: Refused) -> Fault:
    if volumes.find(cli, volume) is None:
        return volumes.missing(cli, volume)
    try:
        cli.detail("lshost", host)
    except Refused as gone:
        if gone.cmmvc in NOT_FOUND:
            return Fault(
                Code.HOST_MISSING,
                f"The host object {host} is no longer on array {cli.array}: the next attempt makes it again.",
                array=cli.array,
                host=host,
            )
    return refused
