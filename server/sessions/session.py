"""One open scan with everything that a user has done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from threading import Lock, RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import LiteMedSamError
from ..refusal import BAD_REQUEST, CONFLICT, Refusal
from .corrections import as_json
from .events import Listeners
from .exports import PROMPTS, Export, command, export, formats_of
from .masks import MaskKeeper, ObjectMask
from .objects import DrawnObject, History, Prompt, changed, checked_name
from .overlay import overlay

if TYPE_CHECKING:
    from ...engine.inference.case_segmenter import Progress
    from .open_scan import OpenScan

_CLEANUP = Callable[[], None]


class ScanSession:
    """One open scan with its objects; for several threads.

    Parameters
    ----------
    key : str
        Chosen by the server.
    opened : OpenScan
    pool : Executor
        Computes masks.
    settings : sequence of str
        The server's settings as arguments of ``litemedsam-infer``.
    cleanup : callable, optional
        Called at the end, to remove uploaded files.
    """

    def __init__(
        self,
        key: str,
        opened: OpenScan,
        pool: Executor,
        settings: Sequence[str] = (),
        cleanup: _CLEANUP | None = None,
    ):
        self.key = key
        self.opened = opened
        self.listeners = Listeners()
        self.used = monotonic()
        self._settings = settings
        self._cleanup = cleanup
        self._masks = MaskKeeper(self._predict, pool, self.listeners.publish)
        self._pool = pool
        self._foreseeing = Lock()
        self._history = History()
        # Of each object, the mask that was shown last.
        self._latest: dict[int, ObjectMask] = {}
        self._saved = 0
        self._serial = 0
        self._changing = RLock()

    # What there is.

    def description(self) -> dict[str, Any]:
        """What never changes: the scan's planes, window and formats."""
        opened = self.opened
        return {
            "id": self.key,
            "name": opened.name,
            "volume": len(opened.grid) == 3,
            "size": list(opened.grid[::-1]),
            "planes": [plane.to_json() for plane in opened.planes],
            "window": {
                "level": opened.display.level,
                "width": opened.display.width,
                "fixed": opened.display.fixed,
                "hounsfield": opened.display.hounsfield,
            },
            "modelWindow": opened.reading.window,
            "notes": [note.replace(opened.scan.name, opened.name) for note in opened.prepared.notes],
            "formats": formats_of(opened),
            "command": command(opened, self._settings),
        }

    def state(self) -> dict[str, Any]:
        """What changes: the objects with their masks' figures, and the history; later ones have a higher ``serial``."""
        with self._changing:
            history = self._history
            self._serial += 1
            return {
                "serial": self._serial,
                "version": history.version,
                "undo": history.undoable,
                "redo": history.redoable,
                "unsaved": self.unsaved,
                "objects": [self._object(number, each) for number, each in enumerate(history.objects, start=1)],
            }

    @property
    def unsaved(self) -> bool:
        """Whether there are objects, and a change since they were saved last."""
        return bool(self._history.objects) and self._history.version != self._saved

    def _object(self, number: int, drawn: DrawnObject) -> dict[str, Any]:
        found = self._masks.get(drawn.prompt)
        content: dict[str, Any] = {
            "key": drawn.key,
            "number": number,
            "box": list(drawn.box),
            "points": [list(point) for point in drawn.points],
            "corrections": [as_json(made) for made in drawn.corrections],
            "name": drawn.name,
            "colour": drawn.colour,
            "visible": drawn.visible,
            "pending": found is None,
            "error": str(found) if isinstance(found, LiteMedSamError) else "",
        }
        if isinstance(found, ObjectMask):
            content |= {"score": found.score, "voxels": found.voxels, **self.opened.measure(found)}
        return content

    # What the user does.

    def add(self, box: object, name: object = "") -> int:
        """A new object; its key. Raises as `OpenScan.checked_box`."""
        checked, named = self.opened.checked_box(box), checked_name(name)
        with self._changing:
            key = self._history.add(checked, named).key
            self._changed()
        return key

    def _predict(self, prompt: Prompt, progress: Progress) -> ObjectMask:
        box, points, corrections = prompt
        return self.opened.predict(box, progress, np.array(points, np.float64) if points else None, corrections)

    def change(
        self, key: int, box: object = None, points: object = None, corrections: object = None, **values: object
    ) -> None:
        """Change an object's box, points, corrections, name, colour or visibility.

        Raises
        ------
        LiteMedSamError
            When there is no such object, and for values that make no sense.
        """
        checked = None if box is None else self.opened.checked_box(box)
        placed = None if points is None else self.opened.checked_points(points)
        made = None if corrections is None else self.opened.checked_corrections(corrections)
        with self._changing:
            self._history.change(
                key, lambda drawn: changed(drawn, box=checked, points=placed, corrections=made, **values)
            )
            self._changed()

    def extend(self, key: int, stopped: Callable[[], bool]) -> None:
        """Find the slices of an object whose box covers one slice; a single step.

        Parameters
        ----------
        key : int
        stopped : callable
            Whether nobody waits for the answer any longer; asked between slices.

        Raises
        ------
        LiteMedSamError
            When there is no such object, its box covers several slices, it changes meanwhile, or the search is stopped.
        """
        with self._changing:
            drawn = self._history.find(key)

        def progress(done: int, total: int) -> None:
            if stopped():
                raise Refusal(CONFLICT, "the search for slices was stopped")
            self.listeners.publish("progress", {"done": done, "total": total})

        box = self.opened.extended(drawn.box, progress)
        with self._changing:
            if self._history.find(key).box != drawn.box:
                raise Refusal(CONFLICT, "the box has changed during the search for slices", "search again")
            self._history.change(key, lambda present: changed(present, box=box))
            self._changed()

    def foresee(self, k: object) -> None:
        """Encode a slice in the background, because a box is being drawn on it; one at a time, others are left out.

        Parameters
        ----------
        k : object
            What a client sent: the index of an axial slice, 0 in an image.

        Raises
        ------
        LiteMedSamError
            When there is no such slice.
        """
        count = self.opened.grid[0] if len(self.opened.grid) == 3 else 1
        if not isinstance(k, int) or isinstance(k, bool):
            raise LiteMedSamError(f"slice is {str(k)[:20]}, expected a whole number")
        if self._foreseeing.acquire(blocking=False):
            try:
                self._pool.submit(self._encode, _checked_slice(k, count))
            except BaseException:
                self._foreseeing.release()
                raise

    def _encode(self, k: int) -> None:
        # Whatever is wrong is told when the mask is computed.
        try:
            self.opened.encode(k)
        finally:
            self._foreseeing.release()

    def remove(self, key: int) -> None:
        """Delete an object.

        Raises
        ------
        LiteMedSamError
            When there is none.
        """
        with self._changing:
            self._history.remove(key)
            self._latest.pop(key, None)
            self._changed()

    def step(self, back: bool) -> None:
        """Undo or redo one step.

        Raises
        ------
        LiteMedSamError
            When there is none.
        """
        with self._changing:
            if not (self._history.undo() if back else self._history.redo()):
                raise Refusal(CONFLICT, f"there is nothing to {'undo' if back else 'redo'}")
            self._changed()

    def _changed(self) -> None:
        self._masks.want(each.prompt for each in self._history.objects)
        self.listeners.publish("state", {"version": self._history.version})

    # What the user sees and takes.

    def slice_picture(self, plane: str, k: int, level: float | None, width: float | None) -> bytes:
        """One slice as PNG; raises for planes, slices and windows that are not there."""
        chosen = self.opened.plane(plane)
        return self.opened.display.picture(chosen, _checked_slice(k, chosen.count), level, width)

    def mask_picture(self, plane: str, k: int, outline: bool) -> bytes:
        """The visible masks on one slice as PNG with transparency; raises as `slice_picture`.

        While an object's mask is computed, the one before is shown.
        """
        chosen = self.opened.plane(plane)
        with self._changing:
            shown = [
                (mask, each.colour) for each in self._history.objects if each.visible and (mask := self._shown(each))
            ]
        return overlay(chosen, _checked_slice(k, chosen.count), shown, outline)

    def _shown(self, drawn: DrawnObject) -> ObjectMask | None:
        found = self._masks.get(drawn.prompt)
        if isinstance(found, ObjectMask):
            self._latest[drawn.key] = found
        return None if isinstance(found, LiteMedSamError) else self._latest.get(drawn.key)

    def wait(self, seconds: float) -> bool:
        """Wait for the masks of all objects; whether all are there, errors included."""
        return self._masks.wait([each.prompt for each in self._history.objects], seconds)

    def export(self, form: str) -> Export:
        """The result as a file; see `formats_of`.

        Raises
        ------
        LiteMedSamError
            Without objects, while masks are computed, and for formats that cannot hold the result.
        """
        known = formats_of(self.opened)
        if form not in known:
            raise Refusal(BAD_REQUEST, f"format {form[:20]!r}, expected one of: {', '.join(known)}")
        with self._changing:
            objects, version = self._history.objects, self._history.version
            found = [self._masks.get(each.prompt) for each in objects]
        if not objects:
            raise Refusal(CONFLICT, f"{self.opened.name}: there is nothing to save", "draw a box first")
        masks = [mask for mask in found if isinstance(mask, ObjectMask)]
        if len(masks) < len(objects) and form != PROMPTS:
            failed = next((each for each in found if isinstance(each, LiteMedSamError)), None)
            if failed is not None:
                raise Refusal(CONFLICT, f"an object has no mask: {failed.message}", "delete it or move its box")
            raise Refusal(CONFLICT, "a mask is still being computed", "wait for it, or undo the last step")
        saved = export(self.opened, objects, masks, form)
        with self._changing:
            self._saved = version
        self.listeners.publish("state", {"version": version})
        return saved

    def at_the_end(self, cleanup: Callable[[], None]) -> None:
        """Call a function when the session ends."""
        self._cleanup = cleanup

    def close(self) -> None:
        """End the session: stop computing, free memory, remove uploaded files."""
        self._masks.want(())
        self.listeners.close()
        self.opened.close()
        if self._cleanup is not None:
            self._cleanup()


def _checked_slice(k: int, count: int) -> int:
    if not 0 <= k < count:
        raise LiteMedSamError(f"slice {k}, expected 0 to {count - 1}")
    return k


def display_name(given: str) -> str:
    """A client's name of a file, for people alone: its last part, printable, not too long, never empty."""
    last = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    # The end of a long name stays, because it tells the format.
    return shown.strip(". ")[-100:].strip(". ") or "scan"
