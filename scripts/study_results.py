#!/usr/bin/env python3
"""Writes the tables of docs/results.md from finished runs: scripts/study_results.py RUN... [--into docs/results.md]

Reads what `valuelens report --format json` gives for each run and its evaluation/*.json. The prose around the tables is
kept: only what stands between the two marks is replaced.
"""

import argparse
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

BEGIN = "<!-- tables: begin -->"
END = "<!-- tables: end -->"
NONE = "–"


def number(value, digits=2):
    return NONE if value is None else f"{value:.{digits}f}"


def estimate(triple, digits=2):
    """[value, low, high] as "0.12 [0.03, 0.20]"."""
    if not triple or triple[0] is None:
        return NONE
    value, low, high = (list(triple) + [None, None])[:3]
    text = number(value, digits)
    return text if low is None else f"{text} [{number(low, digits)}, {number(high, digits)}]"


class Study:
    def __init__(self, folder, program):
        self.folder = pathlib.Path(folder)
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            subprocess.run([program, "report", "--run", folder, "--format", "json", "--output", report.name, "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)
            self.report = json.load(open(report.name))
        self.layer = self.report["layer"]
        self.name = self.report["model"]["name"] or self.report["model"]["path"]

    def evaluation(self, name):
        file = self.folder / "evaluation" / f"{name}.json"
        return json.load(open(file)) if file.exists() else None


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def by_study(label, studies, cell, paper=""):
    return [label, *(cell(study) for study in studies), paper]


def what_ran(studies):
    rows = [
        by_study("queries, responses", studies,
                 lambda s: f"{s.report['data']['queries']}, {s.report['data']['responses']}", "26,334 queries"),
        by_study("longest response, tokens", studies, lambda s: s.report["data"]["max_tokens"]),
        by_study("labels: expressing / not / undecided", studies, lambda s: " / ".join(
            str(sum(one[key] for one in s.report["labels"])) for key in ("expressing", "not_expressing", "undecided"))),
        by_study("judge", studies, lambda s: s.report["judge"]["quality_text"]),
        by_study("vectors: median held-out AUROC, intrinsic", studies, lambda s: median_auroc(s, "intrinsic")),
        by_study("vectors: median held-out AUROC, prompted", studies, lambda s: median_auroc(s, "prompted")),
        by_study("cosine of the two vectors, mean over values", studies, mean_cosine, "partly shared"),
    ]
    return rows


def over_values(numbers):
    return f"{number(min(numbers))} to {number(max(numbers))} over values"


def median_auroc(study, condition):
    values = [one["auroc"][study.layer][0] for one in study.report["vectors"]["vectors"]
                    if one["condition"] == condition and one.get("auroc") and one["auroc"][study.layer][0] is not None]
    return f"{number(statistics.median(values))} ({over_values(values)})" if values else NONE


def mean_cosine(study):
    # Axes of a value without both vectors have no layers.
    cosines = [one["layers"]["cosine"][study.layer][0] for one in study.report["axes"]["axes"]
               if one["layers"]["cosine"]]
    cosines = [one for one in cosines if one is not None]
    return f"{number(statistics.fmean(cosines))} ({over_values(cosines)})" if cosines else NONE


def circle(study, kind):
    for one in study.report["axes"]["circles"]:
        if one["kind"] == kind and one["range"].get("even"):
            even = one["range"]["even"]
            null = even["null"]
            return f"{number(even['r_squared'])}, p {number(even['p'], 3)} (chance {estimate(null)})"
    return NONE


def geometry(studies):
    compliance = lambda study, key: estimate(study.report["axes"]["compliance"][key][study.layer])
    return [
        by_study("circle: R² of the shared axes", studies, lambda s: circle(s, "shared"), "the circle is there"),
        by_study("circle: R² of the axes unique to the intrinsic way", studies, lambda s: circle(s, "intrinsic"),
                 "it is not"),
        by_study("variance of the deltas along the compliance direction", studies,
                 lambda s: f"{compliance(s, 'explained')} (chance {compliance(s, 'explained_null')})", "0.48 to 0.68"),
        by_study("mean cosine between deltas", studies,
                 lambda s: f"{compliance(s, 'mean_cosine')} (chance {compliance(s, 'mean_cosine_null')})", "0.476"),
    ]


def neurons(studies):
    def count(study, category):
        values = study.report["neurons"]["values"]
        kept = sum(one["counts"][category] for one in values)
        chance = sum(one["chance"][category][0] for one in values)
        above = sum(one["counts"][category] > one["chance"][category][2] for one in values)
        return f"{kept} (chance {chance:.0f}; {above} of {len(values)} values above its range)"
    return [by_study(category, studies, lambda s, c=category: count(s, c)) for category in
            ("shared", "intrinsic", "prompted")]


def labels_of(evaluation):
    """VALUE/LABEL and LABEL variants by label, in order."""
    labels = {}
    for place, variant in enumerate(evaluation["variants"]):
        if place > 0:
            labels.setdefault(variant["name"].split("/", 1)[-1], []).append(place)
    return labels


def statistic(evaluation, name, subject):
    for one in evaluation["statistics"]:
        if one["name"] == name and one["subject"] == subject:
            return one
    return None


def mean_difference(evaluation, quantity, places, draws=2000):
    """Mean over variants of the difference from the base, in the items that all have, with the 95 % interval of
    resampled items: the variants are paired with the base and with each other."""
    at = evaluation["quantities"].index(quantity)
    items = []
    for item in evaluation["items"]:
        scores = [item["scores"][at][place] for place in [0, *places]]
        if None not in scores:
            items.append(sum(scores[1:]) / len(places) - scores[0])
    if not places or not items:
        return None
    draw = random.Random(evaluation["seed"])
    means = sorted(statistics.fmean(draw.choices(items, k=len(items))) for _ in range(draws))
    return statistics.fmean(items), means[round(0.025 * (draws - 1))], means[round(0.975 * (draws - 1))]


def steering(study):
    leakage, capability = study.evaluation("leakage"), study.evaluation("multiple-choice")
    if leakage is None:
        return None
    rows = []
    for label, places in labels_of(leakage).items():
        target = statistic(leakage, "target_effect", label)
        if target is None:
            continue
        cells = [estimate(statistic(leakage, name, label)["estimate"], 3) for name in
                 ("target_effect", "neighbour_effect", "opposite_effect")]
        correlation = statistic(leakage, "circle_correlation", label)
        cost = capability and mean_difference(capability, "accuracy", labels_of(capability).get(label, []))
        rows.append([f"`{label}`", *cells, f"{estimate(correlation['estimate'])}, p {number(correlation['p'], 3)}",
                     estimate(cost, 1) if cost else NONE,
                     "prompted above intrinsic" if not rows else ""])
    return as_it_is(leakage) + "\n\n" + table(["direction@strength", "on the value itself", "on its neighbours", "on the opposite values",
                  "correlation with the circle", "accuracy, points: mean over values", "the paper"], rows)


def as_it_is(leakage):
    """What there is to move: the ratings of the model as it is, and how far it answers with an option at all."""
    base = {row["group"]: row["scores"][0]["estimate"][0] for row in leakage["results"] if row["measure"] == "likeness"}
    values = [score for group, score in base.items() if group is not None and score is not None]
    mass = next(row["scores"] for row in leakage["results"] if row["measure"] == "option_mass")
    steered = [score["estimate"][0] for score in mass[1:] if score["estimate"][0] is not None]
    return (f"Likeness to the portraits, 1 to 6, of the model as it is: {number(min(values))} to {number(max(values))} over "
            f"values. The options have {number(mass[0]['estimate'][0])} of its probability, steered {number(min(steered))} "
            f"to {number(max(steered))}. Effects are centred, minus those on all portraits.")


def overall(study, name, wanted, papers):
    """A table of one evaluation: measures down, variants across; the base's score, else paired differences."""
    evaluation = study.evaluation(name)
    if evaluation is None:
        return None
    rows = []
    for row in evaluation["results"]:
        if row["group"] is None and re.fullmatch(wanted, row["measure"]):
            cells = [estimate(row["scores"][0]["estimate"])]
            cells += [estimate(one["estimate"]) for one in row["differences"][1:]]
            rows.append([f"`{row['measure']}`", *cells, papers.get(row["measure"], "")])
    return table(["", "as it is", *(f"`{one['name']}`" for one in evaluation["variants"][1:]), "the paper"], rows)


COMPLIANCE = r"asr_.*|over_refusal_.*|judge_score|judge_mass|cut_off"
DIVERSITY = (r"(within|across)_(distinct|ead)_2|across_entropy_1|(within|across)_embedding_distance"
             r"|next_token_entropy|words_kept")
PAPER_COMPLIANCE = {"asr_at_1_judge": "13 to 27, steered the prompted way 83 to 97"}
PAPER_DIVERSITY = {"across_distinct_2": "higher the intrinsic way than the prompted one"}


def document(studies):
    header = ["", *(study.name for study in studies), "the paper"]
    parts = ["## What ran, and the vectors", table(header, what_ran(studies)),
             "## Circle and compliance direction",
             "Circles: the axes averaged over the middle half of the blocks. The rest: the middle block.",
             table(header, geometry(studies)),
             "## Neurons by category", table(header, neurons(studies))]
    for study in studies:
        for title, body in (
                ("What steering does", steering(study)),
                ("Diversity", overall(study, "diversity", DIVERSITY, PAPER_DIVERSITY)),
                ("Compliance with requests that ought to be declined", overall(study, "compliance", COMPLIANCE, PAPER_COMPLIANCE))):
            if body:
                parts += [f"## {title}: {study.name}", body]
    for study in studies:
        rows = [[one["question"], one["verdict"], one["answer"]] for one in study.report["findings"]]
        parts += [f"## The seven questions: {study.name}", table(["", "verdict", ""], rows)]
    return "\n\n".join(parts)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("runs", nargs="+")
    arguments.add_argument("--into", help="a page with the two marks; default: to standard output")
    arguments.add_argument("--program", default="build/release/bin/valuelens")
    options = arguments.parse_args()
    text = document([Study(run, options.program) for run in options.runs])
    if options.into is None:
        print(text)
        return
    page = pathlib.Path(options.into)
    before = page.read_text()
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        sys.exit(f"{page}: expected the marks {BEGIN} and {END}, each once")
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n\n{END}", before, flags=re.S))
    print(f"{page}: tables written")


if __name__ == "__main__":
    main()
