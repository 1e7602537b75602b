"""The PyTorch networks behind the engine's graph interface, for comparison only."""

from functools import partial
from typing import Any, ClassVar, get_type_hints

import torch
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.graphs import StreamedGraph
from litemedsam.engine.inference.network import Network


class TorchEncoder:
    name, version = "torch", torch.__version__
    metadata: ClassVar[dict[str, str]] = {}

    def __init__(self, model):
        self.model = model

    @torch.inference_mode()
    def run(self, inputs):
        features = self.model.encode(torch.from_numpy(inputs["image"]))
        return {name: array.numpy() for name, array in features._asdict().items()}

    def close(self):
        self.model = None


class TorchDecoder(TorchEncoder):
    @torch.inference_mode()
    def run(self, inputs):
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        kind = features_of(self.model)
        features = kind(*(tensors[name] for name in kind._fields))
        prompts = {name: tensors[name] for name in self.model.prompts}
        if "scribbles" in prompts:
            prompts["scribbles"] = prompts["scribbles"][:, None].float()
        logits, iou = self.model.decode(features, **prompts)
        return {"logits": logits[:, 0].numpy(), "iou": iou.numpy()}


def features_of(model) -> Any:
    """The named tuple that the model's encoder makes."""
    return get_type_hints(type(model).encode)["return"]


def _made(kind: type[TorchEncoder], model, streams: int) -> Any:
    return kind(model)


def torch_network(model) -> Network:
    fields = features_of(model)._fields
    info = BundleInfo(model.name, model.frame, model.prompts, fields, "0" * 64, "f32", "single", "", "torch")
    encoder, decoder = (StreamedGraph(partial(_made, kind, model)) for kind in (TorchEncoder, TorchDecoder))
    return Network(info, encoder, decoder)
