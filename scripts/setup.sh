#!/usr/bin/env bash
# Installs what the build needs from Debian's packages (Debian 12 or newer, Ubuntu 24.04 or newer): only what is
# missing, and it says what before it does. With nothing missing it needs no root and no network.
#
#   scripts/setup.sh               to build and test
#   scripts/setup.sh --with-lint   also clang-format (make lint, make format)
#   scripts/setup.sh --with-tidy   also clang-tidy (make tidy)
#   scripts/setup.sh --with-soak   also Open MPI and Slurm (make soak)
#   scripts/setup.sh --with-browser  also Chromium (make report-test)
#
# node and npm bundle the charts of the report while building; VALUELENS_SKIP_NODE=1 leaves them out, and the report has
# tables alone.
#
# VALUELENS_SKIP_SETUP=1 skips everything, for systems with another package manager.
set -euo pipefail

packages=(
    ninja-build ccache
    libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libfmt-dev libspdlog-dev
    libsqlitecpp-dev libsqlite3-dev libeigen3-dev libssl-dev
    libicu-dev libcld2-dev libvalijson-dev
    libgtest-dev libgmock-dev libbenchmark-dev
)
for option in "$@"; do
    case "$option" in
        --with-lint) packages+=(clang-format) ;;
        --with-tidy) packages+=(clang-format clang-tidy) ;;
        --with-soak) packages+=(openmpi-bin slurm-wlm munge) ;;
        --with-browser) command -v chromium >/dev/null || packages+=(chromium) ;;
        *)
            echo "setup.sh: unknown option $option (known: --with-lint, --with-tidy, --with-soak, --with-browser)" >&2
            exit 2
            ;;
    esac
done

if [ "${VALUELENS_SKIP_SETUP:-0}" = 1 ]; then
    exit 0
fi
if ! command -v dpkg-query >/dev/null; then
    echo "setup.sh knows only Debian's packages. Install what these hold with your own package manager:" >&2
    echo "  ${packages[*]}" >&2
    echo "and run again with VALUELENS_SKIP_SETUP=1." >&2
    exit 1
fi

# Tools may come from elsewhere than Debian's packages (pyenv, a newer CMake): what counts is that they are there.
command -v git >/dev/null || packages+=(git)
command -v cmake >/dev/null || packages+=(cmake)
command -v "${CXX:-g++}" >/dev/null || packages+=(g++)
if [ "${VALUELENS_SKIP_NODE:-0}" != 1 ]; then
    command -v node >/dev/null || packages+=(nodejs)
    command -v npm >/dev/null || packages+=(npm)
fi
if ! command -v python3 >/dev/null; then
    packages+=(python3 python3-pip)
elif ! python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("pip") is None)'; then
    packages+=(python3-pip)
fi

installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "${packages[@]}" 2>/dev/null || true)"
missing=()
for package in "${packages[@]}"; do
    [[ "$installed" == *" installed:$package "* ]] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "These packages are missing, and installing them needs root. Run as root:" >&2
            echo "  apt-get update && apt-get install --no-install-recommends -y ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "Installing Debian packages: ${missing[*]}"
    environment=(env DEBIAN_FRONTEND=noninteractive)
    options=(-qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
    "${as_root[@]}" "${environment[@]}" apt-get "${options[@]}" update
    "${as_root[@]}" "${environment[@]}" apt-get "${options[@]}" install --no-install-recommends -y "${missing[@]}" </dev/null >/dev/null
fi

version=$(cmake --version)
version=${version#cmake version }
version=${version%%[!0-9.]*}
if [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" != 3.25 ]; then
    echo "CMake is $version, 3.25 or newer is needed: install a newer one (pip install cmake has it)." >&2
    exit 1
fi
probe='#if __cplusplus < 202002L || !__has_include(<stop_token>)
#error
#endif'
if ! "${CXX:-g++}" -std=c++20 -fsyntax-only -x c++ - <<<"$probe" 2>/dev/null; then
    echo "${CXX:-g++} does not compile C++20 with its standard library: install g++ 12 or newer, or set CXX to one that does." >&2
    exit 1
fi
