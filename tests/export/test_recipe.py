"""Both graphs of a recipe: their ports, and the kinds of prompts that a model learnt."""

import onnx
import pytest
import torch
from litemedsam.export.litemedsam import RECIPE
from litemedsam.export.recipe import decoder_graph, encoder_graph
from litemedsam.models import LiteMedSAM


def ports(values):
    """Types and shapes by name; an open size is its name."""
    types = {each.name: each.type.tensor_type for each in values}
    return {
        name: (kind.elem_type, tuple(size.dim_param or size.dim_value for size in kind.shape.dim))
        for name, kind in types.items()
    }


F32, U8, I64 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT64
BOXES = {"boxes": (F32, ("prompts", 4))}


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (("boxes",), BOXES),
        (("boxes", "scribbles"), {**BOXES, "scribbles": (U8, ("prompts", 64, 64))}),
        (
            ("boxes", "points", "labels", "scribbles"),
            {
                **BOXES,
                "points": (F32, ("prompts", "points", 2)),
                "labels": (I64, ("prompts", "points")),
                "scribbles": (F32, ("prompts", 64, 64)),
            },
        ),
    ],
)
def test_a_decoder_takes_the_prompts_that_its_weights_learnt(prompts, expected):
    model = LiteMedSAM(64, prompts).eval()
    decoder = decoder_graph(RECIPE, model, {"key": "value"})
    assert ports(decoder.graph.input) == {"image_embedding": (F32, (1, 256, 256)), **expected}
    assert ports(decoder.graph.output) == {"logits": (F32, ("prompts", 64, 64)), "iou": (F32, ("prompts",))}
    assert [(entry.key, entry.value) for entry in decoder.metadata_props] == [("key", "value")]


def test_half_the_bytes_hold_the_same_graph():
    torch.manual_seed(0)
    model = LiteMedSAM(64).eval()
    single, half = (encoder_graph(RECIPE, model, {}, half) for half in (False, True))
    assert ports(single.graph.input) == ports(half.graph.input) == {"image": (F32, (1, 3, 64, 64))}
    assert ports(single.graph.output) == ports(half.graph.output)
    assert half.ByteSize() < 0.55 * single.ByteSize()
