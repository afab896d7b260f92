// One minute: what was found, how sure it is, what to do next.
import { command, disclosure, el, section } from "../dom.js";
import { defined, number, thousands } from "../format.js";
import { table } from "../table.js";
import { figure } from "../figure.js";
import { naming } from "../context.js";
import { plot, Plot } from "../plots.js";

const signs = { clear: "●", partly: "◐", "not shown": "○", "not measured": "–" };

function card(finding) {
  const kind = finding.verdict.replaceAll(" ", "-");
  return el(
    "li",
    { class: `card ${kind}` },
    el("p", { class: "verdict" }, el("span", { "aria-hidden": true }, `${signs[finding.verdict] ?? ""} `), finding.verdict),
    el("h3", {}, finding.question),
    el("p", {}, finding.answer),
    finding.verdict !== "not measured" && [
      el("p", { class: "rule" }, el("a", { href: `#${finding.section}`, "aria-label": `See the figures: ${finding.question}` }, "See the figures")),
      disclosure({ key: `rule ${finding.id}`, class: "rule" }, "How this is decided", `${finding.rule}; else: not shown.`),
    ],
  );
}

function warnings(model) {
  if (model.warnings.length === 0) return el("p", {}, "Nothing that the checks of this report look for is wrong.");
  const item = (warning) => el("li", {}, warning.text);
  const first = model.warnings.slice(0, 6);
  const rest = model.warnings.slice(6);
  return [
    el("ul", { class: "warnings" }, first.map(item)),
    rest.length > 0 && disclosure({ key: "more-warnings" }, `${rest.length} more`, el("ul", { class: "warnings" }, rest.map(item))),
  ];
}

function facts(model) {
  const { data, judge } = model;
  const quality = judge.quality;
  const list = [
    ["Model", `${model.model.name || "–"} (${model.model.description || "no description"})`],
    ["Concepts", `${model.concept_set.title || model.concept_set.name}: ${model.concept_set.values.length}`],
    ["Responses", `${thousands(data.intrinsic)} intrinsic, ${thousands(data.prompted)} prompted, to ${thousands(data.queries)} queries`],
    ["Length", `at most ${data.max_tokens || "?"} tokens; ${data.responses > 0 ? Math.round((100 * data.cut_at_max_tokens) / data.responses) : 0} % were cut off there`],
    ["Judge", judge.name || "none yet"],
    ["Judge's quality", quality && defined(quality.mean_auroc) ? judge.quality_text : "not measured against people"],
    ["Sampling", data.sampling || "–"],
    ["Settings", model.settings.length > 0 ? disclosure({ key: "settings" }, `${model.settings.length} that are not the defaults`, el("ul", {}, model.settings.map((setting) => el("li", {}, el("code", {}, setting))))) : "all are the defaults"],
    ["Identity", el("code", {}, model.model.identity.slice(0, 16) || "–")],
  ];
  return el("dl", { class: "facts" }, list.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function labels(model) {
  const name = naming(model);
  const kinds = ["expressing", "not_expressing", "undecided", "no_opinion"];
  const words = { expressing: "expresses the value", not_expressing: "does not", undecided: "undecided", no_opinion: "no opinion" };
  const colors = { expressing: "var(--shared)", not_expressing: "var(--none)", undecided: "var(--prompted)", no_opinion: "var(--line)" };
  const rows = model.labels.flatMap((label) => kinds.map((kind) => ({ value: name(label.value), condition: label.condition, label: words[kind], count: label[kind], kind })));
  if (rows.every((row) => row.count === 0)) return null;
  return figure({
    id: "labels",
    title: "Labels of the judge",
    caption: "How many responses express each value, by the judge. Vectors need enough of both classes: a bar that is nearly all of one colour gives a noisy vector.",
    command: model.commands.judge,
    legend: kinds.map((kind) => ({ label: words[kind], color: colors[kind], mark: "box" })),
    data: () => rows.map(({ kind, ...row }) => row),
    draw: (width) =>
      plot({
        width,
        marginBottom: 44,
        height: 74 + 26 * model.concept_set.values.length,
        marginLeft: Math.min(130, width / 3),
        fx: { label: null },
        x: { label: "responses", labelOffset: 40, grid: true, ticks: width < 520 ? 3 : undefined },
        y: { label: null, domain: model.concept_set.values.map((value) => value.name) },
        marks: [Plot.barX(rows, { x: "count", y: "value", fx: "condition", fill: (row) => colors[row.kind], insetTop: 1, insetBottom: 1, order: null })],
      }),
  }).element;
}

/** The whole in one line. */
function lead(model) {
  const measured = model.findings.filter((finding) => finding.verdict !== "not measured");
  const clear = measured.filter((finding) => finding.verdict === "clear").length;
  const cautions = model.warnings.length;
  return el("p", { class: "lead" },
    measured.length === 0 ? "Nothing has been measured yet. " : `${clear} of ${measured.length} questions that were measured have a clear answer. `,
    cautions > 0 ? el("a", { href: "#certainty" }, cautions === 1 ? "One caution applies" : `${cautions} cautions apply`) : "No cautions apply", ". ",
    model.next.length > 0 && el("a", { href: "#next" }, "What to do next"));
}

export function summary(model) {
  return [
    section("summary", "What was found", lead(model), el("ul", { class: "cards" }, model.findings.map(card))),
    section("certainty", "How sure it is", warnings(model)),
    section("next", "What to do next",
      model.next.length > 0
        ? el("ol", { class: "steps" }, model.next.map((step) => el("li", {}, step.text, step.command && command(step.command))))
        : el("p", {}, "All parts of this report are there."),
      model.missing.length > 0 && disclosure({ key: "missing" }, `Not in this report: ${model.missing.length} parts`,
        el("ul", {}, model.missing.map((part) => el("li", {}, `${part.what}: made by `, el("code", {}, part.command)))))),
    section("basis", "What it rests on", facts(model), labels(model)),
  ];
}
