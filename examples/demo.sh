#!/bin/sh
# Make a SpikeGLX run and take it through every step; each command is shown before it runs.
# Needs nwbkit installed: `make demo` sees to that. The files stay in demo/ to look at.
set -eu

cd "$(dirname "$0")/.."
out=${DEMO:-demo}
seconds=${SECONDS_OF_DATA:-10}

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}

rm -rf "$out"
mkdir -p "$out"

step python examples/spikeglx_run.py "$out/raw" --seconds "$seconds" --no-nidq
step nwbkit detect "$out/raw" -o "$out/sources.json"
step cat "$out/sources.json"
step nwbkit inspect "$out/sources.json"

printf '\n$ cat > %s\n' "$out/lab.yaml"
tee "$out/lab.yaml" <<'YAML'
NWBFile:
  session_description: a demonstration
  lab: Example Lab
  institution: University of Examples
  experimenter: ["Doe, Jane"]
Subject:
  subject_id: mouse1
  species: Mus musculus
  sex: F
  age: P90D
YAML

step nwbkit convert "$out/sources.json" -m "$out/lab.yaml" --timezone Europe/Lisbon \
    -o "$out/mouse1.nwb"
step nwbkit verify "$out/mouse1.nwb"
step nwbkit verify "$out/mouse1.nwb" --against "$out/sources.json" -o "$out/findings.json"

printf '\nwhat is there now:\n'
ls -l "$out"
