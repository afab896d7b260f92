#!/usr/bin/env bash
# Names what the last `ctest` of a build tree left out: a test that finds no model, no reference data or no rights skips itself, and
# ctest calls its program passed all the same.
#
#   scripts/skipped_tests.sh BUILD_FOLDER
set -euo pipefail
log=$1/Testing/Temporary/LastTest.log
[ -f "$log" ] || exit 0
mapfile -t skipped < <(sed -n 's/^\[  SKIPPED \] \([A-Za-z0-9_/]*\.[A-Za-z0-9_/]*\).*/\1/p' "$log" | sort -u)
if [ "${#skipped[@]}" -eq 0 ]; then
    echo "No test was skipped."
    exit 0
fi
echo "${#skipped[@]} tests were skipped; the reasons stand in $log:"
printf '  %s\n' "${skipped[@]}"
