#!/usr/bin/env python3
"""The commands of control-plane.sh that need the programs; see there."""

import argparse
import sys
from pathlib import Path

from harness.cluster import COMPONENTS, ControlPlane
from harness.moto import REGION, Moto
from harness.waiting import TimedOut


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, type=Path)
    parser.add_argument("command", choices=("start", "stop", "up", "down", "compact"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", nargs="?", choices=(*COMPONENTS, "moto"))
    arguments = parser.parse_args()
    if arguments.command != "start" and not (arguments.folder / "cluster.json").exists():
        parser.error(f"{arguments.folder} holds no control plane; start one there first")
    cluster = ControlPlane(arguments.programs, arguments.folder)
    moto = Moto(arguments.programs, arguments.folder)
    try:
        run(arguments, cluster, moto)
    except (TimedOut, RuntimeError) as failed:
        print(f"control-plane: {failed}\ncontrol-plane: logs are in {arguments.folder / 'logs'}", file=sys.stderr)
        return 1
    return 0


def run(arguments, cluster, moto):
    if arguments.command == "start":
        moto.start()
        cluster.start()
        print(f"export KUBECONFIG={cluster.admin_kubeconfig}\nexport AWS_ENDPOINT_URL={moto.endpoint}\n"
              f"export AWS_REGION={REGION} AWS_ACCESS_KEY_ID=AKIAE2E AWS_SECRET_ACCESS_KEY=e2e\n"
              f"export PATH={arguments.programs}:$PATH")
    elif arguments.command == "stop":
        cluster.stop()
        moto.stop()
    elif arguments.command == "compact":
        print(f"compacted at revision {cluster.compact_etcd()}")
    elif arguments.name == "moto":
        moto.start() if arguments.command == "up" else moto.stop()
    elif arguments.command == "up":
        cluster.up(arguments.name)
    else:
        cluster.down(arguments.name)


if __name__ == "__main__":
    sys.exit(main())
