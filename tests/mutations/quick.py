"""Plugin of the child processes: the copy's own perpkit, and one failing example is enough."""

from pathlib import Path

from hypothesis import Phase, settings

import perpkit

if not Path(perpkit.__file__).is_relative_to(Path.cwd()):
    raise ImportError(f"perpkit is that of {perpkit.__file__}, not of the copy")

settings.register_profile(
    "quick",
    phases=(Phase.explicit, Phase.generate),  # no search for the smallest failure
    report_multiple_bugs=False,
    database=None,
    deadline=None,
)
settings.load_profile("quick")
