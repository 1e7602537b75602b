"""Corrected objects of a session: a further correction starts from the masks that those before have left."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from ...engine.sessions.volume import VolumeSession
from .corrections import as_arguments

if TYPE_CHECKING:
    from ...engine.inference.case_segmenter import Progress
    from ...engine.sessions.history import ObjectHistory
    from ...engine.sessions.image import ImageSession
    from .objects import Box, Correction

# States of objects; one of a volume holds 256 KB for each slice, which it shares with the states before it.
_KEPT = 32


class Repairs:
    """Applies clicks and strokes to the masks of boxes, one after the other.

    Parameters
    ----------
    session : ImageSession or VolumeSession
    """

    def __init__(self, session: ImageSession | VolumeSession):
        self._session = session
        self._kept: OrderedDict[tuple[Box, tuple[Correction, ...]], ObjectHistory] = OrderedDict()
        self._changing = Lock()

    def history(self, box: Box, corrections: tuple[Correction, ...], progress: Progress) -> ObjectHistory:
        """An object after its corrections.

        Parameters
        ----------
        box : Box
        corrections : tuple of Correction
        progress : callable
            See `VolumeSession.predict`.

        Raises
        ------
        LiteMedSamError
            As `ImageSession.correct`.
        """
        known = next(k for k in range(len(corrections), -1, -1) if k == 0 or (box, corrections[:k]) in self._kept)
        history = self._kept.get((box, corrections[:known]))
        if history is None:
            history = self._begun(box, progress)
            self._keep(box, (), history)
        for k in range(known, len(corrections)):
            history = self._corrected(history, corrections[k])
            self._keep(box, corrections[: k + 1], history)
        return history

    def _begun(self, box: Box, progress: Progress) -> ObjectHistory:
        if isinstance(self._session, VolumeSession):
            return self._session.begin(box, progress)
        progress(0, 1)
        return self._session.begin(box)

    def _corrected(self, history: ObjectHistory, correction: Correction) -> ObjectHistory:
        given = as_arguments(correction, self._session.shape[-2:])
        if isinstance(self._session, VolumeSession):
            return self._session.correct(history, correction.places[0][2], **given)
        return self._session.correct(history, **given)

    def _keep(self, box: Box, corrections: tuple[Correction, ...], history: ObjectHistory) -> None:
        with self._changing:
            self._kept[box, corrections] = history
            self._kept.move_to_end((box, corrections))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
