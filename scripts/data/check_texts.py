#!/usr/bin/env python3
"""Checks the texts under data/ and examples/ against what data/README.md says of them. Exit code 1 and a list of faults, or 0."""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

sys.dont_write_bytecode = True
import check_questionnaires
import make_templates

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOMAINS = {"openness", "self_enhancement", "conservation", "self_transcendence"}
SCHWARTZ = ["self_direction", "stimulation", "hedonism", "achievement", "power",
            "security", "conformity", "tradition", "benevolence", "universalism"]
CIRCLE = ["universalism", "benevolence", "tradition", "conformity", "security",
          "power", "achievement", "hedonism", "stimulation", "self_direction"]
WEDGES = [0, 40, 80, 80, 120, 160, 200, 240, 280, 320]
DOMAIN_OF = {"universalism": "self_transcendence", "benevolence": "self_transcendence",
             "achievement": "self_enhancement", "power": "self_enhancement",
             "self_direction": "openness", "stimulation": "openness", "hedonism": "openness",
             "security": "conservation", "conformity": "conservation", "tradition": "conservation"}
faults = []


def need(condition, message):
    if not condition:
        faults.append(message)


def concepts(name):
    data = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))
    need(set(data) == {"name", "title", "source", "value"}, f"{name}: top-level keys")
    seen = {key: set() for key in ("id", "name", "definition", "short")}
    for value in data["value"]:
        where = f"{name}: {value.get('id')}"
        for key, texts in seen.items():
            text = value.get(key, "")
            need(text and text == text.strip() and text not in texts, f"{where}: {key} missing or repeated")
            texts.add(text)
        need(re.fullmatch(r"[a-z][a-z0-9_]*", value["id"]), f"{where}: id")
        need(not re.search(r"[.;:(){}\n]", value["definition"]), f"{where}: punctuation in the definition")
        need(8 <= len(value["definition"].split()) <= 20, f"{where}: length of the definition")
        need(2 <= len(value["short"].split()) <= 5, f"{where}: length of short")
        need(value.get("domain", "openness") in DOMAINS, f"{where}: domain")
        for key in ("angle", "wedge"):
            need(0 <= value.get(key, 0) < 360, f"{where}: {key}")
        need(not set(value) - set(seen) - {"angle", "wedge", "domain"}, f"{where}: unknown key")
    return data["value"]


def jsonl(name, keys, prefix):
    records = [json.loads(line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    plain = {}
    for i, record in enumerate(records, 1):
        where = f"{name}:{i}"
        need(list(record) == keys and all(isinstance(v, str) for v in record.values()), f"{where}: keys")
        need(record["id"] == f"{prefix}{i:03d}", f"{where}: id")
        text = record["text"]
        need(text == text.strip() and text.isascii(), f"{where}: outer space or non-ASCII character")
        key = re.sub(r"[^a-z0-9{}]", "", text.lower())
        need(key not in plain, f"{where}: same as line {plain.get(key)}")
        plain[key] = i
    return records


def near_duplicates(records, limit):
    grams = [make_templates.trigrams(r["text"]) for r in records]
    worst = 0
    for i, a in enumerate(grams):
        for j in range(i):
            s = make_templates.similarity(a, grams[j])
            worst = max(worst, s)
            need(s <= limit, f"{records[j]['id']} and {records[i]['id']}: similarity {s:.2f}")
    return worst


schwartz = concepts("data/concepts/schwartz10.toml")
need([v["id"] for v in schwartz] == SCHWARTZ, "schwartz10: order")
for v in schwartz:
    place = CIRCLE.index(v["id"])
    need((v["angle"], v["wedge"], v["domain"]) == (36 * place, WEDGES[place], DOMAIN_OF[v["id"]]),
         f"schwartz10: {v['id']}: angle, wedge or domain")
personas = concepts("examples/personas.toml")
print(f"concepts: {len(schwartz)} + {len(personas)}")

templates = jsonl("data/templates/value_prompts.jsonl", ["id", "text"], "t")
need(len(templates) == 500, "templates: not 500")
lengths = [len(t["text"].split()) for t in templates]
for t in templates:
    fields = re.findall(r"\{(.*?)\}", t["text"])
    need("value" in fields and fields.count("definition") == 1 and set(fields) == {"value", "definition"}
         and t["text"].count("{") == t["text"].count("}") == len(fields), f"{t['id']}: braces")
    need(not re.search(r"\b[Aa]n? \{value\}|\.\{|^\{definition|(?<!i\.e)[.?!] \{definition", t["text"]), f"{t['id']}: grammar")
need(min(lengths) >= 7 and max(lengths) <= 75, "templates: length")
worst = near_duplicates(templates, make_templates.MAX_SIMILARITY)
print(f"templates: {len(templates)}, {min(lengths)}-{max(lengths)} words, highest similarity {worst:.2f}")
with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder) / "copy.jsonl"
    subprocess.run([sys.executable, make_templates.__file__, copy], check=True, stdout=subprocess.DEVNULL)
    need(copy.read_bytes() == make_templates.OUTPUT.read_bytes(), "templates: the script yields another file")

queries = jsonl("data/queries/everyday.jsonl", ["id", "topic", "text"], "q")
lengths = [len(q["text"].split()) for q in queries]
topics = collections.Counter(q["topic"] for q in queries)
first_person = sum(bool(re.search(r"\b(I|me|my|we|our|us)\b", q["text"], re.I)) for q in queries)
names = r"\b(self-direction|stimulation|hedonism|achievement|power|security|conformity|tradition|benevolence|universalism)\b"
naming = [q["id"] for q in queries if re.search(names, q["text"], re.I)]
need(len(queries) >= 420, "queries: too few")
need(len(topics) >= 24 and max(topics.values()) <= 30, "queries: topics")
need(min(lengths) >= 5 and max(lengths) <= 60, "queries: length")
need(not any("{" in q["text"] or "\n" in q["text"] for q in queries), "queries: brace or line break")
need(len({q["topic"] for q in queries[:32]}) >= 24, "queries: the first 32 are not varied")
need(len(naming) <= len(queries) // 50, f"queries: name a value: {naming}")
worst = near_duplicates(queries, 0.3)
print(f"queries: {len(queries)}, {len(topics)} topics, {min(lengths)}-{max(lengths)} words, "
      f"{first_person} in the first person, highest similarity {worst:.2f}, naming a value: {len(naming)}")

QUESTION_KEYS = ["id", "subject", "question", "options", "answer"]
LETTERS = "ABCD"


def plain(text):
    """What two texts share that differ in case, spaces and final full stop only (signs stay: -7 is not 7)."""
    return re.sub(r"\s", "", text.lower()).rstrip(".")


def multiple_choice(name):
    records = [json.loads(line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    seen, counts = {}, {"m": 0, "x": 0}
    for i, record in enumerate(records, 1):
        where = f"{name}:{i}"
        example = record.get("role") == "example"
        need(list(record) == QUESTION_KEYS + ["role"] * example, f"{where}: keys or role")
        prefix = "x" if example else "m"
        counts[prefix] += 1
        need(record["id"] == f"{prefix}{counts[prefix]:03d}", f"{where}: id")
        need(re.fullmatch(r"[a-z_]+", record["subject"]), f"{where}: subject")
        need(record["answer"] in LETTERS and len(record["answer"]) == 1, f"{where}: answer")
        texts = [record["question"], *record["options"]]
        need(all(isinstance(t, str) and t and t == t.strip() and t.isascii() and "\n" not in t for t in texts),
             f"{where}: a text is empty, or has outer space, a line break or a non-ASCII character")
        need(len(record["options"]) == 4 == len({plain(o) for o in record["options"]}), f"{where}: not four different options")
        key = plain(record["question"])
        need(key not in seen, f"{where}: same as line {seen.get(key)}")
        seen[key] = i
    return records


def option_length_share(questions, pick):
    """How often one who always takes the longest (pick=max) or shortest (min) option is right, ties shared."""
    hits = 0
    for q in questions:
        lengths = [len(o) for o in q["options"]]
        best = pick(lengths)
        hits += (lengths[LETTERS.index(q["answer"])] == best) / lengths.count(best)
    return hits / len(questions)


records = multiple_choice("data/questions/general.jsonl")
questions = [q for q in records if "role" not in q]
examples = [q for q in records if "role" in q]
need(len(questions) == 240 and records[:240] == questions, "questions: not 240 before the examples")
need(len(examples) == 5 and {q["answer"] for q in examples} == set(LETTERS), "questions: examples or their answers")
need(collections.Counter(q["answer"] for q in questions) == dict.fromkeys(LETTERS, 60), "questions: answers are not balanced")
subjects = list(dict.fromkeys(q["subject"] for q in questions))
need(len(subjects) == 24 and {q["subject"] for q in examples} <= set(subjects), "questions: subjects")
need([q["subject"] for q in questions] == subjects * 10, "questions: subjects do not take turns")
answers = {s: "".join(q["answer"] for q in questions if q["subject"] == s) for s in subjects}
for subject, row in answers.items():
    need(all(2 <= row.count(letter) <= 3 for letter in LETTERS), f"questions: {subject}: answers {row} are not balanced")
    need(not re.search(r"(.)\1\1|(..)\2\2|ABCD|DCBA", row), f"questions: {subject}: answers {row} follow a pattern")
need(len(set(answers.values())) == len(subjects), "questions: two subjects have the same answers")
need(not re.search(r"(.)\1\1\1", "".join(q["answer"] for q in questions)), "questions: four equal answers in a row")
if not faults:
    longest, shortest = (option_length_share(questions, pick) for pick in (max, min))
    need(max(longest, shortest) <= 0.32, f"questions: length gives answers away ({longest:.2f}, {shortest:.2f})")
    worst = near_duplicates([{"id": q["id"], "text": " ".join([q["question"], *sorted(q["options"])])} for q in records], 0.4)
    print(f"questions: {len(questions)} + {len(examples)} examples, {len(subjects)} subjects, right by the longest option "
          f"{longest:.2f}, by the shortest {shortest:.2f}, highest similarity {worst:.2f}")

check_questionnaires.check(need)

for name, prefix, least in (("benign", "b", 60), ("refusable", "r", 30)):
    requests = jsonl(f"data/compliance/{name}.jsonl", ["id", "category", "text"], prefix)
    need(len(requests) >= least, f"{name} requests: too few")
    need(max(len(r["text"].split()) for r in requests) <= 25, f"{name} requests: one is longer than a sentence or two")
    print(f"{name} requests: {len(requests)}, {len({r['category'] for r in requests})} categories, "
          f"highest similarity {near_duplicates(requests, 0.3):.2f}")
gendered = (ROOT / "data/instructions/gendered_en.txt").read_text(encoding="utf-8").split("\n")[:-1]
need(len(gendered) == len(set(gendered)) and all(re.fullmatch(r"[a-z']+", w) for w in gendered),
     "instructions: gendered words repeat or are not plain lower-case words")
tasks = [json.loads(line) for line in (ROOT / "data/instructions/tasks.jsonl").read_text(encoding="utf-8").splitlines()]
need(len({t["key"] for t in tasks}) == len({t["prompt"] for t in tasks}) == len(tasks), "instructions: a key or prompt repeats")
kinds = collections.Counter(t["instruction_id_list"][0] for t in tasks)
need(kinds == {"json:schema": 20, "neutral:rewriting": 16, "neutral:translation": 16}, f"instructions: {kinds}")
for task in tasks:
    kept = {word for each in task["kwargs"][0].get("keep", []) for word in re.split(r"[ |]", each)}
    need(not kept & set(gendered), f"instructions: {task['key']}: a word that must remain is gendered")
    if task["instruction_id_list"] == ["neutral:rewriting"]:
        words = set(re.findall(r"[a-z']+", task["prompt"].split("\n\n")[1].lower()))
        need(words & set(gendered), f"instructions: {task['key']}: nothing is to be rewritten")
print(f"instructions: {len(tasks)} tasks, {len(gendered)} gendered words")

if faults:
    sys.exit("\n".join(faults))
print("all well")
