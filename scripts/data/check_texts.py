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

if faults:
    sys.exit("\n".join(faults))
print("all well")
