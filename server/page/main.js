// The page: one session of the server, its views, its objects.

import { showAbout } from "./about.js";
import * as api from "./api.js";
import * as boxes from "./box.js";
import { download, prepareOpen, prepareSave, showHelp, showOpen, showSave } from "./dialogs.js";
import { Edits } from "./edits.js";
import { HELP, prepareKeys } from "./keys.js";
import { focusName, showObjects } from "./objects.js";
import { View } from "./view.js";
import { listWindows, presetWindow, showWindow } from "./windows.js";

const by = (id) => document.getElementById(id);

// What all views share.
const shared = {
  session: null,
  objects: [],
  chosen: null,
  place: [],
  window: null,
  outline: false,
  opacity: 0.45,
  stamp: "",
  serial: 0,
  unsaved: false,
};
let views = [];
let stream = null;
const edits = new Edits(shared, showState, showBusy);

function choose(key) {
  shared.chosen = key;
  const { box } = edits.chosen;
  if (shared.session.volume && !boxes.covers(box, 2, shared.place[2])) place({ 2: Math.round((box[2] + box[5]) / 2) });
  showObjects(shared.objects, shared.chosen, shared.session.volume, listActions);
  for (const view of views) view.paint();
}

function showState(state) {
  // Answers may overtake each other.
  if (state.serial < shared.serial) return;
  shared.serial = state.serial;
  if (!state.objects.some((each) => each.key === shared.chosen)) shared.chosen = state.objects.at(-1)?.key ?? null;
  Object.assign(shared, { objects: state.objects, unsaved: state.unsaved });
  // All that a picture of the masks depends on, since pictures are kept by it.
  const stamp = state.objects.map(({ box, points, corrections, colour, visible, pending }) => [box, points, corrections, colour, visible, pending]);
  const changed = shared.stamp !== JSON.stringify(stamp);
  shared.stamp = JSON.stringify(stamp);
  by("undo").disabled = state.undo === 0;
  by("redo").disabled = state.redo === 0;
  by("save").disabled = state.objects.length === 0;
  showBusy();
  document.title = `${state.unsaved ? "• " : ""}${shared.session.name} · litemedsam`;
  showObjects(shared.objects, shared.chosen, shared.session.volume, listActions);
  for (const view of views) changed ? view.load() : view.paint();
}

function showBusy() {
  const pending = shared.objects.filter((each) => each.pending).length;
  by("busy").hidden = pending === 0 && !edits.search;
  if (by("busy").hidden) by("progress").removeAttribute("value");
  const computing = pending > 1 ? `Computing ${pending} masks…` : "Computing the mask…";
  by("busy-text").textContent = edits.search ? "Looking for the object's slices…" : computing;
}

async function refresh() {
  const { session } = shared;
  try {
    const state = await api.state(session.id);
    if (session === shared.session) showState(state);
  } catch (error) {
    ended(error);
  }
}

function ended(error) {
  api.showError(error);
  if (error.status === 404 || error.status === 410) {
    if (shared.session) closed(shared.session.id);
  }
}

const listActions = {
  choose: (key) => edits.afterwards(() => shared.objects.some((each) => each.key === key) && choose(key)),
  change: (key, values) => edits.changeObject(key, values),
  remove: (key) => edits.remove(key),
};

let asking = null;

function place(changed) {
  for (const [axis, k] of Object.entries(changed)) if (Number(axis) < shared.place.length) shared.place[axis] = k;
  for (const view of views) view.plane.through in changed && shared.session.volume ? view.load() : view.paint();
  clearTimeout(asking);
  asking = setTimeout(showPosition, 40);
}

async function showPosition() {
  const { session, place: at } = shared;
  try {
    const found = await api.voxel(session.id, at);
    const names = ["x", "y", "z"];
    const index = found.index.map((k, n) => `${names[n]} ${k}`).join(", ");
    const mm = found.mm ? ` · ${found.mm.map((v, n) => `${"RAS"[n]} ${v.toFixed(1)}`).join(", ")} mm` : "";
    const unit = session.window.hounsfield ? " HU" : "";
    const value = Array.isArray(found.value) ? `(${found.value.join(", ")})` : Number(found.value.toPrecision(6));
    by("position").textContent = `${index}${mm} · value ${value}${unit}`;
  } catch (error) {
    ended(error);
  }
}

function setWindow(level, width) {
  if (shared.session.window.fixed) return;
  shared.window = { level: Number(level.toPrecision(6)), width: Number(Math.max(width, 1e-6).toPrecision(6)) };
  showWindow(shared.window);
  for (const view of views) view.load();
}

const viewActions = {
  place,
  draw: (box) => edits.add(box),
  // Only saves time, so that a failure is nothing to tell.
  foresee: (k) => api.foresee(shared.session.id, k).catch(() => {}),
  reshape: (key, box) => edits.changeObject(key, { box }),
  pick() {
    const found = boxes.smallestAround(shared.objects, shared.place);
    if (found) listActions.choose(found.key);
  },
  point(changed, removes = false) {
    place(changed);
    edits.point([...shared.place], removes);
  },
  stroke(places, removes) {
    edits.stroke(places.map((changed) => shared.place.map((k, axis) => changed[axis] ?? k)), removes);
  },
  window(dx, dy) {
    const speed = Math.max(shared.window.width, 1) / 300;
    setWindow(shared.window.level + dy * speed, shared.window.width + dx * speed);
  },
};

let known = {};

function leave() {
  stream?.close();
  for (const view of views) view.close();
  views = [];
  Object.assign(shared, { session: null, chosen: null, objects: [], stamp: "", serial: 0, unsaved: false });
  history.replaceState(null, "", "/");
}

// A session that was closed on this page.
function closed(id) {
  if (shared.session?.id !== id) return;
  leave();
  by("welcome").hidden = false;
  by("views").className = "";
  for (const name of ["undo", "redo", "save"]) by(name).disabled = true;
  for (const name of ["busy", "notes-section", "windows"]) by(name).hidden = true;
  for (const name of ["scan-name", "position"]) by(name).textContent = "";
  document.title = "litemedsam";
  showObjects([], null, false, listActions);
}

function show(session) {
  leave();
  by("welcome").hidden = true;
  shared.session = session;
  shared.place = session.size.map((size) => Math.floor(size / 2));
  shared.window = { level: session.window.level, width: session.window.width };
  by("views").className = session.planes.length > 1 ? "volume" : "image";
  views = session.planes.map((plane, n) => new View(shared, plane, n === 0, viewActions));
  by("views").append(...views.map((view) => view.element));
  by("scan-name").textContent = session.name;
  by("notes-section").hidden = session.notes.length === 0;
  by("notes").replaceChildren(...session.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  listWindows(session, known, setWindow);
  showWindow(shared.window);
  history.replaceState(null, "", `/#session=${session.id}`);
  showState(session.state);
  place(Object.fromEntries(shared.place.map((k, axis) => [axis, k])));
  for (const view of views) view.load();
  views[0].element.focus({ preventScroll: true });
  listen(session);
}

function listen(session) {
  stream = api.events(session.id);
  stream.addEventListener("state", refresh);
  stream.addEventListener("masks", refresh);
  stream.addEventListener("progress", (event) => {
    const { done, total } = JSON.parse(event.data);
    Object.assign(by("progress"), { value: done, max: total });
  });
  // The browser connects again by itself; a session that has ended says so.
  stream.addEventListener("error", () => {
    if (session === shared.session) refresh();
  });
}

async function resume(id) {
  try {
    show(await api.session(id));
    return true;
  } catch (error) {
    history.replaceState(null, "", "/");
    if (error.status !== 404) api.showError(error);
    return false;
  }
}

function focusedView() {
  return views.find((view) => view.element.contains(document.activeElement)) ?? views[0];
}

// Axes and directions of a step to the right and down on the focused view, as a step by axis.
function stepOn(plane, [dx, dy]) {
  return { [plane.across]: plane.acrossReversed ? -dx : dx, [plane.down]: plane.downReversed ? -dy : dy };
}

const step = (way) => edits.step(way, () => !by(way).disabled);

const keyActions = {
  open: showOpen,
  save: () => shared.objects.length && showSave(shared.session),
  undo: () => step("undo"),
  redo: () => step("redo"),
  help() {
    const taken = { points: edits.takesPoints && !edits.takesCorrections, corrections: edits.takesCorrections };
    showHelp(HELP.filter(([, , kind]) => !kind || taken[kind]));
  },
  cancel() {
    if (edits.search) edits.search.abort();
    else if (!views.map((view) => view.cancel()).some(Boolean) && !by("busy").hidden) step("undo");
  },
  range(first) {
    if (!shared.session?.volume) return;
    const k = shared.place[2];
    edits.reshapeChosen((box) => {
      const [a, b] = first ? [k, Math.max(k, box[5])] : [Math.min(k, box[2]), k];
      return boxes.withRange(box, 2, a, b);
    });
  },
  extend: () => shared.session?.volume && edits.extend(),
  newBox: () => shared.session && viewActions.draw(boxes.around(shared.place, shared.session.size)),
  moveBox(...by) {
    edits.reshapeChosen((box) => boxes.moved(box, shared.session.size, stepOn(focusedView().plane, by)));
  },
  resizeBox(dx, dy) {
    edits.reshapeChosen((box) => {
      const { plane } = focusedView();
      const edges = boxes.edges(box, plane);
      const grown = { ...edges, right: Math.max(edges.right + dx, edges.left + 1), bottom: Math.max(edges.bottom + dy, edges.top + 1) };
      return boxes.withEdges(box, plane, grown);
    });
  },
  movePlace(...by) {
    if (!shared.session) return;
    const step = stepOn(focusedView().plane, by);
    const clip = (k, axis) => Math.min(Math.max(k, 0), shared.session.size[axis] - 1);
    place(Object.fromEntries(Object.entries(step).map(([axis, d]) => [axis, clip(shared.place[axis] + d, axis)])));
  },
  point: (removes) => shared.session && viewActions.point({}, removes),
  next: (by) =>
    edits.afterwards(() => {
      const at = shared.objects.findIndex((each) => each.key === shared.chosen);
      const count = shared.objects.length;
      if (count) choose(shared.objects[(at + by + count) % count].key);
    }),
  rename: () => edits.afterwards(() => focusName(shared.chosen)),
  toggle: () => edits.toggleChosen(),
  remove: () => edits.removeChosen(),
  outline: () => by("outline").click(),
  opacity(by_) {
    by("opacity").value = Number(by("opacity").value) + by_;
    by("opacity").dispatchEvent(new Event("input"));
  },
  preset: (n) => presetWindow(n, setWindow),
  slice: (by_) => views.length && focusedView().step(by_),
  zoom: (by_) => views.length && focusedView().magnify(by_),
  reset: () => views.length && focusedView().reset(),
};

function prepare() {
  by("open").addEventListener("click", showOpen);
  by("save").addEventListener("click", keyActions.save);
  by("undo").addEventListener("click", keyActions.undo);
  by("redo").addEventListener("click", keyActions.redo);
  by("help").addEventListener("click", keyActions.help);
  by("cancel").addEventListener("click", keyActions.cancel);
  by("extend").addEventListener("click", keyActions.extend);
  by("opacity").addEventListener("input", () => {
    shared.opacity = by("opacity").value / 100;
    for (const view of views) view.paint();
  });
  by("outline").addEventListener("change", () => {
    shared.outline = by("outline").checked;
    for (const view of views) view.load();
  });
  window.addEventListener("beforeunload", (event) => {
    if (shared.unsaved) event.preventDefault();
  });
  prepareOpen(show, resume, closed);
  prepareSave(async (format) => {
    try {
      download(await api.save(shared.session.id, format));
      await refresh();
    } catch (error) {
      api.showError(error);
    }
  });
  prepareKeys(keyActions);
}

function learn(about) {
  known = about.windows;
  edits.takesPoints = about.prompts.includes("points");
  edits.takesCorrections = about.corrections;
  showAbout(about);
  if (!shared.session) return;
  listWindows(shared.session, known, setWindow);
  showWindow(shared.window);
}

async function start() {
  prepare();
  // The token is in a cookie now; the address may be shown to others.
  const id = /^#session=([\w-]+)$/.exec(location.hash)?.[1];
  history.replaceState(null, "", id ? `/#session=${id}` : "/");
  api.about().then(learn, api.showError);
  if (!(id && (await resume(id)))) showOpen();
}

start();
