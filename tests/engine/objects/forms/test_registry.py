"""Every form of boxes is recognised by one form alone; what none recognises is ours, which explains itself."""

import pytest
from litemedsam.engine.objects.forms.coco import Coco, CocoResults
from litemedsam.engine.objects.forms.labelme import Labelme
from litemedsam.engine.objects.forms.own import Own
from litemedsam.engine.objects.forms.plain import Plain
from litemedsam.engine.objects.forms.rectangles import Rectangles
from litemedsam.engine.objects.forms.registry import BOXES_FORMS, form_of
from litemedsam.engine.objects.forms.slicer import SlicerRois

FORMS = [
    ({"version": 1, "objects": []}, Own),
    ({"images": [], "annotations": []}, Coco),
    ([{"image_id": 1, "bbox": [0, 0, 1, 1], "category_id": 1}], CocoResults),
    ({"shapes": [], "imagePath": "a.png"}, Labelme),
    ({"markups": []}, SlicerRois),
    ([{"box": [0, 0, 1, 1]}], Rectangles),
    ([[0, 0, 1, 1]], Plain),
    ([0, 0, 1, 1], Plain),
]


@pytest.mark.parametrize(("value", "kind"), FORMS)
def test_a_form_is_recognised(value, kind):
    assert type(form_of(value)) is kind


@pytest.mark.parametrize("value", [None, 3, "text", {}, {"boxes": 1}])
def test_anything_else_is_our_own(value):
    assert type(form_of(value)) is Own


def test_every_form_is_tried():
    assert {type(form) for form in BOXES_FORMS} == {kind for _, kind in FORMS}
