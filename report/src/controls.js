// Native inputs. What they are set to outlives a redrawing of the page; said() gives it in words, for pictures and print.
import { el } from "./dom.js";
import { keep, recall } from "./state.js";

let serial = 0;
const plain = (label) => label.trim();

export function slider({ id, label, min, max, value, onchange }) {
  const at = Math.min(max, Math.max(min, recall(id, value)));
  const shown = el("output", {}, at);
  const input = el("input", { type: "range", id, min, max, step: 1, value: at });
  input.addEventListener("input", () => {
    keep(id, Number(input.value));
    shown.textContent = input.value;
    onchange(Number(input.value));
  });
  return { element: el("label", { class: "control", for: id }, `${label} `, shown, input), value: () => Number(input.value), said: () => `${plain(label)} ${input.value}` };
}

/** options: [value, label] pairs. */
export function select({ id, label, options, value, onchange }) {
  const wanted = recall(id, value);
  const at = options.some(([option]) => option === wanted) ? wanted : options[0]?.[0];
  const input = el("select", { id }, options.map(([option, text]) => el("option", { value: option, selected: option === at }, text)));
  input.addEventListener("change", () => {
    keep(id, input.value);
    onchange(input.value);
  });
  return { element: el("label", { class: "control" }, label, input), value: () => input.value, said: () => `${plain(label)}: ${input.selectedOptions[0]?.textContent ?? "–"}` };
}

export function choice({ id, label, options, value, onchange }) {
  const wanted = recall(id, value);
  const at = options.some(([option]) => option === wanted) ? wanted : options[0]?.[0];
  const name = `${id}-${++serial}`;
  const radios = options.map(([option, text]) => {
    const input = el("input", { type: "radio", name, value: option, checked: option === at });
    input.addEventListener("change", () => {
      keep(id, option);
      onchange(option);
    });
    return el("label", {}, input, el("span", {}, text));
  });
  const element = el("fieldset", { class: "choice", id }, el("legend", {}, label), radios);
  const now = () => element.querySelector("input:checked")?.value ?? options[0][0];
  return { element, value: now, said: () => `${plain(label)}: ${options.find(([option]) => option === now())[1]}` };
}

export function search({ id, label, onchange }) {
  const input = el("input", { type: "search", id, value: recall(id, "") });
  input.addEventListener("input", () => {
    keep(id, input.value);
    onchange(input.value);
  });
  return { element: el("label", { class: "control" }, label, input), value: () => input.value, said: () => (input.value.trim() ? `${plain(label)}: ${input.value.trim()}` : "") };
}

/** What the controls are set to, in one line. */
export const settingsOf = (controls) => controls.map((control) => control.said()).filter(Boolean).join("; ");

/** Controls in a row. On paper, where they cannot be moved, stands what they are set to. */
export function controlBar(controls) {
  if (controls.length === 0) return null;
  const said = el("p", { class: "settings" });
  const show = () => (said.textContent = settingsOf(controls));
  const bar = el("div", { class: "controls" }, controls.map((control) => control.element));
  for (const event of ["input", "change"]) bar.addEventListener(event, show);
  show();
  return [bar, said];
}
