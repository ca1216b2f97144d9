"""Orders to a running simulator: JSON lines over a unix socket, obeyed beside the command line.

Request: `{"do": VERB, FIELD: VALUE...}`.
Reply: `{"ok": true, "result": ...}` or `{"ok": false, "error": TEXT}`.

    fault             fields of simulator.instruments.faults.Fault -> number of the fault
    clear             [number] one fault, or all (commands held by a delay go on)
    counters          commands by name, total, events;
                      connections, passwords, channels, running: opened, now, peak, refused
    reset-counters    begin anew
    log               commands one by one: line, name, start (epoch s), seconds, status (-1: broken off)
    volumes           id, name, uid, size (bytes), function, maps [{host, lun}]
    hosts             id, name, ports [{kind, name}], site, type
    password          [password], [expired], [interactive]: for new connections; expired: another is asked for
    drop-connections  close all SSH connections -> how many
    dialect           switches of simulator.language.dialect.Dialect
    portal            node, up: close a node's iSCSI target (sessions end) and FC links, or open them
    site              site (1 or 2), up: lose its nodes, portals, pools and vdisks, or have them back;
                      active-active relationships run from the other one, and are synchronised afterwards
    node-status       node, status: online, offline, service ...
    copy-status       volume, copy, [status], [progress]: a copy offline, or not synchronised (percent)
    drop-sessions     host: end its sessions (over FC those of everybody at its ports)
    map-wrong-lun     host, volume, instead: other data behind a mapping, in the data plane only
    map-right-lun     host, volume: the cure
    shrink, resize    volume, size (bytes): behind the commands' back, in state and data plane
    write             volume, data: as a host does, to both sites where a relationship is synchronised
    compare           volume, other: are their contents equal, byte by byte -> equal, and both contents
    replication       volume, state, [primary]: put an active-active relationship into another state
    relate            volume, other: a remote copy relationship between two plain vdisks
    copied            volume: let its background copy end now
    vdisk-status      volume, status: online, degraded or offline
    snapshot          volume, target: a LocalCopy map between two vdisks
    logins            port (IQN or WWPN), nodes: say who is logged in where (FC, or no data plane)
    used              volume, bytes: say what a thin volume has written
    sessions          node ids by IQN or WWPN, from the data plane
    fabric            the nodes' WWPNs by the WWPN that is logged in there, from the data plane
    inventory         what the data plane exports
    reconcile         make the data plane equal to the state (after the array's VM was reset)
"""
