// Elements are made here and nowhere else. Texts become text nodes: nothing that comes from a model or from data is ever
// read as markup.

import { keep, recall } from "./state.js";

/** el("p", {class: "note", onclick: f}, "text", otherElement, [more]) */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** A part that is unfolded by its summary, and stays so when the page is drawn anew. */
export function disclosure({ key, open = false, ...attributes }, summary, ...children) {
  const element = el("details", { ...attributes, open: recall(key, open) }, el("summary", {}, summary), ...children);
  element.addEventListener("toggle", () => keep(key, element.open));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

export function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
}

/** The command that made something, broken between its words alone; note: what it does not say. */
export function madeBy(text, note) {
  return el("span", { class: "made" }, "made by ", el("code", {}, text.split(" ").flatMap((word, i) => [i > 0 && " ", el("span", { class: "word" }, word)])), note && ` (${note})`);
}

/** A command to copy. */
export function command(text) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy the command ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  const code = el("code", {}, text);
  return el("div", { class: "command" }, code, button);
}
