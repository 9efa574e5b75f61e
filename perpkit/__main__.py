"""The command ``perpkit``, also as ``python -m perpkit``."""

import sys


def main() -> int:
    """Run the command; its exit code. Ctrl-C is answered from the first import on."""
    try:
        from perpkit.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("perpkit: stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
