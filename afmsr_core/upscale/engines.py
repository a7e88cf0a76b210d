"""Which networks of a method are loaded, and for which scale."""

from __future__ import annotations

from collections.abc import Sequence

from afmsr_core.errors import UsageError, WeightsError
from afmsr_core.grid import AUTO, Scale, from_option
from afmsr_core.inference import Engine, open_engine, prepare
from afmsr_core.methods import Network, registry, shipped
from afmsr_core.upscale.settings import Settings

__all__ = ["Engines"]


class Engines:
    """The networks of a method, each loaded once, for the first scan that needs it.

    Line scans have networks of their own. What stands in the way of any is told at once, before
    the first scan. An interpolation has none.

    Parameters
    ----------
    settings : Settings
        Of method, scale, engine, device, weights and threads.

    Raises
    ------
    UsageError
        If engine, device and network do not go together, or an interpolation is given any.
    MissingExtraError, MissingWeightsError, WeightsError
        If the network cannot run here; the message holds the cure.

    Examples
    --------
    >>> engines = Engines(Settings())
    >>> engines.loaded
    ()
    >>> engines.of(registry.get("afm")).device, engines.loaded
    ('cpu', (Scale(rows=4, columns=4),))
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[Scale, Engine] = {}
        method = registry.get(settings.method)
        if not isinstance(method, Network):
            _refuse_for_networks(method.name, settings)
            return
        if settings.scale != AUTO:
            self.of(_network(method.name, from_option(settings.scale)))
            return
        networks = [_network(method.name, scale) for scale in registry.scales(method.name)]
        if self._loads_late and all(one.onnx for one in networks):
            for one in networks:
                prepare(one)
        elif settings.weights is None:
            self.of(networks[0])
        else:
            self._load_fitting(networks)

    @property
    def loaded(self) -> tuple[Scale, ...]:
        """The scales whose networks are loaded, the first of them first."""
        return tuple(self._loaded)

    def of(self, network: Network) -> Engine:
        """Return a network that is loaded.

        Raises
        ------
        WeightsError
            If the user's weights are those for another scale.
        """
        settings, scale = self._settings, network.scale
        if scale not in self._loaded:
            if settings.weights is not None and self._loaded:
                theirs = _network(network.name, self.loaded[0])
                raise WeightsError(
                    f"{settings.weights}: holds the weights of {theirs.called}, and this scan "
                    f"takes those of {network.called}; give --scale {theirs.scale.option}, or "
                    f"other weights"
                )
            self._loaded[scale] = open_engine(
                network,
                engine=settings.engine,
                device=settings.device,
                weights=settings.weights,
                threads=settings.threads,
            )
        return self._loaded[scale]

    def weights_sha256(self, scale: Scale) -> str | None:
        """Return the hex digest of the weights for a scale.

        None for an interpolation, for a network that is not loaded and does not ship with afmsr,
        and for a scale that the method was not trained for.
        """
        if scale.upright in self._loaded:
            return self._loaded[scale.upright].weights_sha256
        name = self._settings.method
        if not self._loads_late or scale.upright not in registry.scales(name):
            return None
        network = _network(name, scale)
        return None if network.onnx is None else shipped.expected_hash(network.onnx)

    @property
    def _loads_late(self) -> bool:
        """Whether only its file can hinder a network that ships, so that it may be loaded late."""
        settings = self._settings
        return (
            settings.weights is None
            and settings.device in ("auto", "cpu")
            and settings.engine in ("auto", "onnx")
        )

    def _load_fitting(self, networks: Sequence[Network]) -> None:
        """Load the one of several networks that the user's weights are those of."""
        first: WeightsError | None = None
        for one in networks:
            try:
                self.of(one)
                return
            except WeightsError as error:
                first = first or error
        if first is not None:
            raise first


def _network(name: str, scale: Scale) -> Network:
    method = registry.get(name, scale)
    if not isinstance(method, Network):
        raise UsageError(f"{name}: no network")
    return method


def _refuse_for_networks(method: str, settings: Settings) -> None:
    """Refuse what an interpolation would leave undone without a word."""
    for given, lack in (
        (settings.weights is not None, "no weights"),
        (settings.device not in ("auto", "cpu"), f"no use for the device {settings.device}"),
        (settings.engine != "auto", f"no engine, be it {settings.engine}"),
        (settings.tile is not None, "no tiles"),
    ):
        if given:
            raise UsageError(f"{method} is an interpolation; it has {lack}")
