"""Lists of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .content import BoxesContent, numbers
from .own import objects_of_entries

if TYPE_CHECKING:
    from ..objects import Objects


class Plain:
    """Lists of four or six numbers, or one such list; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        [[12, 20, 80, 77], [30, 31, 50, 52]]
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, list)

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        file, value = content.file, content.value
        rows = value if not value or any(isinstance(row, list) for row in value) else [value]
        entries = [
            {"box": numbers(f"{file}: object {number}", "box", row, (4, 6))} for number, row in enumerate(rows, start=1)
        ]
        return objects_of_entries(file, entries, content.scan, content.world)
