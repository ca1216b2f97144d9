#!/bin/sh
# A systemd for tests/packaging/host.py: keeps units' states below /run/units, starts and ends agent and provisioner,
# makes the sockets that units and drop-ins name, and writes down how it was called.
echo "$*" >>/run/systemctl.log
verb='' units='' now=''
for word; do
    case $word in
        --version) verb=version ;;
        --now) now=yes ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else case $word in *.*) ;; *) word=$word.service ;; esac; units="$units $word"; fi ;;
    esac
done
if [ -e "/run/kill.$verb" ]; then # the installer, at this of its steps
    rm "/run/kill.$verb"
    kill -9 $PPID
    exit 1
fi

settings() { # UNIT KEY: the values that unit and drop-in say, one a line
    cat "/usr/lib/systemd/system/$1" "/etc/systemd/system/$1.d/places.conf" 2>/dev/null |
        sed -n "s/^$2=\([^ ]\)/\1/p"
}

process() { cat "/run/process/$1" 2>/dev/null || echo 0; }

lives() { readlink "/proc/$(process "$1")/exe" >/dev/null 2>&1; }

start_service() {
    ! lives "$1" || return 0
    rm -f "/run/process/$1".*
    program=$(settings "$1" ExecStart | tail -n 1)
    program=${program%% *}
    setsid "$program" "/run/process/$1" </dev/null >/dev/null 2>&1 9<&- &
    while [ ! -e "/run/process/$1.ready" ]; do
        [ ! -e "/run/process/$1.broken" ] || return 1
        sleep 0.02
    done
}

stop_service() {
    ! lives "$1" || kill "$(process "$1")"
    while lives "$1"; do sleep 0.02; done
    rm -f "/run/process/$1"
}

listen() { # SOCKET: where unit and drop-ins say, until it is stopped
    setsid python3 -c 'import os, socket, sys, time
place, pid = sys.argv[1:]
if os.path.lexists(place): os.unlink(place)
listener = socket.socket(socket.AF_UNIX)
listener.bind(place)
listener.listen()
open(pid, "w").write(str(os.getpid()))
time.sleep(1e6)' "$(settings "$1" ListenStream | tail -n 1)" "/run/process/$1" </dev/null >/dev/null 2>&1 9<&- &
    until [ -s "/run/process/$1" ]; do sleep 0.02; done
}

state() {
    case $1 in
        instorage-helper.service) echo inactive ;; # it leaves when it is idle
        instorage-*.service)
            if lives "$1"; then echo active; elif [ -e "/run/process/$1.broken" ]; then echo failed; else echo inactive; fi ;;
        *) if [ -e "/run/units/$1" ]; then echo active; else echo inactive; fi ;;
    esac
}

start() {
    : >"/run/units/$1"
    case $1 in
        instorage-node.target)
            for unit in instorage-nodeagent.socket instorage-nodeagent-plugin.socket instorage-nodeagent.service; do
                [ -e "/run/units/$unit" ] || start "$unit" || return 1
            done
            ;;
        instorage-nodeagent.service | instorage-provisioner.service) start_service "$1" ;;
        *.socket) listen "$1" ;;
    esac
}

stop() {
    [ ! -e "/run/stuck-$1" ] || return 1
    rm -f "/run/units/$1"
    case $1 in instorage-nodeagent.service | instorage-provisioner.service | instorage-*.socket) stop_service "$1" ;; esac
}

case $verb in
    version) echo "systemd $(cat /run/versions/systemd) (of a test)" ;;
    is-active)
        status=3
        for unit in $units; do
            [ "$(state "$unit")" != active ] || status=0
            case " $* " in *' --quiet '*) ;; *) state "$unit" ;; esac
        done
        exit $status
        ;;
    is-failed) exit 1 ;;
    show)
        case $units in
            *SubState*)
                case $(state "${units##* }") in
                    active) echo SubState=running ;;
                    failed) echo SubState=auto-restart ;; # as Restart=on-failure has it
                    *) echo SubState=dead ;;
                esac
                ;;
            *MainPID*) echo "MainPID=$(process "${units##* }")" ;;
            *UnitPath*) echo 'UnitPath=/etc/systemd/system /usr/lib/systemd/system' ;;
            *Environment*) cat /run/environment 2>/dev/null ;;
        esac
        ;;
    start) for unit in $units; do start "$unit" || exit 1; done ;;
    restart)
        for unit in $units; do stop "$unit"; done
        for unit in $units; do start "$unit" || exit 1; done
        ;;
    enable) : >/run/enabled; [ -z "$now" ] || for unit in $units; do start "$unit" || exit 1; done ;;
    disable) rm -f /run/enabled ;;
    stop)
        for unit in $units; do stop "$unit"; done
        [ ! -e /run/end.stop ] || { rm /run/end.stop; kill -TERM $PPID; } # the administrator breaks it off
        ;;
esac
