#!/bin/sh
# Ends once no worker has reached its queue for too long; the end makes its unit power off.
# Usage: deadline.sh FILE SECONDS: the file that a worker touches, and the longest time between two
# touches.  It needs neither cloud-init, the release, the worker, the network nor the clock.
set -u
sign=$1 limit=$2
# At a reboot or a stop: exit status 0 would power the machine off.
trap 'exit 75' TERM INT

uptime() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

seen='' since=$(uptime)
while :; do
    now=$(stat -c %y "$sign" 2>/dev/null)
    if [ "$now" != "$seen" ]; then
        seen=$now since=$(uptime)
    elif [ $(($(uptime) - since)) -ge "$limit" ]; then
        echo "gridwell: no worker has reached its queue for $limit s; powering off"
        exit 0
    fi
    sleep $((limit / 20 + 1)) &
    wait $!
done
