"""Writes diversity_reference.json: n-gram counts, distinct-n, EAD and entropies of fixed texts, by exact fractions and
scipy, and the mean pairwise cosine distance by scipy.

    python make_diversity_reference.py        (needs numpy and scipy)
"""

import collections
import fractions
import json
import pathlib

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import entropy

TEXTS = [
    "the cat sat on the mat and the dog sat on the mat".split(),
    "a bird in the hand is worth two in the bush".split(),
    "the the the the".split(),
    ["alone"],
    [],
]
VOCABULARIES = [7, 1000, 50000]


def ead(distinct, total, vocabulary):
    """N / (V (1 - ((V - 1) / V)^C)) without rounding until the end."""
    missed = fractions.Fraction(vocabulary - 1, vocabulary) ** total
    return float(distinct / (vocabulary * (1 - missed)))


def of_order(n):
    grams = collections.Counter(tuple(text[i:i + n]) for text in TEXTS for i in range(len(text) - n + 1))
    total = sum(grams.values())
    return {
        "n": n, "distinct": len(grams), "total": total, "distinct_share": len(grams) / total,
        "entropy": float(entropy(list(grams.values()), base=2)),
        "ead": [{"vocabulary": v, "value": ead(len(grams), total, v)} for v in VOCABULARIES],
    }


vectors = np.random.default_rng(3).normal(size=(6, 5)).round(3)
reference = {
    "texts": TEXTS,
    "orders": [of_order(n) for n in range(1, 6)],
    "vectors": vectors.tolist(),
    "mean_cosine_distance": float(pdist(vectors, "cosine").mean()),
}
path = pathlib.Path(__file__).with_name("diversity_reference.json")
path.write_text(json.dumps(reference, indent=1) + "\n")
