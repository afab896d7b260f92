#!/usr/bin/env bash
# A whole run of a small model, end to end; started again it resumes, and a finished one is only shown.
set -euo pipefail
cd "$(dirname "$0")/.."

run=${1:-runs/demo}
build/release/bin/valuelens run configs/demo.toml --run "$run"

echo
echo "The run is in $run:"
for file in config.toml run.sqlite vectors.safetensors axes.safetensors neurons.csv evaluation report.html; do
    if [ -e "$run/$file" ]; then
        echo "  $run/$file"
    fi
done
