// Numbers as a reader sees them. An estimate is [value, low, high]; null is undefined.

export const defined = (number) => typeof number === "number" && Number.isFinite(number);

export function number(value, digits = 2) {
  if (!defined(value)) return "–";
  const text = Math.abs(value) >= 1000 ? Math.round(value).toString() : value.toFixed(digits);
  return text.replace("-", "−");
}

export function estimate(value, digits = 2) {
  if (!Array.isArray(value) || !defined(value[0])) return "–";
  return defined(value[1])
    ? `${number(value[0], digits)} [${number(value[1], digits)}, ${number(value[2], digits)}]`
    : number(value[0], digits);
}

/** An estimate's three numbers under names of its own, for rows of data. */
export function columns(name, value) {
  const [v, low, high] = Array.isArray(value) ? value : [value];
  return { [name]: v ?? null, [`${name}_low`]: low ?? null, [`${name}_high`]: high ?? null };
}

export const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u2009");
