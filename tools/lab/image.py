"""The disk image: packages, kernel modules, the product's Python environment, units, SELinux labels."""

import shutil
from pathlib import Path
from typing import Final

from tools.install import NODE
from tools.lab import cache, packages
from tools.lab.initrd import write_initrd
from tools.lab.kernel import write_uncompressed
from tools.lab.policy import SOURCES, built
from tools.lab.progress import Programs, Report, step

GUEST: Final = Path(__file__).with_name("guest")
SIZE: Final = "4G"  # sparse
ENVIRONMENT: Final = f"/{NODE.prefix}"
# Modules that no machine of the lab has a device for: half of the kernel package.
UNUSED_MODULES: Final = (
    "sound", "arch/x86/kvm", *(f"drivers/{name}" for name in (
        "gpu", "media", "iio", "infiniband", "staging", "bluetooth", "isdn", "hwmon", "input", "usb", "mmc",
        "mtd", "comedi", "ata", "platform", "rtc", "thunderbolt", "watchdog", "leds", "mfd", "power", "i2c",
        "cpufreq", "edac", "firewire", "net/wireless", "net/ethernet", "net/usb", "net/can",
    )),
    *(f"net/{name}" for name in (
        "bluetooth", "mac80211", "wireless", "can", "nfc", "ieee802154", "batman-adv",
    )),
)  # fmt: skip
# Units that only cost seconds in an emulated machine.
MASKED_UNITS: Final = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service"),
    *("fstrim.timer", "dpkg-db-backup.timer", "systemd-timesyncd.service", "systemd-pstore.service"),
    *("systemd-networkd.service", "systemd-logind.service", "auditd.service"),
    *("selinux-autorelabel-mark.service", "systemd-random-seed.service"),
    *("getty@tty1.service", "console-getty.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *("proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service"),
)
FILES: Final = {
    "etc/fstab": "/dev/vda / ext4 rw,noatime 0 0\n",
    "etc/hostname": "lab\n",
    "etc/hosts": "127.0.0.1 localhost\n10.9.0.1 array\n10.9.0.11 nodea\n10.9.0.12 nodeb\n",
    "etc/machine-id": "",  # from the kernel's command line
    "etc/selinux/config": "SELINUX=permissive\nSELINUXTYPE=default\n",
    "etc/sysctl.d/lab.conf": "kernel.printk_ratelimit=0\n",  # every denial of SELinux is looked at
    "etc/systemd/journald.conf.d/lab.conf": (
        "[Journal]\nStorage=volatile\nRuntimeMaxUse=64M\nRateLimitIntervalSec=0\n"
    ),
    "etc/udev/rules.d/90-lab.rules": 'SUBSYSTEM=="virtio-ports", KERNEL=="vport*", TAG+="systemd"\n',
}
# What commands from the host may do under an enforcing policy: everything (initrc_t is unconfined).
AGENT_CONTEXT: Final = "/usr/local/sbin/labagent -- system_u:object_r:initrc_exec_t:s0\n"


def image(report: Report) -> Path:
    """Return a folder with `disk.ext4`, `vmlinux` and `initrd.gz`."""
    archive, wheels = packages.root_archive(report), packages.wheels(report)
    here = Path(__file__)
    sources = (here, here.with_name("initrd.py"), here.with_name("kernel.py"), GUEST)
    hashed = cache.key(archive.name, wheels.name, ENVIRONMENT, *sources, SOURCES, SOURCES / "compat")
    return cache.layer("image", hashed, lambda folder: _Build(folder, report).make(archive, wheels), report)


class _Build:
    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._root = folder / "root"
        self._report = report
        self._programs = Programs(folder / "log")

    def make(self, archive: Path, wheels: Path) -> None:
        """Make the image's files and leave nothing else."""
        with step(self._report, "unpacking"):
            self._unpack(archive / "root.tar")
            modules = self._add_kernel(archive / "kernel.deb")
        with step(self._report, "initial RAM disk"):
            write_initrd(modules, GUEST / "init", self._folder, self._programs)
        with step(self._report, "settings and Python environment"):
            self._configure()
            self._add_environment(wheels)
        with step(self._report, "SELinux policy and labels"):
            self._add_policy()
            self._label()
        with step(self._report, "file system"):
            self._make_file_system()
        shutil.rmtree(self._root)

    def _unpack(self, archive: Path) -> None:
        self._root.mkdir()
        tar = ("tar", "-C", self._root, "--xattrs", "--numeric-owner", "-xpf")
        self._programs.run(*tar, archive)

    def _add_kernel(self, package: Path) -> Path:
        """Add the pruned modules to the root, the kernel to the folder; return the modules' folder."""
        unpacked = self._folder / "kernel"
        self._programs.run("dpkg-deb", "-x", package, unpacked)
        (source,) = (unpacked / "lib/modules").iterdir()
        write_uncompressed(unpacked / f"boot/vmlinuz-{source.name}", self._folder / "vmlinux")
        for unused in UNUSED_MODULES:
            shutil.rmtree(source / "kernel" / unused, ignore_errors=True)
        target = self._root / "usr/lib/modules" / source.name
        shutil.copytree(source, target, symlinks=True)
        shutil.rmtree(unpacked)
        self._chroot("depmod", source.name)
        return target

    def _configure(self) -> None:
        for name, text in FILES.items():
            self._write(name, text)
        units = self._root / "etc/systemd/system"
        for unit in MASKED_UNITS:
            self._link(units / unit, "/dev/null")
        for script in ("labagent", "labnet"):
            shutil.copy(GUEST / script, self._root / "usr/local/sbin" / script)
            shutil.copy(GUEST / f"{script}.service", units)
        self._chroot("systemctl", "enable", "labagent.service", "labnet.service")
        self._chroot("systemctl", "enable", "iscsid.socket", "open-iscsi.service", "multipathd.service")
        self._link(units / "default.target", "/usr/lib/systemd/system/multi-user.target")
        self._chroot("passwd", "-d", "root")
        for folder in ("etc/target", "etc/multipath", "var/lib/lio"):
            (self._root / folder).mkdir(parents=True, exist_ok=True)

    def _add_environment(self, wheels: Path) -> None:
        copied = self._root / "wheels"
        shutil.copytree(wheels, copied)
        names = [f"/wheels/{wheel.name}" for wheel in wheels.glob("*.whl")]
        self._chroot("python3", "-m", "venv", ENVIRONMENT)
        offline = ("--no-index", "--no-deps", "--disable-pip-version-check", "--no-cache-dir")
        self._chroot(f"{ENVIRONMENT}/bin/pip", "--isolated", "install", "-q", *offline, *names)
        shutil.rmtree(copied)

    def _add_policy(self) -> None:
        """Load our module as an administrator would, so that the image is labelled for it."""
        copied = self._root / "policy"
        shutil.copytree(SOURCES, copied)
        scratch = self._folder / "policy"
        scratch.mkdir()
        (copied / "refpolicy").mkdir()
        shutil.move(built(scratch), copied / "refpolicy")
        shutil.rmtree(scratch)
        self._chroot("sh", "/policy/load.sh", "load")
        shutil.rmtree(copied)

    def _label(self) -> None:
        """Label on the host: a relabel in the emulated machine takes minutes."""
        contexts = "etc/selinux/default/contexts/files"
        with (self._root / contexts / "file_contexts.local").open("a") as local:
            local.write(AGENT_CONTEXT)
        # libselinux writes the labels through /proc/self/fd. The mount ends with the mount namespace:
        # if this build is killed, whoever removes its folder does not meet it.
        mounted = ("unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"')
        skipped = ("-e", "/proc", "-e", "/sys", "-e", "/dev")
        labelled = ("/sbin/setfiles", "-F", *skipped, f"/{contexts}/file_contexts", "/")
        self._programs.run(*mounted, self._root, *labelled)

    def _make_file_system(self) -> None:
        disk = self._folder / "disk.ext4"
        self._programs.run("truncate", "-s", SIZE, disk)
        # With a journal: tests cut the power under a product that relies on fsync.
        options = ("-J", "size=16", "-O", "^metadata_csum", "-E", "lazy_itable_init=0,root_owner=0:0")
        self._programs.run("mkfs.ext4", "-q", "-F", "-m", "0", *options, "-d", self._root, disk)

    def _chroot(self, *argv: str) -> None:
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        self._programs.run("env", "-i", path, "LANG=C.UTF-8", "chroot", self._root, *argv)

    def _write(self, name: str, text: str) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)

    @staticmethod
    def _link(path: Path, target: str) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)
