"""Writes ifeval_reference.jsonl: what the benchmark's own Python code says of the answers in ifeval_cases.py.

    NLTK_DATA=FOLDER python make_ifeval_reference.py CHECKOUT

CHECKOUT holds instruction_following_eval/ of google-research (Zhou et al. 2023), FOLDER tokenizers/punkt/. Needs
absl-py, immutabledict, langdetect 1.0.9 and nltk 3.8.1: what later ones take for the end of a word depends on their
regular expressions. Nothing of that code is kept here; the answers are ours, and the file holds them with the verdicts.

A verdict is null where the code gives now one, now the other: it draws letters at random, and langdetect samples.
"""

import json
import logging
import pathlib
import random
import sys

from ifeval_cases import COUNT, EITHER, ENTRIES, FORMS, RELATIONS

SEEDS = 12
MOST = 40  # that is counted in any answer


def make_judge(library):
    """A function that gives the verdict "strict" or "loose", None where it depends on the seed."""
    import langdetect

    evaluate = {"strict": library.test_instruction_following_strict, "loose": library.test_instruction_following_loose}

    def judge(kind, instruction, arguments, answer, seeds=SEEDS):
        example = library.InputExample(1, [instruction], "prompt", [arguments])
        found = set()
        for seed in range(seeds):
            random.seed(seed)
            langdetect.DetectorFactory.seed = seed
            found.update(evaluate[kind](example, {"prompt": answer}).follow_instruction_list)
        return found.pop() if len(found) == 1 else None

    return judge


def resolved(judge, instruction, arguments, answer, turn):
    """The arguments to ask an answer with: one set, or two that only the number found by the reference tells apart."""
    counted = [name for name, value in arguments.items() if value == COUNT]
    if not counted:
        return [arguments]
    relation = [name for name, value in arguments.items() if value == EITHER]
    search = arguments | dict.fromkeys(relation, "at least")
    followed = [n for n in range(1, MOST) if judge("strict", instruction, search | {counted[0]: n}, answer, seeds=1)]
    count = max(followed, default=0)
    chosen = arguments | dict.fromkeys(relation, RELATIONS[turn % 2])
    return [chosen | {counted[0]: n} for n in (count, count + 1) if n > 0]


def records(judge):
    for instruction, all_arguments, answers in ENTRIES:
        first = next(iter(answers))
        forms = {f"{first} {name}": form.format(answers[first]) for name, form in FORMS.items()}
        for arguments in all_arguments:
            for turn, (name, answer) in enumerate(answers.items()):
                for chosen in resolved(judge, instruction, arguments, answer, turn):
                    yield name, instruction, chosen, answer
        if len(answers) > 3:
            chosen = resolved(judge, instruction, all_arguments[0], answers[first], 0)[0]
            for name, answer in forms.items():
                yield name, instruction, chosen, answer


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.path.insert(0, sys.argv[1])
    from instruction_following_eval import evaluation_lib as library

    logging.disable(logging.ERROR)  # it logs each text without a language
    judge = make_judge(library)
    lines = {}
    for name, instruction, arguments, answer in records(judge):
        shown = json.dumps(list(arguments.values()), ensure_ascii=False)[1:-1]
        name = "/".join(filter(None, [instruction, name, shown]))
        if name in lines:
            raise SystemExit(f"{name}: this name comes twice")
        lines[name] = json.dumps(
            {"name": name, "instruction": instruction, "arguments": arguments, "answer": answer,
             "strict": judge("strict", instruction, arguments, answer),
             "loose": judge("loose", instruction, arguments, answer)}, ensure_ascii=False) + "\n"
    pathlib.Path(__file__).with_name("ifeval_reference.jsonl").write_text("".join(lines.values()), encoding="utf-8")


if __name__ == "__main__":
    main()
