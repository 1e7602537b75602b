// The dialogs: open, save, help; and files that are dropped on the page.

import * as api from "./api.js";

const by = (id) => document.getElementById(id);
const FORMATS = {
  nifti: "NIfTI (.nii.gz)",
  npz: "NumPy archive (.npz)",
  dicom: "DICOM segmentation (.dcm)",
  nrrd: "NRRD (.nrrd)",
  mha: "MetaImage (.mha)",
  png: "PNG picture (.png), TIFF for volumes of pages",
  prompts: "Prompts for litemedsam-infer --boxes (.json)",
};

function reading() {
  const options = {};
  if (by("model-window").value) options.window = by("model-window").value;
  if (by("frame").value !== "") options.frame = Number(by("frame").value);
  if (by("series").value) options.series = by("series").value;
  if (by("uneven").checked) options.allow_uneven = true;
  return options;
}

function tell(text) {
  by("open-status").textContent = text;
}

let opening = false;

// `wanted`: gives the body of the request; `opened` gets the session.
async function openWith(wanted, opened) {
  if (opening) return;
  opening = true;
  api.hideError();
  try {
    tell("Opening…");
    opened(await api.openScan({ ...(await wanted()), ...reading() }));
    by("open-dialog").close();
  } catch (error) {
    by("reading").open = true;
    if (!by("open-dialog").open) await showOpen();
    api.showError(error);
  } finally {
    opening = false;
    tell("");
  }
}

function uploadAll(files, opened, name) {
  const usable = [...files].filter((file) => !file.name.startsWith("."));
  usable.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  if (!usable.length) return;
  openWith(async () => ({ upload: await api.upload(usable, tell), ...(name ? { name } : {}) }), opened);
}

function listFiles(files, opened) {
  const shown = by("filter").value.toLowerCase();
  by("files").replaceChildren(
    ...files
      .filter((file) => file.name.toLowerCase().includes(shown))
      .slice(0, 500)
      .map((file) => {
        const item = document.createElement("li");
        const choice = document.createElement("button");
        choice.type = "button";
        choice.textContent = file.name;
        choice.addEventListener("click", () => openWith(async () => ({ file: file.id }), opened));
        item.append(choice);
        return item;
      }),
  );
}

function inlineButton(text, label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

async function closeRunning(session) {
  if (session.unsaved && !confirm(`${session.name} has objects that were not saved. Close it?`)) return;
  // First, since the server ends the page's stream of events.
  whenClosed(session.id);
  try {
    await api.closeSession(session.id);
    listRunning((await api.sessions()).sessions);
  } catch (error) {
    api.showError(error);
  }
}

function listRunning(running) {
  by("running").hidden = running.length === 0;
  by("running-list").replaceChildren(
    ...running.map((session) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.className = "gap";
      name.textContent = session.name;
      const show = inlineButton("Show", `Show ${session.name}`, () => {
        by("open-dialog").close();
        whenResumed(session.id);
      });
      item.append(name, show, inlineButton("Close", `Close ${session.name}`, () => closeRunning(session)));
      return item;
    }),
  );
}

let known = [];
let whenOpened = null;
let whenResumed = null;
let whenClosed = null;

export async function showOpen() {
  api.hideError();
  // What was listed before may have changed.
  listRunning([]);
  by("open-dialog").showModal();
  try {
    const [{ files }, { sessions }] = await Promise.all([api.files(), api.sessions()]);
    known = files;
    by("offered").hidden = files.length === 0;
    if (files.length) by("filter").focus();
    listFiles(known, whenOpened);
    listRunning(sessions);
  } catch (error) {
    api.showError(error);
  }
}

export function prepareOpen(opened, resume, closed) {
  [whenOpened, whenResumed, whenClosed] = [opened, resume, closed];
  by("filter").addEventListener("input", () => listFiles(known, opened));
  by("choose-files").addEventListener("change", (event) => {
    uploadAll(event.target.files, opened);
    event.target.value = "";
  });
  by("choose-folder").addEventListener("change", (event) => {
    const [first] = event.target.files;
    uploadAll(event.target.files, opened, first?.webkitRelativePath.split("/")[0]);
    event.target.value = "";
  });
  const views = by("views");
  const dropping = (on) => (event) => {
    event.preventDefault();
    views.classList.toggle("dropping", on);
  };
  document.addEventListener("dragover", dropping(true));
  document.addEventListener("dragleave", dropping(false));
  document.addEventListener("drop", (event) => {
    dropping(false)(event);
    uploadAll(event.dataTransfer.files, opened);
  });
  // Enter in a field of the form opens nothing by itself.
  by("open-dialog").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") event.preventDefault();
  });
}

export function showSave(session) {
  const fields = session.formats.map((format, n) => {
    const label = document.createElement("label");
    const choice = document.createElement("input");
    Object.assign(choice, { type: "radio", name: "format", value: format, checked: n === 0 });
    label.append(choice, ` ${FORMATS[format] ?? format}${n === 0 ? ", the scan's own" : ""}`);
    return label;
  });
  by("formats").replaceChildren(by("formats").querySelector("legend"), ...fields);
  by("command").textContent = session.command;
  by("save-dialog").returnValue = "";
  by("save-dialog").showModal();
}

export function prepareSave(save) {
  by("save-dialog").addEventListener("close", () => {
    const chosen = by("formats").querySelector("input:checked");
    if (by("save-dialog").returnValue === "save" && chosen) save(chosen.value);
  });
}

export function download({ name, blob }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function showHelp(keys) {
  by("keys").replaceChildren(
    ...keys.map(([key, what]) => {
      const line = document.createElement("div");
      const name = document.createElement("kbd");
      name.textContent = key;
      const text = document.createElement("span");
      text.textContent = what;
      line.append(name, text);
      return line;
    }),
  );
  by("help-dialog").showModal();
}
