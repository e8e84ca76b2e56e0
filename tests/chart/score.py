"""kube-score, clean but for exceptions that say why.

    python3 score.py VERSION EXCEPTIONS RENDERED.yaml...

Each line of EXCEPTIONS is `check | kind | words | reason`: complaints of that check about objects of that kind (`*`: any;
`KIND of FILE`: in that file alone) that begin with these words are excepted. An exception that is not needed is a fault, or it would hide one later.
"""

import json
import subprocess
import sys
from pathlib import Path

# kube-score's grades: 1 critical, 5 warning, 7 almost ok, 10 ok.
FINE = 7


def complaints(version, file):
    """(check, kind, name, words) of all that kube-score finds in one file, and how many results there were."""
    arguments = ["kube-score", "score", "--kubernetes-version", version, "--output-format", "json", str(file)]
    result = subprocess.run(arguments, capture_output=True, text=True)
    try:
        objects = json.loads(result.stdout)
    except ValueError:
        sys.exit(f"kube-score does not understand {file}: {result.stderr}")
    found, results = [], 0
    for each in objects:
        for check in each["checks"] or []:
            results += not check["skipped"]
            if check["skipped"] or check["grade"] >= FINE:
                continue
            for comment in check["comments"] or [{"summary": check["check"]["comment"]}]:
                kind, name = each["type_meta"]["kind"], each["object_meta"]["name"]
                found.append((check["check"]["id"], kind, name, comment["summary"]))
    return found, results


def read_exceptions(path):
    """The exceptions, without their reasons; those that give none are faults."""
    exceptions, faults = [], []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 4 or not all(parts):
            faults.append(f"{path}:{number}: needs `check | kind | words | reason`")
        else:
            exceptions.append(tuple(parts[:3]))
    return exceptions, faults


def main():
    version, path, files = sys.argv[1], Path(sys.argv[2]), [Path(file) for file in sys.argv[3:]]
    exceptions, faults = read_exceptions(path)
    used, results = set(), 0
    for file in files:
        found, number = complaints(version, file)
        results += number
        for check, kind, name, words in found:
            kinds = ("*", kind, f"{kind} of {file.stem}")
            fits = [e for e in exceptions if e[0] == check and e[1] in kinds and words.startswith(e[2])]
            used.update(fits)
            if not fits:
                faults.append(f"{file.name}: {kind}/{name}: {check}: {words}")
    faults += [f"{path}: nothing needs the exception {' | '.join(each)}" for each in exceptions if each not in used]
    print("\n".join(faults + [f"{results} results of {len(files)} releases, {len(exceptions)} exceptions: {len(faults)} faults"]))
    sys.exit(1 if faults or not results else 0)


main()
