// Drawings that several sections share, on Observable Plot.
import * as Plot from "@observablehq/plot";
import { svg } from "./dom.js";

const style = { background: "transparent", color: "var(--ink)", fontSize: "12px", fontFamily: "system-ui, sans-serif", overflow: "visible" };

/** Without Plot's own legends and captions, so that the result is one <svg>. */
export function plot(options) {
  return Plot.plot({ style, ...options, marks: options.marks.filter(Boolean) });
}

/** An axis of layers 0 to last with about so many whole numbers. */
export function layerAxis(last, about = 8) {
  const step = [1, 2, 4, 5, 10, 20, 50].find((one) => last / one <= about) ?? 100;
  return { label: "layer", labelAnchor: "center", labelArrow: "none", labelOffset: 34, domain: [0, last], ticks: [...Array(Math.floor(last / step) + 1).keys()].map((i) => i * step), tickFormat: "d" };
}

/** Several drawings as one, side by side or below each other. */
export function beside(drawings, gap = 12, vertical = false) {
  const sizes = drawings.map((one) => [Number(one.getAttribute("width")), Number(one.getAttribute("height"))]);
  const sum = (i) => sizes.reduce((all, size) => all + size[i] + gap, -gap);
  const most = (i) => Math.max(...sizes.map((size) => size[i]));
  const [width, height] = vertical ? [most(0), sum(1)] : [sum(0), most(1)];
  const outer = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  let at = 0;
  drawings.forEach((one, i) => {
    one.setAttribute(vertical ? "y" : "x", at);
    at += sizes[i][vertical ? 1 : 0] + gap;
    outer.append(one);
  });
  return outer;
}

export function facetColumns(width, n) {
  return Math.min(n, width < 420 ? 2 : width < 720 ? 3 : 5);
}

/**
 * Small multiples over layers, one for each panel: rows {panel, layer, series, value, low, high}. Bands are intervals.
 * reference: a horizontal line (chance, zero).
 */
export function layerPanels({ width, rows, panels, label, domain, reference, colors, dashes, band = true, mark }) {
  const columns = facetColumns(width, panels.length);
  const at = new Map(panels.map((panel, i) => [panel, i]));
  const fx = (row) => at.get(row.panel) % columns;
  const fy = (row) => Math.floor(at.get(row.panel) / columns);
  const lines = Math.ceil(panels.length / columns);
  const drawn = rows.filter((row) => row.value !== null && row.value !== undefined);
  const series = [...new Set(rows.map((row) => row.series))];
  return plot({
    width,
    height: 40 + lines * (width < 420 ? 130 : 150),
    marginLeft: 52,
    marginTop: 24,
    marginBottom: 42,
    fx: { axis: null, domain: [...Array(columns).keys()], padding: 0.08 },
    fy: { axis: null, domain: [...Array(lines).keys()], padding: 0.2 },
    x: layerAxis(Math.max(...rows.map((row) => row.layer)), 3),
    y: { label, labelAnchor: "center", labelArrow: "none", domain, clamp: true, ticks: 4, grid: true },
    marks: [
      reference !== undefined && Plot.ruleY([reference], { stroke: "var(--quiet)", strokeDasharray: "2 3" }),
      mark !== undefined && Plot.ruleX([mark], { stroke: "var(--line)" }),
      band && Plot.areaY(drawn.filter((row) => Number.isFinite(row.low)), { fx, fy, x: "layer", y1: "low", y2: "high", z: "series", fill: (row) => colors[row.series], fillOpacity: 0.18 }),
      ...series.map((name) =>
        Plot.lineY(drawn.filter((row) => row.series === name), { fx, fy, x: "layer", y: "value", stroke: colors[name], strokeWidth: 1.8, strokeDasharray: dashes?.[name] ?? "none" }),
      ),
      Plot.text(panels, { fx: (panel) => at.get(panel) % columns, fy: (panel) => Math.floor(at.get(panel) / columns), text: (panel) => panel, frameAnchor: "top-left", dy: -14, fontWeight: 600, fill: "var(--ink)" }),
      Plot.tip(drawn, Plot.pointerX({ fx, fy, x: "layer", y: "value", fill: "var(--ground)", stroke: "var(--line)", textPadding: 6,
        title: (row) => `${row.panel}, layer ${row.layer}\n${row.series}: ${row.value.toFixed(2)}${Number.isFinite(row.low) ? ` [${row.low.toFixed(2)}, ${row.high.toFixed(2)}]` : ""}` })),
    ],
  });
}

/** Estimates with intervals, one line for each row {name, series, value, low, high}. */
export function forest({ width, rows, label, reference, domain, colors, symbols, height, marginLeft = 120 }) {
  const drawn = rows.filter((row) => Number.isFinite(row.value));
  const series = [...new Set(rows.map((row) => row.series))];
  const offset = (row) => (series.indexOf(row.series) - (series.length - 1) / 2) * 8;
  return plot({
    width,
    height: height ?? 50 + [...new Set(rows.map((row) => row.name))].length * Math.max(20, 9 * series.length + 6),
    marginLeft: Math.min(marginLeft, width / 3),
    marginBottom: 36,
    x: { label, domain, grid: true, nice: !domain },
    y: { label: null, type: "band", domain: [...new Set(rows.map((row) => row.name))] },
    marks: [
      reference !== undefined && Plot.ruleX([reference], { stroke: "var(--quiet)", strokeDasharray: "2 3" }),
      ...series.flatMap((name) => {
        const own = drawn.filter((row) => row.series === name);
        const dy = own.length > 0 ? offset(own[0]) : 0;
        return [
          Plot.ruleY(own.filter((row) => Number.isFinite(row.low)), { y: "name", x1: "low", x2: "high", stroke: colors[name], strokeWidth: 2.2, dy, insetTop: 0 }),
          Plot.dot(own, { y: "name", x: "value", fill: colors[name], r: 4.2, symbol: symbols?.[name] ?? "circle", dy }),
        ];
      }),
      Plot.tip(drawn, Plot.pointer({ y: "name", x: "value", fill: "var(--ground)", stroke: "var(--line)",
        title: (row) => `${row.name}, ${row.series}\n${row.value.toFixed(3)}${Number.isFinite(row.low) ? ` [${row.low.toFixed(3)}, ${row.high.toFixed(3)}]` : ""}` })),
    ],
  });
}

const diverging = (limit) => ({ type: "diverging", scheme: "PuOr", domain: [-limit, limit], pivot: 0, unknown: "var(--panel)" });

/** Black or white, whichever is told better from the colour "rgb(r, g, b)" or "#rrggbb" below it. */
function inkOn(color) {
  const parts = color.startsWith("#") ? [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)) : color.match(/\d+/g).slice(0, 3).map(Number);
  const [r, g, b] = parts.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** What the colours of a heat map mean, as a strip with numbers. */
function colorBar(width, limit, label) {
  const n = 80;
  const steps = [...Array(n).keys()].map((i) => [limit * ((2 * i) / n - 1), limit * ((2 * (i + 1)) / n - 1)]);
  return plot({
    width: Math.min(width, 320), height: 50, marginLeft: 20, marginRight: 20, marginTop: 18, marginBottom: 20, className: "color-bar",
    x: { domain: [-limit, limit], ticks: [-1, -0.5, 0, 0.5, 1].map((part) => part * limit), tickSize: 3, label: null, tickFormat: (at) => String(Number(at.toPrecision(2))).replace("-", "−") },
    y: { axis: null, domain: [0, 1] },
    color: diverging(limit),
    marks: [
      Plot.rect(steps, { x1: (step) => step[0], x2: (step) => step[1] + limit / n / 4, y1: 0, y2: 1, fill: (step) => (step[0] + step[1]) / 2 }),
      Plot.text([label], { frameAnchor: "top-left", dy: -14, fill: "var(--ink)", text: (text) => text }),
    ],
  });
}

/**
 * A square of cells {x, y, value} under its colour bar: from violet (-limit) over grey to orange (limit). of: what the
 * numbers are.
 */
export function heat({ width, cells, xs, ys, limit, of, xLabel, yLabel, text, marginLeft = 110, marginBottom = 96, size }) {
  const wide = width >= 520;
  const side = Math.min(width, size ?? 560);
  const left = wide ? marginLeft : Math.min(marginLeft, 100);
  const scale = Plot.scale({ color: diverging(limit) });
  const few = (all) => (all.length > 20 ? all.filter((_, i) => i % 5 === 0) : all);
  const map = plot({
    width: side,
    height: (side - left - 20) * (ys.length / xs.length) * (wide || ys.length > 20 ? 1 : 1.1) + marginBottom + 10,
    marginLeft: left,
    marginBottom,
    marginTop: 10,
    x: { domain: xs, label: xLabel, labelArrow: "none", tickRotate: marginBottom > 60 ? -50 : 0, ticks: few(xs) },
    y: { domain: ys, label: yLabel, labelArrow: "none", axis: null },
    color: diverging(limit),
    marks: [
      Plot.axisY({ ticks: few(ys), label: yLabel, labelArrow: "none", tickSize: 4, lineWidth: (left - 6) / 12, textOverflow: "ellipsis-end" }),
      Plot.cell(cells, { x: "x", y: "y", fill: "value", inset: xs.length > 20 ? 0 : 0.5 }),
      text && wide && Plot.text(cells.filter((cell) => Number.isFinite(cell.value)), { x: "x", y: "y", text: (cell) => cell.value.toFixed(2).replace("-", "−"), fontSize: 10,
        fill: (cell) => inkOn(scale.apply(cell.value)) }),
      Plot.tip(cells.filter((cell) => Number.isFinite(cell.value)), Plot.pointer({ x: "x", y: "y", fill: "var(--ground)", stroke: "var(--line)",
        title: (cell) => `${cell.y} × ${cell.x}\n${cell.value.toFixed(3)}` })),
    ],
  });
  return beside([colorBar(side, limit, of), map], 4, true);
}

export { Plot };
