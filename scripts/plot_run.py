#!/usr/bin/env python3
"""scripts/plot_run.py RUN OUT.svg [--show auroc|cosine|both]

Draws what a run's vectors.safetensors holds, one panel for each value: the held-out AUROC of the intrinsic and the
prompted vector by layer, and under it the cosine of the two vectors by layer, each with its bootstrap interval as a
band. RUN is the folder of a run or a vectors file. A vector that is missing is named in its panel with its counts.
Needs Python 3.9 or newer and nothing else. Equal files give equal pictures.
"""

import argparse
import json
import math
import os
import struct
import sys
from xml.sax.saxutils import escape

# Okabe and Ito's palette, told apart with any colour vision; the line patterns differ too.
COLOURS = {"intrinsic": "#0072B2", "prompted": "#D55E00", "cosine": "#007A5A"}
DASHES = {"intrinsic": "", "prompted": "6 3", "cosine": ""}
INK, FAINT, GRID, CARD = "#222222", "#666666", "#E3E3E3", "#FFFFFF"

COLUMNS = 5
PANEL_W, PLOT_W, PLOT_H = 206, 160, 92
LEFT, TOP, BETWEEN, TITLE_H, BOTTOM = 52, 96, 26, 58, 46


def stop(sentence):
    sys.exit("plot_run.py: " + sentence)


def read_header(path):
    """The JSON header of a safetensors file, without its data."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > os.path.getsize(path):
                raise ValueError("the header is longer than the file")
            return json.loads(file.read(length))
    except (OSError, struct.error, ValueError) as error:
        stop(f"{path}: cannot be read as a safetensors file ({error})")


def read_stats(path):
    header = read_header(path)
    metadata = header.get("__metadata__", {})
    if "stats" not in metadata:
        stop(f"{path}: has no statistics; compute the vectors with `valuelens vectors`")
    stats = json.loads(metadata["stats"])
    stats["model_name"] = metadata.get("model_name", "unknown model")
    shapes = [entry["shape"] for name, entry in header.items() if name.endswith(("/intrinsic", "/prompted"))]
    if shapes:
        stats["n_layer"] = shapes[0][0]
    else:
        stats["n_layer"] = len(stats["condition_cosine"]) // max(1, len(stats["values"]))
    return stats


def known(number):
    return number is not None and not math.isnan(number)


class Plot:
    """One pair of axes: layers across, `low` to `high` upward."""

    def __init__(self, x, y, n_layer, low, high):
        self.x, self.y, self.n_layer, self.low, self.high = x, y, n_layer, low, high
        self.parts = []

    def across(self, layer):
        return self.x + PLOT_W * (layer / (self.n_layer - 1) if self.n_layer > 1 else 0.5)

    def up(self, number):
        number = min(max(number, self.low), self.high)
        return self.y + PLOT_H * (1 - (number - self.low) / (self.high - self.low))

    def axes(self, ticks, label, with_layers):
        for tick in ticks:
            y = self.up(tick)
            emphasis = ' stroke-dasharray="2 2"' if tick == ticks[len(ticks) // 2] else ""
            colour = "#AAAAAA" if emphasis else GRID
            self.parts.append(f'<line x1="{self.x}" y1="{y:.1f}" x2="{self.x + PLOT_W}" y2="{y:.1f}" stroke="{colour}"{emphasis}/>')
            if label is not None:
                self.parts.append(text(self.x - 6, y + 3.5, f"{tick:g}", 10, FAINT, "end"))
        if label:
            x, y = self.x - 36, self.y + PLOT_H / 2
            self.parts.append(text(x, y, label, 11, INK, "middle", f' transform="rotate(-90 {x} {y})"'))
        self.parts.append(f'<rect x="{self.x}" y="{self.y}" width="{PLOT_W}" height="{PLOT_H}" fill="none" stroke="#BBBBBB"/>')
        last = self.n_layer - 1
        for layer in sorted({0, last // 2, last}):
            x = self.across(layer)
            self.parts.append(f'<line x1="{x:.1f}" y1="{self.y + PLOT_H}" x2="{x:.1f}" y2="{self.y + PLOT_H + 4}" stroke="#BBBBBB"/>')
            if with_layers:
                self.parts.append(text(x, self.y + PLOT_H + 15, str(layer), 10, FAINT, "middle"))

    def curve(self, estimates, kind):
        """A line with its band; a layer without a number breaks both."""
        colour = COLOURS[kind]
        for run in runs_of(estimates, lambda e: known(e[1]) and known(e[2])):
            upper = [f"{self.across(i):.1f},{self.up(estimates[i][2]):.1f}" for i in run]
            lower = [f"{self.across(i):.1f},{self.up(estimates[i][1]):.1f}" for i in reversed(run)]
            self.parts.append(f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity="0.16"/>')
        for run in runs_of(estimates, lambda e: known(e[0])):
            points = " ".join(f"{self.across(i):.1f},{self.up(estimates[i][0]):.1f}" for i in run)
            dash = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
            self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')

    def remark(self, lines):
        """What is missing, at the bottom, where curves seldom are."""
        y = self.y + PLOT_H - 8 - 13 * (len(lines) - 1)
        for line in lines:
            self.parts.append(text(self.x + PLOT_W / 2, y, line, 10, FAINT, "middle"))
            y += 13


def runs_of(estimates, wanted):
    """Stretches of consecutive places whose estimate is wanted."""
    run = []
    for place, estimate in enumerate(estimates):
        if wanted(estimate):
            run.append(place)
        elif run:
            yield run
            run = []
    if run:
        yield run


def text(x, y, content, size, colour, anchor="start", more=""):
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{more}>{escape(content)}</text>'


def legend(x, y, kind, label):
    dash = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
    return (
        f'<rect x="{x}" y="{y - 9}" width="26" height="10" fill="{COLOURS[kind]}" fill-opacity="0.16"/>'
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 26}" y2="{y - 4}" stroke="{COLOURS[kind]}" stroke-width="1.8"{dash}/>'
        + text(x + 32, y, label, 11, INK)
    )


def counts_of(vectors, prefix, with_names):
    """As in "intrinsic 12/11, prompted 20/4": responses that express the value and that do not."""
    return ", ".join(
        f"{condition + ' ' if with_names else ''}{vectors[condition][prefix + 'expressing']}/{vectors[condition][prefix + 'not_expressing']}"
        for condition in ("intrinsic", "prompted")
        if condition in vectors
    )


def auroc_plot(x, y, n_layer, vectors, first_column, with_layers):
    plot = Plot(x, y, n_layer, 0.0, 1.0)
    plot.axes([0, 0.25, 0.5, 0.75, 1], "held-out AUROC" if first_column else None, with_layers)
    lines = []
    for condition in ("intrinsic", "prompted"):
        vector = vectors.get(condition)
        if vector is None or vector["problem"]:
            lines.append(f"no {condition} vector")
        elif not any(known(estimate[0]) for estimate in vector["auroc"]):
            lines.append(f"no {condition} AUROC")
        else:
            plot.curve(vector["auroc"], condition)
    if lines:
        plot.remark(lines)
    return plot.parts


def cosine_plot(x, y, n_layer, cosines, first_column, with_layers):
    plot = Plot(x, y, n_layer, -1.0, 1.0)
    plot.axes([-1, -0.5, 0, 0.5, 1], "cosine" if first_column else None, with_layers)
    if any(known(estimate[0]) for estimate in cosines):
        plot.curve(cosines, "cosine")
    else:
        plot.remark(["needs both vectors"])
    return plot.parts


def draw(stats, show):
    values, n_layer = stats["values"], stats["n_layer"]
    if not values or n_layer < 1:
        stop("the file holds no value")
    tiers = [tier for tier in ("auroc", "cosine") if show in (tier, "both")]
    columns = min(COLUMNS, len(values))
    rows = -(-len(values) // columns)
    row_height = TITLE_H + len(tiers) * PLOT_H + (len(tiers) - 1) * BETWEEN + BOTTOM
    width = max(LEFT + columns * PANEL_W, 640)
    height = TOP + rows * row_height + 6
    by_name = {}
    for vector in stats["vectors"]:
        by_name.setdefault(vector["value"], {})[vector["condition"]] = vector
    confidence = round(100 * stats["options"]["confidence"])

    title = "Value vectors by layer"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="Helvetica, Arial, sans-serif">',
        f"<title>{title}: {escape(stats['model_name'])}</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{CARD}" stroke="#CCCCCC"/>',
        text(18, 28, title, 17, INK, more=' font-weight="bold"'),
        text(18, 47, f"{stats['model_name']} · {stats['n_responses']} responses to {stats['n_queries']} queries · bands: {confidence} % bootstrap intervals over queries", 11, FAINT),
    ]
    x = 18
    if "auroc" in tiers:
        parts.append(legend(x, 72, "intrinsic", "intrinsic: AUROC on held-out queries"))
        parts.append(legend(x + 262, 72, "prompted", "prompted: AUROC on held-out queries"))
        x += 524
    if "cosine" in tiers:
        parts.append(legend(x, 72, "cosine", "cosine of the intrinsic and the prompted vector"))

    for place, value in enumerate(values):
        row, column = divmod(place, columns)
        left, top = LEFT + column * PANEL_W, TOP + row * row_height
        vectors = by_name.get(value, {})
        parts.append(text(left, top + 16, value, 13, INK, more=' font-weight="bold"'))
        parts.append(text(left, top + 32, counts_of(vectors, "n_", True), 10, FAINT))
        if "auroc" in tiers:
            parts.append(text(left, top + 46, "of these held out " + counts_of(vectors, "n_held_out_", False), 10, FAINT))
        y = top + TITLE_H
        for tier in tiers:
            last = tier == tiers[-1]
            if tier == "auroc":
                parts += auroc_plot(left, y, n_layer, vectors, column == 0, last)
            else:
                parts += cosine_plot(left, y, n_layer, stats["condition_cosine"][place * n_layer : (place + 1) * n_layer], column == 0, last)
            y += PLOT_H + BETWEEN
        parts.append(text(left + PLOT_W / 2, y - BETWEEN + 30, "layer", 11, INK, "middle"))
    parts.append(text(width - 18, 28, "above each panel: responses expressing / not expressing", 10, FAINT, "end"))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Draws the value vectors of a run as an SVG.")
    parser.add_argument("run", metavar="RUN", help="folder of a run, or a vectors file")
    parser.add_argument("output", metavar="OUT.svg")
    parser.add_argument("--show", choices=("auroc", "cosine", "both"), default="both")
    options = parser.parse_args()
    path = os.path.join(options.run, "vectors.safetensors") if os.path.isdir(options.run) else options.run
    picture = draw(read_stats(path), options.show)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
