#!/bin/sh
# Installs, upgrades, checks and removes InStorage for Kubernetes on this host: ./install.sh --help.
# It only finds the archive's own Python, which runs installer/ beside this file. Python is started by root here, so it
# looks at nothing of the environment, the working directory or the user's own: -I, -S and -B.
set -eu
umask 022
LC_ALL=C
PATH=${PATH:-/usr/bin}:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

refuse() {
    printf 'install.sh: %s\n' "$*" | tr -cd '\11\12\40-\176' >&2
    exit 1
}

machine() { # FILE: the processor that it is for, as its ELF header has it
    case $(dd if="$1" bs=1 skip=18 count=2 2>/dev/null | od -An -tx1 | tr -d ' \n') in
        3e00) echo x86_64 ;;
        b700) echo aarch64 ;;
    esac
}

why() { # PYTHON: why it does not start
    said=$("$1" -I -S -B -c '' 2>&1) && return 0
    wanted=$(machine "$1") has=$(uname -m)
    if [ -n "$wanted" ] && [ "$wanted" != "$has" ]; then
        echo "this archive is for $wanted, this host is $has: take the archive for $has."
        return 0
    fi
    case $(ldd --version 2>&1 | head -n 1) in
        *musl*) echo 'the C library of this host is musl, the GNU C library 2.17 or newer is wanted: choose another host.' ;;
        *' 2.'[0-9] | *' 2.1'[0-6])
            echo "$(ldd --version 2>&1 | head -n 1) is here, glibc 2.17 or newer is wanted: this host is too old." ;;
        *)  echo "$1 does not start (${said:-no word}): take the archive for $has, and unpack it where programs may" \
                'be started (not mounted noexec).' ;;
    esac
}

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
for python in "$here"/node/bin/python3.?? "$here"/inspur-instorage-provisioner/python/bin/python3.?? \
    "$here"/bin/python3.??; do # the last: in the directory of a version that is installed
    [ -f "$python" ] || continue
    trouble=$(why "$python")
    [ -z "$trouble" ] || refuse "$trouble"
    [ -d "$here/installer" ] || break
    # shellcheck disable=SC2093  # what follows the loop is said when there is none
    exec "$python" -I -S -B -c 'import runpy, sys
sys.path.append(sys.argv[1])
sys.argv[1:] = sys.argv[2:]
runpy.run_module("installer", run_name="__main__", alter_sys=False)' "$here" "$@"
done
refuse "$here has no Python or no installer in it: unpack the whole archive, and run install.sh in it."
