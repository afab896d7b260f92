// Figures and their data as files, made in the page.
import { svg } from "./dom.js";
import { shape } from "./symbols.js";

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

const pen = document.createElement("canvas").getContext("2d");

function widthOf(text, size, weight = 400) {
  pen.font = `${weight} ${size}px system-ui, sans-serif`;
  return pen.measureText(text).width;
}

/** A text in lines that fit. */
function wrapped(text, width, size, weight) {
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && widthOf(longer, size, weight) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Colours of the style sheet as they are seen now. */
function colorsSeen(colors) {
  const probe = document.createElement("span");
  document.body.append(probe);
  const seen = colors.map((color) => {
    probe.style.color = color;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return seen;
}

/**
 * A copy of the figure that needs no style sheet and no page around it: what it shows, what its controls were set to, its
 * legend and where it comes from are drawn into it. about: {title, settings, note, legend, source}
 */
function standalone(original, about) {
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
  const width = Math.max(320, box.width);
  const ink = getComputedStyle(original).color;
  const [ground, quiet] = colorsSeen(["var(--ground)", "var(--quiet)"]);
  const outer = svg("svg", { xmlns: "http://www.w3.org/2000/svg", color: ink });
  outer.append(svg("rect", { width: "100%", height: "100%", fill: ground }));
  let y = 6;
  const write = (text, size, fill, weight = 400) => {
    for (const line of wrapped(text, width - 16, size, weight)) {
      y += Math.round(1.3 * size);
      outer.append(svg("text", { x: 8, y, "font-size": size, "font-weight": weight, fill, "font-family": "system-ui, sans-serif" }, line));
    }
  };
  write(about.title, 14, ink, 600);
  write(about.settings, 12, ink);
  const seen = colorsSeen(about.legend.map(({ color }) => color));
  let x = width; // the first one begins a line
  about.legend.forEach(({ label, dash, mark, symbol }, i) => {
    const room = 44 + widthOf(label, 12);
    if (x + room > width) {
      x = 8;
      y += 18;
    }
    outer.append(
      symbol ? shape(symbol, x + 14, y - 4, 5, seen[i])
      : mark === "box" ? svg("rect", { x: x + 8, y: y - 10, width: 12, height: 12, fill: seen[i] })
      : mark === "ring" ? svg("circle", { cx: x + 14, cy: y - 4, r: 5, fill: "none", stroke: seen[i], "stroke-width": 1.5 })
      : svg("line", { x1: x, x2: x + 22, y1: y - 4, y2: y - 4, stroke: seen[i], "stroke-width": 3, "stroke-dasharray": dash ?? "none" }));
    outer.append(svg("text", { x: x + 28, y, "font-size": 12, fill: ink, "font-family": "system-ui, sans-serif" }, label));
    x += room;
  });
  y += 8;
  copy.setAttribute("y", y);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  outer.append(copy);
  y += box.height;
  write(about.note, 12, ink);
  write(about.source, 11, quiet);
  const height = y + 10;
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) outer.setAttribute(name, value);
  return { text: new XMLSerializer().serializeToString(outer), width, height };
}

export function saveSvg(original, about, name) {
  save(new Blob([standalone(original, about).text], { type: "image/svg+xml" }), `${name}.svg`);
}

export async function savePng(original, about, name) {
  const { text, width, height } = standalone(original, about);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, `${name}.png`), "image/png");
}
