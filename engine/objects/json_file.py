"""Boxes, points, strokes and names from a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import LiteMedSamError
from .sources import file_of_scan, no_file_of_scan

if TYPE_CHECKING:
    from ..scan.scan import Scan
    from .objects import Objects

# 3D Slicer's suffix comes first, so that a scan's name is followed by it as a whole.
_SUFFIXES = (".mrk.json", ".json")


@dataclass(frozen=True)
class BoxesFile:
    """The boxes of a JSON file, in any form of `litemedsam.engine.objects.forms.registry`.

    Attributes
    ----------
    path : Path
        A file, or a folder with one of each scan's name. A file of COCO's form may hold many scans.
    world : bool
        Whether boxes that do not say their space are in millimetres (RAS).
    """

    path: Path
    world: bool = False

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        # Late: runs without such a file load no form.
        from .forms.content import BoxesContent
        from .forms.registry import form_of

        file = self._file(path)
        value = _content(file)
        return form_of(value).objects(BoxesContent(file, value, path, scan, self.world))

    def _file(self, scan: Path) -> Path:
        if not self.path.is_dir():
            return self.path
        found = file_of_scan(self.path, scan, _SUFFIXES)
        if found is None:
            raise no_file_of_scan(self.path, scan, _SUFFIXES)
        return found


def _content(file: Path) -> Any:
    try:
        state = file.stat()
        return _parsed(file, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise LiteMedSamError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise LiteMedSamError(f"{file}: not JSON ({error})") from error


@lru_cache(maxsize=1)
def _parsed(file: Path, changed: int, size: int) -> Any:
    """The content of a file; kept, because the scans of a cohort may share one large file."""
    return json.loads(file.read_bytes())
