// Light, dark, or as the system says. Printing is always light (page.css).
import { el } from "./dom.js";
import { keep, recall } from "./state.js";

const key = "valuelens-theme";
const stored = () => {
  try {
    return recall(key) ?? localStorage.getItem(key) ?? "auto";
  } catch {
    return "auto"; // a page from disk may have no storage
  }
};

export function themeSwitch() {
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  const at = stored();
  apply(at);
  const input = el("select", { id: "theme" }, ["auto", "light", "dark"].map((theme) => el("option", { value: theme, selected: theme === at }, theme)));
  input.addEventListener("change", () => {
    apply(input.value);
    keep(key, input.value);
    try {
      localStorage.setItem(key, input.value);
    } catch {
      // kept for this page alone
    }
  });
  return el("label", { class: "control" }, "Colours ", input);
}
