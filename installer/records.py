"""Records of volumes: an older version must be able to read them, and volumes that they name are in use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from installer.files import remove
from installer.host import read_file
from installer.places import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from installer.host import Host
    from installer.saying import Refusals


VOLUMES: Final = "/var/lib/instorage/volumes"


def newest(file: Path) -> dict[str, int]:
    """Return the newest form that a version reads, by directory of the host (its RECORDS)."""
    try:
        text = file.read_text()
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {directory: int(number) for directory, number in lines}


def _below(host: Host, directory: str) -> Iterator[tuple[Path, str]]:
    """Yield each record and its text; one that cannot be read is one that says nothing.

    The directories are services' of ours, and so what lies there may be made by whoever got into one.
    """
    for path in sorted(host.path(directory).glob("[!.]*")):
        if not path.is_dir() or path.is_symlink():
            yield path, read_file(path)


def look(refusals: Refusals, host: Host, file: Path) -> None:
    """Refuse an older version where a newer one has written what it cannot read."""
    had, reads = newest(host.path(f"{LIBRARY}/current/RECORDS")), newest(file)
    for directory in had.keys() - reads.keys():
        for record, _ in _below(host, directory):
            refusals.add(
                f"{record} was written by a newer version, of a kind that this one does not know: install "
                "that version or a newer one, or end the pods that use the volume on this host first."
            )
    for directory, number in reads.items():
        for record, text in _below(host, directory):
            schema = re.search(r'"schema": *([0-9]+)', text)
            if schema and int(schema[1]) > number:
                refusals.add(
                    f"{record} was written by a newer version (form {schema[1]}, this one reads "
                    f"up to {number}): "
                    "install that version or a newer one, or end the pods that use the volume on this "
                    "host first."
                )
            elif not schema and had.get(directory, 0) > number:
                refusals.add(
                    f"{record} does not say which form it has, and the version that is installed "
                    "writes newer "
                    f"ones (form {had[directory]}) than this one reads (up to {number}): end the "
                    "pods that use the volume here first."
                )


def volumes(host: Host, directory: str, wanted: Callable[[str], bool] = lambda _: True) -> list[str]:
    """Return the volume of each record in a directory whose text is `wanted`, with the record's place."""
    found = []
    for record, text in _below(host, directory):
        if not wanted(text):
            continue
        name = re.search(r'"(?:name|volume)": *"([^"]*)"', text)
        found.append(f"{name[1] if name else ''} (record {str(record).removeprefix(host.root)})")
    return found


def forget(host: Host) -> None:
    """Take away the records that a first version made which did not work: what is mounted tells them anew."""
    remove(host.path(VOLUMES))
