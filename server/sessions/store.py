"""All sessions of a server, within its limits of number, memory and idle time."""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ..refusal import FULL, GONE, NOT_FOUND, Refusal
from .session import ScanSession

if TYPE_CHECKING:
    from pathlib import Path

    from ...engine.predictor import Predictor
    from .open_scan import OpenScan, Reading

# Keys of ended sessions, so that they are told from those that never were.
_REMEMBERED = 1000


class SessionStore:
    """All sessions; for several threads.

    Parameters
    ----------
    predictor : callable
        Gives the predictor, perhaps after it has been loaded.
    pool : Executor
        Computes masks.
    most : int
        Sessions at once.
    most_bytes : int
        Memory of all open scans.
    idle_seconds : float
        A session that nobody uses or listens to for so long ends.
    settings : sequence of str
        See `ScanSession`.
    """

    def __init__(
        self,
        predictor: Callable[[], Predictor],
        pool: Executor,
        most: int,
        most_bytes: int,
        idle_seconds: float,
        settings: Sequence[str] = (),
    ):
        self._predictor = predictor
        self._pool = pool
        self._most = most
        self._most_bytes = most_bytes
        self._idle_seconds = idle_seconds
        self._settings = settings
        self._sessions: OrderedDict[str, ScanSession] = OrderedDict()
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._opening = 0
        self._changing = Lock()

    def open(self, path: Path, name: str, reading: Reading, cleanup: Callable[[], None] | None = None) -> ScanSession:
        """Open a file in a new session.

        Parameters
        ----------
        path : Path
        name : str
            For people.
        reading : Reading
        cleanup : callable, optional
            Called when the session ends, and when it cannot begin.

        Raises
        ------
        LiteMedSamError
            When there are too many sessions, too little memory is left, or the file cannot be read.
        """
        from .open_scan import OpenScan

        try:
            self.end_idle()
            with self._changing:
                if len(self._sessions) + self._opening >= self._most:
                    raise Refusal(
                        FULL, f"{len(self._sessions)} scans are open, expected at most {self._most}", "close one first"
                    )
                self._opening += 1
            try:
                opened = OpenScan.read(path, name, reading, self._predictor())
                return self._keep(opened, cleanup)
            finally:
                with self._changing:
                    self._opening -= 1
        except BaseException:
            if cleanup is not None:
                cleanup()
            raise

    def _keep(self, opened: OpenScan, cleanup: Callable[[], None] | None) -> ScanSession:
        with self._changing:
            held = sum(session.opened.nbytes for session in self._sessions.values())
            if held + opened.nbytes > self._most_bytes:
                opened.close()
                raise Refusal(
                    FULL,
                    f"{opened.name}: needs {opened.nbytes / 1e6:.0f} MB, expected at most the "
                    f"{max(self._most_bytes - held, 0) / 1e6:.0f} MB that open scans leave",
                    "close a scan first",
                )
            session = ScanSession(secrets.token_urlsafe(12), opened, self._pool, self._settings, cleanup)
            self._sessions[session.key] = session
            return session

    def get(self, key: str) -> ScanSession:
        """The session of a key, which counts as used now.

        Raises
        ------
        LiteMedSamError
            When there is none: it has ended, or never was.
        """
        with self._changing:
            session = self._sessions.get(key)
            if session is None:
                if key in self._ended:
                    raise Refusal(GONE, "this session has ended", "open the scan again")
                raise Refusal(NOT_FOUND, "there is no such session", "open a scan first")
            session.used = monotonic()
            return session

    def all(self) -> list[ScanSession]:
        """All sessions, the oldest first."""
        with self._changing:
            return list(self._sessions.values())

    def close(self, key: str) -> None:
        """End a session; raises as `get`."""
        session = self.get(key)
        with self._changing:
            self._sessions.pop(key, None)
            self._ended.append(key)
        session.close()

    def end_idle(self) -> int:
        """End the sessions that nobody has used or listened to for long; their number."""
        before = monotonic() - self._idle_seconds
        idle = [session.key for session in self.all() if session.used < before and not len(session.listeners)]
        for key in idle:
            self.close(key)
        return len(idle)

    def close_all(self) -> None:
        """End all sessions."""
        for session in self.all():
            self.close(session.key)
