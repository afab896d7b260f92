#!/usr/bin/env python3
"""Peak memory of a run's stages with many short queries, against the model's file and its key-value cache.

    scripts/measure_memory.py --program build/release/bin/valuelens --folder FOLDER [--queries 20000] [--model smollm2-135m:bf16|FILE.gguf]

One concept, so two responses to each query, of one token; labels by a word list. Every stage is a process of its own, and so is the whole
run with a sixteenth of the queries, for comparison. Interrupted, the same command goes on; the peak is then that of the last part.
"""
import argparse
import json
import os
import struct
import subprocess
import sys

STAGES = ["generate", "judge", "vectors", "decompose"]
LIMIT_MIB = 200
PARALLEL = 64
CELLS = 256  # of each sequence: the prompts are shorter, and llama.cpp rounds up to this


def write_run(folder, queries, model, activations, threads):
    """The files of a run that is yet to begin. Returns its folder."""
    run = os.path.abspath(f"{folder}/run")
    if os.path.exists(f"{run}/run.sqlite"):
        return run
    os.makedirs(run, exist_ok=True)
    folder = os.path.abspath(folder)
    with open(f"{folder}/concepts.toml", "w") as out:
        out.write('name = "one"\n[[value]]\nid = "pirate"\nname = "Pirate"\ndefinition = "a sailor"\n')
    with open(f"{folder}/templates.jsonl", "w") as out:
        out.write('{"id": "t", "text": "Be a {value}."}\n')
    with open(f"{folder}/words.json", "w") as out:
        json.dump({"pirate": ["a*", "b*", "c*", "d*", "i", "it*", "t*"]}, out)
    with open(f"{folder}/queries.jsonl", "w") as out:
        for i in range(queries):
            out.write(json.dumps({"id": f"q{i}", "text": f"Say {i}"}) + "\n")
    with open(f"{run}/config.toml", "w") as out:
        out.write(
            f'[model]\npath = "{model}"\nthreads = {threads}\nparallel = {PARALLEL}\n[concepts]\nfile = "{folder}/concepts.toml"\n'
            f'[templates]\nfile = "{folder}/templates.jsonl"\n[queries]\nfile = "{folder}/queries.jsonl"\n'
            f'[generate]\nmax_tokens = 1\nactivations = "{activations}"\n'
            f'[judge]\nkind = "dictionary"\nfile = "{folder}/words.json"\n[vectors]\nmin_count = 1\n'
        )
    return run


def gguf_numbers(path):
    """The metadata of a GGUF file that are single numbers or texts."""
    sizes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    with open(path, "rb") as file:

        def number(code):
            return struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0]

        def value(kind):
            if kind == 8:
                return file.read(number("Q")).decode(errors="replace")
            if kind == 9:
                inner, count = number("I"), number("Q")
                if inner != 8:
                    file.seek(count * struct.calcsize("<" + sizes[inner]), 1)
                else:
                    for _ in range(count):
                        file.seek(number("Q"), 1)
                return None
            return number(sizes[kind])

        file.read(16)  # magic, version, number of tensors
        return {value(8): value(number("I")) for _ in range(number("Q"))}


def cache_mib(path):
    """Key-value cache of all sequences in flight, in half precision."""
    keys = gguf_numbers(path)
    of_model = lambda key, otherwise: keys.get(f"{keys['general.architecture']}.{key}", otherwise)
    heads = of_model("attention.head_count", 1)
    width = of_model("embedding_length", 0) // heads
    both = of_model("attention.key_length", width) + of_model("attention.value_length", width)
    per_cell = of_model("block_count", 0) * of_model("attention.head_count_kv", heads) * both * 2
    return PARALLEL * CELLS * per_cell / 2**20


def measure(arguments):
    """Exit code, peak resident MiB and standard error of a command."""
    with open(os.devnull, "w") as null:
        process = subprocess.Popen(arguments, stdout=null, stderr=subprocess.PIPE, text=True)
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024, error


def run_stages(program, folder, queries, model, activations, threads):
    """Peak MiB by stage."""
    run = write_run(folder, queries, model, activations, threads)
    peaks = {}
    for stage in STAGES:
        command = [program, stage, "--run", run]
        code, peak, error = measure(command)
        if code != 0:
            sys.exit(f"{stage} ended with {code}:\n{error[-2000:]}")
        peaks[stage] = peak
    return peaks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/valuelens")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--queries", type=int, default=20000)
    parser.add_argument("--model", default="smollm2-135m:bf16")
    parser.add_argument("--activations", default="f32", choices=["f32", "f16"])
    parser.add_argument("-t", "--threads", type=int, default=0)
    options = parser.parse_args()
    spec = os.path.abspath(options.model) if options.model.endswith(".gguf") else options.model
    settings = (spec, options.activations, options.threads)

    model = options.model
    if not model.endswith(".gguf"):
        fetched = subprocess.run([options.program, "models", "fetch", *model.replace(":", " --type ").split(), "--json"],
                                 capture_output=True, text=True, check=True)
        model = json.loads(fetched.stdout)["path"]
    model_mib = os.path.getsize(model) / 2**20
    cache = cache_mib(model)
    few = options.queries // 16
    few_peaks = run_stages(options.program, f"{options.folder}/few", few, *settings)
    peaks = run_stages(options.program, f"{options.folder}/many", options.queries, *settings)

    print(f"model {model_mib:.0f} MiB, key-value cache {cache:.0f} MiB")
    print(f"{'stage':<12}{f'{few:,} queries':>18}{f'{options.queries:,} queries':>18}{'above model + cache':>22}  (MiB)")
    for stage in STAGES:
        print(f"{stage:<12}{few_peaks[stage]:>18.0f}{peaks[stage]:>18.0f}{peaks[stage] - model_mib - cache:>22.0f}")
    worst = max(peaks.values()) - model_mib - cache
    if worst > LIMIT_MIB:
        sys.exit(f"the peak is {worst:.0f} MiB above model and cache, more than {LIMIT_MIB}")


if __name__ == "__main__":
    main()
