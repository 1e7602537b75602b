"""The published pipeline's cost in eager PyTorch: every object re-encodes every one of its slices.

Measured on a part, one image and one prompt, and multiplied; the project's own network with the published order of
work (the decoder's image-only part is done again for every prompt).
"""

from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from cases import StandardCase
from litemedsam.models import SwinLiteMedSAM


@dataclass(frozen=True)
class BaselineCost:
    """Seconds of the published pipeline's parts.

    Attributes
    ----------
    encode, decode : float
        One image; one prompt.
    """

    encode: float
    decode: float

    def of(self, case: StandardCase) -> float:
        """Seconds for a case, without start-up and files; a 2D case encodes once."""
        if not case.is_volume:
            return self.encode + case.objects * self.decode
        # The published range is open at both ends.
        slices = max(case.shape[0] - 2, 1)
        return case.objects * slices * (self.encode + self.decode)


@torch.inference_mode()
def measure(threads: int, repeats: int) -> BaselineCost:
    """Time the parts; random weights, since values do not change the cost.

    Parameters
    ----------
    threads, repeats : int
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = SwinLiteMedSAM().eval()
    image = torch.rand(1, 3, model.frame, model.frame)
    prompt = {
        "boxes": torch.tensor([[40.0, 50, 180, 200]]),
        "points": torch.full((1, 4, 2), 100.0),
        "scribbles": torch.zeros(1, 1, model.frame, model.frame),
    }
    encode, decode = [], []
    features = model.encode(image)
    for _ in range(repeats):
        start = perf_counter()
        _, skips = model.image_encoder(image)
        encode.append(perf_counter() - start)
        start = perf_counter()
        model.mask_decoder.image_only(skips)
        model.decode(features, **prompt)
        decode.append(perf_counter() - start)
    return BaselineCost(median(encode), median(decode))
