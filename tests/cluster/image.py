"""A container image without a builder: a program, the libraries that it is linked to, and nothing else.

Takes a program. Gives a file for `ctr images import`. The real image is made by the Dockerfile; this one is for trying
the chart on a node where no image can be pulled.
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path


def libraries(program):
    """The shared libraries of a program; none if it is static."""
    result = subprocess.run(["ldd", program], capture_output=True, text=True)
    return sorted(set(re.findall(r"(/\S+) \(0x", result.stdout))) if result.returncode == 0 else []


def add(tar, name, content, mode=0o755):
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def write(program, place, reference, archive):
    """Writes `archive` with the image `reference`, in which `program` is at `place` and the entrypoint."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        add(tar, place, Path(program).read_bytes())
        for library in libraries(program):
            add(tar, library, Path(library).read_bytes())
        add(tar, "/etc/passwd", b"nonroot:x:65532:65532::/:/none\n", 0o644)
    layer = layer.getvalue()
    configuration = json.dumps(
        {
            "architecture": "amd64", "os": "linux",
            "config": {"Entrypoint": [place], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()  # fmt: skip
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(archive, "w") as tar:
        add(tar, "layer.tar", layer, 0o644)
        add(tar, "config.json", configuration, 0o644)
        add(tar, "manifest.json", manifest, 0o644)
