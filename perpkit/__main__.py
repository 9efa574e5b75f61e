"""The command ``perpkit``, also as ``python -m perpkit``."""

import signal
import sys


def main() -> int:
    """Run the command; its exit code. Ctrl-C is answered from the first import on."""
    try:
        from perpkit.cli import main as run

        code = run()
    except KeyboardInterrupt:
        known = sys.modules.get("perpkit.cli.leaving")
        said = getattr(known, "sentence", lambda: "stopped; nothing was written")
        print(f"perpkit: {said()}", file=sys.stderr)
        return 130
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: nobody is left to answer
    return code


if __name__ == "__main__":
    sys.exit(main())
