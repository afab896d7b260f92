// The frame of every figure: title, controls, legend, the drawing, a sentence on how to read it, downloads, the data as a
// table and the command that made it.
import { el } from "./dom.js";
import { saveCsv, savePng, saveSvg } from "./download.js";
import { table } from "./table.js";

const narrowest = 120; // below it, as while a page is laid out, margins leave no room for marks

const resizing = new ResizeObserver((entries) => {
  for (const entry of entries) entry.target.redraw?.(entry.contentRect.width);
});

function legendItems(legend) {
  return legend.map(({ label, color, dash, mark }) => {
    const key = el("span", { class: `key ${mark ?? "line"}`, "aria-hidden": true });
    key.style.setProperty("--key", color);
    if (dash && dash !== "none") key.classList.add("dashed");
    return el("span", { class: "legend-item" }, key, label);
  });
}

/**
 * draw(width) gives an <svg> (or null: nothing to draw), data() the rows behind it, note() may give a sentence that changes
 * with the controls. Returns {element, update}: update() draws anew after a control was moved.
 */
export function figure({ id, title, caption, controls = [], legend = [], draw, data, note, command }) {
  const plot = el("div", { class: "plot" });
  const said = el("p", { class: "readout", "aria-live": "polite" });
  const behind = el("details", { class: "data" }, el("summary", {}, "Data as a table"));
  let width = 0;
  const drawing = () => plot.querySelector("svg");
  const update = () => {
    if (note) said.textContent = note();
    if (width >= narrowest) {
      const made = draw(width);
      plot.replaceChildren(made ?? el("p", { class: "note" }, "There is nothing to draw here."));
      if (made) {
        made.setAttribute("role", "img");
        made.setAttribute("aria-label", `${title}. ${note ? note() : caption} The data stand in the table below.`);
      }
    }
    if (behind.open) fill();
  };
  const fill = () => {
    behind.querySelector(".table")?.remove();
    behind.append(table({ caption: title, rows: data(), pageSize: 50 }).element);
  };
  behind.addEventListener("toggle", () => behind.open && fill());
  plot.redraw = (now) => {
    if (Math.abs(now - width) >= 1) {
      width = now;
      update();
    }
  };
  resizing.observe(plot);
  const button = (label, act) => el("button", { type: "button", class: "small", onclick: act, "aria-label": `${title}: download ${label}` }, label);
  const element = el(
    "figure",
    { id, class: "figure" },
    el("h3", {}, title),
    controls.length > 0 && el("div", { class: "controls" }, controls.map((control) => control.element)),
    legend.length > 0 && el("div", { class: "legend" }, legendItems(legend)),
    plot,
    note && said,
    el("figcaption", {}, caption),
    el(
      "div",
      { class: "tools" },
      button("SVG", () => drawing() && saveSvg(drawing(), title, legend, id)),
      button("PNG", () => drawing() && savePng(drawing(), title, legend, id)),
      button("CSV", () => saveCsv(data(), id)),
      command && el("span", { class: "made" }, "made by ", el("code", {}, command)),
    ),
    behind,
  );
  if (note) said.textContent = note();
  return { element, update };
}
