"""Scans made for tests: one phantom, stored in every way that a scanner or a converter might choose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

# Along left, posterior, superior, in mm; different enough to tell the axes apart, too little to choose the slices.
SPACING = np.array([1.2, 1.0, 1.4])
ORIGIN = np.array([-10.0, 20.0, -30.0])
ROOT = "1.2.826.0.1.3680043.8.498."


@dataclass(frozen=True)
class Stored:
    """A volume as a file would hold it.

    Attributes
    ----------
    voxels : ndarray
        (D, H, W) as stored.
    affine : ndarray
        (4, 4), stored index x, y, z to LPS millimetres.
    """

    voxels: np.ndarray
    affine: np.ndarray

    @property
    def ras(self) -> np.ndarray:
        """The affine towards right, anterior, superior."""
        return np.diag([-1, -1, 1, 1]) @ self.affine


def phantom(depth: int = 5, height: int = 40, width: int = 48) -> np.ndarray:
    """A bright ellipsoid off the centre of a ramp, with a mark in one corner; uint8 (D, H, W) in LPS order."""
    z, y, x = np.mgrid[:depth, :height, :width]
    volume = 20 + x + y // 2 + 3 * z
    inside = ((x - 0.4 * width) / (0.22 * width)) ** 2 + ((y - 0.55 * height) / (0.2 * height)) ** 2 < 1
    volume[inside] = 200
    volume[0, :2, :3] = 250
    return volume.astype(np.uint8)


def stored(volume: np.ndarray, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Stored:
    """A volume in LPS order, its axes rearranged.

    Parameters
    ----------
    volume : ndarray
        (D, H, W).
    order : tuple of int
        Which of x, y, z (0, 1, 2) comes first, second and third.
    flips : tuple of bool
        Which of the rearranged x, y, z run backwards.
    """
    turned = volume.transpose(2, 1, 0).transpose(order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = ORIGIN
    for new, old in enumerate(order):
        affine[old, new] = SPACING[old]
        if flips[new]:
            affine[:3, 3] += affine[:3, new] * (turned.shape[new] - 1)
            affine[:3, new] *= -1
    turned = np.flip(turned, tuple(axis for axis in range(3) if flips[axis]))
    return Stored(np.ascontiguousarray(turned.transpose(2, 1, 0)), affine)


def oblique(volume: np.ndarray, degrees: float = 20) -> Stored:
    """A volume in LPS order, tilted about the left axis."""
    plain = stored(volume, (0, 1, 2), (False, False, False))
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    return Stored(plain.voxels, turn @ plain.affine)


def world(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where the voxels of a mask (D, H, W) are, sorted, rounded to 1e-4 mm."""
    z, y, x = np.nonzero(mask)
    places = np.c_[x, y, z, np.ones(len(x))] @ affine.T
    return np.array(sorted(map(tuple, np.round(places[:, :3], 4) + 0.0)))


def dicom_image(pixels: np.ndarray, uid: int = 0, series: str = ROOT + "1", modality: str = "CT") -> FileDataset:
    """One image with what every image has; uint8 or int16 (H, W)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"{series}.{uid + 1}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    image.SeriesInstanceUID, image.StudyInstanceUID, image.FrameOfReferenceUID = series, ROOT + "2", ROOT + "3"
    image.PatientID, image.PatientName, image.PatientBirthDate, image.PatientSex = "phantom", "Phantom", "", "O"
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20200101", "120000", "1", ""
    image.ReferringPhysicianName, image.Manufacturer, image.PositionReferenceIndicator = "", "", ""
    image.Modality, image.SeriesNumber, image.InstanceNumber = modality, 1, uid + 1
    image.PhotometricInterpretation, image.SamplesPerPixel = "MONOCHROME2", 1
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = image.BitsStored = 8 * pixels.dtype.itemsize
    image.HighBit, image.PixelRepresentation = image.BitsStored - 1, int(pixels.dtype.kind == "i")
    image.RescaleSlope, image.RescaleIntercept = 1, 0
    data = pixels.tobytes()
    image.PixelData = data + b"\0" * (len(data) % 2)
    image["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return image


def write_series(folder: Path, scan: Stored, seed: int = 0, modality: str = "CT") -> list[Path]:
    """A series of single images, their file names and numbers in a random order."""
    folder.mkdir(parents=True)
    names = np.random.default_rng(seed).permutation(len(scan.voxels))
    columns = scan.affine[:3, :3] / np.linalg.norm(scan.affine[:3, :3], axis=0)
    paths = []
    for z, (page, name) in enumerate(zip(scan.voxels, names, strict=True)):
        image = dicom_image(page, int(name), modality=modality)
        image.ImageOrientationPatient = [float(f"{v:.10f}") for v in (*columns[:, 0], *columns[:, 1])]
        image.ImagePositionPatient = [float(f"{v:.10f}") for v in (scan.affine @ [0, 0, z, 1])[:3]]
        spacing = np.linalg.norm(scan.affine[:3, :3], axis=0)
        image.PixelSpacing, image.SliceThickness = [float(spacing[1]), float(spacing[0])], float(spacing[2])
        paths.append(folder / f"IM{name:04d}")
        image.save_as(paths[-1])
    return paths


def write_slices(folder: Path, volume: np.ndarray, name: str = "slice_{:03}.png") -> Path:
    """A folder of pictures, one for each slice of a volume (D, H, W) or (D, H, W, 3)."""
    folder.mkdir(parents=True)
    for z, page in enumerate(volume):
        PIL.Image.fromarray(page).save(folder / name.format(z))
    return folder


def read_segmentation(path: Path) -> list[tuple[int, np.ndarray]]:
    """Each frame of a DICOM SEG: its segment, and where its voxels are in LPS millimetres, sorted."""
    image = pydicom.dcmread(path)
    frames = image.pixel_array.reshape(-1, image.Rows, image.Columns)
    shared = image.SharedFunctionalGroupsSequence[0]
    found = []
    for frame, group in zip(frames, image.PerFrameFunctionalGroupsSequence, strict=True):
        cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
        spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = cosines[0] * spacing[1], cosines[1] * spacing[0]
        affine[:3, 3] = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        segment = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found.append((int(segment), world(frame[None], affine)))
    return found


def many_frames(volume: np.ndarray, **values: object) -> FileDataset:
    """One image of many frames (D, H, W), uint8 or int16, without functional groups; `values` are set by keyword."""
    image = dicom_image(volume[0])
    data = volume.tobytes()
    image.NumberOfFrames, image.PixelData = len(volume), data + b"\0" * (len(data) % 2)
    for key, value in values.items():
        setattr(image, key, value)
    return image


def edit_series(paths: Iterable[Path], edit: Callable[[FileDataset], None]) -> None:
    """Change each image of a series."""
    for path in paths:
        image = pydicom.dcmread(path)
        edit(image)
        image.save_as(path)
