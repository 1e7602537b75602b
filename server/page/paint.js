// Crosshair, boxes and points on a canvas. A layout has the screen's pixels per pixel of the picture, and its corner.

import * as boxes from "./box.js";

export function paintCrosshair(pen, { scale, left, top }, plane, place) {
  const x = left + (boxes.across(plane, place[plane.across]) + 0.5) * scale[0];
  const y = top + (boxes.down(plane, place[plane.down]) + 0.5) * scale[1];
  pen.strokeStyle = "#ffd84d88";
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  pen.moveTo(left, y);
  pen.lineTo(left + plane.width * scale[0], y);
  pen.moveTo(x, top);
  pen.lineTo(x, top + plane.height * scale[1]);
  pen.stroke();
}

const middle = ({ scale, left, top }, plane, place) => [
  left + (boxes.across(plane, place[plane.across]) + 0.5) * scale[0],
  top + (boxes.down(plane, place[plane.down]) + 0.5) * scale[1],
];

// The object's points and corrections on one slice.
export function paintMarks(pen, layout, plane, slice, object) {
  const here = (place) => plane.name === "image" || place[plane.through] === slice;
  for (const point of object.points.filter(here)) paintPoint(pen, middle(layout, plane, point), object.colour, false);
  for (const made of object.corrections) {
    const [[kind, value]] = Object.entries(made);
    const removes = kind.startsWith("remove");
    if (!kind.endsWith("_stroke")) {
      if (here(value)) paintPoint(pen, middle(layout, plane, value), object.colour, removes);
    } else if (value.some(here)) {
      paintStroke(pen, layout, plane, value.filter(here), object.colour, removes);
    }
  }
}

// A bar marks what removes.
function paintPoint(pen, [x, y], colour, removes) {
  pen.setLineDash([]);
  pen.beginPath();
  pen.arc(x, y, 4.5, 0, 7);
  pen.fillStyle = colour;
  pen.strokeStyle = "#000000";
  pen.lineWidth = 1.5;
  pen.fill();
  pen.stroke();
  if (!removes) return;
  pen.beginPath();
  pen.moveTo(x - 3, y);
  pen.lineTo(x + 3, y);
  pen.lineWidth = 2;
  pen.stroke();
}

// A line along places, dark beneath its colour; dashed if it removes.
export function paintStroke(pen, layout, plane, places, colour, removes) {
  pen.lineJoin = "round";
  pen.setLineDash(removes ? [6, 4] : []);
  for (const [style, width] of [["#000000aa", 5], [colour, 2.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.beginPath();
    places.forEach((place, n) => (n ? pen.lineTo(...middle(layout, plane, place)) : pen.moveTo(...middle(layout, plane, place))));
    pen.stroke();
  }
  pen.setLineDash([]);
}

// A box by its edges, dark beneath its colour, with handles where it can be dragged.
export function paintBox(pen, { scale, left, top }, edges, colour, dash, handles) {
  const [x0, x1] = [left + edges.left * scale[0], left + edges.right * scale[0]];
  const [y0, y1] = [top + edges.top * scale[1], top + edges.bottom * scale[1]];
  pen.setLineDash(dash);
  for (const [style, width] of [["#000000aa", 3.5], [colour, 1.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  pen.setLineDash([]);
  if (!handles) return;
  pen.fillStyle = colour;
  pen.strokeStyle = "#000000";
  pen.lineWidth = 1;
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  for (const [a, b] of [[x0, y0], [x, y0], [x1, y0], [x0, y], [x1, y], [x0, y1], [x, y1], [x1, y1]]) {
    pen.fillRect(a - 3.5, b - 3.5, 7, 7);
    pen.strokeRect(a - 3.5, b - 3.5, 7, 7);
  }
}
