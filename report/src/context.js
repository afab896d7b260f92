// What the sections ask of the model.

/** Names of values as people write them. */
export function naming(model) {
  const names = new Map(model.concept_set.values.map((value) => [value.id, value.name]));
  return (id) => names.get(id) ?? id;
}

export const values = (model) => model.vectors?.values ?? model.concept_set.values.map((value) => value.id);
export const layers = (model) => model.vectors?.n_layer ?? model.axes?.n_layer ?? 0;
