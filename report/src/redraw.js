// Puts new contents in the place of old ones with the reader where he was: the focus, what is selected in an input, the
// scroll places of the page and of what scrolls in it. Inputs, tables and details keep their own state (state.js).

const focusable = "a[href], button, input, select, summary, [tabindex]";
const scrolling = ".scroll, nav ul, pre, .command code";
const anchors = "section[id], figure[id], .table[id], .evaluation[id], .answers[id]";

/** Where an element stands, in words that fit the new contents: which one of its kind under the nearest id. */
function addressOf(element, kind, place) {
  const owner = element.closest("[id]") ?? place;
  const under = place.contains(owner) ? owner : place;
  return { id: under.id, index: under === element ? -1 : [...under.querySelectorAll(kind)].indexOf(element) };
}

function find({ id, index }, kind) {
  const under = document.getElementById(id);
  return index < 0 ? under : under?.querySelectorAll(kind)[index];
}

function focusIn(place) {
  const at = document.activeElement;
  if (!at || at === document.body || !place.contains(at)) return null;
  const text = at.matches('input[type="search"]') ? [at.selectionStart, at.selectionEnd] : null;
  return { ...addressOf(at, focusable, place), text };
}

function scrolledIn(place) {
  return [...place.querySelectorAll(scrolling)].filter((one) => one.scrollLeft !== 0 || one.scrollTop !== 0)
    .map((one) => ({ ...addressOf(one, scrolling, place), left: one.scrollLeft, top: one.scrollTop }));
}

/** What the reader looks at: the focused element where it is in sight, else the last part that begins above the middle. */
function anchorIn(place, focus) {
  const inSight = (box) => box.bottom > 0 && box.top < innerHeight;
  const focused = focus && document.activeElement.getBoundingClientRect();
  if (focused && inSight(focused)) return { ...focus, kind: focusable, top: focused.top };
  const parts = [...place.querySelectorAll(anchors)].map((one) => ({ one, box: one.getBoundingClientRect() })).filter(({ box }) => inSight(box));
  const part = parts.findLast(({ box }) => box.top < innerHeight / 2) ?? parts[0];
  return part ? { id: part.one.id, index: -1, kind: anchors, top: part.box.top } : null;
}

export function replaceContents(place, contents) {
  const focus = focusIn(place);
  const scrolled = scrolledIn(place);
  const anchor = scrollY > 0 ? anchorIn(place, focus) : null;
  const stay = () => {
    const now = anchor && find(anchor, anchor.kind);
    if (now) scrollBy({ top: now.getBoundingClientRect().top - anchor.top, behavior: "instant" });
  };
  place.style.minHeight = `${place.offsetHeight}px`; // so that the page is not cut short while it has less in it
  place.replaceChildren(contents);
  for (const one of scrolled) find(one, scrolling)?.scrollTo({ left: one.left, top: one.top, behavior: "instant" });
  const focused = focus && find(focus, focusable);
  focused?.focus({ preventScroll: true });
  if (focus?.text) focused?.setSelectionRange?.(...focus.text);
  stay();
  place.style.minHeight = "";
  requestAnimationFrame(stay); // figures that are new have been laid out by then
}

const settled = 250; // milliseconds without a scroll event

let pressed = false;
let scrolledAt = -Infinity;
addEventListener("scroll", () => (scrolledAt = performance.now()), { capture: true, passive: true });
addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pressed = false), true);

/** Whether the reader holds a slider, scrolls or has a list open: then a redrawing would take it out of his hands. */
export function inUse() {
  if (performance.now() - scrolledAt < settled) return true;
  try {
    return pressed || document.querySelector("select:open") !== null;
  } catch {
    return pressed; // a browser that cannot tell whether a list is open
  }
}
