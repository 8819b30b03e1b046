#!/usr/bin/env python3
"""Tries every case of tests/unit/rotation/testdata/policies.yaml on a real API server that has the CRD.

The same cases run against the operator's own parser in the unit tests, so this shows that both say the same.
Needs kubectl, KUBECONFIG and the CRD applied. Exit status: 0 all as said, 1 some are not.
"""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/unit/rotation/testdata/policies.yaml"
CRD = ROOT / "crds/rotationpolicies.keyturn.dev.yaml"


def send(spec, verb="create", validate="ignore", dry=True):
    """Returns (accepted, what kubectl said)."""
    policy = {"apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy",
              "metadata": {"name": "case", "namespace": "default"}, "spec": spec}
    command = ["kubectl", verb, "-f", "-", f"--validate={validate}"] + (["--dry-run=server"] if dry else [])
    run = subprocess.run(command, input=json.dumps(policy), capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stdout + run.stderr


def cel_messages(node):
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", []):
            yield rule["message"]
        for value in node.values():
            yield from cel_messages(value)
    elif isinstance(node, list):
        for value in node:
            yield from cel_messages(value)


def check_bad(case, messages, failures):
    accepted, said = send(case["spec"])
    wanted = case.get("server", "refuses")
    if accepted != (wanted != "refuses"):
        failures.append(f"bad/{case['name']}: {'accepted' if accepted else 'refused'}: {said.strip()}")
    if wanted == "prunes":
        strict, said = send(case["spec"], validate="strict")
        if strict or "unknown field" not in said:
            failures.append(f"bad/{case['name']}: a strict client got: {said.strip()}")
    if "says" in case:
        if case["says"] not in said:
            failures.append(f"bad/{case['name']}: the server did not say \"{case['says']}\": {said.strip()}")
        return
    for message in messages:  # where the operator's words are a CEL rule's, the server must have said them
        if wanted == "refuses" and any(message in text for text in case["expect"]) and message not in said:
            failures.append(f"bad/{case['name']}: the server did not say \"{message}\": {said.strip()}")


def check_update(case, failures):
    subprocess.run(["kubectl", "delete", "rotpol", "case", "--ignore-not-found"], capture_output=True, check=True)
    accepted, said = send(case["from"], dry=False)
    if not accepted:
        failures.append(f"updates/{case['name']}: the first was refused: {said.strip()}")
        return
    accepted, said = send(case["to"], verb="replace", dry=False)
    if accepted != (case["server"] == "accepts") or (not accepted and case["server"] not in said):
        failures.append(f"updates/{case['name']}: {said.strip()}")


def main():
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    messages = set(cel_messages(yaml.safe_load(CRD.read_text(encoding="utf-8"))))
    failures = []
    for case in cases["good"]:
        accepted, said = send(case["spec"], validate="strict")
        if not accepted:
            failures.append(f"good/{case['name']}: {said.strip()}")
    for case in cases["bad"]:
        check_bad(case, messages, failures)
    for case in cases["updates"]:
        check_update(case, failures)
    subprocess.run(["kubectl", "delete", "rotpol", "case", "--ignore-not-found"], capture_output=True, check=True)
    for failure in failures:
        print(failure)
    counts = {kind: len(cases[kind]) for kind in ("good", "bad", "updates")}
    print(f"CRD cases on a real API server: {counts}, {len(failures)} not as said")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
