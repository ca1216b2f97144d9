"""In what firmware versions differ, and how this array shall behave; may change while it runs."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """One firmware's ways; see the fact base, section 8, rules 7 to 10.

    columns: `mcs` (lsvdisk with 30 columns) or `old` (19); portip_state: `configured` or `online`;
    link_state: lsportip has the column; failover_address: lsportip's failover rows hold the partner's
    address; hostmap_quirk: a `host_cluster_name` heading without a field;
    preferred_node: `id`, `empty` or `missing`; warning_status: exit status of `...W` (1: no stdout either);
    empty_header: lists without rows print their header; lun_reuse: `immediate` (as the array) or `rest`
    (a freed LUN number is not given again); format_seconds: how long a new thick vdisk formats;
    copy_seconds: how long a synchronisation (of sites, of a mirror's copies), a migration to another pool and
    a LocalCopy in the background take; rc_start: a relationship made without
    -sync begins to copy by itself (`auto`) or when told (`command`); access_count: lsvdisk has that key;
    host_site: an active-active volume is mapped to no host without a site; portsets: addresses are in lsip,
    in portsets, and lsportip is gone; fc_links: the first FC port of each node is cabled; npiv: hosts log in
    to virtual FC ports; sas_names: lshost names SAS ports (else it only counts them);
    protection_minutes: for so long after I/O a volume is neither unmapped nor deleted (0: protection is off),
    in all pools or the one named by protection_pool, and protection_code is what the refusal says (nobody has
    seen the true one).
    """

    columns: str = "mcs"
    portip_state: str = "configured"
    link_state: bool = True
    failover_address: bool = False
    hostmap_quirk: bool = False
    preferred_node: str = "id"
    warning_status: int = 0
    empty_header: bool = False
    lun_reuse: str = "immediate"
    format_seconds: float = 0.0
    copy_seconds: float = 0.0
    rc_start: str = "auto"
    access_count: bool = True
    host_site: bool = True
    portsets: bool = False
    fc_links: bool = True
    npiv: bool = True
    sas_names: bool = True
    protection_minutes: float = 0.0
    protection_pool: str = ""
    protection_code: str = "CMMVC9999E"

    def changed(self, changes: dict[str, str]) -> "Dialect":
        """Return a dialect with these switches set from text; ValueError for an unknown switch or value."""
        known = {f.name: f.default for f in fields(self)}
        values: dict[str, Any] = {name: _value(name, text, known.get(name)) for name, text in changes.items()}
        return replace(self, **values)


CHOICES = {
    "columns": ("mcs", "old"),
    "portip_state": ("configured", "online"),
    "preferred_node": ("id", "empty", "missing"),
    "lun_reuse": ("immediate", "rest"),
    "rc_start": ("auto", "command"),
}


def _value(name: str, text: str, default: object) -> bool | int | float | str:
    text = str(text)
    if name in CHOICES and text in CHOICES[name]:
        return text
    if isinstance(default, str) and name not in CHOICES:
        return text
    if isinstance(default, bool) and text.lower() in ("true", "false", "1", "0"):
        return text.lower() in ("true", "1")
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return type(default)(text)
    raise ValueError(f"no dialect switch {name}={text}")
