// The keyboard.

export const HELP = [
  ["drag in the large view", "draw a box"],
  ["drag a handle or an edge", "resize or move the chosen box"],
  ["Ctrl + drag", "draw a box even over the chosen one's edges"],
  ["drag in another view", "set the chosen box's slices"],
  ["wheel, Page Up/Down", "next and previous slice"],
  ["right button, drag", "window: level and width"],
  ["Shift or middle, drag", "move the picture"],
  ["Ctrl + wheel, + and −", "zoom; 0 resets it"],
  ["click, arrows", "move the crosshair"],
  ["[ and ]", "the box begins, ends at this slice"],
  ["x", "find the slices of the chosen object, whose box covers one"],
  ["b", "a new box at the crosshair"],
  ["Alt + arrows", "move the chosen box"],
  ["Shift + arrows", "resize the chosen box"],
  ["t, Alt + click", "set or remove a point on the chosen object", "points"],
  ["t, Alt + click", "add what the chosen object's mask lacks", "corrections"],
  ["T, Alt + Shift + click", "remove what does not belong to it", "corrections"],
  ["Alt + drag", "add along a line; with Shift, remove", "corrections"],
  ["n and p", "choose the next, previous object"],
  ["r", "rename the chosen object"],
  ["v", "show or hide the chosen object"],
  ["Delete", "delete the chosen object"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["Esc", "cancel a drag or a computation"],
  ["o", "outlines or areas"],
  [", and .", "less or more mask opacity"],
  ["1 to 6", "windows, in the order of the buttons"],
  ["Ctrl+O, Ctrl+S", "open, save"],
  ["?", "these keys"],
];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function prepareKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const { target, key } = event;
    const typing = target.matches("input:not([type=range]):not([type=checkbox]):not([type=color]), select, textarea");
    const command = event.ctrlKey || event.metaKey;
    let action = null;
    if (command) {
      const shifted = event.shiftKey || key.toLowerCase() === "y";
      const known = { o: actions.open, s: actions.save, z: shifted ? actions.redo : actions.undo, y: actions.redo };
      // A field that is being typed in has an undo of its own.
      if (!(typing && "zy".includes(key.toLowerCase()))) action = known[key.toLowerCase()];
    } else if (!typing) {
      const slider = target.matches("input[type=range]");
      if (ARROWS[key] && !slider) {
        const way = event.altKey ? "moveBox" : event.shiftKey ? "resizeBox" : "movePlace";
        action = () => actions[way](...ARROWS[key]);
      } else if (/^[1-9]$/.test(key)) {
        action = () => actions.preset(Number(key) - 1);
      } else if (!(slider && key.startsWith("Page"))) {
        action = {
          "?": actions.help,
          "[": () => actions.range(true),
          "]": () => actions.range(false),
          x: actions.extend,
          b: actions.newBox,
          t: () => actions.point(false),
          T: () => actions.point(true),
          n: () => actions.next(1),
          p: () => actions.next(-1),
          r: actions.rename,
          v: actions.toggle,
          Delete: actions.remove,
          Escape: actions.cancel,
          o: actions.outline,
          ",": () => actions.opacity(-10),
          ".": () => actions.opacity(10),
          PageUp: () => actions.slice(1),
          PageDown: () => actions.slice(-1),
          "+": () => actions.zoom(1.25),
          "-": () => actions.zoom(1 / 1.25),
          0: actions.reset,
        }[key];
      }
    }
    if (!action) return;
    event.preventDefault();
    action();
  });
}
