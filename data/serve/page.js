"use strict";

const byId = (id) => document.getElementById(id);
const state = { sources: [], steps: [], abort: null, nextStep: 0 };

function headers() {
  const result = { "Content-Type": "application/json" };
  const key = byId("key").value;
  if (key) {
    result.Authorization = "Bearer " + key;
  }
  return result;
}

function element(tag, attributes = {}, text = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.textContent = text;
  return node;
}

/* What may be asked for. */

async function loadSteering() {
  const note = byId("sources-note");
  try {
    const response = await fetch("/v1/steering", { headers: headers() });
    const body = await response.json();
    if (!response.ok) {
      note.textContent = body.error.message;
      return;
    }
    byId("model").textContent = body.model;
    byId("max-tokens").max = body.limits.max_tokens;
    const select = byId("direction");
    select.replaceChildren();
    state.sources = [];
    for (const source of body.sources) {
      if (source.problem) {
        continue;
      }
      const group = element("optgroup", { label: source.source });
      const entries = source.kind === "neurons"
        ? source.groups.map((g) => ({ kind: "neurons", source: source.source, value: g.value, category: g.category,
            label: g.value ? `${g.value} / ${g.category} (${g.count} neurons)` : `${g.count} neurons` }))
        : source.keys.map((k) => ({ kind: "vectors", source: source.source, key: k.key, layers: k.layers,
            units: source.units, label: k.key || "control vector" }));
      for (const entry of entries) {
        group.append(element("option", { value: String(state.sources.length) }, entry.label));
        state.sources.push(entry);
      }
      select.append(group);
    }
    byId("adder").hidden = state.sources.length === 0;
    note.textContent = state.sources.length === 0
      ? "This server has no directions: start it with --sources FOLDER." : "";
  } catch (error) {
    note.textContent = "The server cannot be reached: " + error.message;
  }
}

/* The directions in use, each with its sliders. */

function labelled(text, control) {
  const label = element("label", {}, text);
  label.append(control);
  return label;
}

function choice(words, value, onChange) {
  const select = element("select");
  for (const word of words) {
    select.append(element("option", { value: word }, word));
  }
  select.value = value;
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

function addStep() {
  const entry = state.sources[Number(byId("direction").value)];
  if (!entry) {
    return;
  }
  const neurons = entry.kind === "neurons";
  const resid = !neurons && entry.units.includes("resid");
  const step = { id: state.nextStep++, entry, scale: neurons ? 0 : resid ? 0.2 : 1, mode: "add", tokens: "all",
    unit: resid ? "resid" : "raw", layers: neurons ? "" : entry.layers === "" ? "0" : "" };
  state.steps.push(step);
  const name = `${entry.source}: ${entry.label}`;
  const item = element("li");
  item.append(element("span", { class: "name" }, name));

  const range = element("input", { type: "range", step: "any", "aria-label": `Strength of ${name}` });
  const number = element("input", { type: "number", step: "any" });
  const fit = () => {
    const most = neurons ? 2 : step.unit === "resid" ? 0.6 : Math.max(8, Math.abs(step.scale) * 2);
    range.min = String(neurons ? 0 : -most);
    range.max = String(most);
    range.value = String(step.scale);
    number.value = String(Number(step.scale.toFixed(4)));
    range.disabled = number.disabled = step.mode === "ablate";
  };
  range.addEventListener("input", () => {
    step.scale = Number(range.value);
    number.value = String(Number(step.scale.toFixed(4)));
    showRequest();
  });
  number.addEventListener("change", () => {
    step.scale = Number(number.value);
    fit();
    showRequest();
  });
  item.append(range, labelled(neurons ? "factor" : "alpha", number));
  if (!neurons) {
    item.append(labelled("mode", choice(["add", "ablate", "clamp"], step.mode, (v) => {
      step.mode = v;
      fit();
      showRequest();
    })));
    item.append(labelled("tokens", choice(["all", "response", "prompt"], step.tokens, (v) => {
      step.tokens = v;
      showRequest();
    })));
    item.append(labelled("unit", choice(entry.units, step.unit, (v) => {
      step.unit = v;
      step.scale = v === "resid" ? 0.2 : 1;
      fit();
      showRequest();
    })));
  }
  const layers = element("input", { type: "text", placeholder: neurons ? "all" : entry.layers || "A-B" });
  layers.value = step.layers;
  layers.addEventListener("change", () => {
    step.layers = layers.value.trim();
    showRequest();
  });
  item.append(labelled("layers", layers));
  const remove = element("button", { type: "button", "aria-label": `Remove ${name}` }, "Remove");
  remove.addEventListener("click", () => {
    state.steps = state.steps.filter((other) => other.id !== step.id);
    item.remove();
    byId("add").focus();
    showRequest();
  });
  item.append(remove);
  fit();
  byId("steps").append(item);
  showRequest();
}

/* Requests. */

function steering() {
  const vectors = [];
  const neurons = [];
  for (const step of state.steps) {
    const { entry } = step;
    const one = { source: entry.source };
    if (entry.kind === "neurons") {
      if (entry.value) {
        one.value = entry.value;
        one.category = entry.category;
      }
      one.scale = step.scale;
    } else {
      if (entry.key) {
        one.key = entry.key;
      }
      one.mode = step.mode;
      one.tokens = step.tokens;
      if (step.mode !== "ablate") {
        one.scale = step.scale;
        one.unit = step.unit;
      }
    }
    if (step.layers) {
      one.layers = step.layers;
    }
    (entry.kind === "neurons" ? neurons : vectors).push(one);
  }
  return { vectors, neurons };
}

function request(steered) {
  const messages = [{ role: "user", content: byId("question").value }];
  if (byId("system").value) {
    messages.unshift({ role: "system", content: byId("system").value });
  }
  const body = { messages, max_tokens: Number(byId("max-tokens").value), temperature: Number(byId("temperature").value),
    seed: Number(byId("seed").value), stream: true };
  if (steered) {
    body.steering = steering();
  }
  return body;
}

function showRequest() {
  byId("request").textContent = "POST /v1/chat/completions\n" + JSON.stringify(request(true), null, 2);
}

function showReadings(box, monitor) {
  const table = element("table");
  const head = element("tr");
  for (const title of ["direction", "mean", "threshold"]) {
    head.append(element("th", { scope: "col" }, title));
  }
  table.append(head);
  for (const [name, reading] of Object.entries(monitor.directions)) {
    const row = element("tr");
    row.append(element("th", { scope: "row" }, name));
    row.append(element("td", {}, reading.mean === null ? "-" : reading.mean.toFixed(3)));
    row.append(element("td", reading.exceeds ? { class: "failed" } : {},
      reading.threshold === undefined ? "-" : reading.threshold.toFixed(3) + (reading.exceeds ? " exceeded" : "")));
    table.append(row);
  }
  box.replaceChildren(table);
}

async function ask(column, body, signal) {
  const answer = column.querySelector(".answer");
  const note = column.querySelector(".note");
  answer.textContent = "";
  note.textContent = "";
  note.className = "note";
  column.querySelector(".readings").replaceChildren();
  answer.setAttribute("aria-busy", "true");
  try {
    const response = await fetch("/v1/chat/completions",
      { method: "POST", headers: headers(), body: JSON.stringify(body), signal });
    if (!response.ok) {
      throw new Error((await response.json()).error.message);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      rest += value;
      const events = rest.split("\n\n");
      rest = events.pop();
      for (const event of events) {
        if (!event.startsWith("data: ") || event === "data: [DONE]") {
          continue;
        }
        const json = JSON.parse(event.slice(6));
        if (json.error) {
          throw new Error(json.error.message);
        }
        const one = json.choices[0];
        answer.textContent += one.delta.content || "";
        if (one.finish_reason) {
          note.textContent = one.finish_reason === "length" ? "cut at the longest answer" : "";
        }
        if (one.monitor) {
          if (one.monitor.defended) {
            note.textContent += " written with the guarded directions taken out";
          }
          showReadings(column.querySelector(".readings"), one.monitor);
        }
      }
    }
  } catch (error) {
    note.textContent = error.name === "AbortError" ? "stopped" : error.message;
    note.className = error.name === "AbortError" ? "note" : "note failed";
  } finally {
    answer.setAttribute("aria-busy", "false");
  }
}

async function askBoth() {
  state.abort = new AbortController();
  byId("run").disabled = true;
  byId("stop").disabled = false;
  const { signal } = state.abort;
  await Promise.all([ask(byId("base"), request(false), signal), ask(byId("steered"), request(true), signal)]);
  byId("run").disabled = false;
  byId("stop").disabled = true;
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  askBoth();
});
byId("ask").addEventListener("input", showRequest);
byId("stop").addEventListener("click", () => state.abort && state.abort.abort());
byId("add").addEventListener("click", addStep);
byId("key").addEventListener("change", loadSteering);
loadSteering();
showRequest();
