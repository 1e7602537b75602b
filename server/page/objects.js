// The list of objects.

import { high, low } from "./box.js";

const list = document.getElementById("objects");

function figures(object, volume) {
  if (object.error) return object.error;
  if (object.pending) return "computing…";
  const parts = [];
  if (object.ml !== undefined && object.ml !== null) parts.push(`${object.ml.toPrecision(3)} ml`);
  else if (object.mm2 !== undefined && object.mm2 !== null) parts.push(`${object.mm2.toPrecision(3)} mm²`);
  else parts.push(`${object.voxels} ${volume ? "voxels" : "pixels"}`);
  parts.push(`IoU ${object.score.toFixed(2)}`);
  if (volume) {
    const [first, last] = [low(object.box, 2) + 1, high(object.box, 2) + 1];
    parts.push(first === last ? `slice ${first}` : `slices ${first}–${last}`);
  }
  if (object.voxels === 0) parts.push("empty");
  return parts.join(" · ");
}

function button(text, label, action) {
  const made = document.createElement("button");
  made.textContent = text;
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    action();
  });
  return made;
}

function row(object, actions) {
  const item = document.createElement("li");
  item.dataset.key = object.key;
  const head = document.createElement("div");
  head.className = "head";
  const colour = document.createElement("input");
  colour.type = "color";
  colour.addEventListener("change", () => actions.change(object.key, { colour: colour.value }));
  const name = document.createElement("input");
  name.className = "name";
  name.maxLength = 64;
  name.addEventListener("focus", () => actions.choose(object.key));
  name.addEventListener("change", () => actions.change(object.key, { name: name.value }));
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter") name.blur();
  });
  const eye = button("◉", "Show", () => actions.change(object.key, { visible: eye.getAttribute("aria-pressed") !== "true" }));
  eye.className = "eye";
  const remove = button("✕", "Delete", () => actions.remove(object.key));
  remove.className = "remove";
  const text = document.createElement("p");
  text.className = "figures";
  head.append(colour, name, eye, remove);
  item.append(head, text);
  item.addEventListener("click", () => actions.choose(object.key));
  return item;
}

// Rows stay where their object does, so that a name that is being typed keeps the focus.
export function showObjects(objects, chosen, volume, actions) {
  document.getElementById("no-objects").hidden = objects.length > 0;
  const box = objects.find((each) => each.key === chosen)?.box;
  document.getElementById("hint").hidden = !(volume && box && low(box, 2) === high(box, 2));
  const rows = new Map([...list.children].map((item) => [Number(item.dataset.key), item]));
  const wanted = objects.map((object) => rows.get(object.key) ?? row(object, actions));
  for (const item of list.children) if (!wanted.includes(item)) item.remove();
  wanted.forEach((item, n) => {
    if (list.children[n] !== item) list.insertBefore(item, list.children[n] ?? null);
    const object = objects[n];
    const label = object.name || `object ${object.number}`;
    const name = item.querySelector(".name");
    if (document.activeElement !== name) name.value = object.name;
    name.placeholder = `Object ${object.number}`;
    name.setAttribute("aria-label", `Name of object ${object.number}`);
    const colour = item.querySelector("input[type=color]");
    colour.value = object.colour;
    colour.setAttribute("aria-label", `Colour of ${label}`);
    const eye = item.querySelector(".eye");
    eye.setAttribute("aria-pressed", object.visible);
    eye.setAttribute("aria-label", `Show ${label}`);
    eye.textContent = object.visible ? "◉" : "○";
    item.querySelector(".remove").setAttribute("aria-label", `Delete ${label}`);
    const text = item.querySelector(".figures");
    text.textContent = figures(object, volume);
    text.classList.toggle("failed", Boolean(object.error));
    item.setAttribute("aria-current", object.key === chosen);
  });
}

export function focusName(key) {
  const name = list.querySelector(`li[data-key="${key}"] .name`);
  name?.focus();
  name?.select();
}
