#!/usr/bin/env bash
# scripts/report_test.sh BUILD: the report's page in Chromium. Installs playwright-core, as report/package-lock.json names
# it, into BUILD/report-test. Screenshots go to VALUELENS_SCREENSHOTS (BUILD/report-test/screenshots).
set -euo pipefail
cd "$(dirname "$0")/.."

folder="$PWD/$1/report-test"
mkdir -p "$folder"
if ! cmp -s report/package-lock.json "$folder/package-lock.json" || [ ! -d "$folder/node_modules/playwright-core" ]; then
    echo "Installing playwright-core into ${1}/report-test"
    cp report/package.json "$folder/"
    (cd "$folder" && cp "$OLDPWD/report/package-lock.json" . && npm ci --ignore-scripts --no-audit --no-fund >/dev/null) || {
        rm -f "$folder/package-lock.json"
        echo "npm could not install the packages of report/package-lock.json; is the network there?" >&2
        exit 1
    }
fi
export VALUELENS_SCREENSHOTS=${VALUELENS_SCREENSHOTS:-$folder/screenshots}
mkdir -p "$VALUELENS_SCREENSHOTS"
"$1/tests/test_report_e2e"
echo "Screenshots are in $VALUELENS_SCREENSHOTS"
