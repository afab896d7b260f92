// Figures and their data as files, made in the page.
import { svg } from "./dom.js";

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function csvCell(value) {
  if (value === null || value === undefined) return "";
  const text = String(value);
  // A spreadsheet would run a text that begins like a formula.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(rows) {
  if (rows.length === 0) return "\n";
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

export function saveCsv(rows, name) {
  save(new Blob([csv(rows)], { type: "text/csv" }), `${name}.csv`);
}

const styled = ["fill", "stroke", "color", "font-size", "font-family", "font-weight", "stroke-width", "stroke-dasharray", "opacity",
  "fill-opacity", "stroke-opacity", "text-anchor", "paint-order", "display"];

/** A copy of the figure that needs no style sheet: title and legend are drawn into it, and colours are those seen now. */
function standalone(original, title, legend) {
  const copy = original.cloneNode(true);
  const from = original.querySelectorAll("*");
  const to = copy.querySelectorAll("*");
  for (let i = 0; i < from.length; ++i) {
    for (const name of ["fill", "stroke", "color"]) {
      if (to[i].getAttribute(name)?.includes("var(")) to[i].removeAttribute(name);
    }
    const style = getComputedStyle(from[i]);
    for (const name of styled) to[i].style.setProperty(name, style.getPropertyValue(name));
  }
  for (const sheet of copy.querySelectorAll("style")) sheet.remove();
  copy.removeAttribute("style");
  const box = original.viewBox.baseVal;
  const head = legend.length > 0 ? 48 : 28;
  const ink = getComputedStyle(original).color;
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--ground").trim();
  const text = { fill: ink, "font-family": "system-ui, sans-serif" };
  const outer = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: box.width, height: box.height + head,
    viewBox: `0 0 ${box.width} ${box.height + head}`, color: ink });
  outer.append(svg("rect", { width: "100%", height: "100%", fill: ground }));
  outer.append(svg("text", { x: 8, y: 18, "font-size": 14, "font-weight": 600, ...text }, title));
  let x = 8;
  const probe = document.createElement("span");
  document.body.append(probe);
  for (const { label, color, dash } of legend) {
    probe.style.color = color;
    const seen = getComputedStyle(probe).color;
    outer.append(svg("line", { x1: x, x2: x + 22, y1: 36, y2: 36, stroke: seen, "stroke-width": 3, "stroke-dasharray": dash ?? "none" }));
    outer.append(svg("text", { x: x + 28, y: 40, "font-size": 12, ...text }, label));
    x += 44 + 7 * label.length;
  }
  probe.remove();
  copy.setAttribute("y", head);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  outer.append(copy);
  return { text: new XMLSerializer().serializeToString(outer), width: box.width, height: box.height + head };
}

export function saveSvg(original, title, legend, name) {
  save(new Blob([standalone(original, title, legend).text], { type: "image/svg+xml" }), `${name}.svg`);
}

export async function savePng(original, title, legend, name) {
  const { text, width, height } = standalone(original, title, legend);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, `${name}.png`), "image/png");
}
