// What the sections ask of the model.

/** Names of values as people write them. */
export function naming(model) {
  const names = new Map(model.concept_set.values.map((value) => [value.id, value.name]));
  return (id) => names.get(id) ?? id;
}

export const values = (model) => model.vectors?.values ?? model.concept_set.values.map((value) => value.id);
export const layers = (model) => model.vectors?.n_layer ?? model.axes?.n_layer ?? 0;

/** The commands that made the parts, as they would be typed. */
export const made = {
  vectors: (model) => `valuelens vectors --run ${model.run}`,
  axes: (model) => `valuelens decompose --run ${model.run}`,
  neurons: (model) => `valuelens neurons --run ${model.run}`,
  judge: (model) => `valuelens judge --run ${model.run}`,
};
