// How the two ways of a value, the values and the layers lie to each other.
import { section } from "../dom.js";
import { columns, defined, estimate, number } from "../format.js";
import { figure } from "../figure.js";
import { choice, select, slider } from "../controls.js";
import { color, dash } from "../palette.js";
import { naming } from "../context.js";
import { heat, layerAxis, layerPanels, plot, Plot } from "../plots.js";

const measures = {
  cosine: { text: "cosine of both ways", domain: [-0.5, 1], reference: 0, series: ["cosine"] },
  sigma_ratio: { text: "σ₂ / σ₁", domain: [0, 1], series: ["sigma_ratio"] },
  stability: { text: "stability of the axes", domain: [0, 1], series: ["stability_shared", "stability_unique"] },
};
const seriesColor = { cosine: "var(--shared)", sigma_ratio: "var(--anti)", stability_shared: "var(--shared)", stability_unique: "var(--intrinsic)" };
const seriesWords = { cosine: "cosine of both ways", sigma_ratio: "σ₂ / σ₁", stability_shared: "shared axis", stability_unique: "unique axis" };
const seriesDash = { stability_unique: "5 3" };

function pairs(model) {
  const name = naming(model);
  const axes = model.axes.axes.filter((value) => !value.problem);
  const measure = choice({ id: "geometry-measure", label: "Measure", options: Object.entries(measures).map(([k, m]) => [k, m.text]), value: "cosine", onchange: () => made_.update() });
  const rows = () => axes.flatMap((value) => measures[measure.value()].series.flatMap((series) => value.layers[series].map((at, layer) => {
    const [v, low, high] = Array.isArray(at) ? at : [at, NaN, NaN];
    return { panel: name(value.value), layer, series, value: v, low: low ?? NaN, high: high ?? NaN };
  })));
  const made_ = figure({
    id: "pair-geometry",
    title: "The two ways of a value, by layer",
    caption: "Cosine of the intrinsic and the prompted vector: 1 means the same direction. σ₂ / σ₁: how much of the pair lies outside the shared axis; 0 means nothing. Stability: mean cosine of the axes of resampled queries with these ones; noise alone reaches 0.5 to 0.8. Bands are intervals over queries; those of cosines lean low.",
    command: model.commands.decompose,
    controls: [measure],
    legend: () => measures[measure.value()].series.map((series) => ({ label: seriesWords[series], color: seriesColor[series], dash: seriesDash[series] })),
    data: () => rows().map((row) => ({ value: row.panel, layer: row.layer, ...columns(row.series, [row.value, row.low, row.high]) })),
    draw: (width) => layerPanels({ width, rows: rows(), panels: axes.map((value) => name(value.value)), label: measures[measure.value()].text, colors: seriesColor, dashes: seriesDash, mark: model.layer, domain: measures[measure.value()].domain, reference: measures[measure.value()].reference }),
  });
  return made_.element;
}

function compliance(model) {
  const kinds = [["explained", "share explained"], ["explained_unit", "share explained, unit deltas"], ["mean_cosine", "mean cosine of two deltas"]];
  const kind = choice({ id: "compliance-kind", label: "Measure", options: kinds, value: "explained", onchange: () => made_.update() });
  const rows = () => model.axes.compliance[kind.value()].map((at, layer) => ({ layer, value: at[0], low: at[1], high: at[2], chance: model.axes.compliance[`${kind.value()}_null`][layer] }));
  const made_ = figure({
    id: "compliance",
    title: "What prompting adds, whatever the value",
    caption: "How much of the differences between prompted and intrinsic vectors, over all values, one common direction explains (the compliance direction). Grey band: random vectors of the same lengths.",
    command: model.commands.decompose,
    controls: [kind],
    legend: [{ label: "measured", color: "var(--prompted)" }, { label: "chance", color: "var(--chance)", mark: "box" }],
    note: () => {
      const at = rows()[model.layer];
      return at && defined(at.value) ? `Layer ${model.layer}: ${estimate([at.value, at.low, at.high])}; chance ${estimate(at.chance)}.` : "";
    },
    data: () => rows().map((row) => ({ layer: row.layer, ...columns(kind.value(), [row.value, row.low, row.high]), ...columns("chance", row.chance) })),
    draw: (width) => {
      const drawn = rows().filter((row) => defined(row.value));
      if (drawn.length === 0) return null;
      return plot({
        width: Math.min(width, 860), height: 290, marginLeft: 44, marginBottom: 42,
        x: layerAxis(model.axes.n_layer - 1), y: { label: kinds.find(([k]) => k === kind.value())[1], domain: [Math.min(0, ...drawn.map((row) => row.low ?? 0)), 1], grid: true },
        marks: [
          Plot.areaY(drawn.filter((row) => defined(row.chance[1])), { x: "layer", y1: (row) => row.chance[1], y2: (row) => row.chance[2], fill: "var(--chance)", fillOpacity: 0.5 }),
          Plot.areaY(drawn.filter((row) => defined(row.low)), { x: "layer", y1: "low", y2: "high", fill: color.prompted, fillOpacity: 0.2 }),
          Plot.lineY(drawn, { x: "layer", y: "value", stroke: color.prompted, strokeWidth: 2 }),
          Plot.tip(drawn, Plot.pointerX({ x: "layer", y: "value", fill: "var(--ground)", stroke: "var(--line)", title: (row) => `layer ${row.layer}\n${number(row.value)} [${number(row.low)}, ${number(row.high)}]` })),
        ],
      });
    },
  });
  return made_.element;
}

function valueHeat(model) {
  const name = naming(model);
  const { geometry } = model;
  const layer = slider({ id: "heat-layer", label: "Layer", min: 0, max: geometry.n_layer - 1, value: model.layer, onchange: () => made_.update() });
  const kind = choice({ id: "heat-kind", label: "Vectors", value: "intrinsic", onchange: () => made_.update(),
    options: [["intrinsic", "intrinsic"], ["prompted", "prompted"], ["cross", "intrinsic (rows) × prompted (columns)"]] });
  const cells = () => {
    const matrix = kind.value() === "cross" ? geometry.cross_cosine[layer.value()] : geometry.value_cosine[kind.value()][layer.value()];
    return geometry.values.flatMap((row, i) => geometry.values.map((column, j) => ({ y: name(row), x: name(column), value: matrix[i][j] ?? NaN })));
  };
  const made_ = figure({
    id: "value-cosines",
    title: "Cosines between values",
    caption: "Orange: alike; violet: opposed; pale: unrelated; grey: undefined. Across the diagonal of intrinsic × prompted stand the two ways of one value.",
    command: model.commands.decompose,
    controls: [layer, kind],
    data: () => cells().map((cell) => ({ layer: layer.value(), kind: kind.value(), row: cell.y, column: cell.x, cosine: cell.value })),
    draw: (width) => heat({ width, cells: cells(), xs: geometry.values.map(name), ys: geometry.values.map(name), limit: 1, of: "cosine", text: true, xLabel: null, yLabel: null, size: 640 }),
  });
  return made_.element;
}

function layerHeat(model) {
  const name = naming(model);
  const { geometry } = model;
  const value = select({ id: "layers-value", label: "Value ", options: geometry.values.map((id) => [id, name(id)]), value: geometry.values[0], onchange: () => made_.update() });
  const kind = choice({ id: "layers-kind", label: "Vector", options: [["intrinsic", "intrinsic"], ["prompted", "prompted"]], value: "intrinsic", onchange: () => made_.update() });
  const all = [...Array(geometry.n_layer).keys()];
  const cells = () => {
    const matrix = geometry.layer_cosine[value.value()]?.[kind.value()];
    return matrix ? all.flatMap((i) => all.map((j) => ({ y: i, x: j, value: matrix[i][j] ?? NaN }))) : [];
  };
  const made_ = figure({
    id: "layer-cosines",
    title: "Cosines between layers",
    caption: "How far the vector of one layer is that of another: blocks of orange are ranges of layers that hold one direction.",
    command: model.commands.decompose,
    controls: [value, kind],
    data: () => cells().map((cell) => ({ value: value.value(), condition: kind.value(), layer: cell.y, other_layer: cell.x, cosine: cell.value })),
    draw: (width) => (cells().length === 0 ? null : heat({ width, cells: cells(), xs: all, ys: all, limit: 1, of: "cosine", xLabel: "layer", yLabel: "layer", marginLeft: 40, marginBottom: 36, size: 520 })),
  });
  return made_.element;
}

export function geometry(model) {
  if (!model.axes && !model.geometry) return null;
  return section("geometry", "Geometry", model.axes && pairs(model), model.axes && compliance(model),
    model.geometry && valueHeat(model), model.geometry && layerHeat(model));
}
