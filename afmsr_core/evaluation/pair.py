"""One pair: upscaled by every method, aligned with its truth, and scored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import io, metrics
from afmsr_core.alignment import Alignment, AlignmentSettings, Crop, align
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, PairError
from afmsr_core.evaluation.settings import EvaluationSettings
from afmsr_core.levelling import level
from afmsr_core.normalisation import Normalisation, to_8bit
from afmsr_core.pairing import Pair, check_pair
from afmsr_core.upscale import Settings, Upscaler

__all__ = ["Evaluator", "Outcome"]

NEUTRAL = "bicubic"  # what the shared alignment is estimated from, whatever methods are run

Field = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What came of one pair.

    Attributes
    ----------
    record : dict
        JSON-serialisable: status, reason, files, alignment, scores.
    fields : dict of str to ndarray of float32
        Aligned and cropped heights: the truth as ``"high"``, the coarse scan as ``"low"``, every
        method by name. Empty if the pair was not scored.
    """

    record: dict[str, Any]
    fields: dict[str, NDArray[Any]]


class Evaluator:
    """Evaluates any number of pairs with the same settings; networks are loaded once.

    Parameters
    ----------
    settings : EvaluationSettings
        What to do.

    Raises
    ------
    MissingExtraError, MissingWeightsError
        If a method cannot run here.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        needed = dict.fromkeys((*settings.methods, NEUTRAL))
        self._upscalers = {
            protocol: {
                name: Upscaler(
                    Settings(
                        method=name,
                        level=settings.level,
                        restore_background=False,
                        protocol=protocol,
                        device=settings.device,
                        engine=settings.engine,
                        weights=settings.weights.get(name),
                        threads=settings.threads,
                    )
                )
                for name in needed
            }
            for protocol in settings.protocols
        }

    def __call__(self, pair: Pair, progress: Callable[[float], None] | None = None) -> Outcome:
        """Evaluate one pair; what goes wrong becomes part of the outcome.

        Parameters
        ----------
        pair : Pair
            Two files.
        progress : callable, optional
            Gets the fraction done; may raise to cancel.
        """
        began = time.perf_counter()
        record: dict[str, Any] = {
            "id": pair.id,
            "data_set": pair.data_set,
            "status": "failed",
            "reason": "",
            "alignment": None,
            "alignment_per_method": {},
            "scores": {},
            "fields": None,
            "seconds": {},
        }
        fields: dict[str, NDArray[Any]] = {}
        try:
            low, high = (_channel(path, pair.channel) for path in (pair.low, pair.high))
            record |= {"low": _described(low), "high": _described(high)}
            check_pair(low, high)
            fields = self._score(low, high, record, progress or (lambda fraction: None))
            record["status"] = "scored"
        except PairError as error:
            record |= {"status": "rejected", "reason": str(error)}
        except AfmsrError as error:
            record["reason"] = str(error)
        except MemoryError:
            record["reason"] = f"{pair.id}: not enough memory; run fewer --jobs, or crop the scans"
        record["seconds"]["all"] = time.perf_counter() - began
        return Outcome(record, fields)

    def _score(
        self,
        low: Channel,
        high: Channel,
        record: dict[str, Any],
        progress: Callable[[float], None],
    ) -> dict[str, NDArray[Any]]:
        settings, names = self.settings, self.settings.methods
        truth = level(high, settings.level).channel.heights
        pixel = (high.dx, high.dy)
        done, steps = 0, len(settings.protocols) * (2 * len(names) + 1)
        fields: dict[str, NDArray[Any]] = {}
        for protocol in settings.protocols:
            results: dict[str, Field] = {}
            for name, upscaler in self._upscalers[protocol].items():
                began = time.perf_counter()
                results[name] = upscaler(low).heights
                record["seconds"][f"{protocol} {name}"] = time.perf_counter() - began
                done += 1
                progress(min(1.0, done / steps))
            chosen = settings.paper_alignment if protocol == "paper" else settings.alignment
            shared = self._aligned(results[NEUTRAL], truth, pixel, chosen)
            record["alignment"] = shared.as_dict()
            if not shared.accepted:
                raise PairError(f"{low.where} on {high.where}: {shared.verdict}")
            maps = dict.fromkeys(names, shared)
            if settings.per_method(protocol):
                maps = {n: self._aligned(results[n], truth, pixel, chosen) for n in names}
                record["alignment_per_method"] = {n: m.as_dict() for n, m in maps.items()}
            crop = _common(shared, *(found for found in maps.values() if found.accepted))
            score = self._paper_scores if protocol == "paper" else self._nm_scores
            record["scores"][protocol] = {}
            for name in names:
                if maps[name].accepted:
                    values = score(results[name], truth, maps[name], crop, low, high)
                else:
                    values = _not_scored(protocol, maps[name])
                record["scores"][protocol][name] = values
                done += 1
                progress(min(1.0, done / steps))
            if protocol == settings.protocols[-1]:  # nm, where it is run: the heights to look at
                fields = {n: crop.of(maps[n].warp(results[n])) for n in names if maps[n].accepted}
                coarse = np.repeat(np.repeat(level(low).channel.heights, 4, axis=0), 4, axis=1)
                fields |= {"high": crop.of(truth), "low": crop.of(shared.warp(coarse))}
                record["crop"] = [crop.top, crop.left, crop.height, crop.width]
        fields = {name: field.astype(np.float32) for name, field in fields.items()}
        return fields | {"pixel_size": np.array([high.dy, high.dx])}

    def _aligned(
        self, result: Field, truth: Field, pixel: tuple[float, float], chosen: AlignmentSettings
    ) -> Alignment:
        if self.settings.crop is not None:
            chosen = AlignmentSettings.from_dict(chosen.as_dict() | {"crop": self.settings.crop})
        return align(result, truth, pixel_nm=pixel, settings=chosen)

    def _paper_scores(
        self,
        result: Field,
        truth: Field,
        found: Alignment,
        crop: Crop,
        low: Channel,
        high: Channel,
    ) -> dict[str, Any]:
        """Score grey values, each member of the pair by its own minimum and maximum."""
        relief = level(low, self.settings.level).channel.heights
        grey = Normalisation.of(relief).apply(crop.of(found.warp(result)))
        right = crop.of(Normalisation.of(truth).apply(truth))
        values = metrics.evaluate(
            to_8bit(grey), to_8bit(right), (high.dy, high.dx), "paper", self.settings.metrics
        )
        return {name: value.as_dict() for name, value in values.items()}

    def _nm_scores(
        self,
        result: Field,
        truth: Field,
        found: Alignment,
        crop: Crop,
        low: Channel,
        high: Channel,
    ) -> dict[str, Any]:
        """Score heights."""
        values = metrics.evaluate(
            crop.of(found.warp(result)),
            crop.of(truth),
            (high.dy, high.dx),
            "nm",
            self.settings.metrics,
            unit=high.unit,
            low=level(low, self.settings.level).channel.heights,
            upscaled=result,
        )
        return {name: value.as_dict() for name, value in values.items()}


def _channel(path: Any, spec: str | None) -> Channel:
    return io.select(io.read(path), spec)[0]


def _described(channel: Channel) -> dict[str, Any]:
    names = ("xres", "yres", "xreal", "yreal", "lateral_unit", "unit", "title")
    return {"path": str(channel.path)} | {name: getattr(channel, name) for name in names}


def _common(*found: Alignment) -> Crop:
    """Return the rectangle that lies in every crop, so that all methods are scored on the same."""
    crops = [one.crop for one in found]
    top, left = max(c.top for c in crops), max(c.left for c in crops)
    bottom = min(c.top + c.height for c in crops)
    right = min(c.left + c.width for c in crops)
    if bottom <= top or right <= left:
        raise PairError("the methods' alignments have no area in common; try --align shared")
    return Crop(top, left, bottom - top, right - left)


def _not_scored(protocol: str, found: Alignment) -> dict[str, Any]:
    reason = f"not aligned with the truth: {'; '.join(found.reasons)}"
    empty = metrics.Value(None, reason).as_dict()
    return dict.fromkeys(metrics.names(protocol), empty)
