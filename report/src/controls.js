// Native inputs. What they are set to outlives a redrawing of the page, as a live report does.
import { el } from "./dom.js";

const kept = new Map();
let serial = 0;

export function slider({ id, label, min, max, value, onchange }) {
  const at = Math.min(max, Math.max(min, kept.get(id) ?? value));
  const shown = el("output", {}, at);
  const input = el("input", { type: "range", id, min, max, step: 1, value: at });
  input.addEventListener("input", () => {
    kept.set(id, Number(input.value));
    shown.textContent = input.value;
    onchange(Number(input.value));
  });
  return { element: el("label", { class: "control", for: id }, `${label} `, shown, input), value: () => Number(input.value) };
}

/** options: [value, label] pairs. */
export function select({ id, label, options, value, onchange }) {
  const wanted = kept.get(id) ?? value;
  const at = options.some(([option]) => option === wanted) ? wanted : options[0]?.[0];
  const input = el("select", { id }, options.map(([option, text]) => el("option", { value: option, selected: option === at }, text)));
  input.addEventListener("change", () => {
    kept.set(id, input.value);
    onchange(input.value);
  });
  return { element: el("label", { class: "control" }, label, input), value: () => input.value };
}

export function choice({ id, label, options, value, onchange }) {
  const at = kept.get(id) ?? value;
  const name = `${id}-${++serial}`;
  const radios = options.map(([option, text]) => {
    const input = el("input", { type: "radio", name, value: option, checked: option === at });
    input.addEventListener("change", () => {
      kept.set(id, option);
      onchange(option);
    });
    return el("label", {}, input, el("span", {}, text));
  });
  const element = el("fieldset", { class: "choice", id }, el("legend", {}, label), radios);
  return { element, value: () => element.querySelector("input:checked")?.value ?? options[0][0] };
}

export function search({ id, label, onchange }) {
  const input = el("input", { type: "search", id, value: kept.get(id) ?? "" });
  input.addEventListener("input", () => {
    kept.set(id, input.value);
    onchange(input.value);
  });
  return { element: el("label", { class: "control" }, label, input), value: () => input.value };
}
