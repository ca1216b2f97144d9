#!/bin/sh
# The floor: what the start and end of a volume cannot leave out, and nothing else: no check, no lock, no record.
#   bare.sh master USER ADDRESS               one SSH connection, kept; the password is in /run/bare/password
#   bare.sh start HOST VOLUME UID LUN DIR     map, scan, map of paths, mkfs, mount
#   bare.sh end HOST VOLUME UID LUN DIR       unmount, flush, delete the disks, unmap
set -eu
array() { ssh -S /run/bare/connection array "$@" >/dev/null; }
disks() { ls -d /sys/class/scsi_device/*:"$1"/device/block/* 2>/dev/null | sed 's|.*/||'; }
wait_for() { until [ -e "$1" ]; do sleep 0.02; done; }
case $1 in
master)
    printf '#!/bin/sh\ncat /run/bare/password\n' >/run/bare/ask && chmod 700 /run/bare/ask
    SSH_ASKPASS=/run/bare/ask SSH_ASKPASS_REQUIRE=force setsid ssh -fNM -S /run/bare/connection \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$2@$3" >/dev/null 2>&1 ;;
start)
    array "mcsop mkvdiskhostmap -host $2 -scsi $5 $3"
    for host in /sys/class/iscsi_host/host*; do echo "0 0 $5" >"/sys/class/scsi_host/${host##*/}/scan"; done
    echo "/3$4/" >>/etc/multipath/wwids
    for disk in $(disks "$5"); do multipathd add path "$disk" >/dev/null; done
    wait_for "/dev/disk/by-id/dm-uuid-mpath-3$4"
    mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "/dev/disk/by-id/dm-uuid-mpath-3$4"
    mkdir -p "$6" && mount "/dev/disk/by-id/dm-uuid-mpath-3$4" "$6" ;;
end)
    umount "$6"
    names=$(disks "$5")
    multipath -f "3$4" || { udevadm settle; multipath -f "3$4"; }
    for disk in $names; do echo 1 >"/sys/block/$disk/device/delete"; done
    sed -i "/3$4/d" /etc/multipath/wwids
    array "mcsop rmvdiskhostmap -host $2 $3" ;;
esac
