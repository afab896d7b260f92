// How well the vectors tell responses apart.
import { section } from "../dom.js";
import { columns } from "../format.js";
import { figure } from "../figure.js";
import { choice, slider } from "../controls.js";
import { color, conditions, dash, symbol } from "../palette.js";
import { layers, naming, values } from "../context.js";
import { forest, layerPanels } from "../plots.js";

/** Whether the held-out AUROC rests on too few responses of a class to tell anything. */
const few = (model, vector) => Math.min(vector.held_out_expressing, vector.held_out_not_expressing) < model.vectors.few_held_out;

const key = (condition) => ({ label: condition, color: color[condition], dash: dash[condition] });

function rowsOf(model, measure) {
  const name = naming(model);
  return model.vectors.vectors.flatMap((vector) =>
    vector[measure].map((at, layer) => {
      const [value, low, high] = Array.isArray(at) ? at : [at, NaN, NaN];
      return { panel: name(vector.value), layer, series: vector.condition, value, low: low ?? NaN, high: high ?? NaN, few: few(model, vector) };
    }),
  );
}

function byLayer(model) {
  const name = naming(model);
  const measures = {
    auroc: { label: "held-out AUROC", domain: [0, 1], reference: 0.5 },
    split_half_cosine: { label: "split-half cosine", domain: [-0.2, 1], reference: 0 },
  };
  const measure = choice({
    id: "vectors-measure", label: "Measure", value: "auroc", onchange: () => made_.update(),
    options: [["auroc", "AUROC on held-out queries"], ["split_half_cosine", "Cosine of two halves"]],
  });
  const made_ = figure({
    id: "separation-by-layer",
    title: "Separation by layer",
    caption: "AUROC: the chance that a response that expresses the value projects further along the vector than one that does not, on queries kept out of the fit; 0.5 is chance. " +
      "Cosine of two halves: how alike the vectors of two random halves of the queries are; near 0 the vector is noise. Bands are intervals over queries.",
    command: model.commands.vectors,
    controls: [measure],
    legend: conditions.map(key),
    data: () => rowsOf(model, measure.value()).map((row) => ({ value: row.panel, condition: row.series, layer: row.layer, ...columns(measure.value(), [row.value, row.low, row.high]) })),
    draw: (width) => layerPanels({ width, rows: rowsOf(model, measure.value()), panels: values(model).map(name), colors: color, dashes: dash, mark: model.layer, ...measures[measure.value()] }),
  });
  return made_.element;
}

function atLayer(model) {
  const name = naming(model);
  const layer = slider({ id: "vectors-layer", label: "Layer", min: 0, max: layers(model) - 1, value: model.layer, onchange: () => made_.update() });
  const rows = () => rowsOf(model, "auroc").filter((row) => row.layer === layer.value()).map((row) => ({ ...row, name: row.panel }));
  const made_ = figure({
    id: "separation",
    title: "Separation at one layer",
    caption: "Held-out AUROC of each vector with its interval. Where a bar crosses the dotted line at 0.5, chance has not been ruled out.",
    command: model.commands.vectors,
    controls: [layer],
    legend: conditions.map((condition) => ({ label: condition, color: color[condition], symbol: symbol[condition] })),
    note: () => {
      const measured = rows().filter((row) => Number.isFinite(row.low));
      const counted = measured.filter((row) => !row.few);
      const left = measured.length - counted.length;
      return `Layer ${layer.value()}: ${counted.filter((row) => row.low > 0.5).length} of ${counted.length} intervals lie above chance` +
        (left > 0 ? `; ${left} more ${left === 1 ? "rests" : "rest"} on fewer than ${model.vectors.few_held_out} held-out responses of a class and ${left === 1 ? "does" : "do"} not count.` : ".");
    },
    data: () => rows().map((row) => ({ value: row.panel, condition: row.series, layer: row.layer, ...columns("auroc", [row.value, row.low, row.high]) })),
    draw: (width) => forest({ width: Math.min(width, 860), rows: [...rows(), ...values(model).map((id) => ({ name: name(id), series: "intrinsic" }))], label: "held-out AUROC", domain: [0, 1], reference: 0.5, colors: color, symbols: symbol }),
  });
  return made_.element;
}

export function vectors(model) {
  if (!model.vectors) return null;
  return section("vectors", "Value vectors", atLayer(model), byLayer(model));
}
