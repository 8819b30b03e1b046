"""`keyturn lambda` as a process, started as AWS Lambda starts it, and RotateSecret, which has the sandbox call it."""
import json, os, signal, subprocess, uuid

import aws
from harness import MARKER, check, until

# Of a function's environment nothing but this is the sandbox's.
PASSED_ON = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CA_BUNDLE", "SSL_CERT_FILE")


STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]


class Function:
    """One function and the process that serves it, under the name bootstrap, without a word on its command line."""

    def __init__(self, world, name, strategy, secrets, options="{}", timeout_ms=60_000, program=None, up=True, **env):
        self.world, self.name = world, name
        self.about = world.sandbox.admin("/lambda/functions", {"name": name, "timeoutMs": timeout_ms})
        self.log = f"{world.sandbox.dir}/{name}.log"
        if program is None:
            os.makedirs(f"{world.sandbox.dir}/{name}")
            program = f"{world.sandbox.dir}/{name}/bootstrap"
            os.symlink(os.path.abspath(f"{world.sandbox.binaries}/keyturn"), program)
        self.program = program
        self.env = {key: world.sandbox.env[key] for key in PASSED_ON if key in world.sandbox.env}
        self.env.update({"AWS_LAMBDA_RUNTIME_API": self.about["runtimeApi"], "KEYTURN_STRATEGY": strategy, "KEYTURN_OPTIONS": options,
                         "KEYTURN_SECRETS": secrets, "KEYTURN_BACKENDS": "127.0.0.1:*", "KEYTURN_REQUEST_DEADLINE": "500ms"}, **env)
        if up:
            self.start()

    def start(self):
        self.process = subprocess.Popen([self.program], env=self.env, stderr=open(self.log, "a"), stdout=open(self.log, "a"))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.world.sandbox.admin(f"/lambda/functions/{self.name}/restart", {})

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)

    def text(self):
        return open(self.log).read()

    def state(self):
        return self.world.sandbox.admin(f"/lambda/functions/{self.name}")

    def invocations(self):
        return self.state()["invocations"]

    def steps(self):
        return [(i["event"].get("Step"), i["ok"]) for i in self.invocations()]

    def invoke(self, event):
        return self.world.sandbox.admin(f"/lambda/functions/{self.name}/invoke", event)

    def call(self, step, secret, version):
        return self.invoke({"Step": step, "SecretId": secret, "ClientRequestToken": version})

    def begin(self, secret, version=None):
        """RotateSecret: AWS labels a version AWSPENDING and calls the function four times."""
        version = version or str(uuid.uuid4())
        aws.call(self.world.sandbox, "RotateSecret", SecretId=secret, ClientRequestToken=version, RotationLambdaARN=self.about["arn"],
                 RotationRules={"AutomaticallyAfterDays": 30})
        return version

    def rotates(self, secret, limit=60):
        version = self.begin(secret)
        until(f"AWS has rotated {secret}", lambda: is_rotated(self.world, secret, version), limit)
        return version

    def check_quiet_about(self, *values):
        told = self.text() + json.dumps(self.invocations())
        check(MARKER not in told, "a value of the secret was told")
        check(not any(value in told for value in values), "a credential was told")


def is_rotated(world, secret, version):
    state = world.sandbox.secret(secret)
    return state["labels"]["AWSCURRENT"] == version and state["rotated"] and state["labels"].get("AWSPENDING", version) == version


def cancel(world, secret):
    aws.call(world.sandbox, "CancelRotateSecret", SecretId=secret)
