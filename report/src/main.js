import { append, el } from "./dom.js";
import { themeSwitch } from "./theme.js";
import { follow } from "./live.js";
import { setSource } from "./figure.js";
import { inUse, replaceContents } from "./redraw.js";
import { summary } from "./sections/summary.js";
import { vectors } from "./sections/vectors.js";
import { circle } from "./sections/circle.js";
import { geometry } from "./sections/geometry.js";
import { neurons } from "./sections/neurons.js";
import { steering } from "./sections/steering.js";
import { evaluations } from "./sections/evaluations.js";
import { responses } from "./sections/responses.js";
import { compare } from "./sections/compare.js";

/** Each with the title that names it where it fails; functions have lost their names in the bundle. */
const parts = [["What was found", summary], ["Runs side by side", compare], ["Value vectors", vectors], ["Value circle", circle], ["Geometry", geometry],
  ["Neurons", neurons], ["Steering", steering], ["Evaluations", evaluations], ["What the model wrote", responses]];

function header(model) {
  return el("header", {},
    el("div", {},
      el("h1", {}, model.concept_set.title || model.concept_set.name || "Concepts", el("span", {}, ` in ${model.model.name || "a model"}`)),
      el("p", { class: "quiet" }, `A report of valuelens ${model.tool_version} on ${model.run}. Two ways to show a value are compared: by itself (intrinsic) and because a system prompt asks for it (prompted).`)),
    themeSwitch());
}

/** One part that fails must not hide the others. */
function made([title, part], model) {
  try {
    return part(model);
  } catch (error) {
    console.error(error);
    return el("section", {}, el("h2", {}, title), el("p", { class: "warnings" }, `The part "${title}" cannot be shown: ${error.message}`));
  }
}

function contents(sections) {
  return el("nav", { "aria-label": "Contents" }, el("ul", {}, sections.filter((one) => one.id).map((one) =>
    el("li", {}, el("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)))));
}

function draw(model) {
  setSource(model);
  const sections = parts.flatMap((part) => made(part, model)).filter(Boolean);
  const contents_ = document.createDocumentFragment();
  append(contents_, [header(model), contents(sections), sections]);
  replaceContents(document.getElementById("report"), contents_);
}

let latest = null;

/** Draws what a run has made since; not while the reader has hold of something. */
function redraw(model) {
  latest = model;
  const attempt = () => {
    if (latest !== model) return; // a later one is under way
    if (inUse()) setTimeout(attempt, 300);
    else draw(model);
  };
  attempt();
}

draw(JSON.parse(document.getElementById("model").textContent));
const live = document.body.dataset.live;
if (live) document.body.prepend(follow(live, redraw));
document.documentElement.dataset.ready = "";
