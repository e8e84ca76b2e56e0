"""A rendered release, to be asked about.

Takes what `helm template` prints. Gives its objects, and what belongs together among them. What must hold of them is
left to rules.py, pod_security.py and configuration.py.
"""

import re

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DURATION = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def seconds(text):
    """A duration of hookbridge.yaml, in seconds."""
    match = re.fullmatch(r"([0-9.]+)\s*(ms|s|m|h)", str(text))
    if not match:
        raise ValueError(f"{text!r} is no duration")
    return float(match[1]) * DURATION[match[2]]


def quantity(text):
    """A quantity of Kubernetes (`250m`, `256Mi`), as a number."""
    match = re.fullmatch(r"([0-9.]+)(m|k|M|G|Ki|Mi|Gi)?", str(text))
    if not match:
        raise ValueError(f"{text!r} is no quantity that is understood here")
    factor = {None: 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return float(match[1]) * factor[match[2]]


def name_of(thing):
    """`Kind/name`, for messages."""
    return f"{thing.get('kind')}/{(thing.get('metadata') or {}).get('name')}"


def selects(selector, labels):
    """Whether `matchLabels` and `matchExpressions` take these labels. An empty selector takes all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        value, values = labels.get(term["key"]), term.get("values") or []
        fits = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": term["key"] in labels,
            "DoesNotExist": term["key"] not in labels,
        }[term["operator"]]
        if not fits:
            return False
    return True


class Release:
    """The objects of one release in one namespace."""

    def __init__(self, objects, namespace):
        self.objects = [each for each in objects if each]
        self.namespace = namespace

    @classmethod
    def parse(cls, text, namespace):
        """Of what `helm template` has printed."""
        return cls(yaml.load_all(text, Loader=LOADER), namespace)

    def of(self, *kinds):
        """The objects of these kinds."""
        return [each for each in self.objects if each.get("kind") in kinds]

    def find(self, kind, name):
        """The object of this kind and name, or nothing."""
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def pods(self):
        """(object, metadata, spec) of everything that makes pods, hooks among them."""
        for each in self.objects:
            if each["kind"] == "Pod":
                yield each, each["metadata"], each["spec"]
            elif each["kind"] in ("Deployment", "Job"):
                template = each["spec"]["template"]
                yield each, template.get("metadata") or {}, template["spec"]
            elif each["kind"] in ("StatefulSet", "DaemonSet", "ReplicaSet", "CronJob"):
                raise ValueError(f"{name_of(each)}: rules.py knows no such workload yet")

    def deployments(self):
        """(object, metadata of its pods, spec of its pods)."""
        return [each for each in self.pods() if each[0]["kind"] == "Deployment"]

    def configuration(self):
        """hookbridge.yaml of the Deployment, parsed; nothing where there is none."""
        for each in self.of("ConfigMap"):
            text = (each.get("data") or {}).get("hookbridge.yaml")
            if text is not None:
                return yaml.load(text, Loader=LOADER) or {}
        return {}


def containers(spec):
    """All containers of a pod, init containers first."""
    return (spec.get("initContainers") or []) + (spec.get("containers") or [])


def main_container(spec):
    """hookbridge's own: the one that says `serve`, or the first."""
    serving = [each for each in spec["containers"] if "serve" in (each.get("args") or []) + (each.get("command") or [])]
    return (serving or spec["containers"])[0]


def ports_of(spec):
    """Names and numbers of the ports that a pod's containers have, each with the number."""
    found = {}
    for container in containers(spec):
        for port in container.get("ports") or []:
            found[port["containerPort"]] = port["containerPort"]
            if "name" in port:
                found[port["name"]] = port["containerPort"]
    return found
