// The neurons behind the axes: counts against chance, a table to search, what they do.
import { disclosure, el, madeBy, section } from "../dom.js";
import { columns, defined, estimate, number } from "../format.js";
import { figure } from "../figure.js";
import { controlBar, search, select } from "../controls.js";
import { color, symbol } from "../palette.js";
import { table } from "../table.js";
import { naming } from "../context.js";
import { beside, layerAxis, plot, Plot } from "../plots.js";
import { explanations, rolesOf } from "./explanations.js";

const words = { shared: "shared", intrinsic: "intrinsic", prompted: "prompted", anti_shared: "anti-shared", none: "none of them" };
const symbols = { ...symbol, anti_shared: "triangle" };

/** The categories that are in use, in a fixed order. */
function categories(model) {
  const used = new Set(model.neurons.values.flatMap((value) => Object.keys(value.counts)));
  return Object.keys(words).filter((category) => used.has(category) && (category !== "anti_shared" || model.neurons.options.anti_shared));
}

function counts(model) {
  const name = naming(model);
  const named = categories(model).filter((category) => category !== "none");
  const rows = model.neurons.values.flatMap((value) => named.map((category) => {
    const chance = value.chance?.[category] ?? [];
    return { value: name(value.value), category, count: value.counts[category] ?? 0, chance: chance[0] ?? NaN, low: chance[1] ?? NaN, high: chance[2] ?? NaN };
  }));
  return figure({
    id: "neuron-counts",
    title: "Neurons by category against chance",
    caption: "Of the neurons whose output weights lie furthest in the value's plane, how many point along each axis (within the largest angle). Grey bars: how many do in random planes of the same model. More than that is what counts, not the number itself.",
    command: model.commands.neurons,
    legend: [...named.map((category) => ({ label: words[category], color: color[category], symbol: symbols[category] })), { label: "chance", color: "var(--chance)", mark: "box" }],
    note: () => `${rows.filter((row) => row.count > row.high).length} of ${rows.filter((row) => defined(row.high)).length} counts lie above the range of chance.`,
    data: () => rows.map((row) => ({ value: row.value, category: row.category, count: row.count, ...columns("chance", [row.chance, row.low, row.high]) })),
    draw: (width) => {
      const wide = width >= 620;
      const most = Math.max(1, ...rows.flatMap((row) => [row.count, row.high].filter(defined)));
      return beside(named.map((category, i) => {
        const own = rows.filter((row) => row.category === category);
        const names = !wide || i === 0; // side by side the first panel names the values for all
        return plot({
          width: wide ? (width - 140) / named.length + (names ? 118 : 6) : width, height: 84 + (wide ? 26 : 21) * model.neurons.values.length,
          marginLeft: names ? 118 : 6, marginRight: 16, marginTop: 28, marginBottom: 40,
          x: { label: "neurons", grid: true, ticks: 4, nice: true, domain: [0, most] },
          y: { label: null, type: "band", domain: model.neurons.values.map((value) => name(value.value)), axis: names ? "left" : null },
          marks: [
            Plot.ruleY(own.filter((row) => defined(row.low)), { y: "value", x1: "low", x2: "high", stroke: "var(--chance)", strokeWidth: 9 }),
            Plot.tickX(own.filter((row) => defined(row.chance)), { y: "value", x: "chance", stroke: "var(--quiet)", inset: 7 }),
            Plot.dot(own, { y: "value", x: "count", r: 5, fill: color[category], symbol: symbols[category] }),
            Plot.text([words[category]], { frameAnchor: "top-left", dy: -18, fontWeight: 600, text: (text) => text, fill: "var(--ink)" }),
            Plot.tip(own, Plot.pointer({ y: "value", x: "count", fill: "var(--ground)", stroke: "var(--line)",
              title: (row) => `${row.value}: ${row.count} ${words[row.category]}\nchance ${number(row.chance, 1)} [${number(row.low, 0)}, ${number(row.high, 0)}]` })),
          ],
        });
      }), 4, !wide);
    },
  }).element;
}

/** Least and most successes of n at a probability, leaving out 2.5 % on either side. */
function binomialRange(n, p) {
  let [probability, sum, low] = [(1 - p) ** n, 0, null];
  for (let k = 0; k <= n; ++k) {
    sum += probability;
    if (low === null && sum >= 0.025) low = k;
    if (sum >= 0.975) return [low, k];
    probability *= ((n - k) / (k + 1)) * (p / (1 - p));
  }
  return [low ?? 0, n];
}

/**
 * Counts of each layer and category. Chance is known for the whole model: of a random plane's kept neurons so many fall into
 * each category. In a layer that many of those that it keeps would; of all kept neurons, each layer's share of the model's.
 */
function layerCounts(model, wanted, used) {
  const { n_neuron } = model.neurons;
  const own = model.neurons.values.filter((v) => wanted === "" || v.value === wanted);
  const total = n_neuron.reduce((a, b) => a + b, 0);
  const sumOf = (numbers) => Object.values(numbers ?? {}).reduce((a, b) => a + (Array.isArray(b) ? b[0] : b), 0);
  return n_neuron.flatMap((n, layer) => {
    const keptOf = (v) => Object.values(v.layers).reduce((sum, column) => sum + (column[layer] ?? 0), 0);
    const chanceOf = (v, category) => (v.chance && sumOf(v.chance) > 0 ? v.chance[category][0] / sumOf(v.chance) : NaN);
    const range = (one, share) => (wanted === "" || !(share > 0 && share < 1) ? [NaN, NaN] : binomialRange(one, share));
    const of = (category) => {
      const count = own.reduce((sum, v) => sum + (v.layers[category]?.[layer] ?? 0), 0);
      const chance = own.reduce((sum, v) => sum + keptOf(v) * chanceOf(v, category), 0);
      const [low, high] = range(own.length === 1 ? keptOf(own[0]) : 0, own.length === 1 ? chanceOf(own[0], category) : NaN);
      return { layer, category, count, chance, low, high };
    };
    const kept = own.reduce((sum, v) => sum + keptOf(v), 0);
    return [...used.map(of), { layer, category: "kept", count: kept, chance: (n / total) * own.reduce((sum, v) => sum + sumOf(v.counts), 0), low: NaN, high: NaN }];
  });
}

function byLayer(model) {
  const name = naming(model);
  const used = categories(model).filter((category) => category !== "none");
  const panels = [...used, "kept"];
  const title = (category) => (category === "kept" ? "all that were kept" : words[category]);
  const value = select({ id: "neuron-layers-value", label: "Value ", options: [["", "all values"], ...model.neurons.values.map((v) => [v.value, name(v.value)])], value: "", onchange: () => made_.update() });
  const rows = () => layerCounts(model, value.value(), used);
  const known = model.neurons.values.some((v) => v.chance);
  const made_ = figure({
    id: "neuron-layers",
    title: "Neurons by layer and category against chance",
    caption: (known
      ? "Dashes: chance. Random planes tell it for the whole model, not for each layer: here a layer's kept neurons fall into the categories as those of random planes do, so a bar above its dash has more of that category than the number of neurons kept in its layer gives. Grey: 95 % of such draws, of one value (sums over values have none, since a neuron may be kept for several). "
      : "No chance is known (the neurons were made with --null-draws 0). ") +
      "All that were kept: the dash is the layer's even share of the model's neurons; layers with long output weights keep more for any plane.",
    command: model.commands.neurons,
    controls: [value],
    legend: [...used.map((category) => ({ label: words[category], color: color[category], mark: "box" })), { label: "chance", color: "var(--ink)" }],
    data: () => rows().map(({ chance, low, high, ...row }) => ({ value: value.value() || "all", ...row, ...columns("chance", [chance, low, high]) })),
    draw: (width) => {
      const across = width < 520 ? 1 : width < 900 ? 2 : panels.length;
      const place = (category) => ({ fx: panels.indexOf(category) % across, fy: Math.floor(panels.indexOf(category) / across) });
      const of = rows().map((row) => ({ ...row, ...place(row.category) }));
      const down = Math.ceil(panels.length / across);
      const last = model.neurons.n_neuron.length - 1;
      // Each panel has its own heights: all that were kept are many more than those of a category.
      const most = (row) => Math.max(1, ...of.filter((other) => other.category === row.category).flatMap((other) => [other.count, other.high, other.chance].filter(defined)));
      return beside([...Array(down).keys()].map((line) => beside(panels.slice(line * across, (line + 1) * across).map((category) => {
        const here = of.filter((row) => row.category === category);
        return plot({
          width: width / across - 10, height: 210, marginLeft: 44, marginTop: 30, marginBottom: 40,
          x: layerAxis(last, width / across < 300 ? 4 : 8), y: { label: null, domain: [0, most(here[0])], nice: true, grid: true, ticks: 4 },
          marks: [
            Plot.rect(here, { x1: (row) => row.layer - 0.42, x2: (row) => row.layer + 0.42, y1: 0, y2: "count", fill: color[category] ?? "var(--none)" }),
            Plot.rect(here.filter((row) => defined(row.low)), { x1: (row) => row.layer - 0.42, x2: (row) => row.layer + 0.42, y1: "low", y2: "high", fill: "var(--ink)", fillOpacity: 0.2 }),
            Plot.link(here.filter((row) => defined(row.chance)), { x1: (row) => row.layer - 0.42, x2: (row) => row.layer + 0.42, y1: "chance", y2: "chance", stroke: "var(--ink)", strokeWidth: 1.6 }),
            Plot.text([title(category)], { frameAnchor: "top-left", dy: -18, fontWeight: 600, text: (text) => text, fill: "var(--ink)" }),
            Plot.ruleY([0], { stroke: "var(--quiet)" }),
            Plot.tip(here, Plot.pointerX({ x: "layer", y: "count", fill: "var(--ground)", stroke: "var(--line)",
              title: (row) => `layer ${row.layer}, ${title(row.category)}: ${row.count}\nchance ${number(row.chance, 1)}${defined(row.low) ? ` [${row.low}, ${row.high}]` : ""}` })),
          ],
        });
      }), 10)), 6, true);
    },
  });
  return made_.element;
}

/** The columns of the table as rows. */
function neuronRows(part) {
  const { value, layer, neuron, norm, angle_shared, angle_intrinsic, category, expert } = part.table.columns;
  return value.map((id, i) => ({
    value: id, layer: layer[i], ...(expert && { expert: expert[i] }), neuron: neuron[i], norm: norm[i],
    angle_shared: angle_shared[i], angle_intrinsic: angle_intrinsic[i], angle_prompted: 180 - angle_intrinsic[i], category: category[i],
  }));
}

function list(model) {
  const name = naming(model);
  const rows = neuronRows(model.neurons);
  const place = (one, value) => `${one.layer}/${one.expert ?? ""}/${one.neuron}/${value}`;
  const explained = new Map();
  for (const one of model.explanations) {
    for (const role of rolesOf(one)) if (one.explanation && !explained.has(place(one, role.value))) explained.set(place(one, role.value), one.explanation);
  }
  const sentence = (row) => explained.get(place(row, row.value));
  const changed = () => shown.setRows(filtered());
  const value = select({ id: "neurons-value", label: "Value ", options: [["", "all"], ...model.neurons.values.map((v) => [v.value, name(v.value)])], value: "", onchange: changed });
  const category = select({ id: "neurons-category", label: "Category ", options: [["", "all"], ...categories(model).map((c) => [c, words[c]])], value: "", onchange: changed });
  const layer = select({ id: "neurons-layer", label: "Layer ", options: [["", "all"], ...model.neurons.n_neuron.map((_, i) => [String(i), String(i)])], value: "", onchange: changed });
  const text = search({ id: "neurons-search", label: "Neuron or word ", onchange: changed });
  const filtered = () => rows.filter((row) =>
    (value.value() === "" || row.value === value.value()) &&
    (category.value() === "" || row.category === category.value()) &&
    (layer.value() === "" || row.layer === Number(layer.value())) &&
    (text.value().trim() === "" || String(row.neuron) === text.value().trim() || (sentence(row) ?? "").toLowerCase().includes(text.value().trim().toLowerCase())));
  const kept = Object.values(model.neurons.table.kept).reduce((a, b) => a + b, 0);
  const degrees = (key) => ({ key, label: key.replace("angle_", "° to "), numeric: true, show: (row) => number(row[key], 1) });
  const shown = table({
    id: "neuron-table",
    caption: "Neurons",
    pageSize: 25,
    csv: () => filtered().map((row) => ({ ...row, ...(explained.size > 0 && { explanation: sentence(row) ?? null }) })),
    rows: filtered(),
    sort: { key: "norm", descending: true },
    columns: [
      { key: "value", label: "value", show: (row) => name(row.value), value: (row) => name(row.value) },
      { key: "layer", label: "layer", numeric: true },
      ...(model.neurons.table.columns.expert ? [{ key: "expert", label: "expert" }] : []),
      { key: "neuron", label: "neuron", numeric: true },
      { key: "category", label: "category", show: (row) => el("span", { class: `tag ${row.category}` }, words[row.category] ?? row.category) },
      { key: "norm", label: "norm", numeric: true, show: (row) => number(row.norm, 3) },
      degrees("angle_shared"), degrees("angle_intrinsic"), degrees("angle_prompted"),
      ...(explained.size > 0 ? [{ key: "explanation", label: "explanation", show: (row) => sentence(row) ?? "", value: (row) => sentence(row) ?? null }] : []),
    ],
  });
  return [
    el("h3", {}, "The neurons"),
    el("p", { class: "note" }, `Norm: length of the neuron's output weights in the value's plane. Angles in degrees; below ${model.neurons.options.max_angle} a neuron is of that category. `,
      rows.length < kept ? `Of ${kept} kept neurons the ${model.neurons.table.most} longest of each value stand here; all are in neurons.csv.` : `All ${kept} kept neurons.`),
    controlBar([value, category, layer, text]),
    shown.element,
    el("div", { class: "tools" }, madeBy(model.commands.neurons)),
  ];
}

function overlaps(model) {
  const name = naming(model);
  const rows = (model.neurons.overlaps ?? []).map((pair) => ({
    a: name(pair.a), b: name(pair.b), category: pair.category, common: pair.common, jaccard: pair.jaccard,
    chance: estimate(pair.jaccard_chance), above: defined(pair.jaccard_chance?.[2]) ? (pair.jaccard > pair.jaccard_chance[2] ? "above" : "within") : "–", p: pair.p,
  }));
  if (rows.length === 0) return null;
  return disclosure({ key: "neuron-overlaps" }, `Neurons that two values have in common: ${rows.length} comparisons`,
    el("p", { class: "note" }, "Jaccard index of the two sets against that of two random planes; read chance first, since neurons with long output weights are kept for almost any plane."),
    table({ id: "neuron-overlaps-table", caption: "Overlaps", rows, csv: () => rows, sort: { key: "jaccard", descending: true } }).element);
}

export function neurons(model) {
  if (!model.neurons) return model.explanations.length > 0 ? section("neurons", "Neurons", explanations(model)) : null;
  return section("neurons", "Neurons", counts(model), byLayer(model), model.neurons.table && list(model), explanations(model), overlaps(model));
}
