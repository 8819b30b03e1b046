#!/usr/bin/env python3
"""Writes docs/reference/policy.md from the CRD. With --check: exit status 1 when the file is not what would be written."""

import argparse
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CRD = ROOT / "crds/rotationpolicies.keyturn.dev.yaml"
PAGE = ROOT / "docs/reference/policy.md"

HEAD = """# RotationPolicy

<!-- Made by scripts/policy-reference.py from crds/rotationpolicies.keyturn.dev.yaml. Do not edit. -->

`keyturn.dev/v1alpha1`, namespaced, short name `rotpol`. `kubectl explain rotationpolicy.spec` says the same. Examples are in
`examples/`; `keyturn validate -f FILE` checks a policy without a cluster, with the same words as the API server and the conditions.
`[]` stands for an item of a list, `{}` for a value under any key.
"""

REQUESTS = """
## Annotations

| annotation | on | meaning |
|---|---|---|
| `keyturn.dev/rotate-requested-at` | RotationPolicy | an RFC 3339 time: rotate now, if the current version is older than that. `kubectl keyturn rotate` sets it. One that comes back from Git or a backup does nothing |
| `keyturn.dev/sync-requested-at` | RotationPolicy | an RFC 3339 time: read the secret anew and write the targets |
| `keyturn.dev/rollback-requested-at` | RotationPolicy | an RFC 3339 time: make a new version with the old credential, if the current version is older than that. `kubectl keyturn rollback` sets it |
| `keyturn.dev/revoke-requested-at` | RotationPolicy | an RFC 3339 time: revoke the old credential now, without roll-out, gate and grace period, if the current version is older than that. `kubectl keyturn revoke --yes` sets it. The same time as in `rotate-requested-at` also makes the rotation asked for there end without a look at pods and without a grace period: the leak drill, `rotate --revoke-now` |
| `keyturn.dev/secret-<8 hex digits>` | a workload's pod template | the version that its pods were restarted for; the digits are the first of the SHA-256 of the Secret's name |
| `keyturn.dev/rotation-identity` | ServiceAccount | `"true"` lets policies of its namespace use it as `spec.identity.serviceAccountName` |
| `keyturn.dev/policy`, `keyturn.dev/secret-arn`, `keyturn.dev/version-id`, `keyturn.dev/keys` | Secret | what Keyturn wrote: for whom, from where, which version, which keys. Never a value, nor a hash of one |

A Secret that Keyturn manages has the label `keyturn.dev/managed: "true"`.

## Not in this version

The strategies other than `astraToken`, `elasticacheUser`, `generic`, `influxdbToken`, `influxdbUser`, `lambda` and `syncOnly` are refused: nothing would act on them.
"""


def cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def kind_of(schema):
    if "additionalProperties" in schema:
        return "map of strings"
    if schema["type"] == "array":
        return "list"
    return {"date-time": "time"}.get(schema.get("format"), schema["type"])


def messages(schema, field=None):
    """What the rules on an object say of its field (fieldPath), or of itself."""
    wanted = None if field is None else f".{field}"
    return [rule["message"] for rule in schema.get("x-kubernetes-validations", []) if rule.get("fieldPath") == wanted]


def bounds(schema, more=()):
    said = []
    if "enum" in schema:
        said.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    for least, most, what in (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "items"),
                              ("minProperties", "maxProperties", "keys"), ("minimum", "maximum", "")):
        low, high = schema.get(least), schema.get(most)
        if high is not None:
            said.append((f"{low or 0} to {high} {what}" if low != high else f"exactly {high} key").strip())
    said += messages(schema) + list(more)
    return "; ".join(dict.fromkeys(said))


def rows(path, schema, required):
    for name, child in schema.get("properties", {}).items():
        full = f"{path}.{name}"
        marks = []
        if name in schema.get("required", []) and required:
            marks.append("required")
        if "default" in child:
            marks.append(f"default `{str(child['default']).lower() if child['type'] == 'boolean' else child['default']}`")
        yield full, kind_of(child), ", ".join(marks), child.get("description", ""), bounds(child, messages(schema, name))
        if "items" in child:
            items = child["items"]
            if messages(items):
                yield full + "[]", items["type"], "", "An item.", bounds(items)
            yield from rows(full + "[]", items, required)
        elif "additionalProperties" in child:
            value = child["additionalProperties"]
            yield full + "{}", value["type"], "", value.get("description", ""), bounds(value)
        else:
            yield from rows(full, child, required)


def page():
    crd = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    lines = [HEAD, "## spec\n", "| field | type | | meaning | rules |", "|---|---|---|---|---|"]
    for row in rows("spec", schema["spec"], True):
        lines.append(f"| `{row[0]}` | " + " | ".join(cell(part) for part in row[1:]) + " |")
    lines += ["\n## status\n", "| field | type | meaning |", "|---|---|---|"]
    for path, kind, _, meaning, _ in rows("status", schema["status"], False):
        lines.append(f"| `{path}` | {cell(kind)} | {cell(meaning)} |")
    return "\n".join(lines) + "\n" + REQUESTS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = page()
    if parser.parse_args().check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the CRD says; run scripts/policy-reference.py", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
