"""Runs the peer's pipeline as often as it is told to, for bench/compare_reference.cpp:  peer_worker.py PIPELINE.py

The pipeline is run as it is. What it computed is read from its own variables when it ends, and each of its stages gets
processor seconds beside its wall seconds. A line of JSON in (`argv`, `precision`, `means`: where to write the response
means), a line of JSON out. The process stays, so that only the first run pays for imports.
"""
import contextlib
import importlib.util
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers
from safetensors.torch import save_file


class Clock:
    """Stands for the module `time` in the pipeline: notes the processor time at each look at the clock."""

    def __init__(self):
        self.cpu = []

    def perf_counter(self):
        self.cpu.append(time.process_time())
        return time.perf_counter()


class Json:
    """Stands for the module `json` in the pipeline: keeps the variables of the function that writes the result."""

    load = staticmethod(json.load)
    loads = staticmethod(json.loads)
    dumps = staticmethod(json.dumps)

    def __init__(self):
        self.found = None

    def dump(self, *_):
        self.found = sys._getframe(1).f_locals


class Loader:
    """Stands for AutoModelForCausalLM in the pipeline: loads the weights in the precision that was asked for."""

    def __init__(self, precision):
        self.precision = getattr(torch, precision)

    def from_pretrained(self, path, **options):
        return transformers.AutoModelForCausalLM.from_pretrained(path, **{**options, "dtype": self.precision})


def peak_mib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def run(pipeline, argv, means, precision):
    pipeline.time, pipeline.json, pipeline.AutoModelForCausalLM = Clock(), Json(), Loader(precision)
    sys.argv = [pipeline.__file__, *argv, "--out", os.devnull]
    with contextlib.redirect_stdout(sys.stderr):
        pipeline.main()
    peak = peak_mib()
    v, pipeline.json.found = pipeline.json.found, None  # or the model would stay in memory beside that of the next run
    # The pipeline looks at its clock at the start and the end of each stage.
    stages, cpu = list(v["T"]), pipeline.time.cpu
    if len(cpu) != 2 * len(stages):
        raise SystemExit(f"{pipeline.__file__} looked at the clock {len(cpu)} times for {len(stages)} stages")
    tok = v["tok"]
    judge_texts = [v["chat"]("", pipeline.JUDGE.format(r=v["texts"][i], v=value)) for i, value in v["jj"]]
    judge_tokens = [tok(text, add_special_tokens=False)["input_ids"] for text in judge_texts]
    save_file({"resid_post": torch.stack(v["means"]).contiguous()}, means)
    return {
        "stages_s": v["T"],
        "stages_cpu_s": {stage: cpu[2 * i + 1] - cpu[2 * i] for i, stage in enumerate(stages)},
        "peak_mib": peak,
        "prompts": [{"condition": c, "text": text, "tokens": tok(text, add_special_tokens=False)["input_ids"]}
                    for c, text in v["jobs"]],
        "responses": [r.tolist() for r in v["resp"]],
        "judged": [{"job": i, "value": value, "log_odds": v["lab"][i, value], "tokens": len(tokens)}
                   for (i, value), tokens in zip(v["jj"], judge_tokens)],
        "answer_tokens": [v["yes"], v["no"]],
        "precision": str(next(v["m"].parameters()).dtype).removeprefix("torch."),
        "values": pipeline.VALUES,
        "value": v["a"].value,
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__},
    }


def main():
    out = os.fdopen(os.dup(1), "w")  # the protocol's own; what libraries print goes to stderr
    os.dup2(2, 1)
    spec = importlib.util.spec_from_file_location("reference_pipeline", sys.argv[1])
    pipeline = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pipeline)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run(pipeline, **order)), file=out, flush=True)


if __name__ == "__main__":
    main()
