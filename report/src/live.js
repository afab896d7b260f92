// A live report asks its server how far the run is, and draws itself anew when there is something new.
import { disclosure, el } from "./dom.js";

const every = 3000;

function words(state) {
  if (state.next === "generate" || state.next === "judge") {
    return `Running: ${state.slices_generated} of ${state.slices_planned} slices generated, ${state.slices_judged} judged, ${state.responses} responses.`;
  }
  return state.next === "nothing" ? "The run is finished." : `Generated and judged; next is ${state.next}.`;
}

/** What the server answers; a sentence of its own where it answers that it cannot. */
async function asked(address) {
  const response = await fetch(address).catch(() => {
    throw new Error("The server does not answer; what is shown is as it was.");
  });
  if (!response.ok) throw new Error(`The server says: ${(await response.text()).slice(0, 500) || response.status}. What is shown is as it was.`);
  return response.json();
}

export function follow(address, redraw) {
  const said = el("span", {});
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Progress of the run" });
  const events = el("ul", {});
  const panel = el("aside", { id: "live", "aria-label": "Progress of the run" }, bar, said, disclosure({ key: "live-log" }, "Log", events));
  let revision = null;
  const look = async () => {
    try {
      const state = await asked(address);
      said.textContent = words(state);
      bar.max = Math.max(1, 2 * state.slices_planned);
      bar.value = state.slices_generated + state.slices_judged;
      events.replaceChildren(...state.events.map((event) => el("li", {}, event)));
      if (revision !== null && revision !== state.revision) redraw(await asked("model.json"));
      revision = state.revision;
    } catch (error) {
      said.textContent = error.message;
    }
    setTimeout(look, every);
  };
  look();
  return panel;
}
