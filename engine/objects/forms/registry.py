"""All forms in which JSON files hold boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .coco import Coco, CocoResults
from .labelme import Labelme
from .own import Own
from .plain import Plain
from .rectangles import Rectangles
from .slicer import SlicerRois

if TYPE_CHECKING:
    from .content import BoxesForm

# In the order in which they are tried.
BOXES_FORMS: tuple[BoxesForm, ...] = (
    Own(),
    Coco(),
    CocoResults(),
    Labelme(),
    SlicerRois(),
    Rectangles(),
    Plain(),
)


def form_of(value: Any) -> BoxesForm:
    """The form of a JSON value; our own, which says what it expects, where none recognises it."""
    return next((form for form in BOXES_FORMS if form.recognises(value)), BOXES_FORMS[0])
