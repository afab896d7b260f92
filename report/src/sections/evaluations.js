// One table for each evaluation: the model as it is against each intervention.
import { disclosure, el, madeBy, section, svg } from "../dom.js";
import { columns, defined, estimate } from "../format.js";
import { saveCsv } from "../download.js";
import { controlBar, select } from "../controls.js";
import { table } from "../table.js";
import { keysOf } from "../state.js";
import { naming } from "../context.js";
import { shortSpec } from "./steering.js";

/** An interval as a small drawing beside its numbers, all of a column on one scale. */
function interval(e, reach, ofDifference) {
  if (!Array.isArray(e) || !defined(e[0])) return "–";
  const [low, high] = ofDifference ? [-reach, reach] : reach;
  const x = (value) => 4 + (72 * (Math.min(high, Math.max(low, value)) - low)) / (high - low || 1);
  const picture = svg("svg", { class: "interval", width: 80, height: 14, viewBox: "0 0 80 14", "aria-hidden": "true" });
  if (ofDifference) picture.append(svg("line", { x1: x(0), x2: x(0), y1: 0, y2: 14, class: "zero" }));
  const sure = !ofDifference || (defined(e[1]) && (e[1] > 0 || e[2] < 0));
  if (defined(e[1])) picture.append(svg("line", { x1: x(e[1]), x2: x(e[2]), y1: 7, y2: 7, class: "bar" }));
  picture.append(svg("circle", { cx: x(e[0]), cy: 7, r: 3.5, class: sure ? "dot sure" : "dot" }));
  return el("span", { class: "with-interval" }, picture, estimate(e));
}

function one(model, evaluation, key) {
  const name = naming(model);
  const group = (row) => (row.group === null ? "all" : evaluation.group_kind === "value" ? name(row.group) : row.group);
  const measures = evaluation.measures.map((m) => m.name);
  const variants = evaluation.variants;
  const labels = variants.map((variant) => (variant.name === "base" ? "as it is" : [...(variant.steer ?? []), ...(variant.scale_neurons ?? [])].map(shortSpec).join(" + ") || variant.name));
  const place = el("div", {});
  const described = el("p", { class: "note" });
  const rowsOf = () => evaluation.results.filter((row) => row.measure === measure.value());
  const show = () => {
    const rows = rowsOf();
    const scores = rows.flatMap((row) => row.scores.flatMap((score) => score.estimate.filter(defined)));
    const range = [Math.min(...scores), Math.max(...scores)];
    const reach = Math.max(1e-9, ...rows.flatMap((row) => row.differences.flatMap((d) => (d.estimate ?? []).filter(defined).map(Math.abs))));
    const shownAt = chosen ? [0, Number(chosen.value())] : variants.map((_, i) => i);
    const differences = shownAt.slice(1).map((at) => at - 1).flatMap((i) => [
      { key: `difference_${i + 1}`, label: `${labels[i + 1]} minus as it is`, numeric: true, value: (row) => row.differences[i + 1]?.estimate?.[0] ?? null, show: (row) => interval(row.differences[i + 1]?.estimate, reach, true) },
    ]);
    place.replaceChildren(table({
      id: `${key}-table`,
      caption: `${evaluation.evaluation}: ${measure.value()}`,
      rows,
      columns: [
        { key: "group", label: evaluation.group_kind || "group", show: group, value: group },
        ...shownAt.map((i) => ({ key: `score_${i}`, label: labels[i], numeric: true, value: (row) => row.scores[i]?.estimate?.[0] ?? null, show: (row) => interval(row.scores[i]?.estimate, range, false) })),
        ...differences,
        { key: "n", label: "items", numeric: true, value: (row) => row.scores[0]?.n, show: (row) => String(row.scores[0]?.n ?? "–") },
      ],
    }).element);
    described.textContent = evaluation.measures.find((m) => m.name === measure.value())?.description ?? "";
  };
  const measure = select({ id: `${key}-measure`, label: "Measure ", options: measures.map((m) => [m, m]), value: measures.find((m) => m.endsWith("_centred")) ?? measures[0], onchange: show });
  // Of many interventions one is looked at at a time.
  const chosen = variants.length <= 4 ? null
    : select({ id: `${key}-variant`, label: "Intervention ", options: labels.slice(1).map((label, i) => [String(i + 1), variants[i + 1].name === label ? label : `${variants[i + 1].name}: ${label}`]), value: "1", onchange: show });
  show();
  const statistics = evaluation.statistics ?? [];
  const data = () => evaluation.results.flatMap((row) => variants.map((variant, i) => ({
    measure: row.measure, group: row.group ?? "", variant: variant.name, intervention: [...(variant.steer ?? []), ...(variant.scale_neurons ?? [])].join(" "),
    ...columns("score", row.scores[i]?.estimate ?? []), ...columns("difference", row.differences[i]?.estimate ?? []), n: row.scores[i]?.n,
  })));
  const language = evaluation.settings?.language;
  return el("div", { class: "evaluation", id: key },
    el("h3", {}, evaluation.evaluation, language && el("span", { class: "tag" }, `language: ${language}`), el("span", { class: "quiet" }, ` ${evaluation.file}`)),
    controlBar([measure, chosen].filter(Boolean)), described, place,
    statistics.length > 0 && disclosure({ key: `${key}-whole`, open: statistics.length <= 12 }, "Over the whole evaluation",
      table({ id: `${key}-statistics`, caption: `${evaluation.evaluation}: statistics`, rows: statistics, csv: () => statistics.map(({ estimate: e, ...row }) => ({ ...row, ...columns("estimate", e) })), columns: [
        { key: "name", label: "statistic", show: (row) => el("span", { title: row.description }, row.name) },
        { key: "subject", label: "of" },
        { key: "estimate", label: "estimate", numeric: true, value: (row) => row.estimate?.[0] ?? null, show: (row) => estimate(row.estimate) },
        { key: "p", label: "p", numeric: true },
      ] }).element),
    el("div", { class: "tools" },
      el("button", { type: "button", class: "small", onclick: () => saveCsv(data(), key), "aria-label": `${evaluation.evaluation}: download CSV` }, "CSV"),
      madeBy(evaluation.command)),
    (evaluation.dropped ?? []).length > 0 && el("p", { class: "note" }, `Left out: ${evaluation.dropped.map((drop) => `${drop.count} ${drop.unit} (${drop.reason})`).join(", ")}.`));
}

export function evaluations(model) {
  if (model.evaluations.length === 0) return null;
  const order = [...model.evaluations].sort((a, b) => a.evaluation.localeCompare(b.evaluation) || String(a.settings?.language ?? "").localeCompare(String(b.settings?.language ?? "")));
  const keys = keysOf(order, (evaluation) => `evaluation ${evaluation.file}`);
  return section("evaluations", "Evaluations",
    el("p", { class: "note" }, "Dots with bars are estimates with their intervals, all of a table on one scale. In differences a filled dot means that the interval leaves out 0."),
    order.map((evaluation, i) => one(model, evaluation, keys[i])));
}
