"""Certificates that admit members to a cluster and encrypt its traffic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import LiteMedSamError
from ...system.optional import needed


@dataclass(frozen=True)
class Certificates:
    """PEM files, the same for scheduler, workers and clients.

    Attributes
    ----------
    authority : Path
        The certificate that signed all others. Only holders of a signed certificate are admitted.
    certificate, key : Path
        Of this machine.
    """

    authority: Path
    certificate: Path
    key: Path

    def security(self) -> Any:
        """The certificates as the library's `Security`, which refuses unencrypted connections.

        Raises
        ------
        LiteMedSamError
            When a file cannot be read, or they do not belong together.
        """
        import ssl

        for path in (self.authority, self.certificate, self.key):
            try:
                path.read_bytes()
            except OSError as error:
                raise LiteMedSamError(
                    f"{path}: cannot be read ({error.strerror})", "give --cluster-tls CA CERT KEY"
                ) from error
        try:
            context = ssl.create_default_context(cafile=self.authority)
            context.load_cert_chain(self.certificate, self.key)
        except ssl.SSLError as error:
            raise LiteMedSamError(
                f"{self.certificate}: does not go with {self.key} and {self.authority} ({error.reason or error})",
                "give --cluster-tls CA CERT KEY, three PEM files",
            ) from error
        authority, certificate, key = (str(path.absolute()) for path in (self.authority, self.certificate, self.key))
        roles = ("client", "scheduler", "worker")
        return needed("distributed", "cluster").Security(
            require_encryption=True,
            tls_ca_file=authority,
            **{f"tls_{role}_cert": certificate for role in roles},
            **{f"tls_{role}_key": key for role in roles},
        )
