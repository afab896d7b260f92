// The shapes of points, for legends: as large as those that Plot draws for the same radius.
import { svg } from "./dom.js";

// Corners at radius 1; the areas are that of the circle.
const corners = {
  diamond: [[0, -1.65], [0.95, 0], [0, 1.65], [-0.95, 0]],
  square: [[-0.89, -0.89], [0.89, -0.89], [0.89, 0.89], [-0.89, 0.89]],
  triangle: [[0, -1.56], [1.35, 0.78], [-1.35, 0.78]],
};

/** A point of that shape around (x, y); fill: a colour as a style may name it. */
export function shape(symbol, x, y, r, fill) {
  const at = corners[symbol];
  const made = at
    ? svg("polygon", { points: at.map(([dx, dy]) => `${x + r * dx},${y + r * dy}`).join(" ") })
    : svg("circle", { cx: x, cy: y, r });
  made.setAttribute("data-symbol", at ? symbol : "circle");
  made.style.fill = fill;
  return made;
}
