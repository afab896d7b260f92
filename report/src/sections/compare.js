// Several runs side by side: layers are set to the same share of each model's depth.
import { section } from "../dom.js";
import { defined } from "../format.js";
import { figure } from "../figure.js";
import { choice } from "../controls.js";
import { runColors, runDashes } from "../palette.js";
import { table } from "../table.js";
import { plot, Plot } from "../plots.js";

const mean = (numbers) => (numbers.length > 0 ? numbers.reduce((a, b) => a + b, 0) / numbers.length : NaN);

/** One number for each layer of a run. */
const measures = {
  auroc_intrinsic: ["mean held-out AUROC, intrinsic", (run) => vectorMean(run, "intrinsic")],
  auroc_prompted: ["mean held-out AUROC, prompted", (run) => vectorMean(run, "prompted")],
  cosine: ["mean cosine of both ways", (run) => {
    const all = Object.values(run.vectors?.condition_cosine ?? {});
    return (all[0] ?? []).map((_, layer) => mean(all.map((column) => column[layer]?.[0]).filter(defined)));
  }],
  compliance: ["share explained by one direction", (run) => (run.axes?.compliance?.explained ?? []).map((e) => e[0])],
  circle: ["R² of the shared axes on the circle", (run) => (run.axes?.circles ?? []).find((c) => c.kind === "shared")?.layers.map((at) => at.even.r_squared) ?? []],
};

function vectorMean(run, condition) {
  const own = (run.vectors?.vectors ?? []).filter((vector) => vector.condition === condition && vector.auroc.length > 0);
  return (own[0]?.auroc ?? []).map((_, layer) => mean(own.map((vector) => vector.auroc[layer]?.[0]).filter(defined)));
}

export function compare(model) {
  if (model.compare.length === 0) return null;
  const runs = [model, ...model.compare].map((run, i) => ({ run, label: `${run.model.name || run.run}${i === 0 ? " (this run)" : ""}`, i }));
  const labels = runs.map(({ label, run }, i) => (runs.findIndex((other) => other.label === label) === i ? label : `${label}, ${run.run}`));
  const measure = choice({ id: "compare-measure", label: "Measure", options: Object.entries(measures).map(([key, [text]]) => [key, text]), value: "auroc_intrinsic", onchange: () => made_.update() });
  const rows = () => runs.flatMap(({ run, i }) => {
    const column = measures[measure.value()][1](run);
    return column.map((value, layer) => ({ run: labels[i], i, layer, depth: column.length > 1 ? layer / (column.length - 1) : 0, value }));
  });
  const made_ = figure({
    id: "compare-layers",
    title: "Runs by depth",
    caption: "Means over the values, by share of the model's depth (0: first block, 1: last).",
    command: model.commands.compare,
    controls: [measure],
    legend: labels.map((label, i) => ({ label, color: runColors[i % runColors.length], dash: runDashes[i % runDashes.length] })),
    data: () => rows().map(({ run, layer, depth, value }) => ({ run, layer, depth, [measure.value()]: value })),
    draw: (width) => plot({
      width: Math.min(width, 860), height: 300, marginLeft: 44,
      x: { label: "share of the depth", domain: [0, 1] }, y: { label: measures[measure.value()][0], grid: true, nice: true },
      marks: runs.map(({ i }) => Plot.lineY(rows().filter((row) => row.i === i && defined(row.value)), { x: "depth", y: "value", stroke: runColors[i % runColors.length], strokeDasharray: runDashes[i % runDashes.length], strokeWidth: 2 })),
    }),
  });
  const findings = model.findings.map((finding, f) => {
    const row = { question: finding.question };
    runs.forEach(({ run }, i) => (row[labels[i]] = `${run.findings[f].verdict}: ${run.findings[f].answer}`));
    return row;
  });
  return section("compare", "Runs side by side", table({ id: "compare-findings", caption: "Findings of each run", rows: findings, csv: () => findings }).element, made_.element);
}
