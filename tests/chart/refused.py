"""Values that make no sense are refused, by both helms, with words that say which.

    python3 refused.py CHART CASES

CASES is a list: `says`, one or more texts that must be in the message; `values`, laid over `base` or over the values
named by `over`. What is accepted, or refused in other words, is a fault.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from release import LOADER


def attempt(helm, chart, files, release):
    """What helm says to these values, and whether it takes them."""
    arguments = [helm, "template", release, str(chart), "--namespace", "hookbridge-test"]
    for file in files:
        arguments += ["--values", str(file)]
    result = subprocess.run(arguments, capture_output=True, text=True)
    return result.returncode == 0, result.stderr


def judge(number, case, chart, directory):
    """The faults of one case."""
    over = chart / "ci" / case.get("over", "minimal-values.yaml")
    file = directory / f"{number}.yaml"
    file.write_text(yaml.safe_dump(case["values"]))
    says = case["says"] if isinstance(case["says"], list) else [case["says"]]
    for helm in ("helm", "helm3"):
        accepted, words = attempt(helm, chart, [over, file], case.get("release", "hookbridge"))
        if accepted:
            yield f"{helm} accepts {case['values']}"
        for text in says if not accepted else []:
            if text not in words:
                yield f"{helm} refuses {case['values']} without {text!r}:\n{words}"


def main():
    chart, cases = Path(sys.argv[1]), yaml.load(Path(sys.argv[2]).read_text(), Loader=LOADER)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda each: list(judge(*each, chart, Path(name))), enumerate(cases))
        faults = [fault for found in results for fault in found]
    print("\n".join(faults + [f"{len(cases)} cases with two helms: {len(faults)} faults"]))
    sys.exit(1 if faults or not cases else 0)


main()
