"""Uploaded files: streamed to disk within limits, under the server's own names, removed with their session."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Lock
from time import monotonic

from ...engine.io.formats import SUFFIXES
from ..refusal import FULL, NOT_FOUND, STORAGE, TOO_LARGE, TOO_SLOW, Refusal

MOST_FILES = 5000
_MOST_UPLOADS = 32
# An upload that no session has taken over for so long is removed.
_FORGOTTEN_SECONDS = 1800.0
# A client that sends nothing for so long is gone.
_PATIENCE_SECONDS = 60.0


class Upload:
    """The files of one scan.

    Attributes
    ----------
    key : str
        Chosen by the server.
    folder : Path
    name : str
        For people: that of the first file.
    files : int
    nbytes : int
    """

    def __init__(self, folder: Path):
        self.key = secrets.token_urlsafe(12)
        self.folder = folder
        self.name = ""
        self.files = 0
        self.nbytes = 0
        self.touched = monotonic()

    @property
    def path(self) -> Path:
        """What is opened: the only file, or the folder of many."""
        return next(self.folder.iterdir()) if self.files == 1 else self.folder


class Uploads:
    """All uploads of a server.

    Parameters
    ----------
    most_bytes : int
        Of all files of one upload.
    folder : Path, optional
        Where they lie; the system's folder for temporary files when absent.
    """

    def __init__(self, most_bytes: int, folder: Path | None = None):
        self.most_bytes = most_bytes
        self._parent = folder
        # Made with the first upload, so that a server that never gets one leaves nothing, however it ends.
        self._root: Path | None = None
        self._uploads: dict[str, Upload] = {}
        self._changing = Lock()

    def begin(self) -> Upload:
        """A new, empty upload.

        Raises
        ------
        LiteMedSamError
            When there are too many.
        """
        self.forget()
        with self._changing:
            if len(self._uploads) >= _MOST_UPLOADS:
                raise Refusal(FULL, f"{len(self._uploads)} uploads wait, expected at most {_MOST_UPLOADS}")
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="litemedsam-uploads-", dir=self._parent))
            upload = Upload(Path(tempfile.mkdtemp(dir=self._root)))
            self._uploads[upload.key] = upload
            return upload

    def get(self, key: str) -> Upload:
        """The upload of a key.

        Raises
        ------
        LiteMedSamError
            When there is none.
        """
        with self._changing:
            if key not in self._uploads:
                raise Refusal(NOT_FOUND, "there is no such upload", "begin a new one")
            self._uploads[key].touched = monotonic()
            return self._uploads[key]

    async def receive(self, upload: Upload, name: str, declared: int | None, chunks: AsyncIterator[bytes]) -> None:
        """Store one file of an upload as it comes.

        Parameters
        ----------
        upload : Upload
        name : str
            For people; of it only a known suffix goes into the file's name.
        declared : int or None
            Bytes that the client announced.
        chunks : async iterator of bytes

        Raises
        ------
        LiteMedSamError
            When it is too large, too slow, or the disk is full; nothing of the file is left then.
        """
        left = self.most_bytes - upload.nbytes
        if upload.files >= MOST_FILES:
            raise Refusal(TOO_LARGE, f"{upload.files} files in one upload, expected at most {MOST_FILES}")
        if declared is not None and declared > left:
            raise self._too_large(declared)
        suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
        path = upload.folder / f"{upload.files:05d}{suffix}"
        received = 0
        try:
            # Written in threads, since the disk may be slow.
            with await asyncio.to_thread(open, path, "xb") as file:
                async for chunk in _in_time(chunks):
                    received += len(chunk)
                    upload.touched = monotonic()
                    if received > left:
                        raise self._too_large(received)
                    await asyncio.to_thread(file.write, chunk)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Refusal(
                STORAGE, f"the file cannot be stored ({error.strerror or error})", "free disk space"
            ) from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        upload.name = upload.name or name
        upload.files += 1
        upload.nbytes += received

    def _too_large(self, nbytes: int) -> Refusal:
        return Refusal(
            TOO_LARGE,
            f"an upload of {nbytes / 1e6:.1f} MB or more, expected at most {self.most_bytes / 1e6:.1f} MB",
            "start the server with a larger --max-upload",
        )

    def remove(self, key: str) -> None:
        """Remove an upload with its files; an unknown one is ignored."""
        with self._changing:
            upload = self._uploads.pop(key, None)
        if upload is not None:
            shutil.rmtree(upload.folder, ignore_errors=True)

    def hold(self, key: str) -> None:
        """Keep an upload until `remove`, because a session reads it."""
        self.get(key).touched = float("inf")

    def forget(self) -> None:
        """Remove the uploads that no session has taken over for long."""
        before = monotonic() - _FORGOTTEN_SECONDS
        with self._changing:
            old = [key for key, upload in self._uploads.items() if upload.touched < before]
        for key in old:
            self.remove(key)

    def close(self) -> None:
        """Remove all files."""
        with self._changing:
            root, self._root = self._root, None
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)

    def on_disk(self) -> int:
        """The number of files that lie on the disk."""
        return 0 if self._root is None else sum(len(files) for _, _, files in os.walk(self._root))


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), _PATIENCE_SECONDS)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Refusal(
                TOO_SLOW, f"nothing was sent for {_PATIENCE_SECONDS:g} seconds", "send the file again"
            ) from error
        yield chunk
