// What the model wrote: of each value the responses of which the judge is surest, either way.
import { el, madeBy, section } from "../dom.js";
import { saveCsv } from "../download.js";
import { number } from "../format.js";
import { controlBar, select } from "../controls.js";
import { naming } from "../context.js";

export function responses(model) {
  if (model.examples.length === 0) return null;
  const name = naming(model);
  const there = [...new Set(model.examples.map((example) => example.value))];
  const shown = el("div", { class: "answers", id: "responses-shown", "aria-live": "polite" });
  const show = () => shown.replaceChildren(...model.examples.filter((example) => example.value === value.value()).map((example) =>
    el("article", {},
      el("h4", {}, `${example.condition}: ${example.expresses ? "expresses it" : "does not"} (judge: ${number(example.probability)})`),
      example.system && el("p", { class: "note" }, `System prompt: ${example.system}`),
      el("p", { class: "quiet" }, example.query),
      el("p", { class: "text" }, example.text, example.cut && el("span", { class: "quiet" }, " [cut off]")))));
  const value = select({ id: "responses-value", label: "Value ", options: there.map((id) => [id, name(id)]), value: there[0], onchange: show });
  show();
  return section("responses", "What the model wrote",
    el("p", { class: "note" }, "Of each value and way, the response that the judge is surest expresses it, and the one that it is surest does not. They show what the judge takes for the value; they are not typical responses."),
    controlBar([value]), shown,
    el("div", { class: "tools" },
      el("button", { type: "button", class: "small", onclick: () => saveCsv(model.examples, "responses"), "aria-label": "What the model wrote: download CSV" }, "CSV"),
      madeBy(model.commands.judge)));
}
