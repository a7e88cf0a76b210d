"""Pairing: which low-resolution scan belongs to which ground truth, and whether they can.

Pairs are found by name or by a list, never by sort order: the n-th file of one folder is not the
partner of the n-th of another. What finds no partner is reported with the reason.

Layouts, each in the folder itself and in any of its sub-folders, which name the data sets (as
Celgard and titanium in the paper, doi 10.3762/bjnano.16.83):

- ``NAME_low.EXT`` and ``NAME_high.EXT`` side by side,
- folders ``low`` and ``high`` with the same names in both,
- ``NAME_lines.EXT``, or a folder ``lines``: a coarse scan with every point of its lines, in place
  of the low one, or beside it where both have the same truth; these pairs are a data set of their
  own, ``lines``,
- ``pairs.csv`` with the columns ``id, low, high`` and, if wanted, ``channel, data set``; paths
  are relative to it, and it speaks for all that lies below.

A folder ``truth`` beside them holds what is no scan: the exact surfaces of ``afmsr simulate``.
"""

from __future__ import annotations

from afmsr_core.pairing.checks import check_pair, check_units
from afmsr_core.pairing.finding import find_pairs
from afmsr_core.pairing.pair import Pair, Pairing, Unpaired

__all__ = ["Pair", "Pairing", "Unpaired", "check_pair", "check_units", "find_pairs"]
