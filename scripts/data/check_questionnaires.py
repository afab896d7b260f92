"""Checks data/questionnaires/ and data/dilemmas/ against what data/README.md says of them; part of check_texts.py."""
import collections
import itertools
import json
import pathlib
import re
import tomllib

import make_templates

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
LANGUAGES = ["en", "zh", "es", "fr", "ko"]
KEY_SIZES = {"conformity": 4, "tradition": 4, "benevolence": 4, "universalism": 6, "self_direction": 4,
             "stimulation": 3, "hedonism": 3, "achievement": 4, "power": 3, "security": 5}
OPPOSED_LESS = {frozenset(pair) for pair in (
    ("self_direction", "stimulation"), ("hedonism", "security"), ("achievement", "power"),
    ("conformity", "tradition"), ("benevolence", "universalism"))}
VALUE_NAMES = (r"\b(self-direction|stimulation|hedonis\w*|achievement|power|powerful|security|conformity|conform|tradition\w*|"
               r"benevolen\w*|universalis\w*)\b")
SCRIPT = {"en": r"[ -~]+", "es": r"[ -~áéíóúüñÁÉÍÓÚÑ¿¡«»]+", "fr": r"[ -~àâçéèêëîïôùûüœÀÉÊÇ«»\u00a0\u202f]+",
          "zh": r"[\u4e00-\u9fff，。？！：；“”、\d{}a-z\s]+", "ko": r"[\uac00-\ud7a3 .,?!“”\d{}a-z\s]+"}
GENDERED = {"en": r"\b(he|she|him|his|her|hers|himself|herself)\b", "zh": "[他她]", "es": r"\b(él|ella)\b", "ko": "그녀"}
START = {"en": "This person ", "zh": "这个人", "es": "Esta persona ", "fr": "Cette personne ", "ko": "이 사람은 "}
LIMIT = {"en": "50", "zh": "80", "es": "50", "fr": "50", "ko": "50"}
SLOTS = {"question": ["item", "options"], "freeform": ["item"], "similarity": ["options", "query", "response"]}


def plain(text):
    return re.sub(r"[\W_]", "", text.lower())


def distinct(texts, where, need):
    for text, count in collections.Counter(map(plain, texts)).items():
        need(count == 1, f"{where}: {count} times the same text: {text[:60]}")


def similar(texts, limit, where, need):
    grams = [make_templates.trigrams(text) for text in texts]
    worst = 0
    for (i, a), (j, b) in itertools.combinations(enumerate(grams), 2):
        s = make_templates.similarity(a, b)
        worst = max(worst, s)
        need(s <= limit, f"{where}: {i + 1} and {j + 1}: similarity {s:.2f}")
    return worst


def lines(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def portraits(need):
    name = "questionnaires/portraits40.jsonl"
    items = lines(name)
    need(collections.Counter(item["value"] for item in items) == KEY_SIZES, f"{name}: key sizes")
    for i, item in enumerate(items, 1):
        where = f"{name}:{i}"
        need(list(item) == ["id", "value", "text"] and item["id"] == f"p{i:02d}", f"{where}: keys or id")
        need(list(item["text"]) == LANGUAGES, f"{where}: languages")
        need(i == 1 or item["value"] != items[i - 2]["value"], f"{where}: the same value twice in a row")
        for language, text in item["text"].items():
            need(text == text.strip() and text.startswith(START[language]), f"{where}: {language}: start or outer space")
            need(re.fullmatch(SCRIPT[language], text) and not re.search(r"[{}\n]", text), f"{where}: {language}: characters")
            need(not re.search(GENDERED.get(language, "$^"), text, re.I), f"{where}: {language}: gendered")
            need(text.endswith("。" if language == "zh" else "."), f"{where}: {language}: end")
    for language in LANGUAGES:
        distinct([item["text"][language] for item in items], f"{name}: {language}", need)
    english = [item["text"]["en"] for item in items]
    need(all(6 <= len(text.split()) <= 25 for text in english), f"{name}: length")
    worst = similar(english, 0.2, name, need)
    print(f"portraits: {len(items)} in {len(LANGUAGES)} languages, highest similarity {worst:.2f}")


def scale(where, options, frames, slots, need):
    need(len(options) == 6 == len({plain(o) for o in options}), f"{where}: options")
    for a, b in itertools.permutations(options, 2):
        need(plain(a) not in plain(b), f"{where}: option {a!r} is part of {b!r}")
    need(len(frames) >= 3, f"{where}: fewer than 3 frames")
    distinct([f["text"] for f in frames], where, need)
    for frame in frames:
        need(sorted(re.findall(r"\{(.*?)\}", frame["text"])) == slots, f"{where}: {frame['id']}: slots")
        need(frame["text"] == frame["text"].strip(), f"{where}: {frame['id']}: outer space")


def frames(need):
    for language in LANGUAGES:
        name = f"questionnaires/{language}.toml"
        texts = tomllib.loads((DATA / name).read_text(encoding="utf-8"))
        need(texts["language"] == language and texts["name"], f"{name}: language or name")
        scale(name, texts["options"], texts["question"], SLOTS["question"], need)
        need(len(texts["freeform"]) >= 3, f"{name}: fewer than 3 freeform frames")
        for frame in texts["freeform"]:
            need(re.findall(r"\{(.*?)\}", frame["text"]) == SLOTS["freeform"], f"{name}: {frame['id']}: slots")
            need(LIMIT[language] in frame["text"], f"{name}: {frame['id']}: no limit of {LIMIT[language]}")
        for frame in texts["question"] + texts["freeform"]:
            need(re.fullmatch(SCRIPT[language], frame["text"].replace("\n", "")), f"{name}: {frame['id']}: characters")
        need(language != "en" or "similarity" in texts, f"{name}: no similarity")
        if "similarity" in texts:
            scale(f"{name}: similarity", texts["similarity"]["options"], texts["similarity"]["question"],
                  SLOTS["similarity"], need)
    extra = {p.name for p in (DATA / "questionnaires").glob("*.toml")} - {f"{language}.toml" for language in LANGUAGES}
    need(not extra, f"questionnaires: languages that are not checked: {sorted(extra)}")


def keys(need):
    for name, count, left_out in (("pvq40", 40, []), ("pvq-rr", 57, [9, 24, 49])):
        key = tomllib.loads((DATA / f"questionnaires/keys/{name}.toml").read_text(encoding="utf-8"))
        need(key["name"] == name and key["items"] == count and key.get("left_out", []) == left_out, f"{name}: head")
        need(set(key["values"]) == set(KEY_SIZES), f"{name}: values")
        numbers = [n for numbers in key["values"].values() for n in numbers] + left_out
        need(sorted(numbers) == list(range(1, count + 1)), f"{name}: is no partition of 1-{count}")
        if name == "pvq40":
            need({v: len(n) for v, n in key["values"].items()} == KEY_SIZES, f"{name}: sizes")


def dilemmas(need):
    name = "dilemmas/dilemmas.jsonl"
    records = lines(name)
    firsts, pairs = collections.Counter(), collections.Counter()
    for i, record in enumerate(records, 1):
        where = f"{name}:{i}"
        need(list(record) == ["id", "situation", "question", "values", "sides"] and record["id"] == f"d{i:03d}",
             f"{where}: keys or id")
        need(list(record["sides"]) == record["values"] and len(set(record["values"])) == 2
             and set(record["values"]) <= set(KEY_SIZES), f"{where}: values or sides")
        firsts[record["values"][0]] += 1
        pairs[frozenset(record["values"])] += 1
        need(i == 1 or not set(record["values"]) & set(records[i - 2]["values"]), f"{where}: shares a value with the line before")
        texts = [record["situation"], record["question"], *record["sides"].values()]
        for text in texts:
            need(text == text.strip() and text.isascii() and not re.search(r"[{}\n]", text), f"{where}: characters")
            need(not re.search(VALUE_NAMES, text, re.I), f"{where}: names a value: {text}")
        need(20 <= len(record["situation"].split()) <= 60, f"{where}: length")
        need(record["question"].endswith("?") and record["situation"].endswith("."), f"{where}: end")
        need(all(side.endswith(".") and 3 <= len(side.split()) <= 20 for side in record["sides"].values()), f"{where}: sides")
    need(len(records) == 130 and firsts == dict.fromkeys(KEY_SIZES, 13), f"{name}: count, or which value comes first")
    for pair in itertools.combinations(KEY_SIZES, 2):
        wanted = 2 if frozenset(pair) in OPPOSED_LESS else 3
        need(pairs[frozenset(pair)] == wanted, f"{name}: {pair}: {pairs[frozenset(pair)]}, not {wanted}")
    need(len({frozenset(r["values"]) for r in records[:45]}) == 45, f"{name}: the first 45 do not cover all pairs")
    distinct([r["situation"] for r in records], name, need)
    distinct([side for r in records for side in r["sides"].values()], f"{name}: sides", need)
    worst = similar([r["situation"] for r in records], 0.15, name, need)
    print(f"dilemmas: {len(records)}, {len(pairs)} pairs, highest similarity {worst:.2f}")


def check(need):
    """Calls need(condition, message) for everything that should hold."""
    portraits(need)
    frames(need)
    keys(need)
    dilemmas(need)
