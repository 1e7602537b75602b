"""Measures the agreement of a precision's masks with those of f32."""

from pathlib import Path

import numpy as np

from ..engine.backends.offline_openvino import core, openvino
from ..engine.backends.registry import native_precisions
from ..engine.bundle.card import Agreement
from ..engine.bundle.precision import FASTEST_FIRST, KNOWN, floats_beside
from ..engine.predictor import Predictor
from ..overlap import dice
from .calibration import NamedCase

_BACKEND = "openvino"


def computes_in(floats: str) -> bool:
    """Whether OpenVINO computes in that precision here, natively or not; otherwise it silently computes in f32."""
    x = openvino.opset13.parameter([64, 64], np.float32)
    probe = openvino.Model([openvino.opset13.matmul(x, x, False, False)], [x])
    compiled = core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": floats})
    taken: str = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    return taken == floats


def offered(bundle: Path) -> list[str]:
    """The precisions of a bundle that OpenVINO computes in on this machine, without f32, fastest first."""
    there = [name for name in FASTEST_FIRST if (bundle / KNOWN[name].encoder).is_file()]
    return [name for name in there if any(computes_in(floats) for floats in KNOWN[name].floats)]


def _masks(predictor: Predictor, case: NamedCase) -> list[np.ndarray]:
    """The masks of a case, one for each object."""
    found = []
    for view in case.views():
        predictor.set_image(view.image)
        found += list(predictor.predict(view.boxes).masks)
    return found


def _mean_dsc(masks: list[np.ndarray], exact: list[np.ndarray]) -> float:
    return float(np.mean([dice(a, b, empty=1.0) for a, b in zip(masks, exact, strict=True)]))


def measure(bundle: Path, precisions: list[str], cases: list[NamedCase], threads: int) -> dict[str, Agreement]:
    """Run cases in f32 and in other precisions, with OpenVINO.

    Parameters
    ----------
    bundle : Path
    precisions : list of str
        As `offered` gives them.
    cases : list of NamedCase
        At least one.
    threads : int

    Returns
    -------
    dict of str to Agreement
        By precision.

    Raises
    ------
    LiteMedSamError
        When a case or a graph cannot be read.
    """
    exact = Predictor(bundle, _BACKEND, "f32", threads=threads)
    others = {precision: Predictor(bundle, _BACKEND, precision, threads=threads) for precision in precisions}
    found: dict[str, dict[NamedCase, float]] = {precision: {} for precision in precisions}
    for case in cases:
        expected = _masks(exact, case)
        for precision, predictor in others.items():
            found[precision][case] = _mean_dsc(_masks(predictor, case), expected)
    for predictor in (exact, *others.values()):
        predictor.close()
    return {precision: _agreement(precision, dsc) for precision, dsc in found.items()}


def _agreement(precision: str, dsc: dict[NamedCase, float]) -> Agreement:
    native = native_precisions(_BACKEND)
    floats = floats_beside(precision, native)
    worst = min(dsc, key=dsc.__getitem__)
    by_modality: dict[str, list[float]] = {}
    for case in sorted(dsc, key=lambda case: case.modality):
        by_modality.setdefault(case.modality, []).append(dsc[case])
    return Agreement(
        floats=floats,
        emulated=floats not in native,
        measured_with=f"{_BACKEND} {openvino.__version__.split('-')[0]}",
        cases={modality: len(values) for modality, values in by_modality.items()},
        mean_dsc={modality: round(float(np.mean(values)), 6) for modality, values in by_modality.items()},
        worst_dsc=round(dsc[worst], 6),
        worst_case=worst.path.stem,
    )
