"""The engine with a bundle of LiteMedSAM, which takes boxes only."""

import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.case_segmenter import CaseSegmenter
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.inference.protocols import PUBLISHED, Passage, protocol_named
from litemedsam.engine.inference.region import Region
from litemedsam.export.litemedsam import RECIPE
from litemedsam.export.recipe import decoder_graph, encoder_graph
from litemedsam.models import LiteMedSAM
from places import GOLDEN, needs_shared
from torch_graph import torch_network

from litemedsam import LiteMedSamError, Predictor

TOLERANCE = 5e-5
FRAME = 64
BASELINE, SWIN = PUBLISHED["litemedsam"], PUBLISHED["swin_litemedsam"]


@pytest.fixture(scope="module")
def model():
    """LiteMedSAM with random weights, in a frame of 64 pixels: the same code at a sixteenth of the cost."""
    torch.manual_seed(0)
    model = LiteMedSAM(FRAME).eval()
    # Untrained, it would answer alike everywhere; so each pixel's answer follows from what is there.
    for part in (model.mask_decoder.output_upscaling, model.mask_decoder.output_hypernetworks_mlps):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    info = BundleInfo(
        model.name,
        FRAME,
        model.prompts,
        tuple(RECIPE.shapes(model)),
        "0" * 64,
        "f32",
        "single",
        "",
        "",
        RECIPE.published_protocol,
    )
    onnx.save(encoder_graph(RECIPE, model, info.to_metadata()), folder / ENCODER)
    onnx.save(decoder_graph(RECIPE, model, info.to_metadata()), folder / DECODER)
    return folder


@pytest.fixture(scope="module")
def noise():
    """A volume uint8 (5, 90, 128) and boxes of two objects."""
    coarse = np.random.default_rng(3).integers(0, 256, (5, 12, 16), np.uint8)
    volume = np.stack([cv2.resize(image, (128, 90), interpolation=cv2.INTER_CUBIC) for image in coarse])
    return volume, np.array([[20, 15, 0, 90, 70, 3], [50, 30, 1, 120, 85, 4]])


@needs_shared
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bundle_gives_the_published_numbers(stand_in_bundle, backend):
    record = np.load(GOLDEN / "litemedsam.model.seed0.npz", allow_pickle=False)
    bundle = stand_in_bundle("litemedsam", 0)
    encoder = load_graph(bundle / ENCODER, backend, "f32", 2)
    decoder = load_graph(bundle / DECODER, backend, "f32", 2)
    image = np.ascontiguousarray((record["image"] / np.float32(255)).transpose(2, 0, 1)[None], np.float32)
    embedding = encoder.run({"image": image})
    answer = decoder.run({**embedding, "boxes": record["boxes"]})
    channels_first = embedding["image_embedding"][0].T.reshape(256, 64, 64)
    assert np.abs(channels_first[:, ::4, ::4] - record["embedding_every_4th"]).max() <= TOLERANCE
    assert np.abs(answer["logits"] - record["logits"]).max() <= TOLERANCE
    assert np.abs(answer["iou"] - record["iou"]).max() <= TOLERANCE


def test_the_bundle_says_what_it_takes(bundle):
    info = Network.load(bundle, "onnxruntime", "f32", 1).info
    assert info.model == "litemedsam"
    assert info.prompts == ("boxes",)
    assert info.embedding == ("image_embedding",)
    assert info.published_protocol == "litemedsam"


def published_script(model, volume, boxes):
    """Labels (D, H, W) as the published script makes them: object by object, slice by slice, in PyTorch."""
    depth, height, width = volume.shape
    scale = FRAME / max(height, width)
    scaled = (int(width * scale + 0.5), int(height * scale + 0.5))

    def shrink(image):
        return cv2.resize(image, scaled, interpolation=cv2.INTER_AREA)

    @torch.inference_mode()
    def segment(z, box):
        image = shrink(np.repeat(volume[z][..., None], 3, axis=2)).astype(np.float64)
        image = (image - image.min()) / max(image.max() - image.min(), 1e-8)
        padded = np.zeros((FRAME, FRAME, 3))
        padded[: scaled[1], : scaled[0]] = image
        pixels = torch.from_numpy(padded).float().permute(2, 0, 1)[None]
        logits, _ = model(pixels, torch.tensor(np.array(box), dtype=torch.float32)[None])
        cropped = logits[..., : scaled[1], : scaled[0]]
        full = torch.nn.functional.interpolate(cropped, size=(height, width), mode="bilinear", align_corners=False)
        return (torch.sigmoid(full) > 0.5)[0, 0].numpy()

    labels = np.zeros(volume.shape, np.uint8)
    for number, (x0, y0, z0, x1, y1, z1) in enumerate(boxes.tolist(), start=1):
        own = np.zeros(volume.shape, np.uint8)
        given = [int(edge * scale) for edge in (x0, y0, x1, y1)]
        middle = int((z1 - z0) / 2 + z0)
        up = [(z, z - 1) for z in range(middle, min(z1 + 1, depth))]
        down = [(z, z + 1) for z in range(middle - 1, max(-1, z0 - 1), -1)]
        for z, before in up + down:
            box, mask = given, shrink(own[before])
            if z != middle and mask.max() > 0:
                rows, columns = np.nonzero(mask)
                box = [max(0, columns.min() - 3), max(0, rows.min() - 3)]
                box += [min(FRAME, columns.max() + 3), min(FRAME, rows.max() + 3)]
            own[z][segment(z, box)] = number
        labels[own > 0] = number
    return labels


@pytest.fixture(scope="module")
def published_labels(model, noise):
    labels = published_script(model, *noise)
    assert set(np.unique(labels)) == {0, 1, 2}
    return labels


def test_the_published_protocol_repeats_the_published_script(model, noise, published_labels):
    segmenter = CaseSegmenter(torch_network(model), BASELINE, AutomaticPrompts(0, model.prompts), 10**9)
    np.testing.assert_array_equal(segmenter.segment(checked_case("noise", *noise)).labels, published_labels)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_predictor_repeats_the_published_script(bundle, noise, published_labels, backend):
    predictor = Predictor(bundle, backend, protocol="published", threads=1)
    assert predictor.protocol is BASELINE
    assert np.mean(predictor.segment(*noise).labels == published_labels) >= 0.9999


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_change_neither_bytes_nor_the_number_of_encodings(bundle, noise, backend):
    expected = Predictor(bundle, backend=backend, threads=1).segment(*noise)
    assert expected.encoded == 5
    for threads in (2, 3, 5):
        found = Predictor(bundle, backend=backend, threads=threads).segment(*noise)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.scores, expected.scores)
        assert found.encoded == 5
    uncached = Predictor(bundle, backend=backend, threads=2, cache_mb=0).segment(*noise)
    np.testing.assert_array_equal(uncached.labels, expected.labels)
    assert uncached.encoded == 6


def test_one_predictor_takes_images_and_volumes_in_turn(bundle, noise):
    predictor = Predictor(bundle, threads=2)
    volume, boxes = noise
    flat = boxes[:, [0, 1, 3, 4]]
    first = predictor.segment(volume, boxes)
    image = predictor.segment(volume[1], flat)
    predictor.set_image(volume[1])
    masks = predictor.predict(flat).masks
    for number, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(mask & (image.labels <= number), image.labels == number)
    np.testing.assert_array_equal(predictor.segment(volume, boxes).labels, first.labels)


def test_published_slices_are_closed_here_and_open_there():
    ours, theirs = BASELINE.slices(2, 7), SWIN.slices(2, 7)
    assert (ours.middle, list(ours.up), list(ours.down)) == (4, [5, 6, 7], [3, 2])
    assert (theirs.middle, list(theirs.up), list(theirs.down)) == (4, [5, 6], [3])


def test_after_an_empty_slice_the_given_box_is_truncated_both_ways():
    frame, nothing, given = Frame.of(300, 400, 256), Region(0, 0, np.zeros((0, 0), bool)), np.array([11, 22, 201, 177])
    truncated, exact = [7, 14, 128, 113], given * np.float32(0.64)
    for upwards in (True, False):
        np.testing.assert_array_equal(
            BASELINE.next_box(Passage(nothing, 1, given, upwards, (1.0, 1.0)), frame), truncated
        )
    np.testing.assert_array_equal(SWIN.next_box(Passage(nothing, 1, given, True, (1.0, 1.0)), frame), truncated)
    np.testing.assert_allclose(SWIN.next_box(Passage(nothing, 1, given, False, (1.0, 1.0)), frame), exact, rtol=1e-6)


def test_a_mask_that_vanishes_in_the_frame_counts_as_empty():
    frame, given = Frame.of(1024, 1024, 256), np.array([400, 400, 600, 640])
    # One pixel in sixteen, spread over four cells: the average of label 1 rounds to nothing, of label 9 it does not.
    speck = Region(402, 402, np.ones((2, 2), bool))
    np.testing.assert_array_equal(
        BASELINE.next_box(Passage(speck, 1, given, True, (1.0, 1.0)), frame), [100, 100, 150, 160]
    )
    np.testing.assert_array_equal(
        BASELINE.next_box(Passage(speck, 9, given, True, (1.0, 1.0)), frame), [97, 97, 103, 103]
    )


def test_points_and_scribbles_are_refused(bundle):
    predictor = Predictor(bundle, "onnxruntime", threads=1)
    predictor.set_image(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    box = [[10, 10, 50, 50]]
    for given in ({"points": np.full((1, 4, 2), 20)}, {"scribbles": np.zeros((1, 64, 64), bool)}):
        kind = next(iter(given))
        with pytest.raises(LiteMedSamError, match=f"litemedsam takes no {kind}, only: boxes.*leave out the {kind}"):
            predictor.predict(box, **given)
    assert predictor.predict(box).masks.shape == (1, 64, 64)


def test_only_what_the_model_takes_is_drawn():
    box, foreground = np.float32([10, 10, 80, 90]), np.ones((256, 256), bool)
    prompt = AutomaticPrompts(0, ("boxes",)).prompt(Target(1), box, foreground)
    assert prompt.points is None
    assert prompt.scribble is None


def test_a_bundle_without_the_entry_has_the_first_protocol():
    bundle = bundle_folder()
    info = load_graph(bundle / ENCODER, "onnxruntime", "f32", 1).metadata
    without = {name: value for name, value in info.items() if "published_protocol" not in name}
    assert protocol_named("published", BundleInfo.from_metadata(bundle, without).published_protocol) is SWIN


def test_metadata_come_back_as_they_went(tmp_path):
    info = BundleInfo("litemedsam", 256, ("boxes",), ("image_embedding",), "0" * 64, "f32", "single", "", "", "x")
    assert BundleInfo.from_metadata(tmp_path, info.to_metadata()) == info


def rewritten(bundle, folder, **changes):
    """A copy of a bundle with other metadata."""
    shutil.copytree(bundle, folder)
    for file in (folder / ENCODER, folder / DECODER):
        model = onnx.load(file)
        entries = {entry.key: entry.value for entry in model.metadata_props}
        info = replace(BundleInfo.from_metadata(file, entries), **changes)
        onnx.helper.set_model_props(model, info.to_metadata())
        onnx.save(model, file)
    return folder


def test_an_unknown_published_protocol_is_refused_only_where_it_is_asked_for(bundle, tmp_path):
    other = rewritten(bundle, tmp_path / "other", published_protocol="swift")
    Predictor(other, "onnxruntime", threads=1).close()
    message = "published protocol 'swift'; this version knows: swin_litemedsam, litemedsam"
    with pytest.raises(LiteMedSamError, match=re.escape(message)):
        Predictor(other, "onnxruntime", protocol="published", threads=1)


def test_an_unknown_kind_of_prompt_is_refused(bundle, tmp_path):
    other = rewritten(bundle, tmp_path / "other", prompts=("boxes", "text"))
    with pytest.raises(
        LiteMedSamError, match="its decoder takes text; this version makes boxes, points, labels, scribbles"
    ):
        Predictor(other, "onnxruntime", threads=1)
