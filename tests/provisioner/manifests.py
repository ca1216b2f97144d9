"""The manifests of deploy/, and where the API server takes each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.cluster import Cluster, Object

DEPLOY = ROOT / "deploy"


def files() -> list[Path]:
    return sorted(DEPLOY.glob("*.yaml"))


def documents(name: str) -> list[Object]:
    return [found for found in yaml.safe_load_all((DEPLOY / name).read_text()) if found is not None]


def path(api: Cluster, document: Object) -> str | None:
    """Return where objects of the document's kind are made, None when this server does not know the kind."""
    version = document["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    served = (api.get(root) or {}).get("resources", [])
    kinds = [one for one in served if one["kind"] == document["kind"] and "/" not in one["name"]]
    if not kinds:
        return None
    namespace = document["metadata"].get("namespace", "default")
    place = f"namespaces/{namespace}/" if kinds[0]["namespaced"] else ""
    return f"{root}/{place}{kinds[0]['name']}"


def create(api: Cluster, document: Object) -> Object:
    """Make the object of a document."""
    place = path(api, document)
    assert place is not None, f"{document['kind']} is not served"
    return api.create(place, document)
