"""The keyturn commands and kubectl, as a person uses them at 3 a.m."""

import json
import re

from harness.certificates import make_authority
from harness.kube import Kube
from harness.runner import check, check_equal, scenario
from harness.subject import GENERIC_PASSWORD, manifest


def ended(done, status, *words):
    """A finished command's exit status and what it said; the words may be on either stream."""
    said = done.stdout + done.stderr
    check_equal(done.returncode, status, f"exit status of {' '.join(done.args[1:4])} (it said: {said.strip()[:300]})")
    for word in words:
        check(word.lower() in said.lower(), f"{' '.join(done.args[1:4])} does not say {word!r}: {said.strip()[:300]}")
    return done


@scenario("kubectl: get shows the contract's columns, explain knows the fields")
def columns(world):
    subject = world.subject(world.namespace("cli"), "columns")
    shown = subject.kube.kubectl("-n", subject.namespace, "get", "rotpol").splitlines()
    check_equal(re.split(r"  +", shown[0].strip()),
                ["NAME", "SECRET", "STRATEGY", "READY", "STEP", "LAST ROTATION", "NEXT ROTATION", "AGE"], "columns")
    check(subject.secret_id in shown[1] and "generic" in shown[1] and "True" in shown[1], f"the row is {shown[1]!r}")
    explained = world.kube.kubectl("explain", "rotationpolicy.spec.secretId")
    check("Secrets Manager" in explained, "the field has no description")


@scenario("keyturn status, plan, rotate --wait, validate, version; exit statuses; kubectl keyturn")
def commands(world):
    subject = world.subject(world.namespace("cli"), "commands")
    here = ["-n", subject.namespace]
    ended(world.keyturn("status", *here), 0, "commands", subject.secret_id)
    ended(world.keyturn("status", subject.name, *here), 0, subject.secret_id, subject.current()[:4])
    shown = json.loads(ended(world.keyturn("status", *here, "-o", "json"), 0).stdout)
    check(subject.name in json.dumps(shown), "status -o json lacks the policy")
    ended(world.keyturn("status", "-A", "-o", "yaml"), 0, "commands")
    ended(world.keyturn("plan", subject.name, *here), 0)

    old, versions = subject.current(), subject.versions()
    waited = world.keyturn("rotate", subject.name, *here, "--wait", KUBECONFIG=world.cluster.admin_kubeconfig)
    ended(waited, 0)
    check(subject.current() != old, "rotate --wait ended before the rotation")
    subject.wait_in_sync()
    subject.check_one_new_version(versions, old)

    bad = world.subject(subject.namespace, "commands-bad", value='{"user":"only"}', in_sync=False)
    ended(world.keyturn("rotate", bad.name, *here, "--wait", KUBECONFIG=world.cluster.admin_kubeconfig), 1, "/password")
    ended(world.keyturn("rotate", "nobody", *here, KUBECONFIG=world.cluster.admin_kubeconfig), 1, "nobody")
    ended(world.keyturn("status", "nobody", *here), 1, "nobody")
    ended(world.keyturn("no-such-command"), 2)
    ended(world.keyturn("rotate"), 2)
    ended(world.keyturn("version"), 0, "keyturn")

    good, typo = world.folder / "good.yaml", world.folder / "typo.yaml"
    good.write_text(json.dumps(manifest("shop", "good", "shop/good", GENERIC_PASSWORD, ["good"])))
    typo.write_text(json.dumps(manifest("shop", "typo", "shop/typo", {"genericc": {}}, ["typo"])))
    ended(world.keyturn("validate", "-f", good), 0)
    ended(world.keyturn("validate", "-f", good, "-f", typo), 1, "genericc")

    links = world.folder / "links"
    links.mkdir(exist_ok=True)
    if not (links / "kubectl-keyturn").exists():
        (links / "kubectl-keyturn").symlink_to(world.binary)
    through = world.run(world.programs / "kubectl", "keyturn", "status", *here, PATH=f"{links}:/usr/bin:/bin",
                        KUBECONFIG=world.cluster.admin_kubeconfig)
    check(subject.secret_id in through.stdout, "kubectl keyturn status does not show the policy")


@scenario("keyturn with a malformed kubeconfig, an expired token, a wrong CA, no server: says which")
def bad_access(world):
    folder = world.folder / "bad"
    folder.mkdir(exist_ok=True)
    malformed, expired, wrong, nobody = (folder / name for name in ("malformed", "expired", "wrong-ca", "nobody"))
    malformed.write_text("clusters: [{name: e2e\n")
    Kube.write_kubeconfig(expired, world.cluster.server, world.cluster.authority, token="expired.or.never.valid")
    make_authority(folder, "other")
    Kube.write_kubeconfig(wrong, world.cluster.server, folder / "other.crt", token=world.cluster.admin_token)
    Kube.write_kubeconfig(nobody, "https://127.0.0.1:1", world.cluster.authority, token="x")
    for file, words in ((malformed, (str(malformed),)), (expired, ("401",)), (wrong, ("certificate",)),
                        (nobody, ("127.0.0.1:1",)), (folder / "missing", (str(folder / "missing"),))):
        ended(world.keyturn("status", "-A", KUBECONFIG=file), 1, *words)


@scenario("keyturn controller refuses a broken config: every error at once, with its line")
def bad_config(world):
    broken = world.folder / "broken.yaml"
    broken.write_text("access:\n- namespaces: shop\n  secrets: [a]\n"
                      "minRotationInterval: soon\nlisten: 127.0.0.1:0\nnosuch: 1\n")
    done = world.keyturn("controller", "--config", broken)
    check(done.returncode in (1, 2), f"it ended with {done.returncode}")
    ended(done, done.returncode, f"{broken}:2", f"{broken}:4", f"{broken}:6")
