// What steering gains and costs, what one value's direction does to the others, and answers side by side.
import { disclosure, el, madeBy, section } from "../dom.js";
import { columns, defined, estimate, number } from "../format.js";
import { figure } from "../figure.js";
import { controlBar, select } from "../controls.js";
import { table } from "../table.js";
import { saveCsv } from "../download.js";
import { keysOf } from "../state.js";
import { naming } from "../context.js";
import { beside, heat, plot, Plot } from "../plots.js";

/** "runs/x/axes.safetensors:power/shared,unit=resid,alpha=0.1" -> "power/shared, alpha 0.1". */
export function shortSpec(spec) {
  const [head, ...options] = String(spec).split(",");
  const key = head.includes(":") ? head.slice(head.lastIndexOf(":") + 1) : head.slice(head.lastIndexOf("/") + 1);
  const kept = options.map((option) => option.split("=")).filter(([name]) => !["unit", "tokens"].includes(name)).map(([name, value]) => (value === undefined ? name : `${name} ${value}`));
  return [key, ...kept].join(", ");
}

function dose(tune, key) {
  const rows = tune.curves.flatMap((curve) => curve.points.flatMap((point) => {
    const panel = `${shortSpec(curve.intervention)}${curve.layers ? `, layers ${curve.layers.join("–")}` : ""}`;
    const chosen = [curve.above, curve.below].some((side) => side && side.strength === point.strength);
    return [
      { panel, measure: "accuracy drop (points)", strength: point.strength, e: point.drop, chosen },
      { panel, measure: "gain in likeness, centred", strength: point.strength, e: point.gain_centred ?? [], chosen },
    ];
  })).map((row) => ({ ...row, value: row.e[0] ?? NaN, low: row.e[1] ?? NaN, high: row.e[2] ?? NaN }));
  const panels = [...new Set(rows.map((row) => row.panel))];
  const which = select({ id: `${key}-intervention`, label: "Intervention ", options: panels.map((panel) => [panel, panel]), value: panels[0], onchange: () => made_.update() });
  const here = () => rows.filter((row) => row.panel === which.value());
  const made_ = figure({
    id: `dose-response-${key}`,
    title: `Dose and response: ${tune.file}`,
    caption: `Accuracy may fall by less than the guard (${tune.max_drop} points); the large filled point is the chosen strength. Bands are paired intervals over the same questions and portraits.`,
    command: tune.command,
    commandNote: tune.command_note,
    controls: [which],
    legend: [{ label: "gain in the value's likeness", color: "var(--shared)" }, { label: "accuracy lost", color: "var(--prompted)" }, { label: "guard", color: "var(--alarm)" }],
    note: () => {
      const chosen = here().filter((row) => row.chosen && defined(row.value));
      return chosen.length > 0 ? chosen.map((row) => `At ${tune.strength} ${row.strength}: ${row.measure} ${estimate([row.value, row.low, row.high])}.`).join(" ") : "No strength on the grid is within the guard.";
    },
    data: () => rows.map((row) => ({ intervention: row.panel, measure: row.measure, [tune.strength]: row.strength, ...columns("value", [row.value, row.low, row.high]), chosen: row.chosen })),
    draw: (width) => {
      const wide = width >= 560;
      const panel = (measure, color, guard) => {
        const drawn = here().filter((row) => row.measure === measure && defined(row.value));
        return plot({
          width: wide ? Math.min(width, 860) / 2 - 6 : width, height: 270, marginLeft: 64, marginTop: 30, marginBottom: 44,
          x: { label: tune.strength, labelOffset: 40, ticks: [...new Set(drawn.map((row) => row.strength))].slice(0, 8), tickFormat: (x) => String(x) },
          y: { label: measure, grid: true, nice: true },
          marks: [
            Plot.ruleY([0], { stroke: "var(--quiet)" }),
            guard !== undefined && Plot.ruleY([guard], { stroke: "var(--alarm)", strokeWidth: 1.5 }),
            Plot.areaY(drawn.filter((row) => defined(row.low)), { x: "strength", y1: "low", y2: "high", fill: color, fillOpacity: 0.2 }),
            Plot.lineY(drawn, { x: "strength", y: "value", stroke: color, strokeWidth: 2 }),
            Plot.dot(drawn, { x: "strength", y: "value", r: (row) => (row.chosen ? 6 : 3.5), fill: (row) => (row.chosen ? color : "var(--ground)"), stroke: color, strokeWidth: 1.5 }),
          ],
          r: { type: "identity" },
        });
      };
      return beside([panel("gain in likeness, centred", "var(--shared)"), panel("accuracy drop (points)", "var(--prompted)", tune.max_drop)], 12, !wide);
    },
  });
  return made_.element;
}

/** Evaluations of one kind and language that compare interventions by value: what each does to each value. */
function leakage(model) {
  const name = naming(model);
  const groups = new Map();
  for (const evaluation of model.evaluations) {
    if (evaluation.group_kind !== "value") continue;
    const language = evaluation.settings?.language ?? "";
    const key = [evaluation.evaluation, language].filter(Boolean).join(", ");
    if (!groups.has(key)) groups.set(key, []);
    // A run names its variants VALUE/DIRECTION@STRENGTH: a matrix for each direction and strength. The command line names
    // those of {value} by the value.
    const known = new Set(model.concept_set.values.map((value) => value.id));
    const rowName = (variant) => {
      const value = variant.name.split("/")[0];
      return known.has(value) ? name(value) : [...(variant.steer ?? []), ...(variant.scale_neurons ?? [])].map(shortSpec).join(" + ") || variant.name;
    };
    evaluation.variants.slice(1).forEach((variant, i) => groups.get(key).push({ evaluation, at: i + 1, set: /^[^/]+\/(.+@.+)$/.exec(variant.name)?.[1] ?? "", label: rowName(variant) }));
  }
  return [...groups].filter(([, rows]) => rows.length >= 2).map(([key, rows]) => {
    const id = keysOf([key], String)[0];
    const measureNames = [...new Set(rows.flatMap(({ evaluation }) => evaluation.measures.filter((m) => m.grouped !== false).map((m) => m.name)))];
    const measure = select({ id: `leakage-${id}`, label: "Measure ", options: measureNames.map((m) => [m, m]), value: measureNames.find((m) => m.endsWith("_centred")) ?? measureNames[0], onchange: () => made_.update() });
    const sets = [...new Set(rows.map(({ set }) => set))];
    const set = sets.length > 1 ? select({ id: `leakage-${id}-set`, label: "Direction and strength ", options: sets.map((one) => [one, one || "others"]), value: sets[0], onchange: () => made_.update() }) : null;
    const here = () => {
      const own = rows.filter((row) => !set || row.set === set.value());
      return own.map((row, i) => ({ ...row, label: own.findIndex((other) => other.label === row.label) === i ? row.label : `${row.label} (${i + 1})` }));
    };
    const groupsOf = [...new Set(rows.flatMap(({ evaluation }) => evaluation.results.map((row) => row.group).filter((group) => group !== null)))];
    const cells = () => here().flatMap(({ evaluation, at, label }) => groupsOf.map((group) => {
      const row = evaluation.results.find((result) => result.measure === measure.value() && result.group === group);
      const e = row?.differences?.[at]?.estimate ?? [];
      return { y: label, x: name(group), value: e[0] ?? NaN, low: e[1] ?? NaN, high: e[2] ?? NaN };
    }));
    const made_ = figure({
      id: `leakage-matrix-${id}`,
      title: `What steering one value does to all of them (${key})`,
      caption: "Rows: what was steered. Columns: values that were measured. Orange: more than the model as it is; violet: less. A clean intervention moves its own column alone. The intervals stand in the table.",
      command: rows[0].evaluation.command,
      controls: set ? [set, measure] : [measure],
      data: () => cells().map((cell) => ({ intervention: cell.y, value: cell.x, ...columns("difference", [cell.value, cell.low, cell.high]) })),
      draw: (width) => {
        const longest = Math.max(...here().map(({ label }) => label.length));
        const limit = Math.max(1e-6, ...cells().map((cell) => Math.abs(cell.value) || 0));
        return heat({ width, cells: cells(), xs: groupsOf.map(name), ys: here().map(({ label }) => label), limit, of: `difference in ${measure.value()}`, text: true, xLabel: null, yLabel: null, size: 760, marginLeft: longest > 24 ? 210 : 120 });
      },
    });
    return made_.element;
  });
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

function sideBySide(sample, key) {
  const prompt = select({ id: `sample-${key}`, label: "Prompt ", options: sample.prompts.map((p) => [p.id, p.text ? `${p.id}: ${short(p.text.replace(/\s+/g, " "), 70)}` : p.id]), value: sample.prompts[0]?.id, onchange: () => show() });
  const asked = el("div", { class: "asked" });
  const shown = el("div", { class: "answers", id: `answers-${key}`, "aria-live": "polite" });
  const show = () => {
    const at = sample.prompts.find((p) => p.id === prompt.value());
    asked.replaceChildren(...[at?.system && el("p", { class: "note" }, `System prompt: ${at.system}`), at?.text && el("p", { class: "text" }, at.text)].filter(Boolean));
    shown.replaceChildren(...(at?.answers ?? []).map(answered));
  };
  const data = () => sample.prompts.flatMap((p) => p.answers.map((answer) => ({ id: p.id, system: p.system, prompt: p.text, ...answer })));
  const unknown = sample.prompts.every((p) => !p.text);
  const answered = (answer) =>
    el("article", {}, el("h4", {}, answer.intervention === "base" ? "the model as it is" : answer.intervention.split(" + ").map(shortSpec).join(" + ")),
      el("p", { class: "text" }, answer.text || (answer.finish === "too_long" ? "The prompt does not fit the context." : "An empty answer.")),
      answer.finish === "length" && el("p", { class: "note" }, "cut off at the longest length"));
  show();
  return [el("h3", {}, `Answers side by side: ${sample.file}`), controlBar([prompt]), asked, shown,
    unknown && el("p", { class: "note" }, "The file names its prompts by id alone; what they say is shown where the file that was given to `sample --input` lies in the run's samples/, or is given to --include."),
    el("div", { class: "tools" },
      el("button", { type: "button", class: "small", onclick: () => saveCsv(data(), `answers-${key}`), "aria-label": `Answers side by side, ${sample.file}: download CSV` }, "CSV"),
      madeBy(sample.command, sample.command_note)),
    sample.n_prompts > sample.prompts.length && el("p", { class: "note" }, `The first ${sample.prompts.length} of ${sample.n_prompts} prompts.`)];
}

function points(tune, key) {
  const rows = tune.curves.flatMap((curve) => curve.points.map((point) => ({
    intervention: point.intervention ?? `${curve.intervention} at ${point.strength}`, accuracy: estimate(point.accuracy, 1), drop: estimate(point.drop, 1), gain: estimate(point.gain_centred),
  })));
  return disclosure({ key: `tune-${key}` }, `All ${rows.length} strengths that were tried, to be pasted`, table({ id: `tune-table-${key}`, caption: tune.file, rows, csv: () => rows }).element);
}

export function steering(model) {
  const matrices = leakage(model);
  if (model.tunes.length === 0 && model.samples.length === 0 && matrices.length === 0) return null;
  const tuneKeys = keysOf(model.tunes, (tune) => tune.file);
  const sampleKeys = keysOf(model.samples, (sample) => sample.file);
  return section("steering", "Steering", model.tunes.map((tune, i) => [dose(tune, tuneKeys[i]), points(tune, tuneKeys[i])]), matrices, model.samples.map((sample, i) => sideBySide(sample, sampleKeys[i])));
}
