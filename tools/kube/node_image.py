"""A node's disk image with containerd and kubelet: the lab's packages and image, and a layer more of each.

The ordinary lab's layers are inputs here and never rebuilt for this one.
"""

import shutil
from pathlib import Path
from typing import Final

from tools.kube import build, container_images
from tools.lab import cache, packages
from tools.lab.image import _Build  # not renamed: its file is an input of the ordinary image's key
from tools.lab.policy import SOURCES
from tools.lab.progress import Programs, Report, step, to_stderr

PACKAGES: Final = (
    *("containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ebtables"),
    *("ethtool", "socat", "busybox-static"),
)
NODE: Final = Path(__file__).with_name("node")
FILES: Final = {
    "containerd.toml": "etc/containerd/config.toml",
    "10-lab.conflist": "etc/cni/net.d/10-lab.conflist",
    "kubelet.yaml": "etc/kubernetes/kubelet.yaml",
    "kubelet.service": "etc/systemd/system/kubelet.service",
    "90-kubelet.conf": "etc/sysctl.d/90-kubelet.conf",
}
MODULES: Final = "overlay\nbr_netfilter\n"
# containerd in the image's root, without CRI, as long as the import takes; mounts end with the namespace.
IMPORT: Final = """
mount -t proc proc "$0/proc" && mount -t sysfs sys "$0/sys" && mount -t tmpfs run "$0/run" &&
mount --bind /dev "$0/dev" && exec chroot "$0" sh -ec '
containerd -c /import/containerd.toml >/import/log 2>&1 & daemon=$!
tries=0
until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1)); [ $tries -lt 200 ] || { cat /import/log; kill $daemon; exit 1; }; sleep 0.1
done
for archive in /import/*.tar; do ctr -n k8s.io images import "$archive"; done
kill $daemon; wait $daemon || true'
"""
INSTALL: Final = """
mount -t proc proc "$0/proc" && exec chroot "$0" sh -ec '
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -qy -o APT::Install-Recommends=false -o Dpkg::Options::=--force-unsafe-io install "$@"
apt-get clean; rm -rf /var/lib/apt/lists/*' sh "$@"
"""
RESOLVER: Final = ("etc/resolv.conf", "etc/hosts")  # the machine's own, as long as apt runs in the root


def image(report: Report = to_stderr) -> Path:
    """Return a folder with `disk.ext4`, `vmlinux` and `initrd.gz` of a node with kubelet."""
    archive, wheels = _root_archive(report), packages.wheels(report)
    kubelet = build.program("kubelet", report)
    sources = [Path(__file__).parents[1] / "lab" / name for name in ("image.py", "initrd.py", "kernel.py")]
    hashed = cache.key(
        archive.name, wheels.name, kubelet.parent.name, *sources, sources[0].with_name("guest"),
        Path(__file__), Path(container_images.__file__), NODE, SOURCES, SOURCES / "compat",
    )  # fmt: skip
    return cache.layer(
        "kubelet-image",
        hashed,
        lambda folder: _NodeBuild(folder, report, kubelet).make(archive, wheels),
        report,
    )


def _root_archive(report: Report) -> Path:
    """Return a folder with `root.tar` and `kernel.deb`: the ordinary lab's packages and PACKAGES."""
    ordinary = packages.root_archive(report)
    hashed = cache.key(ordinary.name, INSTALL, *PACKAGES)
    return cache.layer("kubelet-packages", hashed, lambda folder: _install(ordinary, folder, report), report)


def _install(ordinary: Path, folder: Path, report: Report) -> None:
    programs, root = Programs(folder / "log"), folder / "root"
    root.mkdir()
    with step(report, "packages of a node with kubelet"):
        programs.run("tar", "-C", root, "--xattrs", "--numeric-owner", "-xpf", ordinary / "root.tar")
        policy = root / "usr/sbin/policy-rc.d"  # nothing is to be started here
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        kept = _lend_resolver(root)
        programs.run("unshare", "--mount", "sh", "-c", INSTALL, root, *PACKAGES)
        _take_resolver_back(root, kept)
        policy.unlink()
        programs.run("tar", "-C", root, "--xattrs", "--numeric-owner", "-cpf", folder / "root.tar", ".")
    shutil.rmtree(root)
    shutil.copy(ordinary / "kernel.deb", folder)


def _lend_resolver(root: Path) -> dict[str, bytes | None]:
    kept: dict[str, bytes | None] = {}
    for name in RESOLVER:
        path = root / name
        kept[name] = path.read_bytes() if path.is_file() else None
        path.unlink(missing_ok=True)
        path.write_bytes(Path("/", name).read_bytes() if Path("/", name).exists() else b"")
    return kept


def _take_resolver_back(root: Path, kept: dict[str, bytes | None]) -> None:
    for name, content in kept.items():
        (root / name).unlink()
        if content is not None:
            (root / name).write_bytes(content)


class _NodeBuild(_Build):
    """The ordinary image's build, with kubelet, containerd's settings and the pods' images."""

    def __init__(self, folder: Path, report: Report, kubelet: Path) -> None:
        super().__init__(folder, report)
        self._kubelet = kubelet

    def _configure(self) -> None:
        super()._configure()
        for source, target in FILES.items():
            self._write(target, (NODE / source).read_text())
        self._write("etc/modules-load.d/kubelet.conf", MODULES)
        shutil.copy(self._kubelet, self._root / "usr/bin/kubelet")
        self._chroot("systemctl", "enable", "containerd.service", "kubelet.service")
        self._import_images()

    def _import_images(self) -> None:
        folder = self._root / "import"
        folder.mkdir()
        (folder / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        )
        for number, archive in enumerate(container_images.archives().values()):
            (folder / f"{number}.tar").write_bytes(archive)
        self._programs.run("unshare", "--mount", "sh", "-c", IMPORT, self._root)
        shutil.rmtree(folder)
