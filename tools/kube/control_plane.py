"""A control plane of etcd, API server, controller manager and scheduler on loopback.

Its processes end when this one does, in whatever way (tools/kube/processes.py).
"""

import contextlib
import json
import random
import shutil
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from tools.kube import build
from tools.kube.certificates import Authority, signing_key
from tools.kube.documents import AUDIT, kubeconfig, way_to_kubelets
from tools.kube.processes import Processes

ETCD: Final = "/usr/bin/etcd"
BWRAP: Final = "/usr/bin/bwrap"
PORTS: Final = (20000, 32000)  # below those of outgoing connections (net.ipv4.ip_local_port_range)
SERVICES: Final = "10.96.0.0/24"
ISSUER: Final = "https://kubernetes.default.svc"


class ControlPlane:
    """`with ControlPlane() as plane: plane.kubeconfig("admin")`; RBAC is on.

    `requests`: calls per second that kube-controller-manager may make (upstream's default is 20).
    `admission`: plugins beside those that are on by default.
    `kubelets`: an HTTP proxy's unix socket, by which the API server reaches kubelets; with it there is a
    scheduler, and `addresses` are the API server's as nodes see it. Without it, no node and no scheduler.
    """

    def __init__(
        self,
        requests: int = 20,
        *,
        kubelets: Path | None = None,
        addresses: tuple[str, ...] = (),
        admission: tuple[str, ...] = (),
    ) -> None:
        self._requests = requests
        self._admission = ",".join((*admission, *(("NodeRestriction",) if kubelets else ())))
        self._kubelets = kubelets
        self._addresses = addresses
        self._directory = Path(tempfile.mkdtemp(prefix="instorage-kube-"))
        self._processes = Processes(self._directory)
        self._etcd, self._peers, self.port, self._manager, self._scheduler = free_ports(5)
        self._authority = Authority(self._directory / "pki")
        self.pki = self._directory / "pki"
        self.plugins = self._directory / "plugins"  # kube-controller-manager's FlexVolume drivers
        self.mounted = True  # that directory, in its container
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self._certificates()
            self._start_etcd()
            self.start_apiserver()
            self.start_manager()
            if self._kubelets:
                self.start_scheduler()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def kubeconfig(self, user: str, token: str | None = None) -> Path:
        """Return the kubeconfig of `user`: with a certificate issued here, or with `token`."""
        pki = self.pki
        login = (
            {"token": token}
            if token
            else {"client-certificate": f"{pki / user}.crt", "client-key": f"{pki / user}.key"}
        )
        path = self._directory / f"{user}.kubeconfig"
        document = kubeconfig(self.url, pki / "ca.crt", user, login)
        path.write_text(json.dumps(document))
        return path

    def issue(self, name: str, user: str, groups: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> None:
        """Issue NAME.crt and NAME.key in `pki` for a user of the cluster, or a server at `hosts`."""
        self._authority.issue(name, user, groups, hosts)

    def start_apiserver(self) -> None:
        """Start the API server, on the same port each time, and wait until it is ready."""
        pki = self.pki
        self._processes.start(
            "kube-apiserver", build.program("kube-apiserver"),
            "--bind-address=127.0.0.1", f"--secure-port={self.port}", "--insecure-port=0",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}", f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
            f"--service-account-key-file={pki}/sa.key", f"--service-account-signing-key-file={pki}/sa.key",
            f"--service-account-issuer={ISSUER}", f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC", "--allow-privileged=true",
            f"--enable-admission-plugins={self._admission}",
            f"--audit-policy-file={self._directory}/audit-policy",
            f"--audit-log-path={self._directory}/audit.log", *self._way_to_kubelets(),
        )  # fmt: skip
        self._processes.wait("kube-apiserver", lambda: self._answers(f"{self.url}/readyz"))

    def start_manager(self) -> None:
        """Start kube-controller-manager; it ends by itself when it loses the API server for long.

        As kubeadm has it, in a root of its own: of this machine it sees its keys and the plugin directory.
        """
        pki = self.pki
        mine = self.kubeconfig("manager")
        program = build.program("kube-controller-manager")
        self.plugins.mkdir(exist_ok=True)
        self._processes.start(
            "kube-controller-manager", BWRAP, "--die-with-parent", "--ro-bind", program, "/manager",
            *(word for path in (pki, mine) for word in ("--ro-bind", path, path)),
            *(("--bind", self.plugins, self.plugins) if self.mounted else ()),
            "--dev", "/dev", "--dir", "/certificates",
            *("--chdir", "/", "/manager"),
            f"--kubeconfig={mine}", f"--authentication-kubeconfig={mine}",
            f"--authorization-kubeconfig={mine}", "--bind-address=127.0.0.1", "--port=0",
            f"--secure-port={self._manager}", "--cert-dir=/certificates", "--leader-elect=false",
            f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt",
            "--use-service-account-credentials=true", f"--kube-api-qps={self._requests}",
            f"--kube-api-burst={self._requests * 3 // 2}",
            f"--flex-volume-plugin-dir={self.plugins}",
        )  # fmt: skip
        self._processes.wait("kube-controller-manager", lambda: self._answers(_health(self._manager)))

    def start_scheduler(self) -> None:
        """Start kube-scheduler, which is there from the beginning with `kubelets`."""
        mine = self.kubeconfig("scheduler")
        self._processes.start(
            "kube-scheduler", build.program("kube-scheduler"), f"--kubeconfig={mine}",
            f"--authentication-kubeconfig={mine}", f"--authorization-kubeconfig={mine}",
            "--bind-address=127.0.0.1", "--port=0", f"--secure-port={self._scheduler}",
            f"--cert-dir={self.pki}", "--leader-elect=false",
        )  # fmt: skip
        self._processes.wait("kube-scheduler", lambda: self._answers(_health(self._scheduler)))

    def _way_to_kubelets(self) -> tuple[str, ...]:
        if self._kubelets is None:
            return ()
        written = self._directory / "egress"
        written.write_text(json.dumps(way_to_kubelets(self._kubelets)))
        return (
            f"--egress-selector-config-file={written}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={self.pki}/ca.crt",
            f"--kubelet-client-certificate={self.pki}/kubelets.crt",
            f"--kubelet-client-key={self.pki}/kubelets.key",
        )

    def end(self, name: str) -> None:
        """Kill one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler."""
        self._processes.end(name)

    def keep_state(self) -> Path:
        """Return a copy of etcd's data as it is now; everything is away meanwhile."""
        kept = self._directory / f"etcd-{len(list(self._directory.glob('etcd-*')))}"
        with self._away():
            shutil.copytree(self._directory / "etcd", kept)
        return kept

    def restore_state(self, kept: Path) -> None:
        """Have everything begin anew with what etcd had when the copy was made, as after a disaster."""
        with self._away():
            shutil.rmtree(self._directory / "etcd")
            shutil.copytree(kept, self._directory / "etcd")

    @contextlib.contextmanager
    def _away(self) -> Iterator[None]:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self.end(name)
        yield
        self._start_etcd()
        self.start_apiserver()
        self.start_manager()

    def stop(self) -> None:
        """End everything and remove its directory."""
        self._processes.end_all()
        shutil.rmtree(self._directory, ignore_errors=True)

    def audited(self) -> list[dict[str, Any]]:
        """Return what service accounts asked the API server for, as audit events."""
        lines = (self._directory / "audit.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def log(self, name: str) -> str:
        """Return what a program has written."""
        return self._processes.log(name)

    def _certificates(self) -> None:
        issue = self._authority.issue
        names = ("127.0.0.1", "10.96.0.1", "localhost", "kubernetes", *self._addresses)
        issue("apiserver", "kube-apiserver", hosts=names)
        issue("admin", "admin", ("system:masters",))
        issue("manager", "system:kube-controller-manager")
        issue("scheduler", "system:kube-scheduler")
        issue("kubelets", "kube-apiserver-kubelet-client", ("system:masters",))
        signing_key(self.pki / "sa.key")
        (self._directory / "audit-policy").write_text(json.dumps(AUDIT))

    def _start_etcd(self) -> None:
        clients, peers = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peers}"
        self._processes.start(
            "etcd", ETCD, f"--data-dir={self._directory}/etcd", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )  # fmt: skip
        self._processes.wait("etcd", lambda: self._answers(f"{clients}/health"))

    def _answers(self, url: str) -> bool:
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        if url in (_health(self._manager), _health(self._scheduler)):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its certificate is its own
        elif url.startswith("https"):
            pki = self.pki
            context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _health(port: int) -> str:
    return f"https://127.0.0.1:{port}/healthz"


def free_ports(count: int) -> list[int]:
    """Return ports that are free now and that no outgoing connection is given before they are used."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(*PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return list(found)
