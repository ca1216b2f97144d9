#!/bin/sh
# Puts beside the units what the systemd of this host needs, and takes away what it does not need any more:
#     sh put.sh [DIRECTORY [VERSION]]      # of the units, /usr/lib/systemd/system by default; of systemd, this host's
# A folder here is called after the last version that needs what it holds. Each file comes by a rename, and a second
# run ends as one run does. Of a unit that is not there nothing is put. `systemctl daemon-reload` is the caller's.
set -eu

here=$(dirname -- "$0")
units=${1:-/usr/lib/systemd/system}
found=${2:-$(systemctl --version | sed -n '1s/^systemd \([0-9][0-9]*\).*/\1/p')}
if [ -z "$found" ]; then
    echo "The version of systemd on this host cannot be read from «systemctl --version»: see what that says." >&2
    exit 1
fi

for folder in "$here"/[0-9]*; do
    last=${folder##*/}
    for file in "$folder"/*.d/*.conf; do
        drop_in=${file%/*}
        drop_in=$units/${drop_in##*/}
        there=$drop_in/${file##*/}
        if [ "$found" -le "$last" ] && [ -e "${drop_in%.d}" ]; then
            mkdir -p "$drop_in"
            cp "$file" "$there.new"
            chmod 0644 "$there.new"
            mv -f "$there.new" "$there"
        else
            rm -f "$there" "$there.new"
            [ ! -d "$drop_in" ] || rmdir "$drop_in" 2>/dev/null || :  # others' files keep it
        fi
    done
done
