"""Results folders for the tests of the report: invented scores, real analyses, real fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from afmsr_core.statistics import Scores, Settings, analyse, decibels, gains

INTERPOLATIONS = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos4": "Lanczos4"}
NETWORKS = {
    "ninasr_b0": "NinaSR-B0", "ninasr_b1": "NinaSR-B1", "ninasr_b2": "NinaSR-B2",
    "carn": "CARN", "rcan": "RCAN", "edsr": "EDSR", "afm": "afm",
}  # fmt: skip
METHODS = INTERPOLATIONS | NETWORKS
KINDS = {m: "network" if m in NETWORKS else "interpolation" for m in METHODS}
CURE = "the weights are not here: afmsr models fetch rdn"

# name: label, unit, lower is better, protocol, mean, SD of images, gain of networks, noise, source
METRICS: dict[str, tuple[str, str, bool | None, str, float, float, float, float, str]] = {
    "psnr": ("PSNR", "dB", False, "paper", 29.0, 4.5, -0.35, 0.2, "doi 10.3762/bjnano.16.83"),
    "ssim": ("SSIM", "", False, "paper", 0.9, 0.05, -0.0005, 0.002, "Wang 2004"),
    "fourier_sharpness": ("Fourier sharpness", "", False, "paper", 5.2, 0.15, 0.4, 0.02, "afmsr"),
    "gradient_sharpness": ("gradient sharpness", "grey/px", False, "paper", 4, 0.5, 0.1, 0.3, "a"),
    "pi": ("PI", "", True, "paper", 9.0, 0.6, 0.0, 0.1, "Blau 2018"),
    "ma": ("Ma", "", False, "paper", 2.5, 0.5, 0.6, 0.1, "Ma 2017"),
    "niqe": ("NIQE", "", True, "paper", 11.0, 1.2, -3.0, 0.2, "Mittal 2013"),
    "rmse": ("RMSE", "height", True, "nm", 3.2, 1.0, -0.2, 0.1, "afmsr"),
    "bias": ("bias", "height", None, "nm", 0.1, 0.5, 0.0, 0.1, "afmsr"),
    "sq": ("Sq ratio", "", None, "nm", 0.98, 0.01, 0.01, 0.005, "ISO 25178-2:2021"),
    "sdq": ("Sdq ratio", "", None, "nm", 0.7, 0.05, 0.1, 0.02, "ISO 25178-2:2021"),
    "psd_fine": ("PSD ratio, fine", "", None, "nm", 0.5, 0.05, 0.2, 0.02, "afmsr"),
    "streaks_low": ("scars of the low scan that remain", "", None, "nm", 0.6, 0.1, -0.5, 0.05, "a"),
}  # fmt: skip
UNTESTED = (
    "ssim",
    "fourier_sharpness",
    "gradient_sharpness",
    "pi",
    "ma",
)  # on titanium, to save time
NO_MA = "Ma's parameter file is not here; give --ma-parameters FILE"


def surface(seed: int, size: int = 400) -> np.ndarray:
    """Return a rough surface with grains, in nm."""
    random = np.random.default_rng(seed)
    grain, coarse = (
        cv2.GaussianBlur(random.normal(size=(size, size)), (0, 0), sigma) * sigma
        for sigma in (2.0, 12.0)
    )
    tilt = 0.02 * np.arange(size)
    return 8 * grain + 20 * coarse + tilt + random.normal(0, 0.1, (size, size))


def enlarged(low: np.ndarray, method: str, truth: np.ndarray, seed: int) -> np.ndarray:
    size = truth.shape[::-1]
    flags = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
    smooth = cv2.resize(low, size, interpolation=flags.get(method, cv2.INTER_LANCZOS4))
    if KINDS[method] == "interpolation":
        return smooth
    share = 0.25 + 0.05 * list(NETWORKS).index(method)
    return (1 - share) * smooth + share * truth + seed  # another datum, as a second scan has


def write_fields(path: Path, truth: np.ndarray, seed: int, methods: Iterable[str]) -> None:
    random = np.random.default_rng(seed)
    low = truth[2::4, 2::4] + random.normal(0, 0.3, (len(truth) // 4,) * 2)
    for row in random.integers(5, len(low) - 5, 4):
        start = int(random.integers(0, len(low) // 2))
        low[row, start : start + 30] += 0.6 * np.ptp(truth)
    arrays = {m: enlarged(low, m, truth, seed) for m in methods}
    arrays |= {"low": np.kron(low, np.ones((4, 4))), "high": truth}
    packed = {name: array.astype(np.float32) for name, array in arrays.items()}
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **packed, pixel_size=np.array([9.8, 9.8], np.float32))  # type: ignore[arg-type]


def scan(name: str, pixels: int) -> dict[str, Any]:
    return {"path": f"{name}.gwy", "sha256": "ab" * 32, "xres": pixels, "yres": pixels,
            "xreal": 5000.0, "yreal": 5000.0, "lateral_unit": "nm", "unit": "nm",
            "title": "Height"}  # fmt: skip


def scores_of(
    index: int, protocol: str, methods: Iterable[str], metrics: Iterable[str]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {m: {} for m in methods}
    for order, (name, told) in enumerate(METRICS.items()):
        _, _, _, of, mean, between, gain, noise, _ = told
        if of != protocol or name not in metrics:
            continue
        random = np.random.default_rng([index, order])
        image = random.normal(mean, between)
        for method in methods:
            value = image + gain * (method in NETWORKS) + random.normal(0, noise)
            none = name == "ma" or (name == "pi" and index == 3)
            details = {"patches": 9, "crop": [370, 370]} if name == "niqe" else {}
            reason = (NO_MA if name == "ma" else "8 px are too few") if none else ""
            found[method][name] = {
                "value": None if none else float(value), "reason": reason, "details": details
            }  # fmt: skip
    return found


def analyses_of(pairs: list[dict[str, Any]], metrics: Iterable[str] = METRICS) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in metrics:
        _, unit, lower, protocol, *_ = METRICS[name]
        for data_set in dict.fromkeys(pair["data_set"] for pair in pairs):
            chosen = [p for p in pairs if p["data_set"] == data_set and p["status"] == "scored"]
            if not chosen or lower is None or (data_set == "titanium" and name in UNTESTED):
                continue
            methods = list(chosen[0]["scores"][protocol])
            values = [
                [p["scores"][protocol][m][name]["value"] or math.nan for m in methods]
                for p in chosen
            ]
            scores = Scores(np.array(values, dtype=float), methods, [KINDS[m] for m in methods],
                            not lower, name, data_set, unit.replace("height", "nm"),
                            images=[p["id"] for p in chosen])  # fmt: skip
            one = analyse(scores, Settings(resamples=200)).as_dict()
            found.setdefault(protocol, {}).setdefault(data_set, {})[name] = one
    return found


def gains_of(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scored = [pair for pair in pairs if pair["status"] == "scored"]
    for protocol, metric in (("nm", "rmse"), ("paper", "psnr")):
        for data_set in dict.fromkeys(pair["data_set"] for pair in scored):
            rows = [pair for pair in scored if pair["data_set"] == data_set]
            methods = list(rows[0]["scores"][protocol])
            values = np.array(
                [[row["scores"][protocol][m][metric]["value"] for m in methods] for row in rows]
            )
            found.setdefault(protocol, {})[data_set] = gains(
                values if metric == "psnr" else -decibels(values), methods,
                [KINDS[m] for m in methods], [row["id"] for row in rows],
                metric=metric, reference="bicubic",
            ).as_dict()  # fmt: skip
    return found


def build(
    folder: Path,
    pairs: int = 12,
    sets: tuple[str, ...] = ("celgard", "titanium"),
    *,
    methods: Iterable[str] = METHODS,
    chosen: Iterable[str] = METRICS,
    size: int = 400,
    kept: int = 4,
) -> Path:
    """Write a results folder: `pairs` scored ones, a rejected and a failed one.

    The fields are kept of each `kept`-th pair, to save time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, Any]] = []
    for index in range(pairs):
        data_set = sets[index * len(sets) // pairs]
        key = f"{data_set}/scan {index:02d}" if data_set else f"scan {index:02d}"
        if index % kept == 0:
            write_fields(folder / "pairs" / f"{index}.npz", surface(index, size), index, methods)
        alignment = {"kind": "homography", "scale": 1.002, "rotation_deg": -0.31,
                     "shift_px": [3.2, -1.4], "residual_px": 0.21, "residual_nm": 2.05,
                     "inliers": 210, "matches": 340, "overlap": 0.97,
                     "crop": [4, 3, 400, 400]}  # fmt: skip
        told.append(
            {"id": key, "data_set": data_set, "status": "scored", "reason": "",
             "low": scan(f"{index}_low", 128), "high": scan(f"{index}_high", 512),
             "alignment": alignment,
             "alignment_per_method": dict.fromkeys(METHODS, alignment),
             "scores": {p: scores_of(index, p, methods, chosen) for p in ("paper", "nm")},
             "fields": None if index % kept else f"pairs/{index}.npz",
             "seconds": {"upscale": 1.5, "align": 0.4}}
        )  # fmt: skip
    for status, reason in (
        ("rejected", "residual 7.2 px is above 4 px; <b>check</b> that both show one area"),
        ("failed", "low.gwy is cut short: copy it again"),
    ):
        told.append(
            {"id": f"{status} one", "data_set": sets[0], "status": status, "reason": reason,
             "low": scan("x_low", 128), "high": scan("x_high", 512), "alignment": None,
             "alignment_per_method": {}, "scores": {}, "fields": None, "seconds": {}}
        )  # fmt: skip
    listed = [
        {"name": m, "label": label, "kind": KINDS[m], "source": "OpenCV", "run": True,
         "parameters": 0 if m in INTERPOLATIONS else 105_392, "why_not": ""}
        for m, label in METHODS.items()
        if m in methods
    ] + [{"name": "rdn", "label": "RDN", "kind": "network", "parameters": 22_271_107,
          "source": "Zhang et al. 2018", "run": False, "why_not": CURE}]  # fmt: skip
    metrics = [
        {"name": name, "label": one[0], "unit": one[1], "lower_is_better": one[2],
         "protocol": one[3], "summary": "what it means", "source": one[8]}
        for name, one in METRICS.items()
        if name in chosen
    ]  # fmt: skip
    raw = {
        "format": 1, "afmsr": "0.4.0", "created": "2026-01-02T03:04:05",
        "versions": {"numpy": "2.4.6", "opencv": "4.13"},
        "settings": {"align": {"ratio": 0.75, "per_method": True}, "levelling": "plane"},
        "methods": listed, "metrics": metrics, "pairs": told, "analyses": analyses_of(told, chosen),
        "gains": gains_of(told),
    }  # fmt: skip
    save(folder, raw)
    return folder


def save(folder: Path, raw: dict[str, Any]) -> None:
    (folder / "results.json").write_text(json.dumps(raw), encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return raw
