"""Judges rendered releases: the rules, Pod Security, and the real binary's word on the configuration.

    python3 judge.py HOOKBRIDGE NAMESPACE RENDERED.yaml...

Prints what is wrong, and how much was looked at. Exit code 1 if anything is wrong. Each line of exceptions.txt is
`file | words | reason`: faults of that file with these words in them are what its values ask for. An exception that is
not needed is a fault, or it would hide one later.
"""

import sys
from pathlib import Path

import configuration
import pod_security
import rules
from release import Release


def judge(release, hookbridge):
    """All faults of a release."""
    for rule in rules.RULES + pod_security.RULES:
        yield from rule(release)
    yield from configuration.check(release, hookbridge)


def read_exceptions(path):
    """(file, words) of each line."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    exceptions = [tuple(part.strip() for part in line.split("|")) for line in lines]
    for each in exceptions:
        if len(each) != 3 or not all(each):
            sys.exit(f"{path}: needs `file | words | reason`: {each}")
    return [each[:2] for each in exceptions]


def main():
    hookbridge, namespace, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    exceptions = read_exceptions(Path(__file__).parent / "exceptions.txt")
    objects, faults, used = 0, [], set()
    for file in map(Path, files):
        release = Release.parse(file.read_text(), namespace)
        objects += len(release.objects)
        for fault in judge(release, hookbridge):
            fits = [each for each in exceptions if each[0] == file.stem and each[1] in fault]
            used.update(fits)
            if not fits:
                faults.append(f"{file.name}: {fault}")
        if not release.deployments() or not release.configuration():
            faults.append(f"{file.name}: there is no Deployment with a configuration in it")
    faults += [f"exceptions.txt: nothing needs {' | '.join(each)}" for each in exceptions if each not in used]
    number = len(rules.RULES) + len(pod_security.RULES) + 1
    counted = f"{objects} objects of {len(files)} releases by {number} rules, {len(exceptions)} exceptions"
    print("\n".join([*faults, f"{counted}: {len(faults)} faults"]))
    sys.exit(1 if faults or not files else 0)


if __name__ == "__main__":
    main()
