// The server's API, and messages for the user.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  let text = `${answer.status} ${answer.statusText}`;
  if ((answer.headers.get("content-type") ?? "").startsWith("application/json")) text = (await answer.json()).error.text;
  throw new Refused(answer.status, text);
}

async function send(method, path, body, signal) {
  const json = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return checked(await fetch(path, { method, signal, ...json }));
}

const json = async (answer) => (await answer).json();
const of = (session) => `/api/sessions/${encodeURIComponent(session)}`;

export const about = () => json(send("GET", "/api/about"));
export const files = () => json(send("GET", "/api/files"));
export const sessions = () => json(send("GET", "/api/sessions"));
export const session = (id) => json(send("GET", of(id)));
export const openScan = (options) => json(send("POST", "/api/sessions", options));
export const closeSession = (id) => send("DELETE", of(id));
export const state = (id) => json(send("GET", `${of(id)}/state`));
export const addObject = (id, box) => json(send("POST", `${of(id)}/objects`, { box }));
export const changeObject = (id, key, values) => json(send("PATCH", `${of(id)}/objects/${key}`, values));
export const extendObject = (id, key, signal) => json(send("POST", `${of(id)}/objects/${key}/extend`, {}, signal));
export const foresee = (id, k) => send("POST", `${of(id)}/foresee`, { slice: k });
export const removeObject = (id, key) => json(send("DELETE", `${of(id)}/objects/${key}`));
export const undo = (id) => json(send("POST", `${of(id)}/undo`, {}));
export const redo = (id) => json(send("POST", `${of(id)}/redo`, {}));
export const events = (id) => new EventSource(`${of(id)}/events`);
export const sliceAddress = (id, plane, k, level, width) => `${of(id)}/slices/${plane}/${k}?level=${level}&width=${width}`;
export const masksAddress = (id, plane, k, outline) => `${of(id)}/masks/${plane}/${k}?outline=${outline ? 1 : 0}`;

export function voxel(id, place) {
  const axes = ["x", "y", "z"];
  return json(send("GET", `${of(id)}/voxel?${place.map((k, n) => `${axes[n]}=${k}`).join("&")}`));
}

export async function picture(address, signal) {
  const answer = await checked(await fetch(address, { signal }));
  return createImageBitmap(await answer.blob());
}

export async function upload(chosen, tell) {
  const { id } = await json(send("POST", "/api/uploads", {}));
  for (const [n, file] of chosen.entries()) {
    tell(`Uploading ${n + 1} of ${chosen.length}…`);
    await checked(await fetch(`/api/uploads/${id}/files?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file }));
  }
  return id;
}

export async function save(id, format) {
  const answer = await send("POST", `${of(id)}/export`, { format });
  const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("content-disposition"))[1];
  return { name: decodeURIComponent(name), blob: await answer.blob() };
}

const message = document.getElementById("message");

export function showError(error) {
  if (error.name === "AbortError") return;
  document.getElementById("message-text").textContent = error instanceof Refused ? error.message : `The server does not answer (${error.message}).`;
  // Within an open dialog, which covers all else.
  (document.querySelector("dialog[open]") ?? document.body).append(message);
  message.hidden = false;
}

export function hideError() {
  message.hidden = true;
}

document.getElementById("message-close").addEventListener("click", hideError);
