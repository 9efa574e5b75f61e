"""A process that has imported what every child needs of other packages, and forks each child.

Reads a line of JSON a child on its input (``cwd``, ``env``, ``path``, ``args`` of pytest, ``out``,
``seconds``) and answers with the child's exit code, or null where it did not end in time.
"""

import gc
import json
import os
import signal
import sys
import time
import traceback
from importlib import import_module

# Not the plugin of hypothesis itself: pytest wants to import that, to rewrite its asserts.
PACKAGES = (
    *("numpy", "numpy.typing", "polars", "polars.testing", "numba", "pyarrow.parquet"),
    *("pydantic", "pydantic.main", "pydantic.json_schema", "pydantic.plugin._schema_validator"),
    *("rich", "rich.table", "typer", "hypothesis", "hypothesis.strategies", "pytest", "doctest"),
    *("pdb", "xml.etree.ElementTree", "_pytest.junitxml", "_pytest.unittest"),
)


def child(told):
    """Run pytest as if this process had been started for it."""
    out = os.open(told["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(told["cwd"])
    os.environ.update(told["env"])
    sys.path[:0] = told["path"]
    code = 3  # pytest's own for an error of its own
    try:
        code = int(import_module("pytest").main(told["args"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def code_of(pid, seconds):
    """Exit code of a child; None where it had to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def main():
    """Fork a child for each line, until there are no more."""
    for name in PACKAGES:
        import_module(name)
    gc.freeze()  # no child looks through these again, or copies their pages to do so
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(told)
        sys.stdout.write(json.dumps(code_of(pid, told["seconds"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
