#!/bin/sh
# A systemd for tests/packaging/host.py: keeps units' states below /run/units, starts and ends the agent of an archive,
# makes the sockets that units and drop-ins name, and writes down how it was called.
echo "$*" >>/run/systemctl.log
verb='' units=''
for word; do
    case $word in
        --version) verb=version ;;
        -p) ;;
        --*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi ;;
    esac
done
if [ -e "/run/kill.$verb" ]; then # the installer, at this of its steps
    rm "/run/kill.$verb"
    kill -9 $PPID
    exit 1
fi

agent() { readlink "/proc/$(cat /run/agent.pid 2>/dev/null)/exe" >/dev/null 2>&1; }

end_agent() {
    ! agent || kill "$(cat /run/agent.pid)"
    while agent; do sleep 0.02; done
    rm -f /run/agent.pid
}

start_agent() {
    ! agent || return 0
    rm -f /run/agent.ready /run/agent.broken
    setsid /usr/libexec/instorage/instorage-nodeagent </dev/null >/dev/null 2>&1 9<&- &
    while [ ! -e /run/agent.ready ]; do
        [ ! -e /run/agent.broken ] || return 1
        sleep 0.02
    done
}

listen() { # SOCKET: where unit and drop-ins say
    path=$(cat "/usr/lib/systemd/system/$1" "/etc/systemd/system/$1.d/places.conf" 2>/dev/null |
        sed -n 's/^ListenStream=\(.\)/\1/p' | tail -n 1)
    python3 -c 'import os, socket, sys
if not os.path.exists(sys.argv[1]): socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$path"
}

state() {
    case $1 in
        instorage-nodeagent.service)
            if agent; then echo active; elif [ -e /run/agent.broken ]; then echo failed; else echo inactive; fi ;;
        *) if [ -e "/run/units/$1" ]; then echo active; else echo inactive; fi ;;
    esac
}

start() {
    : >"/run/units/$1"
    case $1 in
        instorage-node.target)
            for unit in instorage-nodeagent.socket instorage-nodeagent-plugin.socket instorage-nodeagent.service; do
                [ -e "/run/units/$unit" ] || start "$unit"
            done
            ;;
        instorage-nodeagent.service) start_agent ;;
        *.socket) listen "$1" ;;
    esac
}

stop() {
    rm -f "/run/units/$1"
    [ "$1" != instorage-nodeagent.service ] || end_agent
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
            *MainPID*) echo "MainPID=$(cat /run/agent.pid 2>/dev/null || echo 0)" ;;
            *UnitPath*) echo 'UnitPath=/etc/systemd/system /usr/lib/systemd/system' ;;
            *Environment*) cat /run/environment 2>/dev/null ;;
        esac
        ;;
    start) for unit in $units; do start "$unit" || exit 1; done ;;
    restart)
        for unit in $units; do stop "$unit"; done
        for unit in $units; do start "$unit" || exit 1; done
        ;;
    enable) : >/run/enabled ;;
    disable) rm -f /run/enabled ;;
    stop) for unit in $units; do stop "$unit"; done ;;
esac
