#!/usr/bin/env bash
# What is too long for `make test`: a run killed 200 times, shards under mpirun and in a Slurm array, memory with 20,000 queries.
#
#   scripts/soak.sh [PART...]     parts: kills mpirun slurm memory (all of them)
#
# Needs a build, its tests and models (`make soak` sees to them). Slurm runs here with a configuration of its own in a temporary
# folder (munged, slurmctld and slurmd on this one machine), which is taken down again; nothing of an installed Slurm is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/release
program=$build/bin/valuelens
parts=("$@")
[ "${#parts[@]}" -gt 0 ] || parts=(kills mpirun slurm memory)

work=$(mktemp -d "${TMPDIR:-/tmp}/valuelens-soak-XXXXXX")
slurm_ids=()
clean_up() {
    for id in "${slurm_ids[@]}"; do
        kill "$id" 2>/dev/null || true
    done
    for id in "${slurm_ids[@]}"; do
        wait "$id" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT

say() { printf '\n== %s\n' "$*"; }
die() {
    printf 'soak: %s\n' "$*" >&2
    exit 1
}

# A run of seconds: two concepts, queries in six slices, labels from a file.
small_run() {
    cat >"$work/concepts.toml" <<'TOML'
name = "pair"
[[value]]
id = "grandparent"
name = "Warm Grandparent"
definition = "an older relative with time and tea to spare"
[[value]]
id = "pirate"
name = "Bold Pirate"
definition = "a sailor who laughs at danger"
TOML
    local i
    for i in $(seq 24); do
        # Half of the intrinsic and a third of the prompted responses express a concept.
        for label in "intrinsic grandparent $((i % 2))" "intrinsic pirate $(((i / 2) % 2))" "grandparent grandparent $((i % 3))" \
            "pirate pirate $(((i + 1) % 3))"; do
            read -r response value rest <<<"$label"
            printf '{"id": "q%d/%s", "value": "%s", "expresses": %s}\n' "$i" "$response" "$value" "$([ "$rest" = 0 ] && echo true || echo false)"
        done
    done >"$work/labels.jsonl"
    for i in $(seq 24); do
        printf '{"id": "q%d", "text": "Tell me in a few words what number %d makes you think of."}\n' "$i" "$i"
    done >"$work/queries.jsonl"
    cat >"$work/run.toml" <<TOML
[model]
path = "smollm2-135m:bf16"
threads = 1
parallel = 12
[concepts]
file = "$work/concepts.toml"
[queries]
file = "$work/queries.jsonl"
[generate]
max_tokens = 8
slice_size = 12
[judge]
kind = "file"
file = "$work/labels.jsonl"
[vectors]
min_count = 1
bootstraps = 20
TOML
}

# The vectors of the run above, made in one folder: what shards must end with.
whole_run() {
    [ -f "$work/run.toml" ] || small_run
    [ -f "$work/whole/vectors.safetensors" ] || "$program" run "$work/run.toml" --run "$work/whole" -q >/dev/null
}

merge_and_compare() { # FOLDER_OF_SHARDS N
    local shards=("$1"/*-of-"$2")
    [ "${#shards[@]}" -eq "$2" ] || die "there are ${#shards[@]} folders of shards, $2 were expected"
    "$program" merge "${shards[@]}" --output "$1/whole"
    "$program" run "$work/run.toml" --run "$1/whole" -q >/dev/null
    for file in vectors.safetensors axes.safetensors neurons.csv; do
        cmp "$1/whole/$file" "$work/whole/$file" || die "$file differs from that of the run in one folder"
    done
    echo "the same bytes as the run in one folder: vectors.safetensors, axes.safetensors, neurons.csv"
}

kills() {
    say "a run killed at ${VALUELENS_KILLS:=200} random moments and ${VALUELENS_KILL_OPERATIONS:=60} file operations"
    export VALUELENS_KILLS VALUELENS_KILL_OPERATIONS
    "$build/tests/test_cli_e2e" --gtest_filter='CrashCommand.*'
}

mpirun_shards() {
    say "two shards under mpirun -n 2"
    whole_run
    local as_root=()
    [ "$(id -u)" -ne 0 ] || as_root=(--allow-run-as-root)
    mpirun "${as_root[@]}" --oversubscribe -n 2 "$program" run "$work/run.toml" --shard auto --run "$work/mpi/{shard}" -q >/dev/null
    merge_and_compare "$work/mpi" 2
}

# munged, slurmctld and slurmd with everything in one folder.
start_slurm() {
    local host
    host=$(hostname -s)
    mkdir -p "$work/slurm/state" "$work/slurm/spool" "$work/munge"
    chmod 755 "$work" "$work/slurm"
    chmod 700 "$work/munge"
    dd if=/dev/urandom of="$work/munge/key" bs=64 count=1 status=none
    chmod 600 "$work/munge/key"
    # munged wants no folder above its socket that others may write to; /tmp is one.
    munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
        --log-file="$work/munge/log" --seed-file="$work/munge/seed" 2>/dev/null &
    slurm_ids+=($!)
    cat >"$work/slurm/slurm.conf" <<CONF
ClusterName=soak
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$work/slurm/state
SlurmdSpoolDir=$work/slurm/spool
SlurmctldPidFile=$work/slurm/slurmctld.pid
SlurmdPidFile=$work/slurm/slurmd.pid
SlurmctldLogFile=$work/slurm/slurmctld.log
SlurmdLogFile=$work/slurm/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=soak Nodes=$host Default=YES MaxTime=60 State=UP
CONF
    export SLURM_CONF="$work/slurm/slurm.conf"
    for _ in $(seq 50); do
        [ -S "$work/munge/socket" ] && break
        sleep 0.1
    done
    slurmctld -D 2>"$work/slurm/slurmctld.err" &
    slurm_ids+=($!)
    slurmd -D -N "$host" 2>"$work/slurm/slurmd.err" &
    slurm_ids+=($!)
    for _ in $(seq 300); do
        case "$(sinfo -h -o %T 2>/dev/null || true)" in
            idle*) return 0 ;;
        esac
        sleep 0.2
    done
    tail -n 5 "$work"/munge/log "$work"/slurm/*.log "$work"/slurm/*.err >&2 || true
    die "Slurm did not come up on this machine"
}

slurm_shards() {
    say "three shards as a Slurm array on this machine"
    whole_run
    start_slurm
    cat >"$work/job.sh" <<SH
#!/bin/bash
exec "$program" run "$work/run.toml" --shard auto --run "$work/array/{shard}" -q
SH
    sbatch --wait --array=0-2 --ntasks=1 --output="$work/slurm/job-%a.log" "$work/job.sh" || {
        tail -n 5 "$work"/slurm/job-*.log >&2
        die "the array failed"
    }
    merge_and_compare "$work/array" 3

    say "two shards with srun -n 2"
    srun --ntasks=2 --overcommit "$program" run "$work/run.toml" --shard auto --run "$work/srun/{shard}" -q >/dev/null
    merge_and_compare "$work/srun" 2
}

memory() {
    say "memory with 20,000 short queries"
    python3 scripts/measure_memory.py --program "$program" --folder "$work/memory" --queries "${VALUELENS_SOAK_QUERIES:-20000}"
}

for part in "${parts[@]}"; do
    case "$part" in
        kills | memory) "$part" ;;
        mpirun | slurm) "${part}_shards" ;;
        *) die "there is no part '$part' (kills, mpirun, slurm, memory)" ;;
    esac
done
say "all of it held: ${parts[*]}"
