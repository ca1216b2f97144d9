"""A second opinion on what is valid: written from PROTOCOL.md, sharing no code with the parsers it judges."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

from tools.fuzz.mutation import DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 65536
_HELPER = "io.inspur.instorage.Helper."
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}"
_VOLUME = r"[A-Za-z_][A-Za-z0-9._-]{0,62}"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_POD = rf"/pods/(?:{_UUID}|[0-9a-f]{{32}})/volumes/inspur~instorage-flexvolume/"
_OPTIONS = ["noatime", "nodiratime", "relatime", "strictatime", "lazytime", "noexec", "sync", "dirsync"]


class BrokenError(ValueError):
    """The bytes are no call at all: the connection ends."""


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _number(least: int, most: int, step: int = 1) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most and value % step == 0


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _flag(value: Any) -> bool:  # noqa: ANN401
    return type(value) is bool


def _list(item: Callable[[Any], bool], most: int = 1 << 30) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(item, value))


def _portal(value: Any) -> bool:  # noqa: ANN401
    address, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not re.fullmatch("[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536 or "%" in address:
        return False
    try:
        found = ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return (address[0] == "[") == (address[-1] == "]") and (address[0] == "[" or found.version == 4)


def _path(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, dict) and _fields(value, _PATH, ())


_UID = _text("6[0-9A-Fa-f]{31}")
_IQN = _text(
    r"iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[A-Za-z0-9][A-Za-z0-9.:_-]{0,210}"
    r"|eui\.[0-9A-Fa-f]{16}|naa\.([0-9A-Fa-f]{16}){1,2}"
)
_PATH = {"portal": _portal, "target": _IQN, "lun": _number(0, 16383)}
_TIME = _number(0, 3_600_000)
_SIZE = _number(512, (1 << 60) - 1, 512)
_MULTIPATH = _one_of("required", "preferred")
_EFFECTS: dict[str, tuple[dict[str, Callable[[Any], bool]], tuple[str, ...]]] = {
    "Attach": (
        {"uid": _UID, "size": _SIZE, "paths": _list(_path, 64), "multipath": _MULTIPATH, "wait_ms": _TIME},
        (),
    ),
    "Detach": ({"uid": _UID, "wait_ms": _TIME}, ()),
    "Mount": (
        {
            "uid": _UID,
            "size": _SIZE,
            "fs_type": _one_of("ext4", "ext3", "xfs"),
            "read_only": _flag,
            "may_format": _flag,
            "multipath": _MULTIPATH,
            "target": _text(".*"),
            "options": _list(_one_of(*_OPTIONS)),
            "shared": _flag,
        },
        ("options", "shared"),
    ),
    "Bind": ({"uid": _UID, "source": _text(".*"), "target": _text(".*"), "read_only": _flag}, ()),
    "Unmount": ({"target": _text(".*")}, ()),
    "Rescan": ({"uid": _UID, "size": _SIZE, "wait_ms": _TIME}, ()),
    "GrowFilesystem": ({"uid": _UID, "target": _text(".*")}, ()),
    "Freeze": ({"uid": _UID, "target": _text(".*"), "lease_ms": _number(1, 120_000)}, ()),
    "Barrier": (
        {
            "uid": lambda one: one is None or _UID(one),
            "record": _text(r"[\s\S]*"),
            "text": _text(r"[\s\S]*"),
            "erase": _flag,
        },
        ("uid", "record", "text", "erase"),
    ),
}


def _fields(
    found: dict[str, Any], known: dict[str, Callable[[Any], bool]], optional: tuple[str, ...]
) -> bool:
    missing = known.keys() - found.keys() - set(optional)
    return not missing and found.keys() <= known.keys() and all(known[key](found[key]) for key in found)


def _device(text: str, root: str) -> str | None:
    match = re.fullmatch(re.escape(root + DEVICE) + f"({_NAME})", text, re.ASCII)
    return match[1] if match and len(text) <= 4096 else None


def _pod(text: str, root: str) -> str | None:
    match = re.fullmatch(re.escape(root) + _POD + f"({_NAME})", text, re.ASCII)
    return match[1] if match and len(text) <= 4096 else None


def _targets(verb: str, given: dict[str, Any], root: str) -> bool:
    match verb:
        case "Mount":
            writes = given.get("shared", False) and not given["read_only"]
            return _device(given["target"], root) is not None and not writes
        case "Bind":
            return _device(given["source"], root) == (_pod(given["target"], root) or 0)
        case "Unmount" | "GrowFilesystem" | "Freeze":
            return bool(_device(given["target"], root) or _pod(given["target"], root))
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise BrokenError
    return dict(pairs)


def _integer(text: str) -> int:
    if len(text.strip("-")) > 19:
        raise BrokenError
    return int(text)


def _never(text: str) -> None:
    raise BrokenError


def _depth(value: Any) -> int:  # noqa: ANN401
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def effect(message: bytes, root: str) -> str | None:
    """Return the verb that a message must set to work, None when it must be refused; `BrokenError`."""
    try:
        text = message.decode()
        found = json.loads(text, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_never)
    except (ValueError, RecursionError):
        raise BrokenError from None
    if len(message) >= LIMIT or not isinstance(found, dict) or _depth(found) > 16:
        raise BrokenError
    method, given = found.get("method"), found.get("parameters", {})
    if not isinstance(method, str) or not isinstance(given, dict) or found.get("upgrade"):
        raise BrokenError
    verb = method.removeprefix(_HELPER)
    if not method.startswith(_HELPER) or verb not in _EFFECTS:
        return None
    known, optional = _EFFECTS[verb]
    good = _fields(given, {"op": _text("[0-9a-z]{4,32}"), **known}, optional) and _targets(verb, given, root)
    return verb if good else None


BROKEN = "broken"


def verdicts(data: bytes, root: str) -> list[str | None]:
    """Return for each message the verb that it must set to work, or None; `BROKEN` ends the list."""
    found: list[str | None] = []
    for message in data.split(b"\0")[:-1]:
        try:
            found.append(effect(message, root))
        except BrokenError:
            return [*found, BROKEN]
    return found


def runs(call: bytes) -> str | None:
    """Return the operation that a call of the stub must begin, None when it must be answered at once."""
    try:
        words = call.removesuffix(b"\0").decode().split("\0")
    except UnicodeDecodeError:
        return None
    if not call.endswith(b"\0") or len(call) > 128 * 1024:
        return None
    name, given = words[0], words[1:]
    shapes: dict[str, tuple[int, int | None, bool | None]] = {  # words at least, the options, a device target
        "waitforattach": (2, 1, None),
        "mountdevice": (3, 2, True),
        "mount": (2, 1, False),
        "unmount": (1, None, False),
        "unmountdevice": (1, None, True),
        "detach": (2, None, None),
    }
    if name not in shapes or len(given) < shapes[name][0]:
        return None
    _, options, device = shapes[name]
    volume = _of_target(given[0], device=device) if device is not None else None
    if name == "detach":
        return name if _text(_VOLUME)(given[0]) else None
    if device is not None and volume is None:
        return None
    if options is not None:
        named = _of_options(given[options])
        return name if named is not None and volume in (None, named) else None
    return name


def _of_target(text: str, *, device: bool) -> str | None:
    word = "[A-Za-z0-9][A-Za-z0-9._-]*"
    shape = (
        rf"/.+/plugins/kubernetes\.io/flexvolume/{word}/{word}/mounts/({_VOLUME})"
        if device
        else rf"/.+/pods/[0-9a-fA-F-]{{8,64}}/volumes/{word}~{word}/({_VOLUME})"
    )
    match = re.fullmatch(shape, text, re.ASCII)
    return match[1] if match and not {"", ".", ".."} & set(text.split("/")[1:]) else None


def _of_options(text: str) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    writes, readers = found.get("kubernetes.io/readwrite", "rw"), found.get("readers")
    name, kind = found.get("kubernetes.io/pvOrVolumeName"), found.get("kubernetes.io/fsType")
    good = _text(_VOLUME)(name) and (not kind or kind in ("ext4", "ext3", "xfs")) and writes in ("rw", "ro")
    good = good and readers in (None, "", "one", "many") and not (readers == "many" and writes == "rw")
    return name if good and found.get("volLevel") in (None, "", "basic", "mirror", "aa") else None
