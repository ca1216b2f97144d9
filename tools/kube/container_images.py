"""The container images of the lab's pods, made of the machine's own busybox: no registry is asked."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Final

BUSYBOX: Final = "lab.local/busybox:1"
PAUSE: Final = "lab.local/pause:1"  # also in node/containerd.toml and node/kubelet.service
PROGRAM: Final = Path("/bin/busybox")  # Debian's busybox-static
FOLDERS: Final = ("bin", "etc", "tmp", "proc", "sys", "dev", "var", "data")
COMMANDS: Final = (
    *("sh", "sleep", "ls", "cat", "echo", "df", "mount", "touch", "id", "stat", "wc", "date", "dd", "sync"),
    *("true", "false", "tail", "head", "ps", "rm", "mv", "sha256sum", "hostname", "test", "httpd"),
    *("cp", "cmp", "chmod", "mkdir"),  # for deploy/stub-daemonset.yaml
)
WAIT: Final = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"
CREATED: Final = "2021-01-01T00:00:00Z"  # fixed: an image's digest follows its content alone


def archives() -> dict[str, bytes]:
    """Return docker archives (what `ctr images import` takes) by the image's name."""
    layer = _layer()
    return {
        BUSYBOX: _archive(BUSYBOX, layer, {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}),
        PAUSE: _archive(PAUSE, layer, {"Entrypoint": ["/bin/sh", "-c", WAIT], "Env": ["PATH=/bin"]}),
    }


def _layer() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in FOLDERS:
            _add(tar, name, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", PROGRAM.read_bytes())
        for command in COMMANDS:
            _add(tar, f"bin/{command}", kind=tarfile.SYMTYPE, target="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", mode=0o644)
        _add(tar, "etc/group", b"root:x:0:\n", mode=0o644)
    return packed.getvalue()


def _archive(name: str, layer: bytes, settings: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(layer).hexdigest()
    described = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": CREATED}],
        }
    ).encode()
    config = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = [{"Config": config, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, config, described, mode=0o644)
        _add(tar, f"{digest}/layer.tar", layer, mode=0o644)
        _add(tar, "manifest.json", json.dumps(manifest).encode(), mode=0o644)
    return packed.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    mode: int = 0o755,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.linkname, entry.size = mode, kind, target, len(content)
    tar.addfile(entry, io.BytesIO(content))
