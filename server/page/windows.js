// The windows that the display section offers.

const group = document.getElementById("windows");
let presets = [];

// `known`: level and width by name, for CT.
export function listWindows(session, known, choose) {
  const { level, width, fixed, hounsfield } = session.window;
  const named = Object.entries(known).map(([name, values]) => [name, ...values]);
  presets = fixed ? [] : [["usual", level, width], ...(hounsfield ? named : [])];
  group.hidden = presets.length < 2;
  group.replaceChildren(
    ...presets.map(([name, ...values]) => {
      const made = document.createElement("button");
      made.textContent = name;
      made.addEventListener("click", () => choose(...values));
      return made;
    }),
  );
}

export function showWindow({ level, width }) {
  const at = presets.findIndex(([, l, w]) => l === level && w === width);
  presets.forEach((_, n) => group.children[n].setAttribute("aria-pressed", n === at));
}

export function presetWindow(n, choose) {
  if (presets[n]) choose(presets[n][1], presets[n][2]);
}
