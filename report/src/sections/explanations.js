// What single neurons respond to, with the texts that show it.
import { el } from "../dom.js";
import { defined, estimate, number } from "../format.js";
import { search } from "../controls.js";
import { naming } from "../context.js";

const most = 20;

/** A text whose tokens are tinted by how strongly the neuron fires, relative to the largest activation shown. */
function excerpt(one, largest) {
  const tokens = one.tokens ?? [];
  const activations = one.activations ?? [];
  return el("p", { class: "excerpt" }, tokens.map((token, i) => {
    const activation = activations[i];
    if (!defined(activation) || Math.abs(activation) <= 0.05 * largest) return String(token);
    const mark = el("mark", { title: `activation ${number(activation, 3)}` }, String(token));
    mark.style.setProperty("--share", `${Math.round((100 * Math.abs(activation)) / largest)}%`);
    return mark;
  }));
}

function scores(scored) {
  return Object.entries(scored ?? {}).map(([name, value]) => {
    const text = Array.isArray(value) ? estimate(value) : defined(value) ? number(value) : typeof value === "string" ? value
      : value && typeof value === "object" ? Object.entries(value).map(([k, v]) => `${k} ${Array.isArray(v) ? estimate(v) : defined(v) ? number(v) : v}`).join(", ") : "–";
    return `${name}: ${text}`;
  });
}

function card(one, name) {
  const excerpts = Array.isArray(one.excerpts) ? one.excerpts : [];
  const largest = Math.max(1e-12, ...excerpts.flatMap((e) => (e.activations ?? []).map((a) => Math.abs(a) || 0)));
  const place = [`layer ${one.layer}`, one.expert !== undefined && one.expert !== null && one.expert !== "" && `expert ${one.expert}`, `neuron ${one.neuron}`,
    one.pole && `${one.pole} pole`, one.value && name(one.value), one.category].filter(Boolean).join(", ");
  const said = scores(one.scores);
  const base = one.baseline === undefined || one.baseline === null ? [] : scores(typeof one.baseline === "object" && !Array.isArray(one.baseline) ? one.baseline : { score: one.baseline });
  return el("article", { class: "explanation" },
    el("h4", {}, place),
    el("p", {}, one.explanation || "No explanation."),
    said.length > 0 && el("p", { class: "note" }, `Scores: ${said.join("; ")}${base.length > 0 ? `. Baseline: ${base.join("; ")}` : ""}`),
    excerpts.length > 0 && el("details", {}, el("summary", {}, excerpts.length === 1 ? "1 excerpt" : `${excerpts.length} excerpts`), excerpts.map((e) => excerpt(e, largest))));
}

export function explanations(model) {
  if (model.explanations.length === 0) return null;
  const name = naming(model);
  const shown = el("div", {});
  const count = el("p", { class: "note", "aria-live": "polite" });
  const show = () => {
    const word = text.value().trim().toLowerCase();
    const found = model.explanations.filter((one) => word === "" || `${one.explanation} ${name(one.value)} ${one.category} ${one.layer} ${one.neuron}`.toLowerCase().includes(word));
    shown.replaceChildren(...found.slice(0, most).map((one) => card(one, name)));
    count.textContent = `${Math.min(most, found.length)} of ${found.length} explanations. Tinted tokens are those at which the neuron fires; the stronger, the darker.`;
  };
  const text = search({ id: "explanations-search", label: "Search ", onchange: show });
  show();
  return el("div", { id: "explanations" }, el("h3", {}, "What the neurons respond to"), el("div", { class: "controls" }, text.element), count, shown);
}
