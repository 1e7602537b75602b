"""How well the masks of a precision agree with those of f32."""

from pathlib import Path

import numpy as np

from ..engine.backends import native_precisions
from ..engine.backends.offline_openvino import openvino
from ..engine.precision import Agreement, floats_beside
from ..engine.predictor import Predictor
from .calibration import NamedCase

_BACKEND = "openvino"


def computes_in(floats: str) -> bool:
    """Whether OpenVINO computes in that precision here, natively or not; where it does not, it takes f32 silently."""
    core = openvino.Core()
    x = openvino.opset13.parameter([64, 64], np.float32)
    probe = openvino.Model([openvino.opset13.matmul(x, x, False, False)], [x])
    compiled = core.compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": floats})
    return compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == floats


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """2 |a ∩ b| / (|a| + |b|) of two boolean arrays; 1 where both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0


def _mean_dsc(exact: Predictor, other: Predictor, case: NamedCase) -> float:
    """Mean over the objects of a case."""
    found = []
    for view in case.views():
        masks = []
        for predictor in (exact, other):
            predictor.set_image(view.image)
            masks.append(predictor.predict(view.boxes).masks)
        found += [dice(a, b) for a, b in zip(*masks, strict=True)]
    return float(np.mean(found))


def measure(bundle: Path, precision: str, cases: list[NamedCase], threads: int) -> Agreement:
    """Run cases in f32 and in another precision, with OpenVINO.

    Parameters
    ----------
    bundle : Path
    precision : str
        ``bf16`` or ``int8``.
    cases : list of NamedCase
        At least one.
    threads : int

    Returns
    -------
    Agreement

    Raises
    ------
    LiteMedSamError
        When a case or a graph cannot be read.
    """
    native = native_precisions(_BACKEND)
    exact = Predictor(bundle, _BACKEND, "f32", threads=threads)
    other = Predictor(bundle, _BACKEND, precision, threads=threads)
    by_modality: dict[str, list[float]] = {}
    worst, worst_case = 2.0, ""
    for case in cases:
        dsc = _mean_dsc(exact, other, case)
        by_modality.setdefault(case.modality, []).append(dsc)
        if dsc < worst:
            worst, worst_case = dsc, case.path.stem
    exact.close()
    other.close()
    return Agreement(
        floats=floats_beside(precision, native),
        emulated=floats_beside(precision, native) not in native,
        measured_with=f"{_BACKEND} {openvino.__version__.split('-')[0]}",
        cases={modality: len(found) for modality, found in sorted(by_modality.items())},
        mean_dsc={modality: round(float(np.mean(found)), 6) for modality, found in sorted(by_modality.items())},
        worst_dsc=round(worst, 6),
        worst_case=worst_case,
    )
