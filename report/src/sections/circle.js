// The values' axes beside the theoretical circle.
import { section } from "../dom.js";
import { columns, defined, estimate, number } from "../format.js";
import { figure } from "../figure.js";
import { choice, slider } from "../controls.js";
import { color } from "../palette.js";
import { naming } from "../context.js";
import { placeLabels, sizeOf } from "../labels.js";
import { layerAxis, plot, Plot } from "../plots.js";

const kinds = [["shared", "shared axes"], ["intrinsic", "unique to the model's own way"], ["prompted", "unique to the prompted way"]];

function fitSentence(fit, where) {
  if (!fit || !defined(fit.r_squared)) return `${where}: no circle is defined here.`;
  return `${where}: R² ${number(fit.r_squared)} (1 would be the circle itself), p ${number(fit.p, 3)} by permutation; random directions reach ${estimate(fit.null)}.`;
}

function plane(model, circleOf) {
  const name = naming(model);
  const angles = new Map(model.concept_set.values.map((value) => [value.id, value.angle]));
  const layer = slider({ id: "circle-layer", label: "Layer", min: 0, max: model.axes.n_layer - 1, value: model.layer, onchange: () => made_.update() });
  const kind = choice({ id: "circle-kind", label: "Axes", options: kinds, value: "shared", onchange: () => made_.update() });
  const points = () => {
    const circle = circleOf(kind.value());
    const at = circle?.layers[layer.value()];
    if (!at || at.plane.length === 0) return [];
    return circle.used.map((id, i) => {
      const radians = ((angles.get(id) ?? 0) * Math.PI) / 180;
      return { value: name(id), x: at.plane[i][0], y: at.plane[i][1], stated_x: Math.cos(radians), stated_y: Math.sin(radians) };
    });
  };
  const draw = (width) => {
    const here = points();
    if (here.length === 0) return null;
    const narrow = width < 520;
    const fontSize = narrow ? 10 : 12;
    // As large as the names beside the circle and the points leave room for.
    const [half, margin] = [Math.min(width, 680) / 2, 30];
    const reach = Math.max(1, ...here.map((p) => Math.abs(p.y)));
    const unit = Math.min((270 - margin) / reach, ...here.map((p) => (half - 12) / Math.abs(p.x)),
      ...here.map((p) => (half - 12 - sizeOf(p.value, fontSize).w) / Math.max(0.2, Math.abs(p.stated_x))));
    const frame = { width: 2 * half, height: 2 * (unit * reach + margin) };
    // From here on in pixels, y downwards.
    const at = (x, y) => ({ x: frame.width / 2 + unit * x, y: frame.height / 2 - unit * y });
    const stated = here.map((p) => at(p.stated_x, p.stated_y));
    const measured = here.map((p) => at(p.x, p.y));
    const outward = (place) => Math.atan2(place.y - frame.height / 2, place.x - frame.width / 2);
    const label = (weight, more) => (place, i) => ({ ...place, ...sizeOf(here[i].value, fontSize, weight), toward: outward(place), ...more });
    const near = [-0.5, -0.25, 0, 0.25, 0.5];
    const boxes = placeLabels(
      [...stated.map(label(400, { distances: [7, 14, 22], turns: near })), ...measured.map(label(600, { distances: [9, 18, 28, 40] }))],
      [...stated.map((place) => ({ ...place, w: 9, h: 9 })), ...measured.map((place) => ({ ...place, w: 13, h: 13 }))], frame);
    const names = here.map((p, i) => ({ name: p.value, ...boxes[i] }));
    const ownNames = here.map((p, i) => ({ name: p.value, point: measured[i], ...boxes[here.length + i] }));
    const ring = [...Array(73).keys()].map((i) => at(Math.cos((i * Math.PI) / 36), Math.sin((i * Math.PI) / 36)));
    return plot({
      ...frame, margin: 0,
      x: { type: "identity", axis: null }, y: { type: "identity", axis: null },
      marks: [
        Plot.line(ring, { x: "x", y: "y", stroke: "var(--line)" }),
        Plot.link(here.keys(), { x1: (i) => stated[i].x, y1: (i) => stated[i].y, x2: (i) => measured[i].x, y2: (i) => measured[i].y, stroke: "var(--quiet)", strokeDasharray: "2 3" }),
        // A name that had to move away is tied to its point.
        Plot.link(ownNames.filter((one) => one.distance > 18), { x1: (one) => one.point.x, y1: (one) => one.point.y, x2: "x", y2: "y", stroke: color[kind.value()], strokeWidth: 0.8 }),
        Plot.dot(stated, { x: "x", y: "y", stroke: "var(--quiet)", fill: "var(--ground)", r: 4 }),
        Plot.dot(measured, { x: "x", y: "y", fill: color[kind.value()], r: 5.5, symbol: "square" }),
        Plot.text(names, { x: "x", y: "y", text: "name", fill: "var(--quiet)", fontSize, stroke: "var(--ground)", strokeWidth: 3, className: "theory-name" }),
        Plot.text(ownNames, { x: "x", y: "y", text: "name", fontSize, fontWeight: 600, fill: "var(--ink)", stroke: "var(--ground)", strokeWidth: 3, className: "measured-name" }),
      ],
    });
  };
  const made_ = figure({
    id: "circle-plane",
    title: "The values in the plane beside the theoretical circle",
    caption: "Squares: the two first principal components of the values' axes, turned and scaled onto the circle. Rings: where theory puts them; dotted lines join the two. Ten points can always be turned onto a circle to some degree: compare R² with what random directions reach.",
    command: model.commands.decompose,
    controls: [layer, kind],
    legend: () => [{ label: "measured (bold)", color: color[kind.value()], mark: "box" }, { label: "theory", color: "var(--quiet)", mark: "ring" }],
    note: () => fitSentence(circleOf(kind.value())?.layers[layer.value()]?.even, `Layer ${layer.value()}, ${kinds.find(([k]) => k === kind.value())[1]}`),
    data: () => points().map((p) => ({ kind: kind.value(), layer: layer.value(), ...p })),
    draw,
  });
  return made_.element;
}

function byLayer(model, circleOf) {
  const kind = choice({ id: "circle-fit-kind", label: "Axes", options: kinds, value: "shared", onchange: () => made_.update() });
  const rows = () => (circleOf(kind.value())?.layers ?? []).map((at, layer) => ({ layer, r: at.even.r_squared, p: at.even.p, mean: at.even.null[0], low: at.even.null[1], high: at.even.null[2], wedges: at.wedges.r_squared, wedges_p: at.wedges.p }));
  const made_ = figure({
    id: "circle-fit",
    title: "Fit to the circle by layer",
    caption: "Line: R² of the ten even angles; filled points where p < 0.05. Grey band: what 95 % of sets of random directions reach through the same analysis.",
    command: model.commands.decompose,
    controls: [kind],
    legend: () => [{ label: "R²", color: color[kind.value()] }, { label: "random directions", color: "var(--chance)", mark: "box" }],
    note: () => fitSentence(circleOf(kind.value())?.range?.even, "Axes averaged over the layer range (the number to quote)"),
    data: () => rows().map((row) => ({ kind: kind.value(), layer: row.layer, r_squared: row.r, p: row.p, ...columns("null", [row.mean, row.low, row.high]), r_squared_wedges: row.wedges, p_wedges: row.wedges_p })),
    draw: (width) => {
      const drawn = rows().filter((row) => defined(row.r));
      if (drawn.length === 0) return null;
      return plot({
        width: Math.min(width, 860), height: 290, marginLeft: 44, marginBottom: 42,
        x: layerAxis(model.axes.n_layer - 1), y: { label: "R²", domain: [0, 1], grid: true },
        marks: [
          Plot.areaY(drawn.filter((row) => defined(row.low)), { x: "layer", y1: "low", y2: "high", fill: "var(--chance)", fillOpacity: 0.35 }),
          Plot.lineY(drawn.filter((row) => defined(row.mean)), { x: "layer", y: "mean", stroke: "var(--quiet)", strokeDasharray: "2 3" }),
          Plot.lineY(drawn, { x: "layer", y: "r", stroke: color[kind.value()], strokeWidth: 2 }),
          Plot.dot(drawn, { x: "layer", y: "r", r: 4, stroke: color[kind.value()], fill: (row) => (row.p < 0.05 ? color[kind.value()] : "var(--ground)"), symbol: "square" }),
          Plot.tip(drawn, Plot.pointerX({ x: "layer", y: "r", fill: "var(--ground)", stroke: "var(--line)", title: (row) => `layer ${row.layer}\nR² ${row.r.toFixed(2)}, p ${number(row.p, 3)}` })),
        ],
      });
    },
  });
  return made_.element;
}

export function circle(model) {
  const circles = model.axes?.circles ?? [];
  if (circles.length === 0) return null;
  const circleOf = (kind) => circles.find((one) => one.kind === kind);
  return section("circle", "Value circle", plane(model, circleOf), byLayer(model, circleOf));
}
