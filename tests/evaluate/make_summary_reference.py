"""Writes summary_reference.json: made-up items, and what numpy says of their means, sums, differences and intervals.

    python make_summary_reference.py        (needs numpy)

The intervals are of the very resamples that summarize() draws, so they agree to rounding: the generator (mt19937_64 as
the C++ standard has it) and the rules for seeds are written here a second time. All else is another way to the same
numbers: items are drawn one by one, not weighted, and numpy takes means and quantiles.
"""

import json
import pathlib

import numpy as np

WORD = 2**64 - 1


class Mt19937x64:
    """Parameters and recurrence of [rand.predef] and [rand.eng.mers]."""

    N, M, LOW = 312, 156, 2**31 - 1

    def __init__(self, seed):
        self.state = [seed & WORD]
        for i in range(1, self.N):
            last = self.state[-1]
            self.state.append((6364136223846793005 * (last ^ (last >> 62)) + i) & WORD)
        self.at = self.N

    def next(self):
        if self.at == self.N:
            for i in range(self.N):
                y = (self.state[i] & ~self.LOW & WORD) | (self.state[(i + 1) % self.N] & self.LOW)
                twist = 0xB5026F5AA96619E9 if y & 1 else 0
                self.state[i] = self.state[(i + self.M) % self.N] ^ (y >> 1) ^ twist
            self.at = 0
        z = self.state[self.at]
        self.at += 1
        z ^= (z >> 29) & 0x5555555555555555
        z ^= (z << 17) & 0x71D67FFFEDA60000
        z ^= (z << 37) & 0xFFF7EEE000000000
        return z ^ (z >> 43)

    def below(self, bound):
        """A draw at or above the last whole multiple of the bound is taken again."""
        limit = WORD - WORD % bound
        while (draw := self.next()) >= limit:
            pass
        return draw % bound


def derived(seed, name):
    """FNV-1a of the name, added to the seed and mixed as splitmix64 does."""
    digest = 0xCBF29CE484222325
    for byte in name.encode():
        digest = (digest ^ byte) * 0x100000001B3 & WORD
    z = (seed + 0x9E3779B97F4A7C15 + digest) & WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


standard = Mt19937x64(5489)
for _ in range(9999):
    standard.next()
assert standard.next() == 9981545732273789042, "the value that the standard gives for the 10000th"

VARIANTS, QUANTITIES = 3, ["x", "y"]
GROUPS = ["often", "now and then", "two clusters", "one cluster", "nowhere"]
MEASURES = [  # name, quantity, aggregate, centred, grouped
    ("mean", "x", "mean", False, True),
    ("centred", "x", "mean", True, True),
    ("sum", "x", "sum", False, False),
    ("other mean", "y", "mean", False, True),
    ("other sum", "y", "sum", False, True),
]


def make_items(rng, clustered):
    """Items in clusters of one to five, scores with gaps, groups that overlap, and shared scores for some."""
    items = []
    for cluster in range(12):
        level = rng.normal(size=2)
        for _ in range(1 + (cluster * 7) % 5):
            scores = (level[:, None] + rng.normal(size=(2, VARIANTS)) + [0, 0.4, -0.2]).round(3)
            scores[rng.random(scores.shape) < 0.12] = np.nan
            groups = [name for name, share in (("often", 0.7), ("now and then", 0.3)) if rng.random() < share]
            groups += ["two clusters"] * (cluster in (3, 8)) + ["one cluster"] * (cluster == 6)
            item = {"id": f"item {len(items)}", "groups": groups, "scores": scores.tolist()}
            item["cluster"] = f"c{cluster}" if clustered else item["id"]
            if rng.random() < 0.3:  # of y alone: what a variant and the base have over the questions that neither lost
                pairs = rng.normal(size=(VARIANTS, 2)).round(3)
                pairs[rng.random(VARIANTS) < 0.3] = np.nan
                item["shared"] = pairs.tolist()
            items.append(item)
    order = rng.permutation(len(items))  # items of a cluster need not be neighbours
    return [items[i] for i in order]


def against_base(item, quantity, variant):
    if quantity == 1 and "shared" in item:
        return item["shared"][variant] if not np.isnan(item["scores"][1][variant]) else [np.nan, np.nan]
    return [item["scores"][quantity][variant], item["scores"][quantity][0]]


def estimates(items, drawn, measure, group):
    """Of each variant, then of each difference, with the places of the items behind it."""
    _, quantity, aggregate, centred, _ = measure
    q = QUANTITIES.index(quantity)
    take = np.sum if aggregate == "sum" else np.mean

    def of(places, values):
        kept = [(i, v) for i, v in ((i, values(items[i])) for i in places) if not np.isnan(v)]
        return (take([v for _, v in kept]) if kept else np.nan), [i for i, _ in kept]

    found = []
    inside = [i for i in drawn if group in items[i]["groups"] or group == ""]
    for variant in range(VARIANTS):
        value, places = of(inside, lambda item: item["scores"][q][variant])
        found.append((value - of(drawn, lambda item: item["scores"][q][variant])[0] if centred else value, places))
    for variant in range(VARIANTS):
        def difference(item):
            pair = against_base(item, q, variant)
            return pair[0] - pair[1]

        value, places = of(inside, difference)
        found.append((value - of(drawn, difference)[0] if centred else value, places))
    return found


def interval(values, confidence):
    defined = [v for v in values if not np.isnan(v)]
    if 2 * len(defined) < len(values):
        return [np.nan, np.nan]
    return np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()


def make_case(rng, clustered, seed, bootstraps, confidence):
    items = make_items(rng, clustered)
    clusters = {}
    for place, item in enumerate(items):
        clusters.setdefault(item["cluster"], []).append(place)
    members = list(clusters.values())
    resamples = []
    for b in range(bootstraps):
        generator = Mt19937x64(derived(derived(seed, "evaluation"), f"resample {b}"))
        draws = [generator.below(len(members)) for _ in members]
        resamples.append([place for draw in draws for place in members[draw]])
    rows = []
    for measure in MEASURES:
        name, _, _, centred, grouped = measure
        for group in ([] if centred else [""]) + (GROUPS[:-1] if grouped else []):
            resampled = [[v for v, _ in estimates(items, drawn, measure, group)] for drawn in resamples]
            cells = []
            for i, (value, places) in enumerate(estimates(items, range(len(items)), measure, group)):
                spread = len({items[place]["cluster"] for place in places}) > 1
                bounds = interval([each[i] for each in resampled], confidence) if spread else [np.nan, np.nan]
                cells.append([float(value), *bounds, len(places)])
            cells[VARIANTS] = [np.nan, np.nan, np.nan, 0]  # the base differs from itself in nothing
            rows.append({"measure": name, "group": group, "scores": cells[:VARIANTS], "differences": cells[VARIANTS:]})
    return {"seed": seed, "bootstraps": bootstraps, "confidence": confidence, "items": items, "rows": rows}


def without_nan(value):
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value


rng = np.random.default_rng(17)
cases = [make_case(rng, False, 7, 300, 0.95), make_case(rng, True, 2**40 + 5, 301, 0.9)]
path = pathlib.Path(__file__).with_name("summary_reference.json")
path.write_text(json.dumps(without_nan({"groups": GROUPS, "cases": cases})) + "\n")
