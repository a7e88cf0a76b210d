"""The registry of upscaling methods.

A method is a frozen descriptor. Every module of this folder that holds a tuple ``METHODS`` adds
its descriptors to the registry; adding a method touches that one file and no other.
"""

from afmsr_core.methods.choice import Choice, chosen
from afmsr_core.methods.registry import DEFAULT, Interpolation, Method, Network, get, methods, names

__all__ = [
    "DEFAULT",
    "Choice",
    "Interpolation",
    "Method",
    "Network",
    "chosen",
    "get",
    "methods",
    "names",
]
