"""What the routes share: sessions, uploads, offered files, and the predictor, which loads while the page does."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from ..engine.bundle.info import ENCODER
from ..engine.bundle.packaged import bundle_folder
from ..errors import LiteMedSamError
from .files.data_folder import DataFolder
from .files.uploads import Uploads
from .sessions.store import SessionStore

if TYPE_CHECKING:
    from ..engine.predictor import Predictor
    from .settings import ServerSettings

# The graphs compute for one thread at a time; so many sessions take turns slice by slice.
_COMPUTING = 4


@dataclass(frozen=True)
class Services:
    """What the routes share.

    Attributes
    ----------
    settings : ServerSettings
    data : DataFolder
    uploads : Uploads
    store : SessionStore
    """

    settings: ServerSettings
    data: DataFolder
    uploads: Uploads
    store: SessionStore
    _pool: ThreadPoolExecutor = field(repr=False)
    _predictor: Future[Predictor] = field(repr=False)

    @classmethod
    def start(cls, settings: ServerSettings) -> Services:
        """Begin to load the predictor, and make the rest.

        Raises
        ------
        LiteMedSamError
            For data and bundles that are not there.
        """
        bundle = bundle_folder(settings.engine.bundle)
        if not (bundle / ENCODER).is_file():
            raise LiteMedSamError(f"{bundle}: holds no {ENCODER}", "give a folder made by litemedsam-export")
        data = DataFolder(settings.data)
        loading: Future[Predictor] = Future()
        # A daemon: a server that is stopped while it loads ends at once.
        Thread(target=_load, args=(settings, loading), daemon=True).start()
        pool = ThreadPoolExecutor(_COMPUTING, thread_name_prefix="masks")
        store = SessionStore(
            loading.result, pool, settings.max_sessions, settings.memory, settings.idle_seconds, settings.arguments
        )
        return cls(settings, data, Uploads(settings.max_upload), store, pool, loading)

    def predictor(self) -> Predictor:
        """The predictor, once it is loaded.

        Raises
        ------
        LiteMedSamError
            When it cannot be loaded.
        """
        return self._predictor.result()

    def tidy(self) -> None:
        """End what nobody uses."""
        self.store.end_idle()
        self.uploads.forget()

    def close(self) -> None:
        """End all sessions, stop computing and remove all uploaded files."""
        self.store.close_all()
        self._pool.shutdown(cancel_futures=True)
        self.uploads.close()
        if self._predictor.done() and self._predictor.exception() is None:
            self._predictor.result().close()


def _load(settings: ServerSettings, loading: Future[Predictor]) -> None:
    try:
        from ..engine.predictor import Predictor

        loading.set_result(Predictor.of(settings.engine))
    except BaseException as error:  # noqa: BLE001 - raised where the predictor is asked for
        loading.set_exception(error)
