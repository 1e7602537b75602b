// Boxes in voxels as seen, and their place on a plane. Axes: 0 x, 1 y, 2 z; ends included.

export const low = (box, axis) => box[axis];
export const high = (box, axis) => box[box.length / 2 + axis];

export function withRange(box, axis, a, b) {
  const changed = [...box];
  changed[axis] = Math.min(a, b);
  changed[box.length / 2 + axis] = Math.max(a, b);
  return changed;
}

export const covers = (box, axis, k) => axis >= box.length / 2 || (low(box, axis) <= k && k <= high(box, axis));

// A column or row of a plane to an index along its axis, and back: mirrored where the plane runs against the axis.
export const across = (plane, k) => (plane.acrossReversed ? plane.width - 1 - k : k);
export const down = (plane, k) => (plane.downReversed ? plane.height - 1 - k : k);

// The box's edges on a plane, in pixels of its picture; the right and bottom edges are those of the last pixel.
export function edges(box, plane) {
  const columns = [across(plane, low(box, plane.across)), across(plane, high(box, plane.across))];
  const rows = [down(plane, low(box, plane.down)), down(plane, high(box, plane.down))];
  return { left: Math.min(...columns), right: Math.max(...columns) + 1, top: Math.min(...rows), bottom: Math.max(...rows) + 1 };
}

// The box with other edges on a plane, kept within its picture.
export function withEdges(box, plane, { left, right, top, bottom }) {
  const clip = (value, size) => Math.min(Math.max(Math.round(value), 0), size);
  const columns = [clip(Math.min(left, right), plane.width - 1), clip(Math.max(left, right), plane.width) - 1];
  const rows = [clip(Math.min(top, bottom), plane.height - 1), clip(Math.max(top, bottom), plane.height) - 1];
  const changed = withRange(box, plane.across, across(plane, columns[0]), across(plane, Math.max(...columns)));
  return withRange(changed, plane.down, down(plane, rows[0]), down(plane, Math.max(...rows)));
}

export function moved(box, size, by) {
  const rank = box.length / 2;
  const changed = [...box];
  for (let axis = 0; axis < rank; axis++) {
    const step = Math.min(Math.max(by[axis] ?? 0, -box[axis]), size[axis] - 1 - box[rank + axis]);
    changed[axis] += step;
    changed[rank + axis] += step;
  }
  return changed;
}

// A box on one slice around a place, a quarter of the image wide.
export function around(place, size) {
  const box = [...place, ...place];
  for (const axis of [0, 1]) {
    const half = Math.max(Math.floor(size[axis] / 8), 2);
    box[axis] = Math.max(place[axis] - half, 0);
    box[size.length + axis] = Math.min(place[axis] + half, size[axis] - 1);
  }
  return box;
}

// Of the visible objects whose box holds a place, the one with the smallest box.
export function smallestAround(objects, place) {
  const size = (box) => place.reduce((all, _, axis) => all * (high(box, axis) - low(box, axis) + 1), 1);
  const holding = objects.filter((each) => each.visible && place.every((k, axis) => covers(each.box, axis, k)));
  return holding.sort((a, b) => size(a.box) - size(b.box))[0];
}
