// Changes of the session's objects on the server, one after the other, so that each starts from what the one before left.

import * as api from "./api.js";

export class Edits {
  // `shared`: what all views share; `show`: shows a state that the server answers; `busy`: shows what is under way.
  constructor(shared, show, busy) {
    Object.assign(this, { shared, show, busy });
    this.steps = Promise.resolve();
    this.search = null;
    // What the model takes beside boxes.
    this.takesPoints = false;
    this.takesCorrections = false;
  }

  get chosen() {
    return this.shared.objects.find((each) => each.key === this.shared.chosen);
  }

  // Runs a change and shows the state that it answers.
  change(call) {
    this.steps = this.steps.then(async () => {
      if (!this.shared.session) return;
      try {
        const state = await call(this.shared.session.id);
        api.hideError();
        if (state.key !== undefined) this.shared.chosen = state.key;
        this.show(state);
      } catch (error) {
        api.showError(error);
      }
    });
  }

  // Runs what depends on the chosen object after the changes before it, which may choose another one.
  afterwards(action) {
    this.steps = this.steps.then(() => {
      try {
        if (this.shared.session) action();
      } catch (error) {
        api.showError(error);
      }
    });
  }

  // Changes the object that is chosen when its turn comes; `values` makes the new ones from it.
  changeChosen(values) {
    this.change((id) => {
      const object = this.chosen;
      return object ? api.changeObject(id, object.key, values(object)) : api.state(id);
    });
  }

  add(box) {
    this.change((id) => api.addObject(id, box));
  }

  changeObject(key, values) {
    this.change((id) => api.changeObject(id, key, values));
  }

  remove(key) {
    this.change((id) => api.removeObject(id, key));
  }

  removeChosen() {
    this.change((id) => (this.chosen ? api.removeObject(id, this.shared.chosen) : api.state(id)));
  }

  reshapeChosen(reshape) {
    this.changeChosen(({ box }) => ({ box: reshape(box) }));
  }

  toggleChosen() {
    this.changeChosen(({ visible }) => ({ visible: !visible }));
  }

  // Corrects the chosen object's mask at a place; where the model takes no corrections, sets or takes away a point.
  point(at, removes) {
    if (this.takesCorrections) this.correct({ [removes ? "remove" : "add"]: at });
    else if (this.takesPoints) {
      this.changeChosen(({ points }) => {
        const others = points.filter((point) => point.some((k, axis) => k !== at[axis]));
        return { points: others.length < points.length ? others : [...others, at] };
      });
    }
  }

  // Corrects the chosen object's mask along a line.
  stroke(along, removes) {
    if (this.takesCorrections) this.correct({ [removes ? "remove_stroke" : "add_stroke"]: along });
  }

  correct(made) {
    this.changeChosen(({ corrections }) => ({ corrections: [...corrections, made] }));
  }

  // Finds the slices of the chosen object.
  extend() {
    this.change(async (id) => {
      const object = this.chosen;
      if (!object) return api.state(id);
      this.search = new AbortController();
      this.busy();
      try {
        return await api.extendObject(id, object.key, this.search.signal);
      } finally {
        this.search = null;
        this.busy();
      }
    });
  }

  // Undoes or redoes one step, where the state at its turn has one.
  step(way, possible) {
    this.change((id) => (possible() ? api[way](id) : api.state(id)));
  }
}
