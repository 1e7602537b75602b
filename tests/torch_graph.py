"""The PyTorch network behind the engine's graph interface, for comparison only."""

import torch
from litemedsam.engine.bundle import BundleInfo
from litemedsam.engine.network import Network
from litemedsam.models.swin_litemedsam import ImageFeatures


class TorchEncoder:
    name, version, metadata = "torch", torch.__version__, {}

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
        features = ImageFeatures(*(torch.from_numpy(inputs[name]) for name in ImageFeatures._fields))
        scribbles = torch.from_numpy(inputs["scribbles"])[:, None].float()
        logits, iou = self.model.decode(
            features, torch.from_numpy(inputs["boxes"]), torch.from_numpy(inputs["points"]), scribbles
        )
        return {"logits": logits[:, 0].numpy(), "iou": iou.numpy()}


def torch_network(model) -> Network:
    info = BundleInfo(
        model.name, model.frame, model.prompts, ImageFeatures._fields, "0" * 64, "f32", "single", "", "torch"
    )
    return Network(info, TorchEncoder(model), TorchDecoder(model))
