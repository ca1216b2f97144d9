"""Making input: valid messages of every kind, values that are nearly valid, and bytes that are neither."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from instorage.wire.interface import INTERFACE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

UID = "60050760008b09c0d000000000008062"
NAME = "pvc-716cd0bb-e993-4dd3-96e4-3f620a9eced8"
POD = "431a7251-1df7-43a7-b81a-9e1d775a898e"
DEVICE = "/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/"
PODS = f"/pods/{POD}/volumes/inspur~instorage-flexvolume/"
DEEP = b"[" * 20 + b"]" * 20
TOKENS = (
    b"\0",
    b"\n",
    b"\r",
    b'"',
    b"\\",
    b"'",
    b",",
    b"!",
    b"..",
    b"//",
    b"/../",
    b" -o",
    b"--",
    b"=",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\xc0\x80",
    "１é\u202e".encode(),
    b"\\ud800",
    b"\\u0000",
    b"[" * 40,
    b'{"a":' * 20,
    b"]" * 40,
    b"9" * 30,
    b"9" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b'"op":"x",',
    b"&a [*a]",
    b"!!python/name:",
    b"a" * 4096,
    b"a" * 70000,
)
CLIMBS = ("/", "//", "/x", "x/", "/..", "../", "/../x", "./", "\n", "\0", "~", "a" * 250) * 2
STRANGE: tuple[Any, ...] = (
    "",
    ".",
    "..",
    "/",
    "-x",
    " ",
    "a b",
    "a\nb",
    "a\0b",
    "\r",
    "é",
    "１",
    "\ud800",
    "x" * 300,
    "x" * 5000,
    UID.upper(),
    "6" * 32,
    "5" + UID[1:],
    UID + "\n",
    UID[:-1],
    "ext4,suid",
    "fuse.x",
    "nfs",
    "overlay",
    "xfs",
    "ext3",
    "suid",
    "noatime",
    "bind",
    "remount,rw",
    "context=x",
    "[::1]:3260",
    "10.9.0.1:0",
    "10.9.0.1:99999",
    "localhost:3260",
    "iqn.2004-12.com.inspur:x -o",
    "iqn.2004-13.com:x",
    0,
    1,
    -1,
    512,
    513,
    16383,
    16384,
    1 << 30,
    1 << 60,
    1 << 63,
    1 << 64,
    1.5,
    True,
    False,
    None,
    [],
    {},
    [[]],
    [1],
    {"a": 1},
    ["noatime", 1],
    3_600_000,
    3_600_001,
)


def mutated(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return `data` with one to four changes: bits, bytes, pieces lost, doubled, exchanged or inserted."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 2, 8, 64)))
        match random.randrange(7):
            case 0 if data:
                place = min(at, len(data) - 1)
                data = data[:place] + bytes((data[place] ^ 1 << random.randrange(8),)) + data[place + 1 :]
            case 1:
                data = data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case 4 if others:
                other = random.choice(others)
                data = data[:at] + other[random.randint(0, len(other)) :]
            case 5:
                data = data[:at]
            case _:
                data = data[:at] + random.choice(TOKENS[:-2] * 8 + TOKENS) + data[at:]
    return data


def _parameters(verb: str, root: str, random: Random) -> dict[str, Any]:
    device, pod = f"{root}{DEVICE}{NAME}", f"{root}{PODS}{NAME}"
    path = {"portal": "10.9.0.1:3260", "target": "iqn.2004-12.com.inspur:mcs.node1", "lun": 1}
    found: dict[str, dict[str, Any]] = {
        "Initiator": {},
        "Inspect": {"uid": UID},
        "Lock": {"mode": random.choice(("shared", "exclusive")), "lease_ms": 60000, "wait_ms": 0},
        "Unlock": {},
        "Attach": {"uid": UID, "size": 1 << 30, "paths": [dict(path)], "multipath": "required", "wait_ms": 0},
        "Detach": {"uid": UID, "wait_ms": 0},
        "Bind": {"uid": UID, "source": device, "target": pod, "read_only": random.random() < 0.5},
        "Unmount": {"target": random.choice((device, pod))},
        "Mount": {
            "uid": UID,
            "size": 1 << 30,
            "target": device,
            "fs_type": random.choice(("ext4", "ext3", "xfs")),
            "read_only": False,
            "may_format": True,
            "multipath": "preferred",
            "options": ["noatime"],
        },
        "Rescan": {"uid": UID, "size": 1 << 30, "wait_ms": 0},
        "GrowFilesystem": {"uid": UID, "target": random.choice((device, pod))},
        "Freeze": {"uid": UID, "target": device, "lease_ms": 60000},
        "Thaw": {"uid": UID, "target": device},
        "Barrier": {"uid": UID, "record": '{"step": 1}', "text": "A volume is not whole.", "erase": False},
    }
    return {"op": "fuzz1", **found[verb]}


def call(verb: str, root: str, random: Random) -> bytes:
    """Return a call of the helper, without its NUL, valid or with a few strange values, keys or bytes."""
    parameters = _parameters(verb, root, random)
    message: dict[str, Any] = {"method": f"{INTERFACE}.{verb}", "parameters": parameters}
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        inner = parameters.get("paths")
        paths = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
        _spoil(random.choice((message, parameters, parameters, *(paths * 2)[:2])), random)
    if random.random() < 0.1:
        message[random.choice(("more", "oneway", "upgrade", "x"))] = random.choice((True, False, 1))
    data = json.dumps(message, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    if random.random() < 0.1:  # inside of any object, what makes it no message at all
        inner = random.choice(
            (b'"op":"fuzz1","op":"fuzz1",', b'"x":%s,' % DEEP, b'"x":"]]]]]]]]","y":%s,' % DEEP)
        )
        brace = random.choice([at for at in range(len(data)) if data[at : at + 1] == b"{"])
        data = data[: brace + 1] + inner + data[brace + 1 :]
    return mutated(data, random) if random.random() < 0.3 else data


def _spoil(found: dict[str, Any], random: Random) -> None:
    key = random.choice(sorted(found) or ["op"])
    match random.randrange(8):
        case 0:
            found.pop(key, None)
        case 1:
            found[str(random.choice(STRANGE))] = random.choice(STRANGE)
        case 2 if isinstance(found.get(key), str):
            text = found[key]
            at = random.choice((random.randint(0, len(text)), len(text), text.rfind("/") + 1))
            piece = str(random.choice((*STRANGE, *CLIMBS)))
            found[key] = text[:at] + piece + text[at + random.randint(0, 2) :]
        case 3 if isinstance(found.get(key), list):
            found[key] = found[key] * random.choice((0, 2, 70)) + [random.choice(STRANGE)] * random.randint(
                0, 1
            )
        case _:
            found[key] = random.choice(STRANGE)


def argv(root: str, random: Random) -> list[str]:
    """Return the arguments of a call of kubelet's, valid or nearly so."""
    device, pod = f"{root}{DEVICE}{NAME}", f"{root}{PODS}{NAME}"
    options: dict[str, Any] = {
        "kubernetes.io/pvOrVolumeName": NAME,
        "kubernetes.io/fsType": random.choice(("ext4", "", "xfs")),
        "kubernetes.io/readwrite": random.choice(("rw", "ro")),
    }
    for _ in range(random.choice((0, 0, 1, 2))):
        _spoil(options, random)
    text = json.dumps(options, ensure_ascii=random.random() < 0.5)
    found = random.choice(
        (
            ["init"],
            ["waitforattach", "", text],
            ["mountdevice", device, "/dev/x", text],
            ["mount", pod, text],
            ["unmount", pod],
            ["unmountdevice", device],
            ["detach", NAME, "node1"],
            ["expandvolume", text],
            ["isattached"],
        )
    )
    if random.random() < 0.3:
        at = random.randrange(len(found))
        found[at] = str(random.choice((*STRANGE, found[at] + "/", found[at].replace("/", "//", 1))))
    return found[: random.randint(1, len(found))] if random.random() < 0.1 else found
