"""The quality of data: faults in the files themselves, whatever the venue's terms are.

A check is a function ``(Raw) -> Iterator[Found]`` over all instruments at once: findings, and the
edits that would mend them. Those in `CHECKS` are played in turn, each on what the ones before
would leave, so that one fault is found once. `write_fixed` writes the sure edits.
"""

from perpkit.research.quality.checks import CHECKS, Inspected, inspect
from perpkit.research.quality.fix import Change, Fixed, refuse_place, write_fixed
from perpkit.research.quality.raw import Edit, Found, Raw, read_raw, strict_frames

__all__ = [
    "CHECKS",
    "Change",
    "Edit",
    "Fixed",
    "Found",
    "Inspected",
    "Raw",
    "inspect",
    "read_raw",
    "refuse_place",
    "strict_frames",
    "write_fixed",
]
