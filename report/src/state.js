// What the reader has set (inputs, order and page of tables, what is unfolded), by key: it outlives a redrawing of the
// page, as a live report does.

const kept = new Map();

export const keep = (key, value) => kept.set(key, value);
export const recall = (key, otherwise) => (kept.has(key) ? kept.get(key) : otherwise);

/** Keys of things that may come and go, such as files: made of their names, never of where they stand in a list. */
export function keysOf(things, nameOf) {
  const seen = new Map();
  return things.map((thing) => {
    const key = String(nameOf(thing)).replace(/\.jsonl?$/, "").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase() || "x";
    const n = (seen.get(key) ?? 0) + 1;
    seen.set(key, n);
    return n === 1 ? key : `${key}-${n}`;
  });
}
