"""`instoragectl bundle`: what support needs of this node in one file, without a secret.

What doctor saw is in it, so that `doctor --bundle` examines it anywhere; the journals of our services as JSON
lines, for `trace`; the records. Not in it: `instorage.yaml`, `helper.conf`, key files. What is in it is texts
of ours and facts of the host; every password that the configuration holds is looked for in them all the same,
and replaced.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.version import VERSION
from instorage.wire.fault import Code, Fault
from nodeagent.administration.doctor import examination, run
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.waiting import waited
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

JOURNALCTL = "usr/bin/journalctl"
UNITS = ("instorage-nodeagent", "instorage-helper", "instorage-provisioner", "multipathd", "iscsid")
JOURNAL_SECONDS = 60.0
JOURNAL_LIMIT = 64 << 20  # bytes; the end is kept
HIDDEN = "«not in the bundle»"


def run_bundle(given: argparse.Namespace) -> Outcome:
    """Write the bundle; the file is its maker's alone."""
    paths = Paths.from_environment()
    with examination.this_node(paths, run.root()) as host, waited("examining this node"):
        found = examination.examine(host)
        told = run.to_json(found)
    hidden, whole = secrets_of(paths.configuration)
    with waited("reading the journal"):
        logged = journal(given.since)
    texts = {
        run.LOOKS: json.dumps(host.looks.kept, ensure_ascii=False, indent=1),
        "findings.json": json.dumps(told, ensure_ascii=False, indent=1),
        "doctor.txt": "\n".join(run.lines(found)) + "\n",
        "journal.json": logged,
        "version": f"{VERSION}\n",
    }
    file = given.file or Path(
        f"instorage-{host.setup.node or 'node'}-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz"
    )
    _write(file, {name: cleaned(text, hidden) for name, text in texts.items()})
    return Outcome(
        _lines(file, texts, paths.configuration, whole=whole),
        {"file": str(file), "members": sorted(texts), "passwords_known": whole}, abandon=bool(found.hanging),
    )  # fmt: skip


def secrets_of(configuration: Path) -> tuple[tuple[str, ...], bool]:
    """Return the passwords that must not be in a bundle, the longest first; and whether these are all."""
    from instorage.configuration.settings import load

    try:
        entries = load(configuration, need_host=False).storage
    except Fault:
        return (), False
    found = set()
    whole = True
    for entry in entries:
        try:
            found.add(entry.password.reveal())
        except Fault:  # a shadow without its key
            whole = False
    kept = tuple(sorted((one for one in found if len(one) > 3), key=len, reverse=True))
    return kept, whole and len(kept) == len(found)


def cleaned(text: str, hidden: tuple[str, ...]) -> str:
    """Return the text without the secrets, as they stand and as JSON writes them."""
    for secret in hidden:
        for spelled in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
            text = text.replace(spelled, HIDDEN)
    return text


def journal(since: str) -> str:
    """Return the journal of our services as JSON lines; a line that says why when there is none."""
    argv = [str(run.root() / JOURNALCTL), "--no-pager", "--output=json", "--all", f"--since={since}"]
    argv += [f"--unit={unit}" for unit in UNITS]
    try:
        done = subprocess.run(
            argv, env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=JOURNAL_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return json.dumps({"MESSAGE": f"The journal was not read: {error}"}) + "\n"
    if done.returncode:
        return json.dumps({"MESSAGE": f"The journal was not read: {done.stderr.strip()}"}) + "\n"
    text = done.stdout
    return text if len(text) <= JOURNAL_LIMIT else text[-JOURNAL_LIMIT:].partition("\n")[2]


def _write(file: Path, texts: dict[str, str]) -> None:
    folder = file.name.partition(".")[0]
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as tar:
            for name, text in texts.items():
                content = text.encode(errors="replace")
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
                tar.addfile(entry, io.BytesIO(content))
    except OSError as error:
        text = f"{file} cannot be written ({error.strerror}): name another one with --file."
        raise Fault(Code.BAD_REQUEST, text, file=str(file)) from None


def _lines(file: Path, texts: dict[str, str], configuration: Path, *, whole: bool) -> Iterator[str]:
    yield f"{file} is written: {', '.join(sorted(texts))}."
    if whole:
        yield "It has no password."
    else:
        yield f"Not every password of {configuration} could be looked for: read it before you send it."
    yield f"Examine it anywhere with: instoragectl doctor --bundle {file}"
