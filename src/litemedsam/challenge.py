"""The challenge's file names, and the split of its cases by patient.

The challenge is "Segment Anything in Medical Images on Laptop", CVPR 2024.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

_NAME = re.compile(
    r"(?P<form>(?P<axes>[23])D[^_]*)_(?P<modality>[^_]+)_(?:(?P<dataset>[^_]+)_)?(?P<rest>.+)", re.DOTALL
)
# BIDS's name for a person or specimen, https://bids-specification.readthedocs.io.
_SUBJECT = re.compile(r"sub-[^_]+")


@dataclass(frozen=True)
class CaseName:
    """A file name of the challenge, such as ``2DBox_US_HC18-fetalhead_004``, taken apart.

    Attributes
    ----------
    form : str
        The start of the name: ``2DBox``.
    dimension : int
        2 for an image, 3 for a volume.
    modality : str
        The modality as the name spells it: ``US``.
    dataset : str
        ``HC18-fetalhead``; empty in short names such as ``2DBox_US_0053``.
    rest : str
        The rest of the name: ``004``.
    """

    form: str
    dimension: int
    modality: str
    dataset: str
    rest: str

    @classmethod
    def of(cls, stem: str) -> CaseName | None:
        """Take a name apart.

        Parameters
        ----------
        stem : str
            A file's name without its ending.

        Returns
        -------
        CaseName or None
            None for names of another form.
        """
        found = _NAME.fullmatch(stem)
        if found is None:
            return None
        return cls(found["form"], int(found["axes"]), found["modality"], found["dataset"] or "", found["rest"])

    @property
    def patient(self) -> str:
        """The patient or specimen within the data set: `rest`, or only its start if that is ``sub-…``."""
        subject = _SUBJECT.match(self.rest)
        return subject[0] if subject else self.rest


def place_of(source: str) -> float:
    """A patient's or specimen's place among all, for splits that are the same on every machine.

    Parameters
    ----------
    source : str
        Its name.

    Returns
    -------
    float
        Uniform in [0, 1): the first 32 bits of the name's SHA-256. The places below s belong to a share s of all.
    """
    return int.from_bytes(sha256(source.encode()).digest()[:4]) / 2**32
