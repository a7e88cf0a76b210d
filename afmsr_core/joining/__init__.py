"""Trace and retrace as one scan: both are in nearly every file, and cost no time."""

from afmsr_core.joining.join import join, joined_with, with_partner, with_partners
from afmsr_core.joining.partner import misfit, other_way, titled_other_way

__all__ = [
    "join",
    "joined_with",
    "misfit",
    "other_way",
    "titled_other_way",
    "with_partner",
    "with_partners",
]
