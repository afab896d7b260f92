// Names of points in a plane, put where they cover neither each other nor a point.

const pen = document.createElement("canvas").getContext("2d");

/** The size of a text in pixels. */
export function sizeOf(text, fontSize, fontWeight = 400) {
  pen.font = `${fontWeight} ${fontSize}px system-ui, sans-serif`;
  return { w: pen.measureText(text).width + 4, h: 1.2 * fontSize };
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a.x + a.w / 2, b.x + b.w / 2) - Math.max(a.x - a.w / 2, b.x - b.w / 2)) *
  Math.max(0, Math.min(a.y + a.h / 2, b.y + b.h / 2) - Math.max(a.y - a.h / 2, b.y - b.h / 2));

/** How much of a box lies outside of the frame. */
function outside(box, { width, height }) {
  const beyond = (low, high, most) => Math.max(0, -low) + Math.max(0, high - most);
  return beyond(box.x - box.w / 2, box.x + box.w / 2, width) + beyond(box.y - box.h / 2, box.y + box.h / 2, height);
}

const steps = [...Array(16).keys()].map((i) => (i * Math.PI) / 8);

/** Places around a point: of each the distance that it keeps, and how far it is turned from the direction it would like. */
function places({ x, y, w, h, toward, turns = steps, distances }) {
  return distances.flatMap((distance) => turns.map((turn) => {
    const [dx, dy] = [Math.cos(toward + turn), Math.sin(toward + turn)];
    const away = Math.abs(turn > Math.PI ? 2 * Math.PI - turn : turn);
    return { x: x + dx * (distance + w / 2), y: y + dy * (distance + h / 2), w, h, distance, cost: 0.6 * (distance - distances[0]) + 4 * away };
  }));
}

/**
 * labels: [{x, y, w, h, toward (radians: where it would like to stand from its point), distances, turns?}];
 * points: boxes {x, y, w, h} that nothing may cover. Returns a box for each label. Each is set to where it costs least
 * given all others, a few times round.
 */
export function placeLabels(labels, points, frame) {
  const choices = labels.map(places);
  const placed = choices.map((list) => list[0]);
  for (let round = 0; round < 6; ++round) {
    labels.forEach((_, i) => {
      const cost = (box) =>
        box.cost + 40 * outside(box, frame) + points.reduce((sum, point) => sum + overlap(box, point), 0) +
        placed.reduce((sum, other, j) => sum + (j === i ? 0 : 3 * overlap(box, other)), 0);
      placed[i] = choices[i].reduce((best, box) => (cost(box) < cost(best) - 1e-9 ? box : best), placed[i]);
    });
  }
  return placed;
}
