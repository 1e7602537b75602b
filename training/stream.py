"""The images of every step; they depend only on the seed and the step."""

import signal
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import torch

from .augment import augment
from .cases import Case
from .config import TrainingConfig
from .examples import Example, focused, make_example, make_window
from .phantoms import draw_slice
from .samples import Sample
from .scenes import draw_scene

_SCENE_SIDES = (0.85, 1.4)


def case_weights(cases: list[Case], balance: float) -> np.ndarray:
    """Probability of each case: float64 (n,), sum 1; a group of n cases weighs n ** balance."""
    groups = Counter(case.group for case in cases)
    weights = np.array([groups[case.group] ** (balance - 1) for case in cases])
    return weights / weights.sum()


class Stream(torch.utils.data.Dataset):
    """A dataset whose entry k is the tuple of Examples of step k.

    Parameters
    ----------
    config : TrainingConfig
    cases : list of Case
        If empty, all images are synthetic.
    """

    def __init__(self, config: TrainingConfig, cases: list[Case]):
        self._config = config
        self._cases = cases
        self._weights = case_weights(cases, config.balance) if cases else None

    def __len__(self) -> int:
        return self._config.steps

    def _sample(self, rng: np.random.Generator, seen: int) -> Sample:
        if self._weights is None or rng.random() < self._config.synthetic:
            side = int(seen * rng.uniform(*_SCENE_SIDES))
            # At a share of 0 nothing is drawn, so that such runs keep their numbers.
            if self._config.phantoms and rng.random() < self._config.phantoms:
                return draw_slice(rng, side)
            return draw_scene(rng, side)
        case = self._cases[int(rng.choice(len(self._cases), p=self._weights))]
        k = int(rng.integers(len(case.samples)))
        if self._config.variants:
            # The seed of a variant is its number, so that its frozen maps are computed once.
            name = int.from_bytes(sha256(case.name.encode()).digest()[:4])
            rng = np.random.default_rng([name, k, int(rng.integers(self._config.variants))])
        return augment(rng, case.samples[k])

    def __getitem__(self, step: int) -> tuple[Example, ...]:
        """The images of a step, counted from 0."""
        config = self._config
        if config.windowed(step):
            return tuple(self._window(self._rng(step, index)) for index in range(config.window_images))
        return tuple(self._whole(step, index) for index in range(config.images))

    def _rng(self, step: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self._config.seed, step, index])

    def _whole(self, step: int, index: int) -> Example:
        config, rng = self._config, self._rng(step, index)
        if config.fresh and index >= config.fresh and step:
            # A new image of an earlier step, with prompts of its own.
            sample = self._sample(self._rng(int(rng.integers(step)), int(rng.integers(config.fresh))), config.frame)
        else:
            sample = self._sample(rng, config.frame)
        example = make_example(rng, sample, config.frame, config.prompting)[0]
        if config.focus_share and rng.random() < config.focus_share:
            return focused(rng, example, config.focus)
        return example

    def frames(self, count: int) -> list[np.ndarray]:
        """Whole frames of the first steps, one of each, float32 (3, S, S) in [0, 1].

        Steps with windows, and steps beyond the run's length, count as steps with whole frames.
        """
        return [self._whole(step, 0).pixels for step in range(count)]

    def _window(self, rng: np.random.Generator) -> Example:
        config = self._config
        # Scenes of the window's size cost less to draw, and their objects fit into it.
        sample = self._sample(rng, config.window)
        return make_window(rng, sample, config.frame, config.window, config.prompting)

    def batches(self, start: int) -> Iterator[tuple[Example, ...]]:
        """Entries from `start` on, made in advance by the configured workers."""
        return iter(
            torch.utils.data.DataLoader(
                self,
                batch_size=None,
                sampler=range(start, len(self)),
                num_workers=self._config.workers,
                collate_fn=_unchanged,
                prefetch_factor=4 if self._config.workers else None,
                worker_init_fn=_prepare_worker,
            )
        )


def _unchanged(examples: Any) -> Any:
    return examples


def _prepare_worker(_: int) -> None:
    # The network needs the cores.
    cv2.setNumThreads(0)
    # Batch systems send SIGTERM to every process of a job. The loop finishes its step and ends its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
