"""Entries of accuracy cards: one that every precision may have, and one that is too inaccurate in one modality."""

from dataclasses import replace

from litemedsam.engine.bundle.card import Agreement

GOOD = Agreement(
    floats="bf16",
    emulated=False,
    measured_with="openvino 2026.4.1",
    cases={"CT": 4, "US": 3},
    mean_dsc={"CT": 0.9971, "US": 0.9992},
    worst_dsc=0.981,
    worst_case="2DBox_CT_x_001",
)
BAD_IN_ONE = replace(GOOD, mean_dsc={"CT": 0.9949, "US": 0.9999})
