#!/usr/bin/env python3
"""The e2e tests: the real operator on a real Kubernetes, with moto as an independent Secrets Manager.

Started by run.sh, which builds what is needed first. Prints one line for each scenario and the count last.
Exit status: 0 all passed, 1 something failed, 2 wrong usage.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness import runner
from harness.world import World


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", required=True, type=Path, help="folder that `control-plane.sh build` printed")
    parser.add_argument("--binary", required=True, type=Path, help="bin/keyturn")
    parser.add_argument("--keep", action="store_true", help="keep logs and data even if all passed")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("words", nargs="*", help="run only scenarios whose name contains one of these")
    arguments = parser.parse_args()
    import scenarios  # noqa: F401  (registers them)

    wanted = runner.chosen(arguments.words)
    if arguments.list:
        print("\n".join(name for name, _ in wanted))
        return 0
    if not wanted:
        parser.error("no scenario has such a name")
    # So that an interrupted run ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="keyturn-e2e-"))
    passed = False
    world = World(arguments.programs, arguments.binary.absolute(), Path(__file__).resolve().parents[2], folder)
    began = time.monotonic()
    try:
        world.start()
        print(f"e2e: control plane, moto, chart are up ({time.monotonic() - began:.1f} s); logs in {folder}", flush=True)
        passed = runner.run(wanted, world)
    except (AssertionError, RuntimeError, OSError) as failed:
        print(f"FAILED  the start: {failed}\n0 passed, {len(wanted)} failed", flush=True)
    finally:
        world.stop()
        if passed and not arguments.keep:
            shutil.rmtree(folder)
        else:
            print(f"e2e: logs are in {folder}", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
