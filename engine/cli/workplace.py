"""Where the cases of a call are worked on: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bundle.packaged import bundle_folder
from ..inference.graphs import Graphs
from ..inference.streams import Growing
from ..predictor import Predictor
from ..running.executor import Executor, Local

if TYPE_CHECKING:
    from ..bundle.precision import Choice
    from ..settings import EngineSettings


@dataclass(frozen=True)
class Workplace:
    """An executor and what it computes with.

    Attributes
    ----------
    executor : Executor
    settings : EngineSettings
        Of each worker.
    graphs : Graphs
        Of the same settings.
    choice : Choice
        The precision and the reason for it.
    notes : tuple of str
        For the user.
    """

    executor: Executor
    settings: EngineSettings
    graphs: Graphs
    choice: Choice
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, given: Mapping[str, Any], settings: EngineSettings, graphs: Graphs | None, cases: Sequence[Path]
    ) -> Workplace:
        """The workplace that some options ask for.

        Parameters
        ----------
        given : mapping of str to object
            The command's parameters by name.
        settings : EngineSettings
        graphs : Graphs or None
            Opened before; None for several workers.
        cases : sequence of Path
            That are worked on.

        Raises
        ------
        LiteMedSamError
            For bundles and settings that do not make sense.
        """
        if given["cluster"] is not None:
            return cls._on_cluster(given, settings, cases)
        workers = max(min(given["workers"], len(cases)), 1)
        settings = settings.shared_by(workers)
        graphs = graphs or _opened(settings)
        if workers > 1:
            from ..running.processes import Processes

            return cls(Processes(settings, workers), settings, graphs, graphs.choice)
        many, lanes = len(cases) > 1, 1
        if many:
            from ..running.side_by_side import SideBySide, lanes_for

            lanes = lanes_for(settings.processors, len(cases))
        predictor = Predictor.of(settings, graphs, Growing(settings.processors, many, lanes))
        executor: Executor = Local(predictor) if lanes == 1 else SideBySide(predictor, lanes)
        return cls(executor, settings, graphs, graphs.choice)

    @classmethod
    def _on_cluster(cls, given: Mapping[str, Any], settings: EngineSettings, cases: Sequence[Path]) -> Workplace:
        from ..running.cluster.certificates import Certificates
        from ..running.cluster.connection import connected
        from ..running.cluster.executor import Cluster

        site = given["cluster"]
        certificates = Certificates(*given["cluster_tls"]) if given["cluster_tls"] else None
        # Closed when the command ends, in whatever way.
        connection = click.get_current_context().with_resource(connected(site, certificates))
        say = (lambda text: None) if given["quiet"] else click.echo
        assignment, notes = connection.agree(site.settings(settings), given["output"], site.first(len(cases)), say)
        choice = assignment.agreement.choice
        settings = replace(assignment.settings, precision=choice.precision)
        return cls(Cluster(connection, assignment), settings, _opened(settings), choice, notes)


def _opened(settings: EngineSettings) -> Graphs:
    return Graphs.open(bundle_folder(settings.bundle), settings.backend, settings.precision, settings.processors)
