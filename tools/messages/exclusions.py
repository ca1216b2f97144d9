"""Texts of two words that no person reads as a sentence: keys of looks, words of other programs, rows of a table."""

MODULES = frozenset(
    {
        "instorage/arrays/quarantine.py",
        "instorage/configuration/sample.py",
        "instorage/volume_class.py",  # a StorageClass is read by the provisioner, whose events stay English
        "nodeagent/administration/completion.py",
        "nodeagent/administration/denials.py",
        "nodeagent/diagnosis/picture.py",
    }
)
EXCLUDED = frozenset(
    {
        "{function} {name} {size} bytes",
        "{row} ({row2} bytes, {thin}, {row3}, {row4})",
        "{row} {way} volume {row2} ({row3})",
        "saw EOF", "No existing session", "Signature verification", "cannot start any token",
        "status {status}", "status {status} {said}", "kernel {turn}", "arrays {turn}", "records {turn}", "text {path}", "names {path}",
        "facts {path}", "target {path}", "room {path}", "user {name}", "portals {array}", "mtu {address}",
        "portal {portal}", "port {target}", "holders {uid}", "helper: {verb}", "SSH to {address}", "SSH to {name}",
        "TCP to {portal}", "route to {address}", "multipath-tools v(\\S+)", "Unable to connect", "was refused",
        "timed out", "no such host", "Bearer {status}", "object at 0x", "watch {path}", "{one} ms  {what}, {at}, request {one2}",
        "{at} {took} ms  {depth}{what}{outcome}", "{text} ({line2})", "a secret is not written out",
        "The expansion of volume {volume} on array {array} is not finished by itself: ",
        "{proof}, condition PodScheduled", "{proof}; lshost {host}", "{named}, renewTime {at}",
        "Lease {LEASE_NAMESPACE}/{lease_name}", "{mountinfo}, device {words}", "helper's Inspect {uid}",
        "{SESSIONS}; helper's Inspect {uid}", "no algorithms at all", "{one} of {one2}{failed}",
        "is for volLevel aa: remove it or set volLevel",
    }
)  # fmt: skip
COMMANDS = frozenset(
    {
        "{give} && mkdir -p {folder} && printf '%s\\n' {lines} >{folder2}/logdir.conf && systemctl daemon-reload && systemctl restart {unit}",
        "lsvdisk {name}",
        "ps -eo pid,stat,wchan:30,args | grep ' D'",
        "echo InitiatorName=$(/sbin/iscsi-iname) >{FILE}; systemctl restart iscsid",
        "mount --make-rshared {point}",
        "systemctl status iscsid",
        "chown root: {path}; chmod go-w {path2}",
        "instorage-flexvolume ext-check-cfg {path}",
        "chmod o-r {path}",
        "ip route get {address}",
        "systemctl show {join}",
        "systemctl enable --now {name}",
        "systemctl show {name}",
        "systemctl status {AGENT}",
        "systemctl show {AGENT} --property=StatusText",
        "systemctl show {PROVISIONER}",
        "systemctl restart instorage-nodeagent.service",
        "instorage-flexvolume {VERSION}",
        "ext-check-cfg [path]",
        "show config",
        "systemctl restart instorage-nodeagent.socket instorage-nodeagent.service",
        "journalctl INSTORAGE_OP={one}",
        "instoragectl doctor --volume {volume}",
        "systemctl status multipathd",
        "instorage-flexvolume ext-check-cfg",
        "instoragectl times --since -1h",
        "instoragectl barrier plan {name}",
        "instoragectl doctor --volume {name}",
        "instoragectl release {name} --from {node}",
        "instoragectl why {volume_name}",
        "instoragectl pin --dry-run",
        "instoragectl adopt",
        "instoragectl arrays",
        "instoragectl release {{volume}} --from {{node}}",
        "instoragectl doctor --volume {{volume}}",
        "instoragectl tree {{volume}}",
        "instoragectl barrier plan",
        "instoragectl trace {{volume}}",
        "systemctl restart instorage-helper.socket",
        "instoragectl barrier plan {named}",
        "«mcsop rmhostport -hbawwpn {port} {host}»",
        "kubectl patch pv {volume} -p '{{\"spec\":{{\"claimRef\":{reference}}}}}'",
    }
)
"""Commands that stand alone, for a person to copy; and what only looks like a text."""
