#!/bin/sh
# One session of five programs' files, taken through every step to a verified NWB file. Each
# command is shown before it runs. `make demo` installs what it needs; the files stay in demo/.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
out=${DEMO:-$root/demo}
seconds=${SECONDS_OF_DATA:-20}

# The command as one would type it, in lines of at most 80 columns.
show() {
    printf '\n'
    printf '%s\n' "$*" | awk -v line='$' '{
        for (i = 1; i <= NF; i++) {
            word = $i
            if (word ~ /^-/ && i < NF && $(i + 1) !~ /^-/) word = word " " $(++i)
            if (length(line) + length(word) > 77) { print line " \\"; line = "   " }
            line = line " " word
        }
        print line
    }'
}

step() {
    show "$@"
    "$@"
}

say() {
    printf '\n'
    printf '# %s\n' "$@"
}

if [ -d "$out" ] && [ ! -e "$out/.nwbkit-demo" ] && [ -n "$(ls -A "$out")" ]; then
    printf "demo.sh: '%s' holds other files than the demo's; remove it first\n" "$out" >&2
    exit 73
fi
rm -rf "$out"
mkdir -p "$out"
cd "$out"
: > .nwbkit-demo

say 'A session: a Neuropixels probe and a nidq (SpikeGLX), Kilosort and Phy, a' \
    'camera (mp4), DeepLabCut, trials in a workbook. Generated, so all is known.'
show python examples/demo_session.py session --seconds "$seconds"
python "$root/examples/demo_session.py" session --seconds "$seconds" > truth.txt
cat truth.txt

say 'What is here, which format, why we think so, and what belongs together?'
[ ! -t 1 ] || step nwbkit detect session # a table for people; a pipe gets JSON
step nwbkit detect session -o sources.json
show "sed -n 's/.*\"evidence\": //p' sources.json"
sed -n 's/.*"evidence": //p' sources.json | fold -s -w 80

say 'Streams, rates, clocks, and the options that each source takes.'
step nwbkit inspect sources.json

say 'What the files say themselves, what people know, and whether it is enough.'
step nwbkit metadata extract sources.json -o extracted.json
step nwbkit metadata template sources.json -m session/lab.yaml -o missing.yaml
show "grep '^ *[a-z_]*:\$' missing.yaml"
grep '^ *[a-z_]*:$' missing.yaml || echo '(nothing)'
step nwbkit metadata merge extracted.json session/lab.yaml -o metadata.json
step nwbkit metadata validate metadata.json --timezone Europe/Lisbon --for dandi

say 'Each device keeps a clock. nwbkit does not guess how they lie: it asks.'
show nwbkit convert sources.json -m metadata.json --timezone Europe/Lisbon -o mouse1.nwb
status=0
nwbkit convert sources.json -m metadata.json --timezone Europe/Lisbon -o mouse1.nwb || status=$?
printf '(exit status %s)\n' "$status"
test "$status" -eq 65

say 'Here the lab knows. Every chunk is decoded and compared before publishing.'
# shellcheck disable=SC2046 # one word an option, and one its value
step nwbkit convert sources.json -m metadata.json --timezone Europe/Lisbon \
    $(sed -n 's/^  \(.*=.*\)/--offset \1/p' truth.txt) -o mouse1.nwb

say 'Is it still what was written, and the same as the raw files?'
step nwbkit verify mouse1.nwb
step nwbkit verify mouse1.nwb --against sources.json -o findings.json

say 'What is there now.'
show python examples/show_tree.py mouse1.nwb
python "$root/examples/show_tree.py" mouse1.nwb
step ls -1sh
