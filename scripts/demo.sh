#!/usr/bin/env bash
# A whole run of a small model, end to end; started again it resumes, and a finished one is only shown.
set -euo pipefail
cd "$(dirname "$0")/.."

run=${1:-runs/demo}
build/release/bin/valuelens run configs/demo.toml --run "$run"

cat <<'TEXT'

What this can show: a model of 135M parameters writes simple answers, the judge agrees with people only so far (its AUROC stands above), and of 64
queries a dozen are held out, so most intervals are wide. That both kinds of vectors exist, point in related directions and tell held-out
responses apart better than chance on average is what to look at; single values are not evidence at this size.
TEXT
echo
echo "The run is in $run; look at it in a browser:"
build/release/bin/valuelens report --run "$run"
