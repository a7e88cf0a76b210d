"""Run a network over a field of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from afmsr_core.inference.engine import Engine
from afmsr_core.methods.registry import Network

__all__ = ["Tiles", "run_tiled"]

MEMORY_BUDGET = 1 << 30  # bytes that one tile may need; laptops have 8 GB and more
SMALLEST = 32  # input pixels; a tile below this that runs out of memory cannot be helped
KEPT = 1 << 27  # bytes that an engine may keep for the next field, which spares clearing them anew
UNBOUNDED_HALO = 32  # for networks whose tiles cannot be exact anyway

Cut = tuple[slice, slice, slice, slice]  # rows and columns of a tile, and of what the network sees
Store = Callable[[slice, slice, NDArray[np.float32]], None]


@dataclass(frozen=True)
class Tiles:
    """How a field is cut.

    Parameters
    ----------
    side : int
        Lines of a tile, without its halo, and as many points of a line for square pixels.
    halo : int
        Lines around it that the network sees too and whose output is dropped.
    cell : int
        Points of a line that stand for one of the above: a tile of a line scan is about square in
        nm, as one of square pixels is.
    """

    side: int
    halo: int
    cell: int = 1

    @classmethod
    def for_network(
        cls, network: Network, side: int | None = None, shape: tuple[int, int] = (1 << 30, 1 << 30)
    ) -> Tiles:
        """Choose tiles that fit the memory budget and the alignment of `network`.

        A field of (yres, xres) pixels that fits the budget is one tile. Tiles that stay in the
        cache would lose more to their halos than they win (``python -m benchmarks tiles``). A tile
        is never smaller than its halo, even beyond the budget: most of the work would be done
        many times over.

        Raises
        ------
        UsageError
            If `side` is given and not positive.
        """
        halo = _up(UNBOUNDED_HALO if network.halo is None else network.halo, network.align)
        cell = network.scale.cell
        longest = max(shape[0], -(-shape[1] // cell))
        if side is None:
            pixels = MEMORY_BUDGET // network.working_bytes
            fits = shape[0] * shape[1] <= pixels
            most = max(SMALLEST, halo, int((pixels / cell) ** 0.5) - 2 * halo)
            # Equal tiles need less memory than full ones and a remnant, in the same time.
            side = longest if fits else -(-longest // -(-longest // most))
        elif side < 1:
            raise UsageError(f"--tile {side}: give a number of pixels, such as 256")
        # Not beyond the field: halving such a tile would change nothing.
        return cls(_up(min(side, longest), network.align), halo, cell)

    def halved(self, align: int) -> Tiles:
        """Return tiles of half the side."""
        return replace(self, side=_up(max(1, self.side // 2), align))

    def pixels(self, yres: int, xres: int) -> int:
        """Return how many pixels of a field the network sees at a time, at most."""
        seen = self.side + 2 * self.halo
        return min(seen, yres) * min(seen * self.cell, xres)

    def cover(self, yres: int, xres: int) -> Iterator[Cut]:
        """Yield (rows, columns) of each tile and (rows, columns) of what the network sees."""
        width, margin = self.side * self.cell, self.halo * self.cell
        for top in range(0, yres, self.side):
            for left in range(0, xres, width):
                bottom, right = min(top + self.side, yres), min(left + width, xres)
                yield (
                    slice(top, bottom),
                    slice(left, right),
                    slice(max(0, top - self.halo), min(yres, bottom + self.halo)),
                    slice(max(0, left - margin), min(xres, right + margin)),
                )


def run_tiled(
    engine: Engine,
    network: Network,
    planes: NDArray[np.float32],
    store: Store,
    *,
    side: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Tiles, Engine]:
    """Run `network` tile by tile; halve the tiles when memory runs out, then go to the CPU.

    Parameters
    ----------
    engine : Engine
        The loaded network.
    network : Network
        Its descriptor.
    planes : ndarray of float32, shape (colours, yres, xres)
        Normalised as a whole, so that tiles agree at their seams.
    store : callable
        Gets the rows and columns of each output tile and its values, shape
        (colours, height, width). It must assign, not add: after running out of memory, tiles
        come again.
    side : int, optional
        Of a tile, as in :class:`Tiles`; chosen to fit the memory by default.
    progress : callable, optional
        Gets the fraction done, which never falls; may raise to stop.

    Returns
    -------
    Tiles, Engine
        As used in the end.

    Raises
    ------
    MemoryError
        If even the smallest tile does not fit into the processor's memory.
    """
    _, yres, xres = planes.shape
    tiles = Tiles.for_network(network, side, (yres, xres))
    done = 0.0
    while True:
        needed = tiles.pixels(yres, xres) * network.working_bytes
        try:
            with _resting(engine) if needed > KEPT else nullcontext():
                for cut in tiles.cover(yres, xres):
                    _run_tile(engine, network, planes, cut, store)
                    if progress:
                        done = max(done, _fraction(cut[0], cut[1], yres, xres))
                        progress(done)
            return tiles, engine
        except MemoryError:
            if tiles.side > max(SMALLEST, network.align):
                tiles = tiles.halved(network.align)
            elif engine.device != "cpu":
                engine = engine.on_cpu()
                tiles = Tiles.for_network(network, side, (yres, xres))
            else:
                raise


@contextmanager
def _resting(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.rest()


def _run_tile(
    engine: Engine, network: Network, planes: NDArray[np.float32], cut: Cut, store: Store
) -> None:
    rows, cols, seen_rows, seen_cols = cut
    down, across = network.scale
    result = engine.run(np.ascontiguousarray(planes[None, :, seen_rows, seen_cols]))[0]
    inner_rows = _within(rows, seen_rows, down)
    inner_cols = _within(cols, seen_cols, across)
    store(_scaled(rows, down), _scaled(cols, across), result[:, inner_rows, inner_cols])


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _within(part: slice, whole: slice, scale: int) -> slice:
    return slice((part.start - whole.start) * scale, (part.stop - whole.start) * scale)


def _scaled(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def _fraction(rows: slice, cols: slice, yres: int, xres: int) -> float:
    return min(1.0, (rows.start * xres + (rows.stop - rows.start) * cols.stop) / (yres * xres))
