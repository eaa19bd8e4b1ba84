#!/bin/sh
# Every session below RAW to one verified NWB file in OUT, two at a time:
#
#   sh pipeline.sh RAW OUT [CONVERT-OPTION...]
#
# detect writes one session a line; each line is a sources document that convert reads from stdin.
# A session that fails is told and does not stop the others. Status: 0, or 1 where one failed.
set -eu

raw=${1:?usage: pipeline.sh RAW OUT [CONVERT-OPTION...]}
out=${2:?usage: pipeline.sh RAW OUT [CONVERT-OPTION...]}
shift 2
jobs=${JOBS:-2}

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one='
    line=$1 out=$2; shift 2
    id=$(sed -n "s/.*\"sessions\": \[{\"id\": \"\([^\"]*\)\".*/\1/p" "$line")
    status=0
    nwbkit convert - "$@" --overwrite -o "$out/$id.nwb" < "$line" 2> "$line.log" ||
        status=$?
    if [ "$status" -eq 0 ] || [ "$status" -eq 3 ]; then
        nwbkit verify -q "$out/$id.nwb" > /dev/null 2>> "$line.log" || status=$?
    fi
    printf "%s\t%s\t%s\n" "$id" "$status" "$(grep -m 1 error: "$line.log" | cut -d : -f 3-)"
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ]
'
nwbkit detect "$raw" --jsonl | split -l 1 -a 4 - "$work/session-"
set -- one LINE "$out" "$@"
[ -e "$work/session-aaaa" ] || exit 1 # detect has said why
status=0
for line in "$work"/session-????; do printf '%s\0' "$line"; done |
    xargs -0 -P "$jobs" -I LINE sh -c "$one" "$@" > "$work/table" || status=1
sort "$work/table"
exit "$status"
