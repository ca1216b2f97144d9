#!/bin/sh
# Installs, upgrades, checks and removes InStorage for Kubernetes on this host, from the unpacked archive in which
# this file lies. It needs no network, no compiler and no Python. Run it as root:
#
#   ./install.sh --node                 what a node needs, or a host on which kube-controller-manager runs
#   ./install.sh --provisioner          the provisioner, on a host from which the API server is reached
#   ./install.sh --check [--node] [--provisioner]     only says what is in the way (without a part: of a node)
#   ./install.sh --uninstall [--purge] [--node] [--provisioner]    removes (without a part: both); configuration and
#                                       keys stay, with --purge nothing does
#   --plugin-dir DIR      kubelet's --volume-plugin-dir, where it is another than Kubernetes' default
#   --kubelet-root DIR    kubelet's --root-dir, where it is not /var/lib/kubelet; several separated by commas
#   --prefix DIR          where the provisioner's folder goes (/opt)
#   --root DIR            everything below DIR, nothing is started or looked for: for who builds images («/»: in one)
#
# What was said once holds for later runs too: it is written to /etc/instorage/places. The same command upgrades, and
# puts an older version back; it can be broken off at any moment, and given again.
#
# Exit status: 0 done; 1 refused, and nothing was changed; 2 the command line is wrong; 3 the new version did not work,
# and the one of before is in force again; 4 it is not known to work: see what was said, mend that, run this again.
#
# How it keeps its promises: a version lies in a directory of its own, and one link says which is in force. Every file
# comes by a rename, and what was in its place is kept in .before until the new version has answered: so a run that
# fails goes back, and one that was killed is finished by the next. Services are restarted, sockets never: calls of
# kubelet wait in them.
# shellcheck disable=SC3043,SC2329  # dash, busybox and bash have «local»; ended() is called by a trap
set -eu
umask 022
LC_ALL=C
PATH=${PATH:-/usr/bin}:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

DRIVER='inspur~instorage-flexvolume'
DEFAULT_PLUGIN="/usr/libexec/kubernetes/kubelet-plugins/volume/exec/$DRIVER"
DEFAULT_FOLDER=/opt/inspur-instorage-provisioner
LIBRARY=/usr/lib/instorage # versions, and current
LIBEXEC=/usr/libexec/instorage
PLACES=/etc/instorage/places
STATE=/var/lib/instorage
HELPER_STATE=/var/lib/instorage-helper
PROVISIONER_STATE=/var/lib/instorage-provisioner
SHARED=instorage                 # the group of both services: the key of the shadows, and
SHARED_LOGS=/var/log/inspurlog   # the manual's log directory
UNIT_DIRECTORIES='/usr/lib/systemd/system /lib/systemd/system /etc/systemd/system'
ENABLED=/etc/systemd/system/multi-user.target.wants/instorage-node.target # as systemctl enable has it
LONGEST_SOCKET=107 # bytes of a path that the kernel takes for one
SYSTEMD=237 KERNEL=4.4 ISCSI=2.0.873 MULTIPATH=0.6 E2FSPROGS=1.42 # the oldest that will do
ANSWER_SECONDS=180 # for a service to stop (30 s), to settle what an earlier boot left (60 s) and to answer
PROVISIONER_SECONDS=60

# ---- saying, and ending ----

SAID=''
say() { printf '%s\n' "$*"; }
complain() {
    SAID=yes
    printf 'install.sh: %s\n' "$*" | tr -cd '\11\12\40-\176' >&2 # names of files may be anybody's
}
die() { # STATUS SENTENCE
    local status="$1"
    shift
    complain "$*"
    exit "$status"
}
wrong() { die 2 "$* (./install.sh --help)"; }
usage() { sed -n '2,/^# Exit status/{/^# Exit status/d;s/^# \{0,1\}//;p;}' "$0"; }

# What is in the way is gathered, so that all of it is said at once.
REFUSALS=0
refuse() {
    REFUSALS=$((REFUSALS + 1))
    complain "$*"
}

# ---- numbers, times, users ----

seconds() { # of a clock that nobody sets
    local up rest
    # shellcheck disable=SC2034  # the second number is not wanted
    read -r up rest </proc/uptime
    say "${up%%.*}"
}

at_least() { # FOUND WANTED, as dotted numbers
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

live() { [ -n "$LIVE" ]; } # a host that runs, no image

number_of() { # passwd|group NAME: its number, nothing when there is none
    if live; then
        getent "$1" "$2" 2>/dev/null | cut -d: -f3
    elif [ -e "$ROOT/etc/$1" ]; then
        sed -n "s/^$2:[^:]*:\([0-9]*\).*/\1/p" "$ROOT/etc/$1"
    fi
}

in_group() { # USER GROUP: says whether it is a member
    local members=''
    if live; then
        members=$(getent group "$2" 2>/dev/null | cut -d: -f4)
    elif [ -e "$ROOT/etc/group" ]; then
        members=$(sed -n "s/^$2:.*:\(.*\)/\1/p" "$ROOT/etc/group")
    fi
    case ,$members, in
        *,"$1",*) return 0 ;;
    esac
    return 1
}

own() { # USER:GROUP FILE: gives it away, if the user is there and this is root
    local user group
    user=$(number_of passwd "${1%:*}")
    group=$(number_of group "${1#*:}")
    if [ "$(id -u)" = 0 ] && [ -n "$user" ] && [ -n "$group" ]; then
        chown -h "$user:$group" "$2"
    fi
}

# ---- files: each comes by a rename, and what was there before is kept until the new version works ----

BEFORE='' # where that is: of the part that is being installed

keep() { # PLACE: it is about to change; what is remembered first counts
    if [ -h "$BEFORE/files$1" ] || [ -e "$BEFORE/files$1" ] || [ -e "$BEFORE/absent$1" ]; then
        return 0
    fi
    if [ -h "$ROOT$1" ] || [ -e "$ROOT$1" ]; then
        mkdir -p "$BEFORE/files${1%/*}"
        cp -pP "$ROOT$1" "$BEFORE/files$1.new"
        mv -fT "$BEFORE/files$1.new" "$BEFORE/files$1"
    else
        mkdir -p "$BEFORE/absent${1%/*}"
        : >"$BEFORE/absent$1"
    fi
}

write() { # PLACE MODE [OWNER]: what comes in becomes that file; one that is there just so is left alone
    local said beside="$ROOT${1%/*}/.${1##*/}.new" # kubelet does not look at names with a dot
    mkdir -p "$ROOT${1%/*}"
    rm -f "$beside"
    said=$(umask 077 && dd of="$beside" bs=65536 conv=fsync 2>&1) || die 1 "$ROOT$1 cannot be written: $said"
    chmod "$2" "$beside"
    [ $# -lt 3 ] || own "$3" "$beside"
    if [ ! -h "$ROOT$1" ] && cmp -s "$beside" "$ROOT$1" && [ "$(stat -c %a "$ROOT$1")" = "${2#0}" ]; then
        rm -f "$beside"
        return 0
    fi
    keep "$1"
    mv -fT "$beside" "$ROOT$1"
}

link() { # TARGET PLACE
    local beside="$ROOT${2%/*}/.${2##*/}.new"
    [ "$(readlink "$ROOT$2" || :)" != "$1" ] || return 0
    mkdir -p "$ROOT${2%/*}"
    rm -f "$beside"
    ln -s "$1" "$beside"
    keep "$2"
    mv -fT "$beside" "$ROOT$2"
}

discard() { # PLACE: a file or link that is wanted no more
    if [ -h "$ROOT$1" ] || [ -e "$ROOT$1" ]; then
        keep "$1"
        rm -f "$ROOT$1"
    fi
}

make_directory() { # PLACE MODE [OWNER]: one that is there keeps both
    local beside="$ROOT${1%/*}/.${1##*/}.new"
    [ ! -d "$ROOT$1" ] || return 0
    mkdir -p "$ROOT${1%/*}"
    rm -rf "$beside"
    mkdir "$beside"
    chmod "$2" "$beside"
    [ $# -lt 3 ] || own "$3" "$beside"
    mv -fT "$beside" "$ROOT$1"
}

TREE=''
put_tree() { # SOURCE DIRECTORY NAME: a copy of SOURCE as DIRECTORY/NAME, or under a name of its own where another build
    # has that one; TREE is where it is. It appears as a whole, and no tree that is there is changed: programs run from
    # it.
    local new="$ROOT$2/.new" name="$3" number=1
    mkdir -p "$ROOT$2"
    rm -rf "$new"
    cp -RP "$1" "$new" # not -p: whoever unpacked the archive must not own root's programs
    [ "$2" != "$LIBRARY" ] || cp "$HERE/install.sh" "$HERE/VERSION" "$new/" # to remove it without the archive
    while :; do
        name_programs "$new" "$2/$name"
        TREE=$2/$name
        [ -e "$ROOT$TREE" ] || break
        if same_tree "$new" "$ROOT$TREE"; then
            rm -rf "$new"
            return 0
        fi
        number=$((number + 1))
        name=$3.$number
    done
    sync -f "$new" 2>/dev/null || : # before coreutils 8.24 there is none; the next run would see what a power cut tore
    mv -fT "$new" "$ROOT$TREE"
}

same_tree() { # NEW THERE: whether all of NEW is in THERE; what Python compiled there besides is no difference
    ! { diff -rq "$1" "$2" 2>&1 || :; } | grep -v "^Only in $2" | grep -q .
}

name_programs() { # COPY PLACE: programs name the interpreter beside them, so that one process is of one version
    local program
    for program in "$1"/libexec/*; do
        if [ -f "$program" ] && head -c 64 "$program" | grep -q '^#!/usr/lib/instorage/'; then
            sed -i "1s|^#!/usr/lib/instorage/[^ ]*/bin/|#!$2/bin/|" "$program"
        fi
    done
}

in_use() { # TREE: whether a program still runs from it: what it has not imported yet must not go
    live || return 1
    # shellcheck disable=SC2010  # only the links' targets are looked at
    ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF -- "-> $1/"
}

# ---- places: where things lie on this host ----

place_of() { # KEY [BEFORE]: what an earlier run wrote; what counted before one that was broken off, with its directory
    local file="$ROOT$PLACES"
    if [ -e "${2:-}/files$PLACES" ]; then
        file=$2/files$PLACES
    elif [ -e "${2:-}/absent$PLACES" ]; then
        return 0
    fi
    if [ -e "$file" ]; then
        sed -n "s/^$1=//p" "$file" | tail -n 1 | tr -d "\"'"
    fi
}

drop_in_of() { # KEY: an administrator's Environment= in a drop-in, as checkouts had it
    if live && [ -d /run/systemd/system ]; then
        systemctl show -p Environment instorage-nodeagent.service 2>/dev/null | tr ' ' '\n' |
            sed -n "s/^\(Environment=\)\{0,1\}$1=//p" | tail -n 1
    fi
}

first_word() { # WORD...: the first that is not empty
    local word
    for word; do
        if [ -n "$word" ]; then
            say "$word"
            return 0
        fi
    done
}

plain() { # OPTION PATH: only what needs no quoting in a unit, a configuration or a shell
    case $2 in
        /*) ;;
        *) wrong "$1 $2 does not begin with /" ;;
    esac
    case /$2/ in
        *[!A-Za-z0-9/._+~@:=-]* | */../* | */./*) wrong "$1 $2: only letters, digits and ._+~@:=- can be in it" ;;
    esac
}

visible() { # OPTION PATH: services of ours see it, after the next boot too
    case /$2/ in
        //home/* | //root/* | //run/* | //tmp/* | //var/tmp/*)
            wrong "$1 $2 is hidden from services, or gone after a boot: choose another place" ;;
    esac
}

find_places() { # what was asked for, what was said before, what an administrator's drop-in says, what is usual
    local root
    PLUGIN=$(first_word "$(place_of INSTORAGE_PLUGIN)" "$(drop_in_of INSTORAGE_PLUGIN)" "$DEFAULT_PLUGIN")
    FOLDER=$(first_word "$(place_of INSTORAGE_PROVISIONER)" "$DEFAULT_FOLDER")
    if [ -n "$ASKED_PLUGINS" ]; then
        PLUGIN=${ASKED_PLUGINS%/}
        PLUGIN=${PLUGIN%/"$DRIVER"}/$DRIVER
    fi
    [ -z "$ASKED_PREFIX" ] || FOLDER=${ASKED_PREFIX%/}/inspur-instorage-provisioner
    ROOTS=$(first_word "$ASKED_ROOTS" "$(place_of INSTORAGE_KUBELET_ROOTS)" /var/lib/kubelet | sed 's|/*,|,|g;s|/*$||')
    plain --plugin-dir "$PLUGIN"
    visible --plugin-dir "$PLUGIN"
    plain --prefix "$FOLDER"
    visible --prefix "$FOLDER"
    for root in $(say "$ROOTS" | tr , ' '); do
        plain --kubelet-root "$root"
    done
    [ "${#PLUGIN}" -le $((LONGEST_SOCKET - 12)) ] || wrong "--plugin-dir $PLUGIN: too long for the agent's socket in it"
    OLD_PLUGIN=$(place_of INSTORAGE_PLUGIN "$ROOT$LIBRARY/.before")
    OLD_PLUGIN=$(first_word "$OLD_PLUGIN" "$(drop_in_of INSTORAGE_PLUGIN)" "$DEFAULT_PLUGIN")
    OLD_FOLDER=$(first_word "$(place_of INSTORAGE_PROVISIONER "$ROOT$FOLDER/.before")" "$DEFAULT_FOLDER")
}

put_places() { # PART: what the other part has there stays
    local plugin roots folder
    plugin=$(place_of INSTORAGE_PLUGIN)
    roots=$(place_of INSTORAGE_KUBELET_ROOTS)
    folder=$(place_of INSTORAGE_PROVISIONER)
    case $1 in
        node) plugin=$PLUGIN roots=$ROOTS ;;
        provisioner) folder=$FOLDER ;;
    esac
    {
        say '# Where InStorage lies on this host: written by install.sh, which keeps what is said here. To change it:'
        say '# install.sh --node --plugin-dir DIR --kubelet-root DIR, install.sh --provisioner --prefix DIR.'
        [ -z "$plugin" ] || say "INSTORAGE_PLUGIN=$plugin"
        [ -z "$roots" ] || say "INSTORAGE_KUBELET_ROOTS=$roots"
        [ -z "$folder" ] || say "INSTORAGE_PROVISIONER=$folder"
    } | write "$PLACES" 0644
}

drop_in() { # UNIT TEXT: what the unit cannot take from a variable; no text: as the unit is delivered
    local place="/etc/systemd/system/$1.d/places.conf"
    if [ -n "$2" ]; then
        printf '%s\n' "# Written by install.sh: see $PLACES." "$2" | write "$place" 0644
    else
        discard "$place"
        rmdir "$ROOT${place%/*}" 2>/dev/null || :
    fi
}

unit_directory() { # where units of ours lie already, else the first usual one that systemd reads and root can write
    local directory read
    for directory in $UNIT_DIRECTORIES; do
        if [ -e "$ROOT$directory/instorage-node.target" ] ||
            [ -e "$ROOT$directory/instorage-provisioner.service" ]; then
            say "$directory"
            return 0
        fi
    done
    if ! live; then
        say /usr/lib/systemd/system
        return 0
    fi
    read=" $(systemctl show -p UnitPath 2>/dev/null | sed 's/^UnitPath=//') "
    for directory in $UNIT_DIRECTORIES; do
        case $read in
            *" $directory "*)
                if [ -w "$directory" ]; then
                    say "$directory"
                    return 0
                fi
                ;;
        esac
    done
}

# ---- looking before anything is done ----

mend() { # PACKAGE: the command that installs it on this distribution
    local debian="$1" redhat="$1" suse="$1"
    case $1 in
        open-iscsi) redhat=iscsi-initiator-utils ;;
        multipath-tools) redhat=device-mapper-multipath ;;
    esac
    if command -v apt-get >/dev/null; then
        say "apt-get install $debian"
    elif command -v zypper >/dev/null; then
        say "zypper install $suse"
    elif command -v dnf >/dev/null; then
        say "dnf install $redhat"
    elif command -v yum >/dev/null; then
        say "yum install $redhat"
    else
        say "install the package $debian ($redhat) of this distribution"
    fi
}

want() { # PACKAGE FOUND OLDEST: a version that will do
    if [ -z "$2" ]; then
        refuse "$1 is not installed, version $3 or newer is wanted: $(mend "$1")."
    elif ! at_least "$2" "$3"; then
        refuse "$1 $2 is installed, version $3 or newer is wanted: $(mend "$1"); if that brings none, this" \
            "distribution is too old for this program."
    fi
}

digits() { sed -n "s/^$1\([0-9][0-9.]*\).*/\1/p" | head -n 1; } # PREFIX: the version in a program's line

version_of() { # PACKAGE, by its own word; nothing when it is not there
    case $1 in
        # «2.0-873» is 2.0.873, and Red Hat's 6.2.0.873 too
        open-iscsi) iscsiadm --version 2>&1 | tr - . | digits 'iscsiadm version ' | sed 's/^6\.2\./2./' ;;
        multipath-tools) multipath -h 2>&1 | digits 'multipath-tools v' ;;
        e2fsprogs) mkfs.ext4 -V 2>&1 | digits 'mke2fs ' ;;
        systemd) systemctl --version 2>&1 | digits 'systemd ' ;;
        kernel) uname -r | digits '' ;;
    esac
}

running() { # PACKAGE UNIT...: one of the units is there and started
    local package="$1"
    shift
    if [ -n "$(version_of "$package")" ] && ! systemctl is-active --quiet "$@"; then
        refuse "none of $(say "$*" | sed 's/ / and /g') runs: systemctl enable --now $1."
    fi
}

look_at_host() { # TREE: what each part needs of the host; TREE has the interpreter
    local found
    [ "$(id -u)" = 0 ] || refuse 'this must be run as root: sudo ./install.sh ...'
    if [ ! -d /run/systemd/system ]; then
        refuse 'systemd does not run here: the services of this program are started by it, choose a host that has it.'
    else
        want systemd "$(version_of systemd)" "$SYSTEMD"
    fi
    want kernel "$(version_of kernel)" "$KERNEL"
    if [ -z "$(unit_directory)" ]; then
        refuse "none of $UNIT_DIRECTORIES can be written: mount /usr or /etc read-write for the installation."
    fi
    if ! found=$("$1/bin/python3" -I -c '' 2>&1); then
        refuse "$1/bin/python3 does not start (${found:-no word}): take the archive for $(uname -m), and unpack it" \
            'where programs may be started (not mounted noexec).'
    fi
}

look_at_space() { # TREE DIRECTORY: the version of before stays until the new one works
    local wanted free directory="$2"
    while [ ! -d "$ROOT$directory/" ]; do
        directory=${directory%/*}
    done
    wanted=$(du -skL "$1" | cut -f1)
    free=$(df -Pk "$ROOT$directory/" | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')
    [ "$free" -ge "$wanted" ] ||
        refuse "${directory:-/} has $((free / 1024)) MiB free, $((wanted / 1024 + 1)) are needed: free some."
    [ -w "$ROOT$directory/" ] || refuse "${directory:-/} cannot be written: mount it read-write for the installation."
}

kubelet() { # the arguments of the kubelet that runs on this host, one a line; nothing when none does
    local process name
    for process in /proc/[0-9]*; do
        { read -r name <"$process/comm"; } 2>/dev/null || continue
        if [ "$name" = kubelet ]; then
            tr '\0' '\n' <"$process/cmdline" 2>/dev/null
            return 0
        fi
    done
}

kubelet_says() { # FLAG: what kubelet was started with
    kubelet | sed -n "s/^--\{0,1\}$1=//p;/^--\{0,1\}$1\$/{n;p;}" | tail -n 1
}

look_at_kubelet() { # it must look where this puts the stub, and its directories must be known to the helper
    local config plugins root
    config=$(kubelet_says config)
    plugins=$(kubelet_says volume-plugin-dir)
    if [ -z "$plugins" ] && [ -n "$config" ] && [ -r "$config" ]; then
        plugins=$(sed -n 's/^volumePluginDir: *//p' "$config" | tr -d "\"'")
    fi
    if [ -n "$plugins" ] && [ -z "$ASKED_PLUGINS" ] && ! same_place "${plugins%/}/$DRIVER" "$PLUGIN"; then
        unless_said INSTORAGE_PLUGIN "kubelet on this host looks for plugins in $plugins, this goes to ${PLUGIN%/*}:" \
            "give --plugin-dir ${plugins%/} (or, if you know better, --plugin-dir ${PLUGIN%/*})."
    fi
    root=$(kubelet_says root-dir)
    if [ -n "$root" ] && [ -z "$ASKED_ROOTS" ]; then
        case ,$ROOTS, in
            *,"${root%/}",*) ;;
            *) unless_said INSTORAGE_KUBELET_ROOTS "kubelet on this host has its directories in $root, not in $ROOTS:" \
                "give --kubelet-root ${root%/}." ;;
        esac
    fi
}

unless_said() { # KEY SENTENCE: it is in the way, but for who has said before where it is to go
    if [ -n "$(place_of "$1")" ]; then
        shift
        complain "$*"
    else
        shift
        refuse "$*"
    fi
}

same_place() { # ONE OTHER: also by a link, or a bind mount
    [ "$1" = "$2" ] || { [ -d "$1" ] && [ -d "$2" ] && [ "$(stat -Lc %d:%i "$1")" = "$(stat -Lc %d:%i "$2")" ]; }
}

look_at_records() { # an older version must not meet what a newer one has written, and must be able to read it
    local directory newest had record schema
    while read -r directory newest; do
        case $directory in \#* | '') continue ;; esac
        had=$(sed -n "s|^$directory \([0-9]*\)\$|\1|p" "$ROOT$LIBRARY/current/RECORDS" 2>/dev/null || :)
        for record in "$ROOT$directory"/*; do
            [ -f "$record" ] || continue
            schema=$(sed -n 's/.*"schema": *\([0-9][0-9]*\).*/\1/p' "$record" | head -n 1)
            if [ -n "$schema" ] && [ "$schema" -gt "$newest" ]; then
                refuse "$record was written by a newer version (form $schema, this one reads up to $newest):" \
                    'install that version or a newer one, or end the pods that use the volume on this host first.'
            elif [ -z "$schema" ] && [ "${had:-0}" -gt "$newest" ]; then
                refuse "$record does not say which form it has, and the version that is installed writes newer ones" \
                    "(form $had) than this one reads (up to $newest): end the pods that use the volume here first."
            fi
        done
    done <"$HERE/node/RECORDS"
}

look_at_vendor() { # the vendor's unit of the manual has the name that is an alias of ours
    local unit
    for unit in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        unit=$unit/inspur-instorage-provisioner.service
        if [ -f "$unit" ] && [ ! -h "$unit" ]; then
            refuse "$unit, of the vendor's plugin, would run beside ours, which has that name too:" \
                "systemctl disable --now inspur-instorage-provisioner; rm $unit; systemctl daemon-reload."
            return 0
        fi
    done
}

whole() { # FILE...: of the archive
    local file
    for file in VERSION "$@"; do
        [ -e "$HERE/$file" ] || die 1 "$HERE/$file is missing: unpack the whole archive, and run install.sh in it."
    done
}

look() { # everything that is in the way of the parts that are wanted
    whole
    case $VERSION in
        '' | *[!A-Za-z0-9.+~_-]*) die 1 "$HERE/VERSION has no version in it: unpack the archive again." ;;
    esac
    case $PARTS in
        *node*)
            whole node/bin/python3 node/RECORDS "$DRIVER/instorage-flexvolume" systemd/instorage-node.target
            ! live || look_at_host "$HERE/node"
            look_at_space "$HERE/node" "$LIBRARY"
            look_at_records
            ! live || look_at_tools
            ! live || look_at_kubelet
            ;;
    esac
    case $PARTS in
        *provisioner*)
            whole inspur-instorage-provisioner/python systemd/instorage-provisioner.service
            look_at_space "$HERE/inspur-instorage-provisioner/python" "$FOLDER"
            ! live || look_at_vendor
            case $PARTS in *node*) ;; *) ! live || look_at_host "$HERE/inspur-instorage-provisioner/python" ;; esac
            ;;
    esac
    [ "$REFUSALS" = 0 ] || die 1 "nothing was changed: $REFUSALS of what this host has are in the way."
}

look_at_tools() { # of the SAN
    want open-iscsi "$(version_of open-iscsi)" "$ISCSI"
    want multipath-tools "$(version_of multipath-tools)" "$MULTIPATH"
    want e2fsprogs "$(version_of e2fsprogs)" "$E2FSPROGS"
    running open-iscsi iscsid.socket iscsid.service
    running multipath-tools multipathd.service multipathd.socket
}

# ---- what both parts put ----

create_user() { # NAME PART: a member of the group of both services
    local said='systemd-sysusers is not here' group
    write "/usr/lib/sysusers.d/instorage-$2.conf" 0644 <"$HERE/systemd/sysusers.d/instorage-$2.conf"
    if [ "$(id -u)" != 0 ] || in_group "$1" "$SHARED"; then
        return 0
    fi
    if command -v systemd-sysusers >/dev/null; then # also for the user of a version that had no group of both
        said=$(systemd-sysusers ${ROOT:+--root="$ROOT"} "instorage-$2.conf" 2>&1) || :
    fi
    if in_group "$1" "$SHARED"; then
        return 0
    fi
    live || die 1 "the user $1, in group $SHARED, cannot be made in $ROOT ($said): make it there, then run this again."
    for group in "$1" "$SHARED"; do
        [ -n "$(number_of group "$group")" ] || groupadd --system "$group"
    done
    [ -n "$(number_of passwd "$1")" ] \
        || useradd --system --gid "$1" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
    usermod -a -G "$SHARED" "$1"
}

put_units() { # PART
    local unit name
    for unit in "$HERE"/systemd/instorage-*; do
        name=${unit##*/}
        ! belongs "$name" "$1" || write "$UNITS/$name" 0644 <"$unit"
    done
    for unit in "$ROOT$UNITS"/instorage-*; do # of a version that had more of them
        name=${unit##*/}
        if [ -f "$unit" ] && belongs "$name" "$1" && [ ! -e "$HERE/systemd/$name" ]; then
            discard "$UNITS/$name"
        fi
    done
    if [ -e "$HERE/systemd/tmpfiles.d/instorage-$1.conf" ]; then
        write "/usr/lib/tmpfiles.d/instorage-$1.conf" 0644 <"$HERE/systemd/tmpfiles.d/instorage-$1.conf"
    fi
    if live && [ -e "$HERE/systemd/older/put.sh" ]; then # what the systemd of this host needs besides
        sh "$HERE/systemd/older/put.sh" "$UNITS"
    fi
}

belongs() { # UNIT PART: all are the node's but the provisioner's
    case $1 in
        instorage-provisioner.*) [ "$2" = provisioner ] ;;
        *) [ "$2" = node ] ;;
    esac
}

put_configuration() { # DIRECTORY OLD-DIRECTORY GROUP: what an administrator has there is never touched
    local file template="$HERE/${1##*/}/config/instorage.yaml"
    make_directory "$1/config" 0755
    if [ "$1" != "$2" ] && [ -d "$ROOT$2/config" ]; then
        for file in "$ROOT$2/config"/* "$ROOT$2/.attach"; do
            carry "$file" "$1${file#"$ROOT$2"}"
        done
    fi
    if [ ! -e "$ROOT$1/config/instorage.yaml" ] && [ ! -h "$ROOT$1/config/instorage.yaml" ]; then
        write "$1/config/instorage.yaml" 0640 "root:$3" <"$template"
        NEXT="${NEXT}Write your arrays into $1/config/instorage.yaml.
"
    elif ! cmp -s "$template" "$ROOT$1/config/instorage.yaml"; then
        write "$1/config/instorage.yaml.sample" 0640 "root:$3" <"$template"
    fi
}

carry() { # FILE PLACE: with owner and mode, if there is none
    if [ ! -f "$1" ] || [ -e "$ROOT$2" ]; then
        return 0
    fi
    cp -p "$1" "$ROOT${2%/*}/.${2##*/}.new"
    keep "$2"
    mv -fT "$ROOT${2%/*}/.${2##*/}.new" "$ROOT$2"
}

labelled() { # PLACE...: where SELinux is, files have the labels of their places
    if live && command -v restorecon >/dev/null; then
        restorecon -R "$@" 2>/dev/null || :
    fi
}

begin() { # PART BEFORE-DIRECTORY: from here on an end that is none is undone
    BEFORE=$ROOT$2/.before
    rm -rf "$ROOT$2/.gone"
    UNDO=$1
}

finish() { # nothing is undone any more
    UNDO=''
    [ ! -d "$BEFORE" ] || mv -fT "$BEFORE" "${BEFORE%/*}/.gone"
    rm -rf "${BEFORE%/*}/.gone"
    BEFORE=''
}

# ---- a node ----

install_node() {
    local fresh='' program
    begin node "$LIBRARY"
    UNITS=$(unit_directory)
    create_user instorage-agent node
    make_directory /etc/instorage 0755
    make_directory "$PLUGIN" 0755
    make_directory "$PLUGIN/log" 0755 instorage-agent:instorage-agent
    put_configuration "$PLUGIN" "$OLD_PLUGIN" instorage-agent
    put_places node
    put_tree "$HERE/node" "$LIBRARY" "$VERSION"
    NODE=$TREE
    # Before any name of a program leads to it: from here on every program that starts is of this version.
    link "${NODE##*/}" "$LIBRARY/current"
    for program in "$ROOT$NODE"/libexec/*; do
        program=${program##*/}
        case $program in
            instoragectl) link ../lib/instorage/current/libexec/instoragectl /usr/sbin/instoragectl ;;
            *) link "../../lib/instorage/current/libexec/$program" "$LIBEXEC/$program" ;;
        esac
    done
    put_units node
    node_drop_ins
    write "$PLUGIN/instorage-flexvolume" 0755 <"$HERE/$DRIVER/instorage-flexvolume"
    labelled "$LIBRARY" "$LIBEXEC" "$PLUGIN" /usr/sbin/instoragectl /etc/instorage
    ! first_node || fresh=yes
    start_node "$fresh"
    UNDO='' # it works: what is taken away from now on does not come back, and what follows can be done by the next run
    leave_plugin
    finish
    sweep_node
    say "InStorage $VERSION is installed on this node: plugin $PLUGIN, kubelet's directories $ROOTS."
}

first_node() { [ -e "$BEFORE/absent$LIBEXEC/instorage-nodeagent" ]; } # no version of ours was here before

node_drop_ins() {
    if [ "$PLUGIN" = "$DEFAULT_PLUGIN" ]; then
        drop_in instorage-nodeagent.service ''
        drop_in instorage-nodeagent-plugin.socket ''
    else
        drop_in instorage-nodeagent.service "[Service]
ReadWritePaths=-$PLUGIN/log"
        drop_in instorage-nodeagent-plugin.socket "[Socket]
ListenStream=
ListenStream=$PLUGIN/.agent.sock"
    fi
}

start_node() { # FRESH: the first one is enabled; one that an administrator has stopped or disabled stays so
    local trouble
    if ! live; then
        [ -z "$1" ] || link "$UNITS/instorage-node.target" "$ENABLED"
        return 0
    fi
    if [ ! -d "$BEFORE" ] && [ -z "$(node_trouble "$NODE")" ]; then
        return 0
    fi
    systemctl daemon-reload
    systemd-tmpfiles --create instorage-node.conf 2>/dev/null || mkdir -p /run/instorage
    if [ -n "$1" ]; then
        systemctl --quiet enable instorage-node.target
    elif ! systemctl is-active --quiet instorage-node.target; then
        say 'instorage-node.target is stopped, and stays so: systemctl start instorage-node.target.'
        return 0
    fi
    systemctl start instorage-node.target || :
    if [ -z "$1" ] || [ -n "$(node_trouble "$NODE")" ]; then
        restart_node
    fi
    trouble=$(node_trouble "$NODE")
    [ -z "$trouble" ] || die 4 "$trouble"
}

restart_node() { # the agent answers the calls that it has, and ends; those that come wait in the sockets, which stay
    systemctl stop instorage-nodeagent.service 2>/dev/null || :
    # Who waits has started the next agent already; it answers nobody before it has settled with the next helper.
    systemctl stop instorage-helper.service 2>/dev/null || :
    systemctl start instorage-nodeagent.service || :
    if [ ! -S "$PLUGIN/.agent.sock" ]; then # the plugin directory is another than before
        systemctl restart instorage-nodeagent.service instorage-nodeagent-plugin.socket || :
    fi
}

property() { # NAME UNIT: as systemd says it
    systemctl show -p "$1" "$2" | sed "s/^$1=//"
}

node_trouble() { # TREE: why the agent that runs from there does not answer; nothing when it does. No TREE: any agent
    local stub="$PLUGIN/instorage-flexvolume" deadline said state='' process socket
    said=$("$stub" init 2>&1) || :
    case $said in
        *'"status":"Success"'*) ;;
        *) say "$stub init says: $said" && return 0 ;;
    esac
    deadline=$(($(seconds) + ANSWER_SECONDS))
    while state=$(property SubState instorage-nodeagent.service) && [ "$state" != running ]; do
        case $state:$(($(seconds) >= deadline)) in
            failed:* | dead:* | auto-restart*:* | *:1) # it has ended, for good or to be tried again and again
                say "instorage-nodeagent.service is '$state': journalctl -u instorage-nodeagent says why."
                return 0
                ;;
        esac
        sleep 0.2
    done
    process=$(property MainPID instorage-nodeagent.service)
    case $(readlink "/proc/$process/exe" || :) in
        "$1"/*) ;;
        *)
            say "instorage-nodeagent.service (process $process) does not run from $1: systemctl status it."
            return 0
            ;;
    esac
    for socket in /run/instorage/agent.sock "$PLUGIN/.agent.sock"; do # a call that no version knows: the agent says so
        said=$(INSTORAGE_AGENT_SOCKET=$socket INSTORAGE_STUB_DEADLINE_MS=30000 "$stub" are-you-there 2>&1) || :
        case $said in
            *'"Not supported"'*) ;;
            *) say "the agent does not answer at $socket: $said" && return 0 ;;
        esac
    done
    if systemctl is-failed --quiet instorage-helper.service; then
        say 'instorage-helper.service has failed: journalctl -u instorage-helper says why.'
    fi
}

sweep_node() { # versions of before and a checkout's environment, once nothing runs from them
    local tree
    for tree in "$ROOT$LIBRARY"/*; do
        case ${tree##*/} in
            current | "${NODE##*/}") continue ;;
            bin | lib | lib64 | include | share | pyvenv.cfg)
                # Its python is the host's, so only the command line of a process tells
                if live && grep -qs "^$LIBRARY/bin/[p]ython3" /proc/[0-9]*/cmdline; then continue; fi ;;
            *) if in_use "${tree#"$ROOT"}"; then continue; fi ;;
        esac
        rm -rf "$tree"
    done
    for tree in "$ROOT$LIBEXEC"/*; do # programs that this version has no more
        if [ -h "$tree" ] && [ ! -e "$tree" ]; then
            rm -f "$tree"
        fi
    done
}

leave_plugin() { # kubelet must not find two of them
    if [ "$PLUGIN" != "$OLD_PLUGIN" ] && ! same_place "$ROOT$PLUGIN" "$ROOT$OLD_PLUGIN"; then
        rm -f "$ROOT$OLD_PLUGIN/instorage-flexvolume"
        [ ! -d "$ROOT$OLD_PLUGIN/config" ] || say "The configuration is a copy of that in $OLD_PLUGIN."
    fi
}

# ---- the provisioner ----

install_provisioner() {
    local fresh='' source="$HERE/inspur-instorage-provisioner" program
    begin provisioner "$FOLDER"
    UNITS=$(unit_directory)
    create_user instorage-provisioner provisioner
    make_directory /etc/instorage 0755
    make_directory "$FOLDER" 0755
    make_directory "$FOLDER/log" 0755 instorage-provisioner:instorage-provisioner
    put_configuration "$FOLDER" "$OLD_FOLDER" instorage-provisioner
    put_places provisioner
    put_tree "$(readlink -f "$source/python")" "$FOLDER" "python-$VERSION"
    if [ -d "$ROOT$FOLDER/python" ] && [ ! -h "$ROOT$FOLDER/python" ]; then # a checkout's environment
        rm -rf "$ROOT$FOLDER/python.before"
        mv -fT "$ROOT$FOLDER/python" "$ROOT$FOLDER/python.before"
    fi
    link "${TREE##*/}" "$FOLDER/python"
    for program in instorage-provisioner instoragectl; do
        write "$FOLDER/$program" 0755 <"$source/$program"
    done
    put_units provisioner
    provisioner_drop_in
    labelled "$FOLDER" /etc/instorage
    ! first_provisioner || fresh=yes
    start_provisioner "$fresh"
    UNDO=''
    if [ "$FOLDER" != "$OLD_FOLDER" ] && [ -d "$ROOT$OLD_FOLDER" ]; then
        remove_programs "$OLD_FOLDER"
        say "The configuration is a copy of that in $OLD_FOLDER."
    fi
    finish
    sweep_provisioner
    say "InStorage $VERSION is installed as provisioner in $FOLDER."
}

first_provisioner() { # none of ours was here before, nor in another folder
    [ -e "$BEFORE/absent$FOLDER/instorage-provisioner" ] &&
        { [ "$OLD_FOLDER" = "$FOLDER" ] || [ ! -e "$ROOT$OLD_FOLDER/instorage-provisioner" ]; }
}

provisioner_drop_in() { # the unit's own command line, with the folder of this host in it
    if [ "$FOLDER" = "$DEFAULT_FOLDER" ]; then
        drop_in instorage-provisioner.service ''
    else
        drop_in instorage-provisioner.service "[Service]
ReadWritePaths=-$FOLDER/log
ExecStart=
$(sed -n '/^ExecStart=/,/[^\\]$/p' "$HERE/systemd/instorage-provisioner.service" | sed "s|$DEFAULT_FOLDER|$FOLDER|g")"
    fi
}

start_provisioner() { # FRESH: not before it has been given access to Kubernetes, which is the administrator's to make
    local trouble
    live || return 0
    [ -d "$BEFORE" ] || return 0
    systemctl daemon-reload
    systemd-tmpfiles --create instorage-provisioner.conf 2>/dev/null || :
    if [ -n "$1" ]; then
        NEXT="${NEXT}Put the access to Kubernetes into $FOLDER/config/kubeconfig, readable for the group
instorage-provisioner.
Then: systemctl enable --now instorage-provisioner.
"
        return 0
    fi
    case $(systemctl is-active instorage-provisioner.service || :) in
        active | activating | reloading) ;;
        *)
            say 'instorage-provisioner.service is stopped, and stays so: systemctl start instorage-provisioner.'
            return 0
            ;;
    esac
    systemctl --no-block restart instorage-provisioner.service || :
    trouble=$(provisioner_trouble "$TREE")
    [ -z "$trouble" ] || die 4 "$trouble"
}

provisioner_trouble() { # TREE: why the provisioner that runs from there does not work; nothing when it does
    local deadline state='' process=0
    deadline=$(($(seconds) + PROVISIONER_SECONDS + 90)) # of which 90 for the one of before to end what it has begun
    while [ "$(seconds)" -lt "$deadline" ]; do
        state=$(property SubState instorage-provisioner.service)
        process=$(property MainPID instorage-provisioner.service)
        case $state:$(readlink "/proc/$process/exe" 2>/dev/null || :) in
            running:"$1"/*) return 0 ;;
            failed:* | auto-restart*:*) break ;;
        esac
        sleep 0.2
    done
    case $state:$(readlink "/proc/$process/exe" 2>/dev/null || :) in
        start:"$1"/*) complain 'the provisioner waits for the API server: journalctl -u instorage-provisioner.' ;;
        *) say "instorage-provisioner.service is '$state': journalctl -u instorage-provisioner says why." ;;
    esac
}

sweep_provisioner() {
    local tree
    for tree in "$ROOT$FOLDER"/python-* "$ROOT$FOLDER/python.before"; do
        if [ -d "$tree" ] && [ "$tree" != "$ROOT$TREE" ] && ! in_use "${tree#"$ROOT"}"; then
            rm -rf "$tree"
        fi
    done
}

# ---- going back ----

ended() { # at every end of this script
    local status="$?"
    trap - EXIT
    if [ "$status" -ne 0 ] && [ -z "$SAID" ]; then
        complain "it was broken off (status $status)."
    fi
    if [ "$status" -ne 0 ] && [ -n "$UNDO" ] && [ -d "$BEFORE" ]; then
        go_back
    fi
    exit "$status"
}

go_back() { # the version of before is in force again, if there was one
    local part="$UNDO" first='' trouble=''
    UNDO=''
    case $part in
        node) ! first_node || first=yes ;;
        provisioner) ! first_provisioner || first=yes ;;
    esac
    if [ -n "$first" ]; then
        die 4 'it is not known to work, and no version was here before: mend that, and run this again.'
    fi
    complain 'going back to the version of before.'
    put_back || die 4 "what was there before could not be put back: mend that ($BEFORE has it), and run this again."
    PLUGIN=$OLD_PLUGIN
    if live; then
        systemctl daemon-reload || :
        case $part in
            node) trouble=$(revive_node) ;;
            provisioner) trouble=$(revive_provisioner) ;;
        esac
    fi
    [ -z "$trouble" ] || die 4 "the version of before is back, and does not answer either: $trouble"
    finish
    forget_tree
    die 3 'the new version did not work on this host; the one of before is in force again, and pods went on.'
}

forget_tree() { # of the version that did not work
    local name="${TREE##*/}"
    case $name in
        '' | "$(readlink "$ROOT$LIBRARY/current" || :)" | "$(readlink "$ROOT$FOLDER/python" || :)") ;;
        *) in_use "$TREE" || rm -rf "$ROOT$TREE" ;;
    esac
}

revive_node() {
    if systemctl is-active --quiet instorage-node.target; then
        restart_node >&2
        node_trouble ''
    fi
}

revive_provisioner() {
    if [ "$(systemctl is-active instorage-provisioner.service || :)" != inactive ]; then
        systemctl --no-block restart instorage-provisioner.service >&2 || :
        provisioner_trouble ''
    fi
}

put_back() { # each file by a rename, as it came
    local file place
    if [ -d "$BEFORE/files" ]; then
        find "$BEFORE/files" ! -type d ! -name '*.new' >"$BEFORE/list" || return 1
        while read -r file; do
            place=$ROOT${file#"$BEFORE/files"}
            mkdir -p "${place%/*}" || return 1
            cp -pP "$file" "${place%/*}/.${place##*/}.new" || return 1
            mv -fT "${place%/*}/.${place##*/}.new" "$place" || return 1
        done <"$BEFORE/list"
    fi
    if [ -d "$BEFORE/absent" ]; then
        find "$BEFORE/absent" -type f >"$BEFORE/list" || return 1
        while read -r file; do
            rm -f "$ROOT${file#"$BEFORE/absent"}" || return 1
        done <"$BEFORE/list"
    fi
    if [ -d "$ROOT$FOLDER/python.before" ]; then
        mv -fT "$ROOT$FOLDER/python.before" "$ROOT$FOLDER/python" || return 1
    fi
}

# ---- removing ----

mounted() { # our volumes' mounts on this host, one a line
    if live; then
        [ -r /proc/1/mountinfo ] || die 1 '/proc/1/mountinfo cannot be read: run this as root of the host.'
        cut -d' ' -f5 /proc/1/mountinfo |
            grep -e '/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/' -e "/volumes/$DRIVER/" || :
    fi
}

recorded() { # FILE...: the volumes of these records, one a line
    local record
    for record; do
        if [ -f "$record" ]; then
            say "$(sed -n -e 's/.*"name": *"\([^"]*\)".*/\1/p' -e 's/.*"volume": *"\([^"]*\)".*/\1/p' "$record" |
                head -n 1) (record ${record#"$ROOT"})"
        fi
    done
}

uses() { # PART: what of this host still needs the part
    if [ "$1" = node ]; then
        mounted | sed 's/^/mounted: /'
        recorded "$ROOT$STATE/volumes"/* | sed 's/^/attached: /'
        [ -z "$PURGE" ] || recorded "$ROOT$HELPER_STATE/aa"/* | sed 's/^/expansion that was broken off: /'
    fi
}

nothing_uses() { # PART
    local used
    used=$(uses "$1")
    [ -z "$used" ] || die 1 "volumes are in use on this host, nothing was removed:
$used
End the pods that use them (kubectl drain), finish broken-off expansions (instoragectl barrier plan), run this again."
}

stop() { # UNIT...
    if live && [ -d /run/systemd/system ]; then
        systemctl --quiet disable "$1" 2>/dev/null || :
        systemctl stop "$@" 2>/dev/null || :
        ! systemctl is-active --quiet "$@" || die 1 "not all of $* could be stopped: see systemctl status."
    fi
}

remove_units() { # PART
    local directory unit
    for directory in $UNIT_DIRECTORIES; do
        for unit in "$ROOT$directory"/instorage-*; do
            if [ -f "$unit" ] && belongs "${unit##*/}" "$1"; then
                rm -f "$unit" "$unit".d/older-*.conf
                rmdir "$unit.d" 2>/dev/null || :
            fi
        done
    done
    for unit in "$ROOT"/etc/systemd/system/instorage-*.d; do
        if [ -d "$unit" ] && belongs "$(basename "$unit" .d)" "$1"; then
            rm -f "$unit/places.conf"
            [ -z "$PURGE" ] || rm -rf "$unit"
            rmdir "$unit" 2>/dev/null || :
        fi
    done
    rm -f "$ROOT/usr/lib/sysusers.d/instorage-$1.conf" "$ROOT/usr/lib/tmpfiles.d/instorage-$1.conf"
    if live && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl reset-failed 'instorage-*' 2>/dev/null || :
    fi
}

remove_user() { # NAME: with the last one goes the group of both
    local file
    if ! live; then
        for file in passwd group shadow gshadow; do
            [ ! -e "$ROOT/etc/$file" ] || sed -i "/^$1:/d" "$ROOT/etc/$file"
        done
        for file in group gshadow; do
            [ ! -e "$ROOT/etc/$file" ] \
                || sed -i "/^$SHARED:/{s/\([:,]\)$1,/\1/;s/,$1\$//;s/:$1\$/:/;}" "$ROOT/etc/$file"
        done
    else
        [ -z "$(number_of passwd "$1")" ] || userdel "$1" || complain "the user $1 could not be removed: userdel $1."
        remove_group "$1"
    fi
    if ! in_group instorage-agent "$SHARED" && ! in_group instorage-provisioner "$SHARED"; then
        remove_group "$SHARED"
    fi
}

remove_group() { # NAME
    local file
    if ! live; then
        for file in group gshadow; do
            [ ! -e "$ROOT/etc/$file" ] || sed -i "/^$1:/d" "$ROOT/etc/$file"
        done
    elif [ -n "$(number_of group "$1")" ]; then
        groupdel "$1" || complain "the group $1 could not be removed: groupdel $1."
    fi
}

remove_logs() { # FILE: of the directory of both, which goes with its last file
    rm -f "$ROOT$SHARED_LOGS/$1" "$ROOT$SHARED_LOGS/$1".[1-5]
    rmdir "$ROOT$SHARED_LOGS" 2>/dev/null || :
}

empty_or_said() { # DIRECTORY: goes if nothing is in it
    find "$ROOT$1" -depth -type d -exec rmdir {} \; 2>/dev/null || :
    [ ! -d "$ROOT$1" ] || LEFT="$LEFT $1"
}

remove_node() {
    nothing_uses node
    stop instorage-node.target instorage-nodeagent.service instorage-helper.service instorage-nodeagent.socket \
        instorage-nodeagent-plugin.socket instorage-helper.socket instorage-volumes.service
    if [ -n "$(uses node)" ]; then # by a call that came in before the sockets were gone
        ! live || systemctl --quiet enable --now instorage-node.target
        nothing_uses node
    fi
    rm -f "$ROOT$ENABLED"
    rm -f "$ROOT$PLUGIN/instorage-flexvolume" "$ROOT$PLUGIN/.agent.sock" "$ROOT$PLUGIN/config/instorage.yaml.sample"
    rm -rf "$ROOT$PLUGIN/log" "$ROOT/var/log/instorage" "$ROOT$LIBEXEC" "$ROOT/usr/sbin/instoragectl" "$ROOT$LIBRARY"
    remove_logs instorage-nodeagent.log
    ! live || rm -rf /run/instorage
    remove_units node
    if [ -n "$PURGE" ]; then
        rm -rf "$ROOT$PLUGIN" "$ROOT$STATE" "$ROOT$HELPER_STATE"
        remove_user instorage-agent
        remove_plugins
    fi
    empty_or_said "$PLUGIN"
    empty_or_said "$STATE"
    empty_or_said "$HELPER_STATE"
    say 'The node part is removed. Sessions to the arrays and host objects on them stay: iscsiadm -m session, lshost.'
}

remove_plugins() { # kubelet's default directory, if nobody else is in it; a kubelet that runs watches it, and keeps it
    local directory=/usr/libexec/kubernetes/kubelet-plugins/volume/exec
    if live && [ -n "$(kubelet)" ]; then
        return 0
    fi
    while [ "$directory" != /usr/libexec ] && rmdir "$ROOT$directory" 2>/dev/null; do
        directory=${directory%/*}
    done
}

remove_programs() { # FOLDER
    rm -rf "$ROOT$1"/python "$ROOT$1"/python-* "$ROOT$1"/python.before "$ROOT$1"/.before "$ROOT$1"/.gone "$ROOT$1"/.new
    rm -f "$ROOT$1/instorage-provisioner" "$ROOT$1/instoragectl"
}

remove_provisioner() {
    stop instorage-provisioner.service
    remove_programs "$FOLDER"
    rm -f "$ROOT$FOLDER/config/instorage.yaml.sample"
    rm -rf "$ROOT$FOLDER/log" "$ROOT/var/log/instorage-provisioner"
    remove_logs instorage-provisioner.log
    remove_units provisioner
    if [ -n "$PURGE" ]; then
        rm -rf "$ROOT$FOLDER" "$ROOT$PROVISIONER_STATE"
        remove_user instorage-provisioner
    fi
    empty_or_said "$FOLDER"
    empty_or_said "$PROVISIONER_STATE"
    say 'The provisioner is removed. PVs that it made keep its finalizer (inspur.com/instorage) until one runs again.'
}

forget_places() { # /etc/instorage goes with the last part, when nothing is to stay
    local other=
    for other in "$ROOT$LIBRARY/current" "$ROOT$FOLDER/instorage-provisioner"; do
        [ ! -e "$other" ] || return 0
    done
    [ -z "$PURGE" ] || rm -rf "$ROOT/etc/instorage"
    [ ! -d "$ROOT/etc/instorage" ] || LEFT="$LEFT /etc/instorage"
}

# ---- the command line ----

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --node) PARTS="$PARTS node" ;;
            --provisioner) PARTS="$PARTS provisioner" ;;
            --check | --uninstall) ACTION=${1#--} ;;
            --purge) PURGE=yes ;;
            --plugin-dir | --kubelet-root | --prefix | --root)
                case ${2:--} in -*) wrong "$1 needs a directory" ;; esac
                take "$1" "$2"
                shift
                ;;
            --plugin-dir=?* | --kubelet-root=?* | --prefix=?* | --root=?*) take "${1%%=*}" "${1#*=}" ;;
            -h | --help) usage && exit 0 ;;
            --version) say "$VERSION" && exit 0 ;;
            *) wrong "$1 is not known" ;;
        esac
        shift
    done
    if [ "$ACTION" != uninstall ] && [ -n "$PURGE" ]; then
        wrong '--purge belongs to --uninstall'
    elif [ "$ACTION" = uninstall ]; then
        PARTS=${PARTS:-' node provisioner'}
    elif [ "$ACTION" = check ]; then
        PARTS=${PARTS:-' node'}
    elif [ -z "$PARTS" ]; then
        wrong 'say what is wanted here: --node, --provisioner or both'
    fi
}

take() { # OPTION DIRECTORY
    case $1 in
        --plugin-dir) ASKED_PLUGINS=$2 ;;
        --kubelet-root) ASKED_ROOTS=$2 ;;
        --prefix) ASKED_PREFIX=$2 ;;
        --root)
            ROOT=$(cd "$2" && pwd) || wrong "--root $2 is no directory"
            ROOT=${ROOT%/} LIVE=''
            ;;
    esac
}

one_at_a_time() { # the lock goes with the process, however that ends
    mkdir -p "$ROOT/etc"
    exec 9<"$ROOT/etc"
    flock -n 9 || die 1 'another install.sh is at work on this host: wait until it has ended.'
}

main() {
    local part
    PARTS='' ACTION=install PURGE='' ROOT='' ASKED_PLUGINS='' ASKED_ROOTS='' ASKED_PREFIX='' # what was asked for
    LIVE=yes UNDO='' NEXT='' LEFT=''
    HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
    VERSION=$(head -n 1 "$HERE/VERSION" 2>/dev/null) || VERSION=''
    read_arguments "$@"
    find_places
    if [ "$ACTION" != uninstall ]; then
        look
    fi
    if [ "$ACTION" = check ]; then
        say "Nothing is in the way of InStorage $VERSION on this host."
        return 0
    fi
    [ "$(id -u)" = 0 ] || ! live || die 1 'this must be run as root: sudo ./install.sh ...'
    one_at_a_time
    trap ended EXIT
    trap 'exit 130' HUP INT TERM
    for part in $PARTS; do
        case $ACTION:$part in
            install:node) install_node ;;
            install:provisioner) install_provisioner ;;
            uninstall:node) remove_node ;;
            uninstall:provisioner) remove_provisioner ;;
        esac
    done
    if [ "$ACTION" = uninstall ]; then
        forget_places
        [ -z "$LEFT" ] || say "Kept, as configuration, keys or records:$LEFT (--purge removes that too)."
    fi
    [ -z "$NEXT" ] || printf 'Next:\n%s' "$NEXT"
}

main "$@"
exit $?
