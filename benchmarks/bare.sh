#!/bin/sh
# The floor: what the start and end of a volume cannot leave out, and nothing else: no check, no lock, no record.
#   bare.sh master USER ADDRESS                         one SSH connection, kept; the password is in /run/bare/password
#   bare.sh start HOST VOLUME UID LUN DIR PORTS PATHS   map, scan, map of paths, mkfs, mount
#   bare.sh end HOST VOLUME UID LUN DIR                 unmount, flush, delete the disks, unmap
# PORTS is /sys/class/iscsi_host or /sys/class/fc_host; PATHS how many disks are to come.
set -eux  # what fails is told with what came before it
# As many commands at a time as ours has: the array refuses the eleventh channel of a connection.
array() { flock "/run/bare/channel$((lun % 8))" ssh -S /run/bare/connection array "$@" >/dev/null; }
disks() { ls -d /sys/class/scsi_device/*:"$lun"/device/block/* 2>/dev/null | sed 's|.*/||'; }
known=/etc/multipath/wwids
case $1 in
master)
    printf '#!/bin/sh\ncat /run/bare/password\n' >/run/bare/ask && chmod 700 /run/bare/ask
    SSH_ASKPASS=/run/bare/ask SSH_ASKPASS_REQUIRE=force setsid ssh -fNM -S /run/bare/connection \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$2@$3" >/run/bare/master.log 2>&1 ;;
start)
    lun=$5 map=/dev/disk/by-id/dm-uuid-mpath-3$4
    array "mcsop mkvdiskhostmap -host $2 -scsi $lun $3"
    echo "/3$4/" >>$known
    for host in "$7"/host*; do echo "- - $lun" >"/sys/class/scsi_host/${host##*/}/scan"; done
    until [ "$(disks | wc -l)" -ge "$8" ]; do sleep 0.1; done
    for disk in $(disks); do multipathd add path "$disk" || :; done # «fail» when udev has not seen it yet
    udevadm wait --timeout=300 "$map"
    mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$map"
    mkdir -p "$6" && mount "$map" "$6" ;;
end)
    lun=$5 names=
    umount "$6"
    names=$(disks)
    multipath -f "3$4" || { udevadm settle; multipath -f "3$4"; }
    for disk in $names; do echo 1 >"/sys/block/$disk/device/delete"; done
    flock $known sed -i "/3$4/d" $known
    array "mcsop rmvdiskhostmap -host $2 $3" ;;
esac
