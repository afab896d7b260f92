#!/usr/bin/env bash
# Makes what bench/compare_reference compares with: a Python environment with PyTorch and transformers, pinned, and the
# model's weights as a transformers folder. Both go into the cache ($VALUELENS_HOME, else ~/.cache/valuelens), under peer/.
#
#   scripts/peer_setup.sh [--shared DIR] [-m MODEL]
#
#   --shared DIR   where peers/ lies (default: ../shared beside the checkout)
#   -m MODEL       GGUF file or NAME[:TYPE] (default: smollm2-135m:bf16)
#
# What is there already is left alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

shared=$root/../shared
model=smollm2-135m:bf16
while [ $# -gt 0 ]; do
    case "$1" in
        --shared | -m)
            if [ $# -lt 2 ]; then
                echo "peer_setup.sh: $1 needs a value" >&2
                exit 2
            fi
            if [ "$1" = -m ]; then model=$2; else shared=$2; fi
            shift 2
            ;;
        -h | --help)
            sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
            exit 0
            ;;
        *)
            echo "peer_setup.sh: unknown option $1 (known: --shared DIR, -m MODEL)" >&2
            exit 2
            ;;
    esac
done

if [ ! -f "$shared/peers/dequantize.py" ]; then
    echo "peer_setup.sh: $shared/peers/dequantize.py is not there. The peer's scripts are no part of this repository;" >&2
    echo "say with --shared DIR where the folder is that holds peers/ and data/." >&2
    exit 2
fi
program=$root/build/release/bin/valuelens
if [ ! -x "$program" ]; then
    echo "peer_setup.sh: $program is not built: make build" >&2
    exit 2
fi
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "peer_setup.sh: python3 must be 3.11 or newer and able to make environments (Debian: python3-venv)" >&2
    exit 2
fi

peer=${VALUELENS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/valuelens}/peer
wanted=$root/bench/peer_requirements.txt
mkdir -p "$peer"
exec 9>"$peer/setup.lock"
flock 9

if ! cmp -s "$wanted" "$peer/venv/requirements.txt"; then
    echo "Installing the peer's packages into $peer/venv: $(grep -v '^#' "$wanted" | tr '\n' ' ')" >&2
    echo "PyTorch's wheel brings its CUDA libraries along: about 2.3 GB to download, 5 GB on the disk. They are not used." >&2
    rm -rf "$peer/venv"
    python3 -m venv "$peer/venv"
    "$peer/venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$peer/venv/requirements.txt"
fi

path=$model
if [ ! -f "$model" ]; then
    path=$("$program" models fetch "${model%%:*}" --type "$(case "$model" in *:*) echo "${model##*:}" ;; *) echo bf16 ;; esac)" --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["path"])')
fi
# Its name tells which file it was made from; the file's own name may be that of many.
identity=$("$program" models info "$path" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["identity"][:12])')
dense=$peer/dense-$identity
if [ ! -f "$dense/config.json" ]; then
    echo "Writing the weights of $path for transformers into $dense" >&2
    rm -rf "$dense" "$dense.part"
    "$peer/venv/bin/python" "$shared/peers/dequantize.py" "$path" "$dense.part" >&2
    mv "$dense.part" "$dense"
fi
echo "The peer is ready: $("$peer/venv/bin/python" --version), $(du -sh "$peer" | cut -f 1) in $peer" >&2
