// The frame of every figure: title, controls, legend, the drawing, a sentence on how to read it, downloads, the data as a
// table and the command that made it.
import { disclosure, el, madeBy, svg } from "./dom.js";
import { controlBar, settingsOf } from "./controls.js";
import { saveCsv, savePng, saveSvg } from "./download.js";
import { shape } from "./symbols.js";
import { table } from "./table.js";

const narrowest = 120; // below it, as while a page is laid out, margins leave no room for marks
let lastWidth = 0; // of the figures of this page; those of a redrawn page begin with it

const resizing = new ResizeObserver((entries) => {
  for (const entry of entries) {
    if (entry.target.isConnected) entry.target.redraw?.(entry.contentRect.width);
    else resizing.unobserve(entry.target); // of a page that was drawn anew
  }
});

/** mark: "box", "ring" or else a line; symbol: the shape of the points that the drawing has. */
function legendItems(legend) {
  return legend.map(({ label, color, dash, mark, symbol }) => {
    if (symbol) return el("span", { class: "legend-item" }, svg("svg", { class: "symbol", width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, shape(symbol, 8, 8, 5, color)), label);
    const key = el("span", { class: `key ${mark ?? "line"}`, "aria-hidden": true });
    key.style.setProperty("--key", color);
    if (dash && dash !== "none") key.classList.add("dashed");
    return el("span", { class: "legend-item" }, key, label);
  });
}

/** The model and the tool, for pictures that leave the page. */
let source = "";
export const setSource = (model) => (source = `${model.model.name || "a model"}, valuelens ${model.tool_version}`);

function failure(error) {
  console.error(error);
  return el("p", { class: "note failure" }, `This cannot be shown: ${error.message}. The other figures are not affected.`);
}

function tried(make) {
  try {
    return make();
  } catch (error) {
    return failure(error);
  }
}

/**
 * draw(width) gives an <svg> (or null: nothing to draw), data() the rows behind it, note() may give a sentence that changes
 * with the controls. Returns {element, update}: update() draws anew after a control was moved.
 */
export function figure({ id, title, caption, controls = [], legend = [], draw, data, note, command, commandNote }) {
  const plot = el("div", { class: "plot" });
  const said = el("p", { class: "readout", "aria-live": "polite" });
  const behind = disclosure({ key: `${id}-data`, class: "data" }, "Data as a table");
  let width = 0;
  const drawing = () => plot.querySelector("svg");
  const legendNow = () => (typeof legend === "function" ? legend() : legend);
  const keys = el("div", { class: "legend" });
  const show = () => {
    if (note) said.textContent = note();
    keys.replaceChildren(...legendItems(legendNow()));
    keys.hidden = legendNow().length === 0;
    if (width >= narrowest) {
      const made = draw(width);
      plot.replaceChildren(made ?? el("p", { class: "note" }, "There is nothing to draw here."));
      if (made) {
        made.setAttribute("role", "img");
        made.setAttribute("aria-label", [`${title}.`, settingsOf(controls) && `${settingsOf(controls)}.`, note ? note() : caption, "The data stand in the table below."].filter(Boolean).join(" "));
      }
    }
  };
  const fill = () => {
    behind.querySelector(".table, .failure")?.remove();
    behind.append(tried(() => table({ id: `${id}-table`, caption: title, rows: data(), pageSize: 50 }).element));
  };
  // All figures are first drawn in one callback of the observer: one that fails must not take the others with it.
  const update = () => {
    try {
      show();
    } catch (error) {
      plot.replaceChildren(failure(error));
    }
    if (behind.open) fill();
  };
  behind.addEventListener("toggle", () => behind.open && !behind.querySelector(".table, .failure") && fill());
  plot.redraw = (now) => {
    if (Math.abs(now - width) >= 1) {
      width = lastWidth = now;
      update();
    }
  };
  resizing.observe(plot);
  const picture = (save) => drawing() && save(drawing(), { title, settings: settingsOf(controls), note: note?.() ?? "", legend: legendNow(), source }, id);
  const button = (label, act) => el("button", { type: "button", class: "small", onclick: act, "aria-label": `${title}: download ${label}` }, label);
  const element = el(
    "figure",
    { id, class: "figure" },
    el("h3", {}, title),
    controlBar(controls),
    keys,
    plot,
    note && said,
    el("figcaption", {}, caption),
    el(
      "div",
      { class: "tools" },
      button("SVG", () => picture(saveSvg)),
      button("PNG", () => picture(savePng)),
      button("CSV", () => saveCsv(data(), id)),
      command && madeBy(command, commandNote),
    ),
    behind,
  );
  width = lastWidth;
  update();
  return { element, update };
}
