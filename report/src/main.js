import { append, el } from "./dom.js";
import { themeSwitch } from "./theme.js";
import { follow } from "./live.js";
import { summary } from "./sections/summary.js";
import { vectors } from "./sections/vectors.js";
import { circle } from "./sections/circle.js";
import { geometry } from "./sections/geometry.js";
import { neurons } from "./sections/neurons.js";
import { steering } from "./sections/steering.js";
import { evaluations } from "./sections/evaluations.js";
import { responses } from "./sections/responses.js";
import { compare } from "./sections/compare.js";

const parts = [summary, compare, vectors, circle, geometry, neurons, steering, evaluations, responses];

function header(model) {
  return el("header", {},
    el("div", {},
      el("h1", {}, model.concept_set.title || model.concept_set.name || "Concepts", el("span", {}, ` in ${model.model.name || "a model"}`)),
      el("p", { class: "quiet" }, `A report of valuelens ${model.tool_version} on ${model.run}. Two ways to show a value are compared: by itself (intrinsic) and because a system prompt asks for it (prompted).`)),
    themeSwitch());
}

/** One part that fails must not hide the others. */
function made(part, model) {
  try {
    return part(model);
  } catch (error) {
    console.error(error);
    return el("section", {}, el("p", { class: "warnings" }, `The part "${part.name}" cannot be shown: ${error.message}`));
  }
}

function contents(sections) {
  return el("nav", { "aria-label": "Contents" }, el("ul", {}, sections.filter((one) => one.id).map((one) =>
    el("li", {}, el("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)))));
}

function draw(model) {
  const main = document.getElementById("report");
  const sections = parts.flatMap((part) => made(part, model)).filter(Boolean);
  const place = document.createDocumentFragment();
  append(place, [header(model), contents(sections), sections]);
  const height = main.offsetHeight;
  main.style.minHeight = `${height}px`; // so that a redrawn page stays where it was scrolled to
  main.replaceChildren(place);
  requestAnimationFrame(() => (main.style.minHeight = ""));
}

draw(JSON.parse(document.getElementById("model").textContent));
const live = document.body.dataset.live;
if (live) document.body.prepend(follow(live, draw));
document.documentElement.dataset.ready = "";
