// One plane on screen: slice, masks, boxes, crosshair; and what the mouse does on it.

import * as api from "./api.js";
import * as boxes from "./box.js";
import { paintBox, paintCrosshair, paintMarks, paintStroke } from "./paint.js";

const KEPT = 160;
const HANDLE = 7;
const CLICK = 4;
const LONGEST = 500;

export class View {
  // `actions`: what the view asks for: place(axis → index), draw(box), reshape(key, box), pick(place),
  // point(place, removes), stroke(places, removes), window(dx, dy), foresee(slice).
  constructor(shared, plane, main, actions) {
    Object.assign(this, { shared, plane, main, actions });
    this.zoom = 1;
    this.pan = [0, 0];
    this.drag = null;
    this.kept = new Map();
    this.bitmap = null;
    this.masks = null;
    this.build();
  }

  build() {
    const { plane } = this;
    this.element = document.createElement("section");
    this.element.className = "view";
    this.element.tabIndex = 0;
    this.element.dataset.plane = plane.name;
    this.element.setAttribute("aria-label", `${plane.name} view`);
    this.canvas = document.createElement("canvas");
    this.title = document.createElement("span");
    this.title.className = "title";
    this.element.append(this.canvas, this.title);
    for (const [side, letter] of Object.entries(plane.marks)) {
      if (!letter) continue;
      const mark = document.createElement("span");
      mark.className = `mark ${side}`;
      mark.textContent = letter;
      this.element.append(mark);
    }
    if (plane.count > 1) {
      this.slider = document.createElement("input");
      Object.assign(this.slider, { type: "range", min: 0, max: plane.count - 1, step: 1 });
      this.slider.setAttribute("aria-label", `${plane.name} slice`);
      this.slider.addEventListener("input", () => this.actions.place({ [plane.through]: Number(this.slider.value) }));
      this.element.append(this.slider);
    }
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", (event) => this.end(event));
    this.canvas.addEventListener("pointercancel", () => this.cancel());
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.canvas);
  }

  close() {
    this.observer.disconnect();
    this.loading?.abort();
    this.element.remove();
  }

  get slice() {
    return this.plane.name === "image" ? 0 : this.shared.place[this.plane.through];
  }

  // Pixels of the screen per pixel of the picture, and the place of its top left corner.
  layout() {
    const { clientWidth, clientHeight } = this.canvas;
    const [wide, tall] = this.plane.pixel;
    const fit = Math.min(clientWidth / (this.plane.width * wide), clientHeight / (this.plane.height * tall)) * this.zoom;
    const scale = [fit * wide, fit * tall];
    const left = (clientWidth - this.plane.width * scale[0]) / 2 + this.pan[0];
    const top = (clientHeight - this.plane.height * scale[1]) / 2 + this.pan[1];
    return { scale, left, top };
  }

  toPicture(event) {
    const { scale, left, top } = this.layout();
    const frame = this.canvas.getBoundingClientRect();
    return [(event.clientX - frame.left - left) / scale[0], (event.clientY - frame.top - top) / scale[1]];
  }

  // The voxel under a point of the picture, as indices by axis.
  toVoxel([x, y]) {
    const column = Math.min(Math.max(Math.floor(x), 0), this.plane.width - 1);
    const row = Math.min(Math.max(Math.floor(y), 0), this.plane.height - 1);
    return { [this.plane.across]: boxes.across(this.plane, column), [this.plane.down]: boxes.down(this.plane, row) };
  }

  async load() {
    this.loading?.abort();
    this.loading = new AbortController();
    const { session, window, outline, stamp } = this.shared;
    const k = this.slice;
    try {
      const picture = this.get(api.sliceAddress(session.id, this.plane.name, k, window.level, window.width), "");
      const masks = this.shared.objects.length ? this.get(api.masksAddress(session.id, this.plane.name, k, outline), stamp) : null;
      const [bitmap, over] = await Promise.all([picture, masks]);
      if (k !== this.slice) return;
      this.bitmap = bitmap;
      this.masks = over;
      this.shown = k;
      this.paint();
    } catch (error) {
      api.showError(error);
    }
  }

  async get(address, stamp) {
    const key = `${stamp} ${address}`;
    let bitmap = this.kept.get(key);
    if (!bitmap) {
      bitmap = await api.picture(address, this.loading.signal);
      this.kept.set(key, bitmap);
      if (this.kept.size > KEPT) {
        const [oldest] = this.kept.keys();
        this.kept.get(oldest).close();
        this.kept.delete(oldest);
      }
    }
    return bitmap;
  }

  paint() {
    const { canvas, plane, shared } = this;
    const ratio = devicePixelRatio;
    const [wide, tall] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
    const { scale, left, top } = this.layout();
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    pen.imageSmoothingEnabled = Math.min(...scale) < 3;
    const frame = [left, top, plane.width * scale[0], plane.height * scale[1]];
    if (this.bitmap) pen.drawImage(this.bitmap, ...frame);
    if (this.masks) {
      pen.globalAlpha = shared.outline ? 1 : shared.opacity;
      pen.drawImage(this.masks, ...frame);
      pen.globalAlpha = 1;
    }
    if (plane.count > 1) paintCrosshair(pen, this.layout(), plane, shared.place);
    for (const object of shared.objects) this.box(pen, object);
    for (const object of shared.objects) if (object.visible) paintMarks(pen, this.layout(), plane, this.slice, object);
    if (this.drag?.places) paintStroke(pen, this.layout(), plane, this.drag.places, "#ffffff", this.drag.removes);
    if (this.drag?.shape) paintBox(pen, this.layout(), this.drag.shape, "#ffffff", [5, 4], false);
    this.title.textContent = plane.name === "image" ? "" : `${plane.name} ${this.slice + 1} / ${plane.count}`;
    if (this.slider) this.slider.value = this.slice;
    this.element.dataset.shown = this.shown ?? "";
  }

  box(pen, object) {
    const chosen = object.key === this.shared.chosen;
    if (!object.visible || (this.drag?.key === object.key && this.drag.shape)) return;
    const here = this.plane.name === "image" || boxes.covers(object.box, this.plane.through, this.slice);
    if (!here && !chosen) return;
    paintBox(pen, this.layout(), boxes.edges(object.box, this.plane), object.colour, here ? [] : [2, 4], chosen && here);
  }

  // Which edges of the chosen box are under a point of the picture; all of them on its border between the handles.
  grip([x, y]) {
    const object = this.shared.objects.find((each) => each.key === this.shared.chosen && each.visible);
    if (!object || !(this.plane.name === "image" || boxes.covers(object.box, this.plane.through, this.slice))) return null;
    const { scale } = this.layout();
    const edges = boxes.edges(object.box, this.plane);
    const near = (value, edge, axis) => Math.abs(value - edge) * scale[axis] <= HANDLE;
    const within = (value, a, b, axis) => value >= a - HANDLE / scale[axis] && value <= b + HANDLE / scale[axis];
    if (!within(x, edges.left, edges.right, 0) || !within(y, edges.top, edges.bottom, 1)) return null;
    const sides = [];
    if (near(x, edges.left, 0)) sides.push("left");
    else if (near(x, edges.right, 0)) sides.push("right");
    if (near(y, edges.top, 1)) sides.push("top");
    else if (near(y, edges.bottom, 1)) sides.push("bottom");
    if (!sides.length) return null;
    const middle = near(x, (edges.left + edges.right) / 2, 0) || near(y, (edges.top + edges.bottom) / 2, 1);
    return { object, edges, sides: sides.length === 2 || middle ? sides : null };
  }

  begin(event) {
    this.element.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const start = this.toPicture(event);
    const screen = [event.clientX, event.clientY];
    if (event.button === 2) this.drag = { kind: "window", last: screen };
    else if (event.button === 0 && event.altKey) this.drag = { kind: "mark", screen, removes: event.shiftKey, places: [this.toVoxel(start)] };
    else if (event.button === 1 || event.shiftKey) this.drag = { kind: "pan", last: screen };
    else if (event.button === 0) this.drag = { screen, start, ...this.choice(start, event.ctrlKey || event.metaKey) };
    if (this.drag?.kind === "draw" && this.plane.count > 1) this.actions.foresee(this.slice);
    event.preventDefault();
  }

  // What a drag from here does; `anew` draws a box even where one could be taken hold of.
  choice(start, anew) {
    const grip = this.grip(start);
    if (grip && !(anew && this.main)) return { kind: grip.sides ? "resize" : "move", key: grip.object.key, box: grip.object.box, ...grip };
    if (this.main) return { kind: "draw" };
    const object = this.shared.objects.find((each) => each.key === this.shared.chosen);
    return object ? { kind: "range", key: object.key, box: object.box } : { kind: "place" };
  }

  move(event) {
    const { drag } = this;
    const point = this.toPicture(event);
    if (!drag) {
      this.canvas.style.cursor = this.grip(point) ? "move" : "crosshair";
      return;
    }
    const screen = [event.clientX, event.clientY];
    if (drag.kind === "window" || drag.kind === "pan") {
      const by = [screen[0] - drag.last[0], screen[1] - drag.last[1]];
      drag.last = screen;
      if (drag.kind === "window") this.actions.window(...by);
      else this.shift(by);
      return;
    }
    if (drag.kind === "place") this.actions.place(this.toVoxel(point));
    else if (drag.kind === "mark") this.mark(screen, this.toVoxel(point));
    else if (drag.shape || Math.hypot(screen[0] - drag.screen[0], screen[1] - drag.screen[1]) >= CLICK) drag.shape = this.shape(point);
    this.paint();
  }

  // Adds a place to a stroke, once the mouse has moved as far as a drag does.
  mark(screen, place) {
    const { drag } = this;
    drag.moved ||= Math.hypot(screen[0] - drag.screen[0], screen[1] - drag.screen[1]) >= CLICK;
    // Other views cut across the slices that the model sees.
    if (!this.main) return;
    const last = drag.places.at(-1);
    if (drag.moved && Object.keys(place).some((axis) => place[axis] !== last[axis]) && drag.places.length < LONGEST) drag.places.push(place);
  }

  // The edges that a drag has given so far.
  shape([x, y]) {
    const { kind, start, edges, sides, box } = this.drag;
    const [dx, dy] = [Math.round(x - start[0]), Math.round(y - start[1])];
    if (kind === "draw") {
      const [first, last] = [[Math.min(x, start[0]), Math.min(y, start[1])], [Math.max(x, start[0]), Math.max(y, start[1])]];
      return this.within({ left: Math.floor(first[0]), right: Math.ceil(last[0]), top: Math.floor(first[1]), bottom: Math.ceil(last[1]) });
    }
    if (kind === "range") {
      const shape = boxes.edges(box, this.plane);
      if (this.plane.across === 2) [shape.left, shape.right] = [Math.floor(Math.min(x, start[0])), Math.floor(Math.max(x, start[0])) + 1];
      else [shape.top, shape.bottom] = [Math.floor(Math.min(y, start[1])), Math.floor(Math.max(y, start[1])) + 1];
      return this.within(shape);
    }
    const by = { left: dx, right: dx, top: dy, bottom: dy };
    if (!sides) {
      // A box that is moved keeps its size at the edge.
      const { width, height } = this.plane;
      by.left = by.right = Math.min(Math.max(dx, -edges.left), width - edges.right);
      by.top = by.bottom = Math.min(Math.max(dy, -edges.top), height - edges.bottom);
    }
    const shape = { ...edges };
    for (const side of sides ?? ["left", "right", "top", "bottom"]) shape[side] += by[side];
    return this.within(shape);
  }

  within(shape) {
    const clip = (value, size) => Math.min(Math.max(value, 0), size);
    const { width, height } = this.plane;
    return { left: clip(shape.left, width), right: clip(shape.right, width), top: clip(shape.top, height), bottom: clip(shape.bottom, height) };
  }

  end(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.kind === "window" || drag.kind === "pan") return;
    if (drag.kind === "mark") {
      if (drag.places.length > 1) this.actions.stroke(drag.places, drag.removes);
      else this.actions.point(drag.places[0], drag.removes);
    } else if (!drag.shape) {
      this.actions.place(this.toVoxel(this.toPicture(event)));
      if (drag.kind !== "place") this.actions.pick(this);
    } else if (drag.kind === "draw") {
      const k = this.slice;
      const blank = this.plane.name === "image" ? [0, 0, 0, 0] : [0, 0, k, 0, 0, k];
      this.actions.draw(boxes.withEdges(blank, this.plane, drag.shape));
    } else {
      this.actions.reshape(drag.key, boxes.withEdges(drag.box, this.plane, drag.shape));
    }
    this.paint();
  }

  cancel() {
    const dragging = this.drag !== null;
    this.drag = null;
    this.paint();
    return dragging;
  }

  wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || this.plane.count === 1) this.magnify(event.deltaY < 0 ? 1.15 : 1 / 1.15, event);
    else this.step(event.deltaY > 0 ? 1 : -1);
  }

  step(by) {
    const k = Math.min(Math.max(this.slice + by, 0), this.plane.count - 1);
    this.actions.place({ [this.plane.through]: k });
  }

  magnify(by, event) {
    const frame = this.canvas.getBoundingClientRect();
    const [x, y] = event ? [event.clientX - frame.left, event.clientY - frame.top] : [frame.width / 2, frame.height / 2];
    const before = this.layout();
    const zoom = Math.min(Math.max(this.zoom * by, 0.5), 40);
    const real = zoom / this.zoom;
    this.zoom = zoom;
    const after = this.layout();
    this.pan[0] += x - (x - before.left) * real - after.left;
    this.pan[1] += y - (y - before.top) * real - after.top;
    this.paint();
  }

  shift([dx, dy]) {
    this.pan = [this.pan[0] + dx, this.pan[1] + dy];
    this.paint();
  }

  reset() {
    Object.assign(this, { zoom: 1, pan: [0, 0] });
    this.paint();
  }
}
