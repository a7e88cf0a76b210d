"""Which metrics there are, and their settings."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from afmsr_core.errors import UsageError, did_you_mean
from afmsr_core.metrics.base import PROTOCOLS, Metric, Setting

__all__ = ["get", "metrics", "names", "resolve", "settings"]


@cache
def metrics() -> Mapping[str, Metric]:
    """Return every metric by name, in the order of tables: the paper's first."""
    found: dict[str, Metric] = {}
    folder = importlib.import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        for metric in getattr(importlib.import_module(module.name), "METRICS", ()):
            if metric.name in found:
                raise ValueError(f"two metrics are called {metric.name!r}")
            found[metric.name] = metric
    order = list(PROTOCOLS)
    ranked = sorted(found.values(), key=lambda m: (order.index(m.protocol), m.rank, m.name))
    return MappingProxyType({metric.name: metric for metric in ranked})


def names(protocol: str | None = None) -> tuple[str, ...]:
    """Return the names of all metrics, or of those of one protocol.

    Examples
    --------
    >>> names("paper")[:2]
    ('psnr', 'ssim')
    """
    return tuple(name for name, m in metrics().items() if protocol in (None, m.protocol))


def get(name: str) -> Metric:
    """Return the metric called `name`.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.

    Examples
    --------
    >>> get("psnr").unit
    'dB'
    """
    try:
        return metrics()[name.lower().replace("-", "_")]
    except KeyError:
        raise UsageError(
            f"no metric is called {name!r}.{did_you_mean(name, names())} "
            f"There are: {', '.join(names())}"
        ) from None


def settings() -> Mapping[str, Setting]:
    """Return every setting of every metric by name."""
    found: dict[str, Setting] = {}
    for metric in metrics().values():
        for setting in metric.settings:
            if found.setdefault(setting.name, setting) is not setting:
                raise ValueError(f"two settings are called {setting.name!r}")
    return MappingProxyType(found)


def resolve(given: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return all settings: what the user gave, and the default where nothing was given.

    Parameters
    ----------
    given : mapping of str to object, optional
        By name, as on the command line or in a file.

    Raises
    ------
    UsageError
        If a name or a value is none that we know.

    Examples
    --------
    >>> resolve({"psnr_peak": "reference"})["psnr_peak"]
    'reference'
    """
    known = settings()
    for name in given or ():
        if name not in known:
            raise UsageError(
                f"no setting of a metric is called {name!r}.{did_you_mean(name, known)} "
                f"There are: {', '.join(known)}"
            )
    resolved = {}
    for name, setting in known.items():
        value = (given or {}).get(name, setting.default)
        try:
            resolved[name] = setting.parse(value)
        except ValueError as error:
            raise UsageError(f"{name} = {value!r}: {error} ({setting.meaning})") from error
    return MappingProxyType(resolved)
