// The neurons behind the axes: counts against chance, a table to search, what they do.
import { el, section } from "../dom.js";
import { columns, defined, estimate, number } from "../format.js";
import { figure } from "../figure.js";
import { search, select } from "../controls.js";
import { color, symbol } from "../palette.js";
import { table } from "../table.js";
import { made, naming } from "../context.js";
import { plot, Plot } from "../plots.js";
import { explanations, rolesOf } from "./explanations.js";

const words = { shared: "shared", intrinsic: "intrinsic", prompted: "prompted", anti_shared: "anti-shared", none: "none of them" };
const symbols = { ...symbol, anti_shared: "triangle", none: "times" };

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
    command: made.neurons(model),
    legend: [...named.map((category) => ({ label: words[category], color: color[category], mark: "dot" })), { label: "chance", color: "var(--chance)", mark: "box" }],
    note: () => `${rows.filter((row) => row.count > row.high).length} of ${rows.filter((row) => defined(row.high)).length} counts lie above the range of chance.`,
    data: () => rows.map((row) => ({ value: row.value, category: row.category, count: row.count, ...columns("chance", [row.chance, row.low, row.high]) })),
    draw: (width) =>
      plot({
        width, height: 70 + 26 * model.neurons.values.length, marginLeft: Math.min(130, width / 3),
        fx: { label: null, domain: named, tickFormat: (category) => words[category] },
        x: { label: "neurons", grid: true, ticks: width < 520 ? 2 : 4, nice: true },
        y: { label: null, type: "band", domain: model.neurons.values.map((value) => name(value.value)) },
        marks: [
          Plot.ruleY(rows.filter((row) => defined(row.low)), { fx: "category", y: "value", x1: "low", x2: "high", stroke: "var(--chance)", strokeWidth: 9 }),
          Plot.tickX(rows.filter((row) => defined(row.chance)), { fx: "category", y: "value", x: "chance", stroke: "var(--quiet)", inset: 7 }),
          ...named.map((category) => Plot.dot(rows.filter((row) => row.category === category), { fx: "category", y: "value", x: "count", r: 5, fill: color[category], symbol: symbols[category] })),
          Plot.tip(rows, Plot.pointer({ fx: "category", y: "value", x: "count", fill: "var(--ground)", stroke: "var(--line)",
            title: (row) => `${row.value}: ${row.count} ${words[row.category]}\nchance ${number(row.chance, 1)} [${number(row.low, 0)}, ${number(row.high, 0)}]` })),
        ],
      }),
  }).element;
}

function byLayer(model) {
  const name = naming(model);
  const used = categories(model);
  const value = select({ id: "neuron-layers-value", label: "Value ", options: [["", "all values"], ...model.neurons.values.map((v) => [v.value, name(v.value)])], value: "", onchange: () => made_.update() });
  const rows = () => used.flatMap((category) => model.neurons.n_neuron.map((_, layer) => ({
    layer, category, count: model.neurons.values.filter((v) => value.value() === "" || v.value === value.value()).reduce((sum, v) => sum + (v.layers[category]?.[layer] ?? 0), 0),
  })));
  const made_ = figure({
    id: "neuron-layers",
    title: "Neurons by layer",
    caption: "Where in the model the kept neurons lie, by category.",
    command: made.neurons(model),
    controls: [value],
    legend: used.map((category) => ({ label: words[category], color: color[category], mark: "box" })),
    data: () => rows().map((row) => ({ value: value.value() || "all", ...row })),
    draw: (width) => plot({
      width: Math.min(width, 860), height: 260, marginLeft: 48,
      x: { label: "layer", type: "band", ticks: model.neurons.n_neuron.map((_, i) => i).filter((i) => i % Math.ceil(model.neurons.n_neuron.length / (width < 520 ? 6 : 15)) === 0) },
      y: { label: "neurons", grid: true },
      marks: [Plot.barY(rows(), { x: "layer", y: "count", fill: (row) => color[row.category], order: used, insetLeft: 0.5, insetRight: 0.5 }), Plot.ruleY([0], { stroke: "var(--quiet)" })],
    }),
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
    el("div", { class: "controls" }, [value, category, layer, text].map((control) => control.element)),
    shown.element,
  ];
}

function overlaps(model) {
  const name = naming(model);
  const rows = (model.neurons.overlaps ?? []).map((pair) => ({
    a: name(pair.a), b: name(pair.b), category: pair.category, common: pair.common, jaccard: pair.jaccard,
    chance: estimate(pair.jaccard_chance), above: defined(pair.jaccard_chance?.[2]) ? (pair.jaccard > pair.jaccard_chance[2] ? "above" : "within") : "–", p: pair.p,
  }));
  if (rows.length === 0) return null;
  return el("details", {}, el("summary", {}, `Neurons that two values have in common: ${rows.length} comparisons`),
    el("p", { class: "note" }, "Jaccard index of the two sets against that of two random planes; read chance first, since neurons with long output weights are kept for almost any plane."),
    table({ caption: "Overlaps", rows, sort: { key: "jaccard", descending: true } }).element);
}

export function neurons(model) {
  if (!model.neurons) return model.explanations.length > 0 ? section("neurons", "Neurons", explanations(model)) : null;
  return section("neurons", "Neurons", counts(model), byLayer(model), list(model), explanations(model), overlaps(model));
}
