"""kubelet's directories: are they there, and do mounts in them reach containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

CHECK = "kubelet"


def check(host: Host) -> Iterator[Finding]:
    """Find kubelet's directories that are not there, or whose mounts do not reach containers."""
    for root in host.setup.kubelet_roots:
        if host.looks.facts(root) is None:
            yield Finding(
                CHECK, "kubelet-root-missing", Severity.ERROR, f"{root} of kubelet is not there.",
                cause="kubelet has another --root-dir, does not run yet, or the link leads nowhere.",
                risk="Nothing is mounted for pods.", who=Who.KUBERNETES,
                command="install.sh --node --kubelet-root DIRECTORY, as kubelet's --root-dir", proof=root,
            )  # fmt: skip
            continue
        point, shared = _mount_of(host.looks.text("/proc/1/mountinfo"), root)
        if point and not shared:
            yield Finding(
                CHECK, "mount-private", Severity.ERROR,
                f"{point}, on which {root} lies, is mounted without shared propagation.",
                cause="It was mounted «private» or «slave».",
                risk="A kubelet, or a container, with mounts of its own does not see the volumes.",
                command=f"mount --make-rshared {point}", proof="/proc/1/mountinfo",
            )  # fmt: skip


def _mount_of(text: str, path: str) -> tuple[str, bool]:
    """Return the mount point on which a path lies, and whether what is mounted there propagates."""
    best, shared = "", False
    for line in text.splitlines():
        words = line.split()
        if len(words) < 7:
            continue
        point = words[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # the later of two on one place covers the earlier
            optional = words[6 : words.index("-")] if "-" in words else []
            best, shared = point, any(word.startswith("shared:") for word in optional)
    return best, shared
