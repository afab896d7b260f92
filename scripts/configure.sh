#!/usr/bin/env bash
# scripts/configure.sh PRESET [-DNAME=VALUE ...]
# Configures build/PRESET, unless it was configured with these very arguments before: then ninja notices by
# itself what changed.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
stamp="build/$preset/configured-with"
if [ -f "build/$preset/build.ninja" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$*" ] && [ -f "$stamp" ]; then
    exit 0
fi
# Options of an earlier call stay in CMake's cache: set back what callers switch.
cmake --preset "$preset" -DVALUELENS_WERROR=OFF -DVALUELENS_TEST_LLAMA_SERVER=OFF "$@"
printf '%s\n' "$*" >"$stamp"
