"""The rendered hookbridge.yaml, judged by the real binary.

Takes a release and the path of hookbridge. Gives what `hookbridge check` refuses. Files that the configuration refers to
are made up, each where the Deployment would mount it; one that no volume brings is a fault of the chart.
"""

import base64
import os
import re
import subprocess
import tempfile
from pathlib import Path

import yaml

from release import LOADER, main_container, name_of

# Any of hookbridge's schemes takes it: more than 16 octets, base64, and with the prefix of Standard Webhooks.
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def place(directory):
    """Makes a certificate and a key below `directory`, once, and says where."""
    certificate, key = directory / "any.crt", directory / "any.key"
    if not certificate.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", "/CN=test", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
    return certificate, key


def stand_in(path, directory):
    """What a file of this name may hold."""
    certificate, key = place(directory)
    if path.endswith((".crt", "cert.pem", "ca.pem")):
        return certificate.read_text()
    if path.endswith((".key", "key.pem")):
        return key.read_text()
    return SECRET


def brought(path, spec):
    """Whether a volume of the pod brings the file at `path`."""
    for mount in main_container(spec).get("volumeMounts") or []:
        below = mount["mountPath"].rstrip("/") + "/"
        if not path.startswith(below):
            continue
        volume = next((each for each in spec["volumes"] if each["name"] == mount["name"]), {})
        listed = []
        parts = [volume] + ((volume.get("projected") or {}).get("sources") or [])
        for part in parts:
            for kind in ("secret", "configMap"):
                listed += [item["path"] for item in (part.get(kind) or {}).get("items") or []]
        if not listed or path[len(below) :] in listed:
            return True
    return False


def variables_of(configuration):
    """The environment variables that a configuration refers to, wherever they stand."""
    if isinstance(configuration, dict):
        if set(configuration) >= {"env"} and isinstance(configuration["env"], str):
            yield configuration["env"]
        for value in configuration.values():
            yield from variables_of(value)
    elif isinstance(configuration, list):
        for value in configuration:
            yield from variables_of(value)


def check(release, hookbridge):
    """What the real binary says of each configuration."""
    for owner, _, spec in release.deployments():
        for each in release.of("ConfigMap"):
            text = (each.get("data") or {}).get("hookbridge.yaml")
            if text is None:
                continue
            environment = {"PATH": os.environ["PATH"]}
            if main_container(spec).get("envFrom"):
                # Which names such a Secret has is not known here.
                environment.update(dict.fromkeys(variables_of(yaml.load(text, Loader=LOADER)), SECRET))
            for variable in main_container(spec).get("env") or []:
                environment[variable["name"]] = variable.get("value", SECRET)
            with tempfile.TemporaryDirectory() as name:
                root = Path(name)
                for path in sorted(set(re.findall(r"/(?:var/run/secrets|etc)/[A-Za-z0-9._/-]+", text))):
                    if not brought(path, spec):
                        yield f"{name_of(each)}: {path} is brought by no volume of {name_of(owner)}"
                    target = root / path.lstrip("/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(stand_in(path, root))
                    text = re.sub(re.escape(path) + r"(?![A-Za-z0-9._/-])", str(target), text)
                file = root / "hookbridge.yaml"
                file.write_text(text)
                result = subprocess.run(
                    [hookbridge, "check", "--config", str(file)], env=environment, capture_output=True, text=True
                )
                if result.returncode:
                    yield f"{name_of(each)}: hookbridge check refuses it:\n{result.stdout}{result.stderr}"
