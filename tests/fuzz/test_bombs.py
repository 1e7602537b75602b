"""Files of about a megabyte that declare or unpack to gigabytes, or take long to read; see `survive`."""

import bz2
import gzip
import io
import json
import struct
import zipfile
import zlib

import nibabel
import numpy as np
import pydicom
import pytest
from fuzz.process import HERE, survive
from picture_files import tiff
from PIL import Image
from synthetic_scans import dicom_image

MEGABYTE = 1_000_000


def packed_zeros(count: int, level: int = 9) -> bytes:
    """A zlib stream of so many zeros, made without holding them."""
    packer = zlib.compressobj(level)
    block = bytes(10_000_000)
    return b"".join([*(packer.compress(block) for _ in range(count // len(block))), packer.flush()])


def npy_header(shape, dtype="|u1") -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue()


def zipped(**entries: tuple[bytes, int]) -> bytes:
    """An npz of entries, each a header and how many zeros follow it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (start, zeros) in entries.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                entry.write(start)
                for _ in range(zeros // 1_000_000):
                    entry.write(bytes(1_000_000))
    return file.getvalue()


BOX = (npy_header((1, 4), "|u1") + bytes([0, 0, 1, 1]), 0)
BOX3 = (npy_header((1, 6), "|u1") + bytes([0, 0, 0, 1, 1, 0]), 0)


def npz_files():
    yield zipped(imgs=(npy_header((1000, 1000, 1000)), 1_000_000_000), boxes=BOX3)
    # What is allowed still has to fit.
    yield zipped(imgs=(npy_header((1000, 32_000), "<f8"), 256_000_000), boxes=BOX)
    yield zipped(imgs=(npy_header((260_000_000, 1)), 260_000_000), boxes=BOX)
    yield zipped(imgs=(npy_header((2**20, 2**20, 2**20)), 1_000_000), boxes=BOX3)
    yield zipped(imgs=(npy_header((2**62, 4, 0)), 0), boxes=BOX3)
    yield zipped(imgs=(npy_header((2**62,), "|S0"), 0), boxes=BOX)
    yield zipped(imgs=(npy_header((100, 100)) + bytes(10_000), 0), boxes=(npy_header((65_000_000, 4)), 260_000_000))
    yield zipped(
        imgs=(npy_header((8, 9)) + bytes(72), 0), boxes=BOX, spacing=(npy_header((32_000_000,), "<f8"), 256_000_000)
    )
    yield zipped(gts=(npy_header((260_000_000, 1)), 260_000_000), segs=(npy_header((1, 260_000_000)), 260_000_000))
    deep = npy_header((8, 9)).replace(b"(8, 9)", b"(" * 40 + b")" * 40)
    yield zipped(imgs=(deep + bytes(72), 0), boxes=BOX)
    nested = b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000
    yield zipped(imgs=(nested, 0), boxes=BOX)
    # Many labels, all over a volume as the reader's scan.
    file = io.BytesIO()
    np.savez_compressed(file, segs=np.arange(3 * 8 * 9, dtype=np.uint64).reshape(3, 8, 9) * 2**40)
    yield file.getvalue()


def nifti_files():
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int8), np.eye(4))
    image.header["dim"][1:4] = 32000
    yield gzip.compress(bytes(image.header.binaryblock) + bytes(10))
    yield bytes(image.header.binaryblock) + bytes(100)
    small = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int8), np.eye(4))
    for dimensions, slope in (
        ((1000, 1000, 900), 1),
        ((500, 500, 1000), 2.5),
        ((30000, 8000, 1), 1),
    ):
        header = small.header.copy()
        header["dim"][1:4] = dimensions
        header["scl_slope"], header["scl_inter"] = slope, 0
        header["vox_offset"] = 352
        yield gzip.compress(bytes(header.binaryblock) + bytes(4 + int(np.prod(dimensions))), 1)
    header = small.header.copy()
    header["vox_offset"] = 900_000_000
    extension = b"\1\0\0\0" + struct.pack("<ii", 900_000_000 - 352, 6)
    yield gzip.compress(bytes(header.binaryblock) + extension + bytes(900_000_000), 1)
    yield bytes(header.binaryblock) + extension + bytes(1000)


def dicom_files():
    def written(image) -> bytes:
        file = io.BytesIO()
        image.save_as(file)
        return file.getvalue()

    pixels = np.zeros((8, 10), np.uint8)
    for syntax in (pydicom.uid.RLELossless, pydicom.uid.JPEGBaseline8Bit, pydicom.uid.JPEG2000):
        image = dicom_image(pixels)
        image.Rows = image.Columns = 65535
        image.NumberOfFrames = 1000
        image.PixelData = pydicom.encaps.encapsulate([bytes(100)])
        image["PixelData"].VR = "OB"
        image.file_meta.TransferSyntaxUID = syntax
        yield written(image)
        image.NumberOfFrames = 1
        yield written(image)
    image = dicom_image(pixels)
    image.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    plain = io.BytesIO()
    image.save_as(plain, enforce_file_format=True, implicit_vr=False, little_endian=True)
    start = plain.getvalue()[: 132 + 12 + struct.unpack_from("<I", plain.getvalue(), 140)[0]]
    yield start + packed_zeros(950_000_000)[2:]
    large = dicom_image(pixels)
    large.Rows, large.Columns = 8000, 8000
    large.RescaleSlope = "0.5"
    large.PixelData = pydicom.encaps.encapsulate([_packbits_of_zeros(64_000_000)])
    large["PixelData"].VR = "OB"
    large.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    yield written(large)
    sequence = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    yield written(dicom_image(pixels)) + sequence * 40_000


def _packbits_of_zeros(count: int) -> bytes:
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * (count // 128)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff_of_doubles(width: int, height: int) -> bytes:
    """A TIFF that declares far more than it holds."""
    content = bytearray(tiff([np.zeros((2, 2))]))
    at = struct.unpack_from("<I", content, 4)[0]
    for k in range(struct.unpack_from("<H", content, at)[0]):
        entry = at + 2 + 12 * k
        tag = struct.unpack_from("<H", content, entry)[0]
        if tag in (256, 257):
            struct.pack_into("<I", content, entry + 8, width if tag == 256 else height)
    return bytes(content)


def picture_files():
    # Their pixels are never reached: the size alone is refused.
    yield png(100_000, 70_000, 1, 0, packed_zeros(10_000_000))
    yield png(12_000, 12_000, 8, 2, packed_zeros(10_000_000))
    yield png(4_000, 4_000, 8, 2, packed_zeros(50_000_000))
    yield png(8_000, 8_000, 8, 0, packed_zeros(70_000_000))
    yield png(1, 60_000_000, 8, 0, packed_zeros(120_000_000))
    yield png(5_000, 5_000, 16, 2, packed_zeros(150_005_000))
    yield tiff_of_doubles(10_000, 10_000)
    pages = [Image.new("L", (4000, 4000))] * 20
    file = io.BytesIO()
    pages[0].save(file, "TIFF", compression="tiff_adobe_deflate", save_all=True, append_images=pages[1:])
    yield file.getvalue()
    tiny = [Image.new("L", (1, 1))] * 3000
    file = io.BytesIO()
    tiny[0].save(file, "TIFF", save_all=True, append_images=tiny[1:])
    yield file.getvalue()


def boxes_files():
    objects = [{"box": [1, 1, 0, 5, 5, 2]}] * 30_000
    yield json.dumps({"version": 1, "objects": objects}).encode()
    yield b"[" * 1_000_000
    yield b'{"version":' + b"9" * 900_000 + b"}"
    yield b'{"version": 1, "objects": [{"box": [1, 1, 1' + b"0" * 4000 + b", 4]}]}"
    yield json.dumps({"version": 1, "objects": [{"box": ["x" * 900_000]}]}).encode()
    yield json.dumps({"version": 1, "objects": [{"box": list(range(150_000))}]}).encode()


def checkpoint_files():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        with archive.open("archive/data/0", "w") as entry:
            for _ in range(900):
                entry.write(bytes(1_000_000))
    yield file.getvalue()


def nrrd_files():
    head = "NRRD0005\ntype: {}\ndimension: 3\nsizes: {}\nencoding: {}\n\n"
    yield head.format("uint8", "1000 1000 900", "gzip").encode() + gzip.compress(bytes(900_000_000), 1)
    # Declares little and unpacks to much.
    yield head.format("uint8", "10 10 10", "gzip").encode() + gzip.compress(bytes(900_000_000), 1)
    yield head.format("uint8", "10 10 10", "bzip2").encode() + bz2.compress(bytes(900_000_000), 1)
    yield head.format("double", "32000 32000 32000", "raw").encode() + bytes(100)
    yield head.format("double", "1000 1000 30", "ascii").encode() + b"1 " * 500_000
    yield b"NRRD0005\n" + b"a:=b\n" * 190_000
    yield head.format("uint8", "9" * 900_000 + " 1 1", "raw").encode()


def metaimage_files():
    head = "ObjectType = Image\nNDims = 3\n{}DimSize = {}\nElementType = {}\nElementDataFile = LOCAL\n"
    packed = "CompressedData = True\n"
    yield head.format(packed, "1000 1000 900", "MET_UCHAR").encode() + packed_zeros(900_000_000)
    yield head.format(packed, "10 10 10", "MET_UCHAR").encode() + packed_zeros(900_000_000)
    yield head.format("", "32000 32000 32000", "MET_DOUBLE").encode() + bytes(100)
    yield head.format("BinaryData = False\n", "1000 1000 30", "MET_DOUBLE").encode() + b"1 " * 500_000
    yield b"ObjectType = Image\n" + b"a = b\n" * 160_000
    yield head.format("", "9" * 900_000 + " 1 1", "MET_UCHAR").encode()


FILES = {
    "npz": npz_files,
    "nifti": nifti_files,
    "dicom": dicom_files,
    "picture": picture_files,
    "nrrd": nrrd_files,
    "metaimage": metaimage_files,
    "boxes": boxes_files,
    "checkpoint": checkpoint_files,
}


@pytest.mark.parametrize("reader", FILES)
def test_bombs(reader, tmp_path):
    good = sorted((HERE / "corpus" / reader).iterdir())[0]
    paths = []
    for number, content in enumerate(FILES[reader]()):
        paths.append(tmp_path / f"bomb-{number}")
        paths[-1].write_bytes(content)
        assert len(content) <= 5 * MEGABYTE
    told = survive(reader, good, *paths)
    assert int(told.split()[0]) == len(paths) + 1
