"""Puts the parts of a provisioner together."""

from __future__ import annotations

import logging
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.tenancy.signature import SigningKey
from provisioner import places
from provisioner.arrays import Arrays
from provisioner.begun import Undertakings
from provisioner.census import Registrar
from provisioner.cluster import Cluster
from provisioner.controller import Controller, Work
from provisioner.creation import Creation
from provisioner.deletion import Deletion
from provisioner.doubles import Doubles
from provisioner.events import Events
from provisioner.growth import Growth
from provisioner.lease import Lease
from provisioner.lease_name import lease_name
from provisioner.orphans import Orphans
from provisioner.persistent_volume import Names
from provisioner.rebinding import Rebinding
from provisioner.rollback import Rollback
from provisioner.service import Service, Systemd
from provisioner.stranded import Stranded
from provisioner.wanting import Wanting
from provisioner.whereabouts import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.configuration.settings import LogSettings
    from provisioner.flags import Flags

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LEASE_NAMESPACE = "kube-system"  # out of a pod
OTHER_CONNECTIONS = 8  # watches, events, the lease
_LOG = logging.getLogger(__name__)


def build(flags: Flags, configuration: Path, apply: Callable[[LogSettings], None]) -> Service:
    """Return the service; nothing is connected yet. `Fault`: configuration, kubeconfig, key.

    `apply` takes log settings that came into force.
    """
    names = Names(flags.provisioner, flags.driver)
    key = SigningKey.load(places.key_file())
    arrays = Arrays(configuration, places.known_hosts(), apply)
    cluster = Cluster(flags.access, insecure=flags.insecure, connections=flags.threads + OTHER_CONNECTIONS)
    events = Events(cluster, "instorage-provisioner", socket.gethostname())
    wanting = Wanting(Registrar(cluster), arrays, events, key.public_line)
    undertakings = Undertakings(arrays, Whereabouts(arrays))
    rollback = Rollback(cluster, arrays, events, wanting)
    doubles = Doubles(cluster, arrays, events, wanting)
    work = Work(
        Creation(cluster, arrays, events, names, key, undertakings, rollback, doubles),
        Deletion(cluster, arrays, events, names, wanting),
        Stranded(events, names.provisioner),
        Growth(arrays, events),
        Rebinding(cluster, names.provisioner),
        Orphans(arrays),
        events,
    )
    _introduce(arrays, key, cluster)
    systemd = Systemd()
    events.start()
    return Service(
        Lease(cluster, _namespace(flags), lease_name(names.provisioner), _identity()),
        lambda: Controller(cluster, work, names.provisioner, flags.threads, systemd.alive),
        systemd,
        at_end=[events.stop, arrays.close],
    )


def _introduce(arrays: Arrays, key: SigningKey, cluster: Cluster) -> None:
    """Say what is used; a configuration that is broken at the start ends the program with its sentence."""
    found = arrays.configuration()
    named = ", ".join(f"{storage.name} ({storage.address})" for storage in found.storage)
    _LOG.info("API server %s; arrays %s", cluster.url, named)
    _LOG.info("Volumes are signed; the line for host.volumeKey on the nodes is %s", key.public_line)
    if found.volume_keys and key.public_line not in found.volume_keys:
        _LOG.warning(
            "That line is not under host.volumeKey in %s: nodes with it refuse new volumes", found.path
        )


def _namespace(flags: Flags) -> str:
    """Return where the lease lies: beside this pod, or in kube-system."""
    if flags.access is None and ACCOUNT.exists():
        return ACCOUNT.read_text().strip() or LEASE_NAMESPACE
    return LEASE_NAMESPACE


def _identity() -> str:
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
