// The model: its name and licence, and what is known of it.

const by = (id) => document.getElementById(id);

export function showAbout({ notice, model }) {
  by("notice").textContent = notice;
  by("model-name").textContent = `Model ${model.name}, licence ${model.licence}`;
  const lines = [model.description, `precision ${model.precision} in ${model.backend}`, `weights ${model.weights}`, ...model.card];
  by("model").replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
}
