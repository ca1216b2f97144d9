#!/bin/sh
# Loads the policy module beside this file into the policy of this host, and gives everything of ours its labels; or takes
# both away. install.sh calls it, and the package instorage-selinux; by hand, as root:
#   load.sh load      what /etc/instorage/places says of other directories included; again after each change of it
#   load.sh remove
#   load.sh labels    prints what a load would give another directory, changes nothing
# Exit status: 0 done, or this host has no SELinux; 1 not done, and the reason was said.
set -eu
umask 022
LC_ALL=C
PATH=${PATH:-/usr/bin}:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

here=$(cd "$(dirname "$0")" && pwd)
places=${INSTORAGE_PLACES_FILE:-/etc/instorage/places}
loaded=/etc/instorage/selinux-policy # what the doctor looks at: «VERSION DIGEST» of what was loaded from here
booleans=/sys/fs/selinux/booleans
usual_plugin=/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume
usual_folder=/opt/inspur-instorage-provisioner

refuse() {
    echo "load.sh: $*" >&2
    exit 1
}

said() { # KEY DEFAULT: only what install.sh may have written
    found=$(sed -n "s/^$1=//p" "$places" 2>/dev/null | tail -n 1 | tr -d "\"'")
    case $found in
        *[!A-Za-z0-9/._+~@:=-]* | '') echo "$2" ;;
        /*) echo "$found" ;;
        *) echo "$2" ;;
    esac
}

plain() { # PATH as a regular expression
    printf '%s\n' "$1" | sed 's/[.+]/\\&/g'
}

context() { # PATH KIND TYPE
    echo "(filecon \"$1\" $2 (system_u object_r $3 ((s0) (s0))))"
}

labels() { # of directories that are not the usual ones, as instorage.fc has them for those
    plugin=$(said INSTORAGE_PLUGIN "$usual_plugin") folder=$(said INSTORAGE_PROVISIONER "$usual_folder")
    if [ "$plugin" != "$usual_plugin" ]; then
        at=$(plain "$plugin")
        context "$at(/.*)?" any instorage_plugin_t
        context "$at/instorage-flexvolume" file instorage_stub_exec_t
        context "$at/config(/.*)?" any instorage_conf_t
        context "$at/log(/.*)?" any instorage_log_t
        context "$at/\\.agent\\.sock" socket instorage_agent_socket_t
    fi
    if [ "$folder" != "$usual_folder" ]; then
        at=$(plain "$folder")
        context "$at/instorage-provisioner" file instorage_provisioner_exec_t
        context "$at/instoragectl" file bin_t
        context "$at/python-[^/]+/bin(/.*)?" any bin_t
        context "$at/python-[^/]+/lib(/.*)?" any lib_t
        context "$at/config(/.*)?" any instorage_provisioner_conf_t
        context "$at/log(/.*)?" any instorage_log_t
    fi
}

kind() { # of policy that this host has: its name in /etc/selinux, nothing where there is none
    type=$(sed -n 's/^SELINUXTYPE=//p' /etc/selinux/config 2>/dev/null | tail -n 1)
    [ -n "$type" ] && [ -d "/etc/selinux/$type/policy" ] || return 0
    command -v semodule >/dev/null && echo "$type"
}

module() { # the compiled module for this host, made where it was not brought
    if [ "$1" = default ] && [ -f "$here/refpolicy/instorage.pp" ]; then
        cp "$here/refpolicy/instorage.pp" "$scratch"
    elif [ -e /usr/share/selinux/devel/include/Makefile ] && command -v make >/dev/null; then
        make -s -C "$here" OUT="$scratch" >&2 || refuse "the module could not be made from $here: see above."
    else
        refuse "for the policy «$1» the module is made on the host: install selinux-policy-devel (or selinux-policy-dev)" \
            "and make, and run sh $here/load.sh load. Until then the services run unconfined, as others without a policy."
    fi
}

known() { # MODULE: whether it is in the policy
    semodule -l | sed 's/[[:space:]].*//' | grep -qx "$1"
}

switched_off() { # what ours is about, where the distribution has it off: Debian 13 in a virtual machine
    semodule -lfull | sed -n 's/^[0-9]*[[:space:]]*iscsi[[:space:]].*disabled[[:space:]]*$/-e iscsi/p'
}

relabel() {
    for place in /usr/lib/instorage /usr/libexec/instorage /usr/sbin/iscsiadm /etc/iscsi /etc/multipath /etc/instorage \
        /var/lib/instorage /var/lib/instorage-helper /var/lib/instorage-provisioner /var/log/instorage \
        /var/log/instorage-provisioner /var/log/inspurlog /run/instorage "$(said INSTORAGE_PLUGIN "$usual_plugin")" \
        "$(said INSTORAGE_PROVISIONER "$usual_folder")"; do
        [ ! -e "$place" ] || restorecon -R "$place" || refuse "$place did not get its labels: see above."
    done
}

begin_anew() { # sockets and processes keep the domain that they were made in
    [ -d /run/systemd/system ] && [ -d "$booleans" ] || return 0
    for unit in instorage-node.target instorage-provisioner.service; do
        systemctl -q is-active "$unit" || continue
        systemctl restart "$unit" || refuse "$unit did not come back: see systemctl status $unit."
    done
}

load() {
    type=$(kind)
    [ -n "$type" ] || return 0
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    labels >"$scratch/instorage_places.cil"
    version=$(sed -n 's/^policy_module(instorage, *\([0-9.]*\)).*/\1/p' "$here/instorage.te")
    mark="$version $(cat "$here"/instorage.?? "$here"/compat/*.if "$scratch/instorage_places.cil" | sha256sum | cut -c1-16)"
    first=yes
    if known instorage; then
        first=
        # To link a policy takes a while, and a node's daemons wait for it.
        [ "$(cat "$loaded" 2>/dev/null)" != "$mark" ] || { relabel; return 0; }
    fi
    module "$type"
    # shellcheck disable=SC2046 # two words, or none
    set -- $(switched_off) -i "$scratch/instorage.pp"
    if [ -s "$scratch/instorage_places.cil" ]; then
        set -- "$@" -i "$scratch/instorage_places.cil"
    elif known instorage_places; then
        set -- "$@" -r instorage_places
    fi
    [ -d "$booleans" ] || set -- -n "$@" # SELinux is not on: the module counts from the boot that turns it on
    semodule "$@" || refuse "the policy of this host did not take the module: see above; nothing was changed."
    mkdir -p "${loaded%/*}"
    echo "$mark" >"$loaded"
    relabel
    [ -z "$first" ] || begin_anew
}

remove() {
    rm -f "$loaded"
    [ -n "$(kind)" ] || return 0
    set --
    for module in instorage_places instorage; do
        ! known "$module" || set -- "$@" -r "$module"
    done
    [ $# -gt 0 ] || return 0
    [ -d "$booleans" ] || set -- -n "$@"
    semodule "$@" || refuse "the policy of this host did not let the module go: see above."
    relabel
    begin_anew
}

case ${1:-} in
    load | remove | labels) "$1" ;;
    *) echo "usage: sh load.sh load|remove|labels" >&2; exit 2 ;;
esac
