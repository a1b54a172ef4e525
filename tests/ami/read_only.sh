#!/bin/sh
# Runs a command in a mount namespace in which one folder can be written, and nothing else of the
# machine: read_only.sh FOLDER COMMAND…   /proc, /dev and /sys hold no files of ours.
set -eu
folder=$1
shift
mount --bind "$folder" "$folder"
while read -r _ _ _ _ mounted _; do
    case $mounted in
    /proc | /proc/* | /dev | /dev/* | /sys | /sys/* | "$folder") ;;
    *) mount -o remount,bind,ro "$mounted" ;;
    esac
done </proc/self/mountinfo
if (: >"$folder/../stray") 2>/dev/null; then
    echo "read_only.sh: $folder/.. can still be written" >&2
    exit 1
fi
exec "$@"
