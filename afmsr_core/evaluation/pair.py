"""One pair: upscaled by every method, aligned with its truth, and scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from afmsr_core import io, methods, metrics
from afmsr_core.alignment import Alignment, Crop, warp
from afmsr_core.channel import Channel
from afmsr_core.errors import (
    AfmsrError,
    Cancelled,
    FieldError,
    PairError,
    UsageError,
    WeightsError,
    described,
    traceback_of,
)
from afmsr_core.evaluation.full_scan import full_scan_in
from afmsr_core.evaluation.made import Made
from afmsr_core.evaluation.numbers import numbers_in, quality_in
from afmsr_core.evaluation.scene import Scene
from afmsr_core.evaluation.settings import NEUTRAL, EvaluationSettings
from afmsr_core.evaluation.trust import Witness
from afmsr_core.evaluation.truth import Backing, exact_of, told_of
from afmsr_core.grid import choose
from afmsr_core.normalisation import Normalisation, from_8bit, to_8bit
from afmsr_core.pairing import Pair, check_pair
from afmsr_core.trust.calibration import Calibration
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.upscale import Settings, Upscaler

__all__ = ["Evaluator", "Outcome"]

T = TypeVar("T")
Field = NDArray[np.float64]
NOT_IN_BYTES = "not run: sharpness is for heights in nm, and 8 bits round them"
MEMORY = "run fewer --jobs, or crop the scans"


@dataclass(frozen=True)
class Outcome:
    """What came of one pair.

    Attributes
    ----------
    record : dict
        JSON-serialisable: status, reason, files, the scale that the scan was taken with as a
        history has it, methods that cannot take it so, alignment, crop, scores, trust.
    fields : dict of str to ndarray of float32
        Aligned and cropped heights: the truth as ``"high"``, the coarse scan as ``"low"``, every
        method that was aligned by name; ``"half_width"`` of the interval of the calibrated
        method, if it ran; ``"exact"``, what the tip traces, where that is known; and
        ``"pixel_size"`` (dy, dx). Empty if the pair was not scored.
    traceback : str or None
        Of an error that nobody foresaw. It names folders, so it is no part of the record.
    """

    record: dict[str, Any]
    fields: dict[str, NDArray[Any]]
    traceback: str | None = None

    @classmethod
    def failed(cls, pair: Pair, reason: str, traceback: str | None = None) -> Outcome:
        """Return the outcome of a pair that nothing was found out about."""
        return cls(_unscored(pair) | {"reason": reason}, {}, traceback)


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
        self._upscalers: dict[str, dict[str, Upscaler]] = {one: {} for one in settings.protocols}
        self._sharpness: dict[str, float] = {}
        networks: dict[str, Upscaler] = {}
        for name in dict.fromkeys((*settings.methods, NEUTRAL)):
            choice = methods.chosen(name)
            self._sharpness[name], plain = choice.sharpness, choice.method.name
            # A network does the same in both protocols, but for the bytes that the paper makes of
            # its output, and for all that is added to it: it is loaded and run once.
            if isinstance(choice.method, methods.Network) and plain not in networks:
                networks[plain] = self._upscaler(plain, "nm")
            for protocol, upscalers in self._upscalers.items():
                if protocol == "nm" or not choice.sharpness:
                    upscalers[name] = networks.get(plain) or self._upscaler(plain, protocol)
        in_nm, path = self._upscalers.get("nm", {}), settings.calibration
        plain_ones = [name for name in settings.methods if not self._sharpness[name]]
        self._witness = Witness(
            [in_nm[name] for name in plain_ones if name in in_nm],
            Calibration.read(path) if path is not None else None,
        )

    def _upscaler(self, name: str, protocol: str) -> Upscaler:
        settings = self.settings
        is_network = isinstance(methods.get(name), methods.Network)
        return Upscaler(
            Settings(
                method=name,
                level=settings.level,
                restore_background=False,
                protocol=protocol,
                device=settings.device if is_network else "auto",
                engine=settings.engine if is_network else "auto",
                weights=settings.weights.get(name),
                threads=settings.threads,
            )
        )

    def __call__(self, pair: Pair, progress: Callable[[float], None] | None = None) -> Outcome:
        """Evaluate one pair; what goes wrong becomes part of the outcome.

        Parameters
        ----------
        pair : Pair
            Two files.
        progress : callable, optional
            Gets the fraction done; may raise :class:`afmsr_core.errors.Cancelled`.
        """
        began = time.perf_counter()
        record = _unscored(pair)
        traceback = None
        fields: dict[str, NDArray[Any]] = {}
        try:
            low, channels = _channel(pair.low, pair.channel), io.read(pair.high)
            high = io.select(channels, pair.channel)[0]
            record |= {"low": _described(low), "high": _described(high)}
            record["scale"] = choose(low).scale.recorded
            _note(record, low, high)
            check_pair(low, high)
            scene = Scene.of(low, high, self.settings.level)
            exact, why_not = exact_of(pair, scene, self.settings.level)
            record["notes"] += [why_not] if why_not else []
            backing = Backing(tuple(channels), exact)
            fields = self._score(scene, backing, record, progress or (lambda fraction: None))
            record["status"] = "scored"
        except Cancelled:
            raise
        except PairError as error:
            record |= {"status": "rejected", "reason": str(error)}
        except AfmsrError as error:
            record["reason"] = str(error)
        except Exception as error:  # of hours of work, one pair must not take the others along
            record["reason"] = f"{pair.id}: {described(error, 'with the two files', MEMORY)}"
            traceback = traceback_of(error)
        if record["status"] != "scored":
            record |= {"scores": {}, "trust": None}  # of a protocol before the one that failed
        record["seconds"]["all"] = time.perf_counter() - began
        return Outcome(record, fields, traceback)

    def _score(
        self,
        scene: Scene,
        backing: Backing,
        record: dict[str, Any],
        progress: Callable[[float], None],
    ) -> dict[str, NDArray[Any]]:
        settings = self.settings
        steps = sum(len(one) + len(settings.methods) for one in self._upscalers.values())
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            progress(done / steps)

        fields: dict[str, NDArray[Any]] = {}
        made = Made(scene, settings.seed)
        for protocol in settings.protocols:
            results: dict[str, Field] = {}
            for name, upscaler in self._upscalers[protocol].items():
                found = self._upscaled(name, upscaler, made, record)
                if found is not None:
                    through_bytes = upscaler.settings.protocol != protocol
                    results[name] = _through_bytes(found, scene.relief) if through_bytes else found
                step()
            names = [name for name in settings.methods if name in results]
            shared, maps, reasons = self._maps(scene, protocol, names, results, record)
            crop = _common((shared, *maps.values()), settings.crop)
            record["crop"] = [crop.top, crop.left, crop.height, crop.width]
            scores = record["scores"][protocol] = {}
            fields = {"high": crop.of(scene.truth)}
            reference = self._reference(protocol, fields["high"], scene)
            # What the metrics made of each result.
            found_by: dict[str, dict[str, Any]] = {name: {} for name in names if name in maps}
            fields |= {name: crop.of(maps[name].warp(results[name])) for name in found_by}
            score = partial(self._scores, fields, results, scene, reference, found_by)
            # Closed here and not when it is forgotten, where an interrupt would be lost.
            with closing(self._side_by_side(score, found_by)) as scored:
                for name in settings.methods:
                    if name in maps:
                        scores[name] = {
                            metric: value.as_dict() for metric, value in next(scored).items()
                        }
                    else:
                        scores[name] = _not_scored(protocol, reasons[name])
                    step()
            if protocol == "nm":
                began = time.perf_counter()
                noise = _noise_of(scene.upright(fields["high"]))
                record["trust"], more = self._trust(
                    scene, backing, crop, maps, fields, results, noise
                )
                record["trust"] |= {
                    "numbers": numbers_in(scene, settings.level, reference, found_by),
                    "quality": quality_in(scene, reference, noise),
                }
                if settings.full_scan:
                    record["trust"]["full_scan"] = self._full_scan(made, shared, crop)
                fields |= more
                record["seconds"]["trust"] = time.perf_counter() - began
        if backing.exact is not None:
            fields["exact"] = crop.of(backing.exact.traced)
        # The fields of the last protocol are kept: nm, where it is run.
        fields["low"] = crop.of(scene.coarse(shared))
        kept = {name: field.astype(np.float32) for name, field in fields.items()}
        return kept | {"pixel_size": np.array(scene.pixel_size)}

    def _upscaled(
        self,
        name: str,
        upscaler: Upscaler,
        made: Made,
        record: dict[str, Any],
    ) -> Field | None:
        """Return what a method makes of the coarse scan; None if it does not take such scans."""
        if name in record["not_run"]:
            return None
        began, new = time.perf_counter(), not made.knows(upscaler, self._sharpness[name])
        try:  # a network, weights, or what sharpness is learnt on, may be of another scale
            result = made.by(upscaler, self._sharpness[name])
        except (UsageError, WeightsError) as error:
            # Without the file, which is known, and the cure.
            told = str(error).removeprefix(f"{made.scene.low.where}: ")
            record["not_run"][name] = told.partition(";")[0]
            return None
        if new:
            _note(record, made.scene.low.replace(warnings=result.warnings))
            protocol = next(
                key for key, one in self._upscalers.items() if one.get(name) is upscaler
            )
            record["seconds"][f"{protocol} {name}"] = time.perf_counter() - began
        return np.asarray(result.heights)

    def _full_scan(self, made: Made, shared: Alignment, crop: Crop) -> dict[str, Any]:
        """Return what a full scan would give, beside what the truth gives."""
        for name, upscaler in self._upscalers["nm"].items():
            if methods.chosen(name).method.name == methods.DEFAULT:
                return full_scan_in(made, upscaler, self.settings.level, shared, crop)
        return {"reason": f"{methods.DEFAULT} was not run, for which alone they are learnt"}

    def _trust(
        self,
        scene: Scene,
        backing: Backing,
        crop: Crop,
        maps: Mapping[str, Alignment],
        fields: Mapping[str, Field],
        made: Mapping[str, Field],
        noise: Noise | None,
    ) -> tuple[dict[str, Any], dict[str, Field]]:
        """Return what the truth says of trust, and the half-width of the interval, if any."""

        def moved(name: str, field: Field) -> Field:
            return crop.of(warp(field, maps[name].matrix, scene.truth.shape, "linear"))

        results = {name: fields[name] for name in maps}
        of_truth = told_of(scene, backing, self.settings.level, crop, results, noise)
        told, more = self._witness(
            scene,
            results,
            fields["high"],
            moved,
            made,
            noise=of_truth["truth"].get("noise", 0.0),
            exact_error=None
            if backing.exact is None
            else partial(backing.exact.error_of, crop=crop),
            of_scan=noise,
        )
        return told | of_truth, more

    def _maps(
        self,
        scene: Scene,
        protocol: str,
        names: Sequence[str],
        results: Mapping[str, Field],
        record: dict[str, Any],
    ) -> tuple[Alignment, dict[str, Alignment], dict[str, str]]:
        """Return the shared alignment, that of every method, and why a method has none.

        `names` are those of the methods that made something of the scan.

        Raises
        ------
        PairError
            If the shared alignment is rejected, or there is no method: then nothing of this pair
            is scored.
        """
        settings = self.settings
        reasons = {name: f"not run: {why}" for name, why in record["not_run"].items()}
        if protocol != "nm":
            drawn = [name for name in settings.methods if self._sharpness[name]]
            reasons |= dict.fromkeys(drawn, NOT_IN_BYTES)
        if not names:
            raise PairError(
                f"{scene.low.where}: none of the methods takes such a scan "
                f"({'; '.join(record['not_run'].values())}); name others with --methods"
            )
        chosen = settings.paper_alignment if protocol == "paper" else settings.alignment
        shared = scene.aligned(results[NEUTRAL], chosen)
        record["alignment"] = scene.described(shared)
        if not shared.accepted:
            raise PairError(
                f"{scene.low.where} could not be aligned with {scene.high.where}: "
                f"{'; '.join(shared.reasons)}; check that both show the same area, in the "
                f"right unit, and that neither is mirrored"
            )
        if not settings.per_method(protocol):
            return shared, dict.fromkeys(names, shared), reasons
        maps: dict[str, Alignment] = {}

        def aligned(name: str) -> Alignment | PairError:
            try:
                return shared if name == NEUTRAL else scene.aligned(results[name], chosen)
            except PairError as error:  # such as a network that made a constant of it
                return error

        for name, found in zip(names, self._side_by_side(aligned, names), strict=True):
            if isinstance(found, PairError):
                reasons[name] = f"not aligned with the truth: {found}"
                continue
            record["alignment_per_method"][name] = scene.described(found)
            if found.accepted:
                maps[name] = found
            else:
                reasons[name] = f"not aligned with the truth: {'; '.join(found.reasons)}"
        return shared, maps, reasons

    def _side_by_side(
        self, work: Callable[[str], T], names: Iterable[str]
    ) -> Generator[T, None, None]:
        """Yield what came of each name, in their order; as many at a time as there are threads."""
        with ThreadPoolExecutor(self.settings.threads or 1) as pool:
            yield from pool.map(work, names)

    def _reference(self, protocol: str, truth: Field, scene: Scene) -> metrics.Reference:
        """Return the truth as a protocol scores it, which is the same for all methods."""
        if protocol == "paper":
            right = to_8bit(Normalisation.of(scene.truth).apply(truth))
            return metrics.Reference.of(right, scene.pixel_size, "paper", self._metrics(scene))
        return metrics.Reference.of(
            truth,
            scene.pixel_size,
            "nm",
            self._metrics(scene),
            unit=scene.high.unit,
            low=scene.relief,
        )

    def _scores(
        self,
        fields: Mapping[str, Field],
        results: Mapping[str, Field],
        scene: Scene,
        reference: metrics.Reference,
        made: Mapping[str, dict[str, Any]],
        name: str,
    ) -> dict[str, metrics.Value]:
        """Score a result as the protocol of the reference does; `made` gets what metrics share.

        On paper grey values, each member of the pair by its own minimum and maximum.
        """
        warped = fields[name]
        if reference.context.protocol == "paper":
            return reference.evaluate(to_8bit(Normalisation.of(scene.relief).apply(warped)))
        return reference.evaluate(warped, upscaled=results[name], shared=made[name])

    def _metrics(self, scene: Scene) -> dict[str, Any]:
        """Return the choices in metrics; what the scans were like is the pair's own."""
        return scene.metrics | dict(self.settings.metrics)


def _noise_of(truth: Field) -> Noise | None:
    """Return the noise that a scan tells of itself; None where what asks for it says why not."""
    try:
        return noise_of(truth)
    except FieldError:
        return None


def _channel(path: Path, spec: str | None) -> Channel:
    return io.select(io.read(path), spec)[0]


def _unscored(pair: Pair) -> dict[str, Any]:
    """Return the record of a pair before anything is done."""
    return {
        "id": pair.id,
        "data_set": pair.data_set,
        "status": "failed",
        "reason": "",
        "notes": [],
        "scale": None,
        "not_run": {},
        "alignment": None,
        "alignment_per_method": {},
        "crop": None,
        "scores": {},
        "trust": None,
        "fields": None,
        "seconds": {},
    }


def _note(record: dict[str, Any], *channels: Channel) -> None:
    """Write down what must be told of scans and of results made of them, each sentence once."""
    said = [f"{channel.where}: {one}" for channel in channels for one in channel.warnings]
    record["notes"] = list(dict.fromkeys((*record["notes"], *said)))


def _described(channel: Channel) -> dict[str, Any]:
    names = ("xres", "yres", "xreal", "yreal", "lateral_unit", "unit", "title")
    return {"path": str(channel.path)} | {name: getattr(channel, name) for name in names}


def _through_bytes(heights: Field, relief: Field) -> Field:
    """Return heights clamped to the range of `relief` and rounded to 256 steps, as the paper's.

    The same as ``afmsr upscale`` gives for a network in the paper's protocol.
    """
    normalisation, missing = Normalisation.of(relief), np.isnan(heights)
    grey = to_8bit(np.where(missing, 0.0, normalisation.apply(heights)))
    return np.where(missing, np.nan, normalisation.invert(from_8bit(grey)))


def _common(found: Iterable[Alignment], side: int | None) -> Crop:
    """Return the rectangle that lies in every crop, so that all methods are scored on the same.

    With `side`, the square of that side in its middle.
    """
    crops = [one.crop for one in found]
    top, left = max(c.top for c in crops), max(c.left for c in crops)
    height = min(c.top + c.height for c in crops) - top
    width = min(c.left + c.width for c in crops) - left
    if min(height, width) < 1:
        raise PairError("the methods' alignments have no area in common; try --align shared")
    if side is None:
        return Crop(top, left, height, width)
    if min(height, width) < side:
        raise PairError(
            f"the common area of {width} x {height} px is smaller than --crop {side}; "
            f"give a smaller one"
        )
    return Crop(top + (height - side) // 2, left + (width - side) // 2, side, side)


def _not_scored(protocol: str, reason: str) -> dict[str, Any]:
    empty = metrics.Value(None, reason).as_dict()
    return dict.fromkeys(metrics.names(protocol), empty)
