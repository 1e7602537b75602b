"""An int8 encoder with its accuracy card, end to end on untrained networks in a frame of 64 pixels."""

import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from export_cases import save_cases
from litemedsam.engine.backends.registry import native_precisions
from litemedsam.engine.bundle.card import read_card
from litemedsam.engine.bundle.info import DECODER, ENCODER, QUANTISED_ENCODER
from litemedsam.engine.bundle.precision import choose
from litemedsam.engine.inference.network import Network
from litemedsam.engine.predictor import Predictor
from litemedsam.export import calibration, writer
from litemedsam.export.agreement import computes_in
from litemedsam.export.recipe import decoder_graph, encoder_graph
from litemedsam.models.checkpoint import MODELS
from places import EXAMPLES

EXAMPLE = EXAMPLES / "2DBox_phantom.npz"


@pytest.fixture(scope="module")
def parted(tmp_path_factory):
    return calibration.part(save_cases(tmp_path_factory.mktemp("cases")), 4, 6)


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.name)
def bundle(request, tmp_path_factory, parted):
    """A bundle of an untrained network with an int8 encoder and a card."""
    folder = tmp_path_factory.mktemp(request.param.name)
    torch.manual_seed(0)
    model = request.param(64).eval()
    recipe = writer.RECIPES[model.name]
    info = writer.described(model, "0" * 64, writer.ExportOptions(half_weights=True))
    encoder = encoder_graph(recipe, model, info.to_metadata())
    onnx.save(encoder, folder / ENCODER)
    onnx.save(decoder_graph(recipe, model, info.to_metadata()), folder / DECODER)
    writer.write_quantised(folder, model, info, parted.calibrating)
    writer.write_card(folder, encoder, parted.measuring)
    return folder


def test_weights_are_stored_in_int8_and_the_rest_in_half(bundle):
    model = onnx.load(bundle / QUANTISED_ENCODER)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["QuantizeLinear"] > 20
    types = Counter()
    for constant in model.graph.initializer:
        types[constant.data_type] += int(np.prod(constant.dims, dtype=np.int64))
    assert types[onnx.TensorProto.INT8] > 0.8 * sum(types.values())
    assert (bundle / QUANTISED_ENCODER).stat().st_size < 0.3 * (bundle / ENCODER).stat().st_size


def correlations(bundle, backend, image):
    """Of the int8 encoder's outputs with the exact ones."""
    exact = Network.load(bundle, "openvino", "f32", 2).encode(image).arrays
    network = Network.load(bundle, backend, "int8", 2)
    assert network.info.precision == "int8"
    found = network.encode(image).arrays
    assert {name: array.shape for name, array in found.items()} == {name: array.shape for name, array in exact.items()}
    return [np.corrcoef(found[name].ravel(), exact[name].ravel())[0, 1] for name in exact]


def test_every_runtime_takes_it(bundle):
    image = np.random.default_rng(1).integers(0, 256, (60, 70)).astype(np.uint8)
    assert min(correlations(bundle, "onnxruntime", image)) > 0.95
    # Some processors without AMX lose much of untrained weights in OpenVINO, but little of some trained ones.
    assert min(correlations(bundle, "openvino", image)) > 0.5


def test_the_card_names_what_was_measured(bundle, parted):
    card = read_card(bundle)
    assert set(card) == {"int8"} | ({"bf16"} if computes_in("bf16") else set())
    for agreement in card.values():
        assert agreement.cases == Counter(case.modality for case in parted.measuring)
        assert set(agreement.mean_dsc) == {"CT", "Microscopy", "US"}
        assert 0 <= agreement.worst_dsc <= min(agreement.mean_dsc.values()) <= 1
        assert agreement.worst_case in {case.path.stem for case in parted.measuring}
        assert agreement.measured_with.startswith("openvino 20")
    assert card["int8"].floats == ("bf16" if "bf16" in native_precisions("openvino") else "f32")


def test_the_predictor_takes_what_the_card_allows(bundle):
    predictor = Predictor(bundle)
    expected = choose(read_card(bundle), native_precisions("openvino"), quantised=True)
    assert (predictor.precision, predictor.choice) == (expected.precision, expected)
    predictor.close()


def test_calibration_stays_offline():
    """NNCF would report itself when it is used outside of tests."""
    code = (
        "import litemedsam.export.quantise, nncf.telemetry.wrapper as wrapper, sys;"
        "print(isinstance(wrapper.telemetry, wrapper.NNCFTelemetry), 'openvino_telemetry.main' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_floats_stay_whole_where_they_are_asked_for(bundle, parted, tmp_path):
    torch.manual_seed(0)
    model = MODELS[0](64).eval()
    writer.write_quantised(
        tmp_path, model, writer.described(model, "0" * 64, writer.ExportOptions()), parted.calibrating
    )
    types = {constant.data_type for constant in onnx.load(tmp_path / QUANTISED_ENCODER).graph.initializer}
    assert onnx.TensorProto.FLOAT16 not in types
    halved = {constant.data_type for constant in onnx.load(bundle / QUANTISED_ENCODER).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in halved
