"""Makes the seeds of the corpus: ``python tests/fuzz/make_corpus.py``. The findings of fuzzing stay beside them."""

import bz2
import gzip
import io
import json
import sys
import warnings
import zlib
from pathlib import Path

import nibabel
import numpy as np
import torch
from litemedsam.server.protocols.nninteractive.nnia import pack
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from picture_files import deep_png, tiff
from synthetic_scans import dicom_image, many_frames, phantom, stored
from tiny_bundle import write_tiny_bundle

CORPUS = Path(__file__).parent / "corpus"


def _bytes(save, *arguments, **options) -> bytes:
    file = io.BytesIO()
    save(file, *arguments, **options)
    return file.getvalue()


def npz_files() -> dict[str, bytes]:
    flat, volume = phantom(1, 8, 9)[0], phantom(3, 8, 9)
    box, box3 = np.array([[1, 2, 6, 6]]), np.array([[1, 2, 0, 6, 6, 2]])
    keys = ("z_mid_x_min", "z_mid_y_min", "z_min", "z_mid_x_max", "z_mid_y_max", "z_max")
    records = dict(zip(keys, [1, 2, 0, np.int64(6), 6.0, 2], strict=True))
    return {
        "image.npz": _bytes(np.savez, imgs=flat, boxes=box),
        "packed.npz": _bytes(np.savez_compressed, imgs=flat, boxes=box.astype(np.float32), gts=flat // 100),
        "colours.npz": _bytes(np.savez, imgs=np.stack([flat] * 3, -1), boxes=box),
        "volume.npz": _bytes(np.savez_compressed, imgs=volume, boxes=box3, spacing=[1.0, 1.0, 2.5]),
        "float.npz": _bytes(np.savez, imgs=np.asfortranarray(volume / 2.0), boxes=box3.astype(np.uint16)),
        "mask.npz": _bytes(np.savez_compressed, segs=(volume > 100).astype(np.int16), gts=volume // 120),
        "records.npz": _bytes(np.savez, imgs=volume, boxes=[records]),
        "objects.npz": _bytes(np.savez, imgs=np.array([{}, None], object), boxes=box),
    }


def nifti_files() -> dict[str, bytes]:
    scan = stored(phantom(3, 8, 9), (0, 1, 2), (False, False, True))
    xyz = scan.voxels.transpose()
    signed = nibabel.Nifti1Image(xyz.astype(np.int16) - 900, scan.ras)
    scaled = nibabel.Nifti1Image(xyz, scan.ras)
    scaled.header.set_slope_inter(2, -1000)
    colours = np.zeros(xyz.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = xyz
    extended = nibabel.Nifti1Image(xyz.astype(np.float32), scan.ras)
    extended.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b'{"labels": {"1": "a"}}'))
    files = {
        "volume.nii": signed.to_bytes(),
        "scaled.nii": scaled.to_bytes(),
        "version2.nii": nibabel.Nifti2Image(xyz, scan.ras).to_bytes(),
        "colours.nii": nibabel.Nifti1Image(colours, scan.ras).to_bytes(),
        "frames.nii": nibabel.Nifti1Image(np.stack([xyz] * 2, -1), scan.ras).to_bytes(),
        "extended.nii": extended.to_bytes(),
        "flat.nii": nibabel.Nifti1Image(xyz[..., 0], scan.ras).to_bytes(),
        "mask.nii": nibabel.Nifti1Image((xyz > 100).astype(np.uint8), np.diag([1.0, 2, 3, 1])).to_bytes(),
    }
    files["packed.nii.gz"] = gzip.compress(files["volume.nii"], mtime=0)
    files["packed_mask.nii.gz"] = gzip.compress(files["mask.nii"], mtime=0)
    return files


def dicom_files() -> dict[str, bytes]:
    from pydicom.dataset import Dataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

    pixels = phantom(1, 8, 10)[0]

    def placed(image, z=0.0):
        image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, z]
        image.PixelSpacing, image.SliceThickness = [1.0, 2.0], 3.0
        return image

    ct = placed(dicom_image(pixels.astype(np.int16) - 500))
    ct.RescaleSlope, ct.RescaleIntercept = 2, -100
    files = {"ct.dcm": _bytes(ct.save_as)}
    packed = dicom_image(pixels, modality="OT")
    packed.compress(RLELossless, generate_instance_uid=False)
    files["rle.dcm"] = _bytes(packed.save_as)
    jpeg = dicom_image(pixels, modality="OT")
    from pydicom.encaps import encapsulate

    jpeg.PixelData = encapsulate([_bytes(Image.fromarray(pixels).save, "JPEG")])
    jpeg["PixelData"].VR = "OB"
    jpeg.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    files["jpeg.dcm"] = _bytes(jpeg.save_as)
    for name, syntax in (("implicit.dcm", ImplicitVRLittleEndian), ("deflated.dcm", DeflatedExplicitVRLittleEndian)):
        other = dicom_image(pixels)
        other.file_meta.TransferSyntaxUID = syntax
        files[name] = _bytes(
            other.save_as, enforce_file_format=True, implicit_vr=name == "implicit.dcm", little_endian=True
        )
    frames = dicom_image(pixels)
    frames.NumberOfFrames = 3
    frames.PixelData = pixels.tobytes() * 3
    groups = []
    for z in range(3):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, float(3 * z)]
        group.PlanePositionSequence = [position]
        groups.append(group)
    shared, orientation, measures, transformation = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 1], 3
    transformation.RescaleSlope, transformation.RescaleIntercept = 3, -7
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.PixelValueTransformationSequence = [transformation]
    frames.PerFrameFunctionalGroupsSequence, frames.SharedFunctionalGroupsSequence = groups, [shared]
    files["frames.dcm"] = _bytes(frames.save_as)
    palette = dicom_image(pixels, modality="US")
    palette.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [8, 0, 16])
        setattr(palette, f"{colour}PaletteColorLookupTableData", np.arange(8, dtype=np.uint16).tobytes())
    files["palette.dcm"] = _bytes(palette.save_as)
    rgb = dicom_image(pixels, modality="XC")
    rgb.SamplesPerPixel, rgb.PhotometricInterpretation, rgb.PlanarConfiguration = 3, "RGB", 0
    rgb.PixelData = np.stack([pixels] * 3, -1).tobytes()
    files["colours.dcm"] = _bytes(rgb.save_as)
    files.update(_placed_frames(pixels))
    files.update(_segmentations([placed(dicom_image(pixels[:, :9], z), float(3 * z)) for z in range(3)]))
    return files


def _placed_frames(pixels: np.ndarray) -> dict[str, bytes]:
    """Frames that share one place, with padding, in a file without preamble; and ultrasound with a region."""
    from pydicom.dataset import Dataset

    place = {"ImagePositionPatient": [0, 0, 1], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 2]}
    cone = many_frames(np.stack([pixels] * 3).astype(np.int16), **place, GridFrameOffsetVector=[0, 2, 4])
    cone.add_new("PixelPaddingValue", "SS", 20)
    cone.add_new("PixelPaddingRangeLimit", "SS", 25)
    region = Dataset()
    region.RegionSpatialFormat, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 1, 3, 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    ultrasound = dicom_image(pixels, modality="US")
    ultrasound.SequenceOfUltrasoundRegions = [region]
    whole = _bytes(cone.save_as)
    # The first element of the group of identifiers.
    return {
        "cone.dcm": whole,
        "bare": whole[whole.index(b"\x08\x00\x16\x00UI") :],
        "us.dcm": _bytes(ultrasound.save_as),
    }


def _segmentations(sources: list) -> dict[str, bytes]:
    """A binary, a fractional and a label-map SEG of a series of three slices."""
    import highdicom
    from litemedsam.engine.io.dicom.format import Dicom
    from litemedsam.engine.io.dicom.origin import DicomOrigin
    from litemedsam.engine.scan.geometry import Geometry
    from litemedsam.engine.scan.scan import Scan
    from pydicom.sr.codedict import codes

    labels = (phantom(3, 8, 9) > 100).astype(np.uint8)
    scan = Scan("s", labels, True, Geometry(np.diag([-2.0, -1, 3, 1])), origin=DicomOrigin(tuple(sources)))
    path = CORPUS / "dicom" / "segments.dcm"
    Dicom().write(path, labels, scan, ("a",))
    files = {"segments.dcm": path.read_bytes()}
    algorithm = highdicom.AlgorithmIdentificationSequence("a", codes.DCM.ArtificialIntelligence, "1")
    segment = highdicom.seg.SegmentDescription(
        1, "a", codes.SCT.Organ, codes.SCT.Liver, "AUTOMATIC", algorithm_identification=algorithm
    )
    for kind in ("FRACTIONAL", "LABELMAP"):
        array = labels * 0.6 if kind == "FRACTIONAL" else labels
        segmentation = highdicom.seg.Segmentation(
            sources, array, kind, [segment], "1.2.3", 1, "1.2.4", 1, "m", "m", "1", "1"
        )
        files[f"{kind.lower()}.dcm"] = _bytes(segmentation.save_as)
    return files


def picture_files() -> dict[str, bytes]:
    grey = Image.fromarray(phantom(1, 8, 9)[0])
    deep = Image.fromarray(phantom(1, 8, 9)[0].astype(np.uint16) * 250)
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "grey.png": _bytes(grey.save, "PNG"),
        "colours.png": _bytes(grey.convert("RGB").save, "PNG"),
        "clear.png": _bytes(grey.convert("LA").save, "PNG"),
        "bits.png": _bytes(grey.convert("1").save, "PNG"),
        "palette.png": _bytes(grey.convert("P").save, "PNG"),
        "deep.png": _bytes(deep.save, "PNG"),
        "turned.jpg": _bytes(grey.save, "JPEG", exif=exif),
        "cmyk.jpg": _bytes(grey.convert("CMYK").save, "JPEG"),
        "pages.tif": _bytes(grey.save, "TIFF", save_all=True, append_images=[grey, grey]),
        "deflated.tif": _bytes(deep.save, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": _bytes(grey.convert("RGB").save, "TIFF", compression="tiff_lzw"),
        "float.tif": _bytes(grey.convert("F").save, "TIFF"),
        "grey.bmp": _bytes(grey.save, "BMP"),
        "doubles.tif": tiff([phantom(1, 8, 9)[0].astype(np.float64)] * 2),
        "half.tif": tiff([phantom(1, 8, 9)[0].astype(np.float16)]),
        "signed.tif": tiff([phantom(1, 8, 9)[0].astype(np.int8)]),
        "deep_colours.tif": tiff([np.stack([phantom(1, 8, 9)[0].astype(np.uint16)] * 3, -1)], 2),
        "dark.tif": tiff([phantom(1, 8, 9)[0].astype(np.uint16)], 0, "ImageJ=1\nimages=1\nchannels=1\n"),
        "deep_colours.png": deep_png(np.stack([phantom(1, 8, 9)[0].astype(np.uint16)] * 3, -1)),
        "deep_clear.png": deep_png(np.stack([phantom(1, 8, 9)[0].astype(np.uint16)] * 2, -1)),
        "two.jpg": _bytes(grey.save, "MPO", save_all=True, append_images=[grey]),
    }


_LPS = "space: LPS\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (0,0,0)\n"


def nrrd_files() -> dict[str, bytes]:
    volume = phantom(3, 8, 9)

    def made(values: np.ndarray, kind: str, lines: str, encoding: str = "raw") -> bytes:
        sizes = " ".join(str(size) for size in values.shape[::-1])
        head = f"NRRD0005\ntype: {kind}\ndimension: {values.ndim}\nsizes: {sizes}\nencoding: {encoding}\n{lines}\n"
        data = values.tobytes()
        packed = {"gzip": lambda: gzip.compress(data, mtime=0), "bzip2": lambda: bz2.compress(data)}
        text = " ".join(str(value) for value in values.ravel()).encode()
        return head.encode() + (text if encoding == "ascii" else packed.get(encoding, lambda: data)())

    none = _LPS.replace("directions: ", "directions: none ")
    named = "Segment0_Name:=a\nSegment0_LabelValue:=2\n"
    return {
        "volume.nrrd": made(volume.astype("<i2"), "short", _LPS + "endian: little\n"),
        "big.nrrd": made(volume.astype(">f4"), "float", _LPS + "endian: big\n"),
        "packed.nrrd": made(volume, "uchar", _LPS + named, "gzip"),
        "bzip2.nrrd": made(volume, "uint8", _LPS + 'space units: "mm" "mm" "mm"\n', "bzip2"),
        "text.nrrd": made(volume[:1], "uint8", "spacings: 1 2 3\n", "ascii"),
        "list.nrrd": made(np.stack([volume] * 2, -1), "uint8", none + "kinds: list domain domain domain\n"),
        "colours.nrrd": made(np.stack([volume] * 3, -1), "uint8", none + "kinds: RGB-color domain domain domain\n"),
        "flat.nrrd": made(volume[0], "uint8", "space dimension: 2\nspace directions: (1,0) (0,1)\nbyte skip: -1\n"),
        "mask.nrrd": made(volume // 100, "uint8", _LPS.replace("LPS", "RAS")),
        "detached.nhdr": made(volume, "uint8", _LPS + "data file: ../volume.raw\n"),
    }


def metaimage_files() -> dict[str, bytes]:
    volume = phantom(3, 8, 9)

    def made(values: np.ndarray, kind: str, data: bytes | None = None, **entries: object) -> bytes:
        lines = {"ObjectType": "Image", "NDims": values.ndim, "BinaryData": True, **entries}
        lines |= {"DimSize": " ".join(str(size) for size in values.shape[::-1]), "ElementType": f"MET_{kind}"}
        text = "".join(f"{name} = {value}\n" for name, value in lines.items()) + "ElementDataFile = LOCAL\n"
        return text.encode() + (values.tobytes() if data is None else data)

    place = {"TransformMatrix": "-1 0 0 0 1 0 0 0 1", "Offset": "1 2 3", "ElementSpacing": "1 2 3"}
    return {
        "volume.mha": made(volume.astype("<i2"), "SHORT", **place),
        "packed.mha": made(volume, "UCHAR", zlib.compress(volume.tobytes()), CompressedData=True, **place),
        "big.mha": made(volume.astype(">f8"), "DOUBLE", BinaryDataByteOrderMSB=True),
        "text.mha": made(volume[:1], "UCHAR", " ".join(map(str, volume[0].ravel())).encode(), BinaryData=False),
        "flat.mha": made(volume[0], "UCHAR"),
        "series.mha": made(np.stack([volume] * 2), "UCHAR"),
        "colours.mha": made(volume, "UCHAR", np.stack([volume] * 3, -1).tobytes(), ElementNumberOfChannels=3),
        "mask.mha": made(volume // 100, "UCHAR", ElementSpacing="1 2 3", TransformMatrix="-1 0 0 0 -1 0 0 0 1"),
        "detached.mhd": made(volume, "UCHAR").replace(b"LOCAL", b"/etc/hostname"),
    }


def boxes_files() -> dict[str, bytes]:
    forms = {
        "own.json": {
            "version": 1,
            "space": "voxel",
            "objects": [
                {"name": "liver", "box": [1, 2, 0, 6, 7, 2], "points": [[3, 4, 1], [4, 4.5, 1]]},
                {"box": [1, 2, 5, 6], "z": [0, 2]},
            ],
        },
        "scribble.json": {
            "version": 1,
            "objects": [
                {"box": [1, 2, 6, 7], "z": [0, 2], "scribble": {"strokes": [[[3, 4, 1], [5, 4, 1]], [[2, 3, 2]]]}},
                {"box": [1, 2, 0, 6, 7, 2], "scribble": {"width": 1.5, "strokes": [[[3, 4, 1]]]}},
            ],
        },
        "world.json": {"version": 1, "space": "world", "objects": [{"box": [0, 0, 0, 3.5, 8, 6]}]},
        "flat.json": {"version": 1, "objects": [{"box": [1, 2, 6, 7], "points": [[3, 4]]}]},
        "rectangles.json": [
            {"type": "rectangle", "data": [1, 2, 6, 7]},
            {"type": "point", "data": [3, 4], "label": 1},
        ],
        "plain.json": [[1, 2, 6, 7], [2, 2, 5, 6.5]],
        "coco.json": {
            "images": [{"id": 1, "file_name": "a/scan", "width": 9, "height": 8}],
            "categories": [{"id": 2, "name": "liver"}],
            "annotations": [
                {"image_id": 1, "category_id": 2, "bbox": [1, 2, 4.5, 3], "segmentation": [[1, 2, 5, 2, 3, 5]]},
                {"image_id": 1, "category_id": 2, "bbox": [1, 2, 4, 3], "iscrowd": 1},
            ],
        },
        "results.json": [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 4, 3], "score": 0.5}],
        "labelme.json": {
            "imagePath": "..\\scan",
            "imageWidth": 9,
            "imageHeight": 8,
            "shapes": [
                {"label": "a", "shape_type": "rectangle", "points": [[6, 7], [1, 2]], "group_id": 1},
                {"label": "b", "shape_type": "circle", "points": [[4, 4], [5, 4]], "group_id": None},
                {"label": "b", "shape_type": "line", "points": [[4, 4], [5, 4]]},
                {"label": "c", "shape_type": "mask", "points": [[2, 2], [4, 5]]},
            ],
        },
        "slicer.json": {
            "markups": [
                {
                    "type": "ROI",
                    "name": "liver",
                    "coordinateSystem": "LPS",
                    "coordinateUnits": ["mm", "UCUM", "millimeter"],
                    "center": [-3, -6, 3],
                    "size": [4, 6, 5],
                    "orientation": [-0.8, -0.6, 0, 0.6, -0.8, 0, 0, 0, 1],
                    "insideOut": False,
                },
                {"type": "Line"},
            ]
        },
    }
    return {name: json.dumps(form).encode() for name, form in forms.items()}


def bundle_files() -> dict[str, bytes]:
    folder = write_tiny_bundle(CORPUS / "bundle")
    return {path.name: path.read_bytes() for path in folder.glob("*coder.onnx")}


def nnia_files() -> dict[str, bytes]:
    volume = phantom(3, 8, 9)
    return {
        "image.nnia": pack(volume[None]),
        "floats.nnia": pack(volume[None].astype(np.float32) / 3),
        "signed.nnia": pack(volume[None].astype(np.int16) - 900),
        "scribble.nnia": pack(volume > 100),
        "empty.nnia": pack(np.zeros((1, 0, 3, 3), np.uint8)),
    }


def checkpoint_files() -> dict[str, bytes]:
    state = {"module.image_encoder.x": torch.arange(6.0).reshape(2, 3), "y": torch.zeros(2, dtype=torch.float16)}
    return {
        "state.pth": _bytes(lambda file: torch.save(state, file)),
        "nested.pth": _bytes(lambda file: torch.save({"model": state, "epoch": 3}, file)),
        "old.pth": _bytes(lambda file: torch.save(state, file, _use_new_zipfile_serialization=False)),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    made = {
        "npz": npz_files,
        "nifti": nifti_files,
        "dicom": dicom_files,
        "picture": picture_files,
        "nrrd": nrrd_files,
        "metaimage": metaimage_files,
        "boxes": boxes_files,
        "metadata": bundle_files,
        "bundle": bundle_files,
        "checkpoint": checkpoint_files,
        "nnia": nnia_files,
    }
    for kind, make in made.items():
        folder = CORPUS / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make().items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
