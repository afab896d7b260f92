// What single neurons respond to, with the texts that show it.
import { disclosure, el } from "../dom.js";
import { defined, estimate, number } from "../format.js";
import { saveCsv } from "../download.js";
import { controlBar, search } from "../controls.js";
import { naming } from "../context.js";

const most = 20;
const darkest = 55; // percent of the tint: the text on it stays readable

/** A text whose tokens are tinted by how strongly the neuron fires, relative to the largest activation shown. */
function excerpt(one, largest) {
  const tokens = one.tokens ?? [];
  const activations = one.activations ?? [];
  return el("p", { class: "excerpt" }, tokens.map((token, i) => {
    const activation = activations[i];
    if (!defined(activation) || Math.abs(activation) <= 0.05 * largest) return String(token);
    const mark = el("mark", { title: `activation ${number(activation, 3)}` }, String(token));
    mark.style.setProperty("--share", `${Math.round((darkest * Math.abs(activation)) / largest)}%`);
    return mark;
  }));
}

const scored = (one) => estimate([one.value, one.low, one.high]);

/** A list of {score, value, low, high, baseline}, or an object of numbers and estimates by name. */
function scores(list) {
  if (!Array.isArray(list)) return Object.entries(list ?? {}).map(([name, value]) => `${name} ${Array.isArray(value) ? estimate(value) : defined(value) ? number(value) : "–"}`);
  return list.map((one) => `${one.score} ${defined(one.value) ? scored(one) : one.problem || "–"}${defined(one.baseline?.value) ? `, another neuron's explanation ${scored(one.baseline)}` : ""}`);
}

const lens = (list) => (list ?? []).slice(0, 8).map((one) => JSON.stringify(one.token)).join(", ");

/** What the neuron is to which values. */
export const rolesOf = (one) => one.roles ?? (one.value ? [{ value: one.value, category: one.category }] : []);

function card(one, name) {
  const excerpts = Array.isArray(one.excerpts) ? one.excerpts : [];
  const largest = Math.max(1e-12, ...excerpts.flatMap((e) => (e.activations ?? []).map((a) => Math.abs(a) || 0)));
  const place = [`layer ${one.layer}`, one.expert !== undefined && one.expert !== null && one.expert !== "" && `expert ${one.expert}`, `neuron ${one.neuron}`,
    one.pole && `${one.pole} pole`].filter(Boolean).join(", ");
  const roles = rolesOf(one).map((role) => `${name(role.value)} (${role.category})`).join(", ");
  const said = scores(one.scores);
  const base = one.baseline ? scores(one.baseline) : [];
  const rated = [defined(one.abstractness) && `abstractness ${one.abstractness} of 5`, defined(one.value_relevance) && `relevance to values ${one.value_relevance} of 5`].filter(Boolean);
  return el("article", { class: "explanation" },
    el("h4", {}, place),
    roles && el("p", { class: "note" }, roles),
    el("p", {}, one.explanation || one.problem || "No explanation."),
    said.length > 0 && el("p", { class: "note" }, `Scores: ${said.join("; ")}${base.length > 0 ? `. Baseline: ${base.join("; ")}` : ""}`),
    rated.length > 0 && el("p", { class: "note" }, `Rated: ${rated.join(", ")}`),
    lens(one.lens?.top) && el("p", { class: "note" }, `Its output weights raise: ${lens(one.lens.top)}${lens(one.lens.bottom) ? `; lower: ${lens(one.lens.bottom)}` : ""}`),
    excerpts.length > 0 && disclosure({ key: `excerpts ${place}` }, excerpts.length === 1 ? "1 excerpt" : `${excerpts.length} excerpts`, excerpts.map((e) => excerpt(e, largest))));
}

/** Explanations as rows, with all their scores. */
const rowsOf = (list) => list.map((one) => ({
  layer: one.layer, expert: one.expert ?? null, neuron: one.neuron, pole: one.pole ?? null,
  roles: rolesOf(one).map((role) => `${role.value}/${role.category}`).join(" "), explanation: one.explanation ?? null, problem: one.problem ?? null,
  scores: scores(one.scores).join("; "),
}));

export function explanations(model) {
  if (model.explanations.length === 0) return null;
  const name = naming(model);
  const shown = el("div", {});
  const count = el("p", { class: "note", "aria-live": "polite" });
  const found = () => {
    const word = text.value().trim().toLowerCase();
    return model.explanations.filter((one) => word === "" || `${one.explanation ?? ""} ${rolesOf(one).map((role) => `${name(role.value)} ${role.category}`).join(" ")} ${one.layer} ${one.neuron}`.toLowerCase().includes(word));
  };
  const show = () => {
    const all = found();
    shown.replaceChildren(...all.slice(0, most).map((one) => card(one, name)));
    count.textContent = `${Math.min(most, all.length)} of ${all.length} explanations${model.n_explanations > model.explanations.length ? ` (${model.n_explanations} in the file)` : ""}. Tinted tokens are those at which the neuron fires; the stronger, the darker.`;
  };
  const text = search({ id: "explanations-search", label: "Search ", onchange: show });
  show();
  return el("div", { id: "explanations" }, el("h3", {}, "What the neurons respond to"), controlBar([text]), count, shown,
    el("div", { class: "tools" },
      el("button", { type: "button", class: "small", onclick: () => saveCsv(rowsOf(found()), "explanations"), "aria-label": "What the neurons respond to: download CSV" }, "CSV")));
}
