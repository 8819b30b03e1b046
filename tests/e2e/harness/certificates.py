"""A certificate authority of our own, made with the openssl program."""

import subprocess
from pathlib import Path


def make_authority(folder, name="ca"):
    """Writes NAME.crt and NAME.key."""
    folder = Path(folder)
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", f"/CN=keyturn-e2e-{name}", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")


def make_serving(folder, name, authority="ca"):
    """Writes NAME.crt and NAME.key for 127.0.0.1 and localhost, signed by the authority in the same folder."""
    folder = Path(folder)
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc\n"
                          "extendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n")
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
             "-keyout", folder / f"{name}.key", "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", folder / f"{authority}.crt", "-CAkey", folder / f"{authority}.key",
             "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", folder / f"{name}.crt")
    request.unlink()
    extensions.unlink()


def make_key_pair(folder, name):
    """Writes NAME.key (RSA, as service-account tokens are signed with) and NAME.pub."""
    folder = Path(folder)
    _openssl("genrsa", "-out", folder / f"{name}.key", "2048")
    _openssl("rsa", "-in", folder / f"{name}.key", "-pubout", "-out", folder / f"{name}.pub")


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
