"""What the chart carries as files arrives in Kubernetes as it is, and is what it says.

    python3 files.py DIRECTORY RENDERED.yaml...

DIRECTORY has dashboard.json and alerts.yaml. Templates that would read their `{{ }}` would change them.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from release import LOADER, Release, name_of


def panels_of(dashboard):
    """All panels, those in rows too."""
    for panel in dashboard.get("panels") or []:
        yield panel
        yield from panel.get("panels") or []


def dashboard_faults(dashboard):
    """What Grafana would stumble on, and what a reader would."""
    panels = list(panels_of(dashboard))
    ids = [panel.get("id") for panel in panels]
    if not panels:
        yield "dashboard.json: there is no panel"
    if len(set(ids)) != len(ids):
        yield "dashboard.json: two panels have the same id"
    for key in ("title", "uid", "schemaVersion", "templating"):
        if not dashboard.get(key):
            yield f"dashboard.json: has no {key}"
    for panel in panels:
        if not panel.get("title"):
            yield f"dashboard.json: panel {panel.get('id')} has no title"
        if panel.get("type") not in ("row", "text"):
            if not panel.get("description"):
                yield f"dashboard.json: panel {panel.get('title')!r} has no description"
            for target in panel.get("targets") or [{}]:
                if not target.get("expr"):
                    yield f"dashboard.json: panel {panel.get('title')!r} asks nothing"


def altered(rendered, groups):
    """Alerts that a PrometheusRule has otherwise than alerts.yaml. Labels may be added, and alerts left out."""
    found = {rule["alert"]: rule for group in rendered for rule in group["rules"] if "alert" in rule}
    for group in groups:
        for rule in group["rules"]:
            other = found.get(rule.get("alert"))
            for key in ("expr", "for", "annotations") if other else ():
                if other.get(key) != rule.get(key):
                    yield f"{key} of {rule['alert']} is not what alerts.yaml says"


def refused(spec):
    """What promtool does not take of a PrometheusRule."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(spec, file)
        file.flush()
        result = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    if result.returncode:
        yield result.stdout + result.stderr


def main():
    directory, files = Path(sys.argv[1]), [Path(file) for file in sys.argv[2:]]
    dashboard = json.loads((directory / "dashboard.json").read_text())
    alerts = yaml.load((directory / "alerts.yaml").read_text(), Loader=LOADER)
    faults, dashboards, rules = list(dashboard_faults(dashboard)), 0, 0
    for file in files:
        release = Release.parse(file.read_text(), "test")
        for each in release.of("ConfigMap"):
            for name, text in (each.get("data") or {}).items():
                if not name.endswith(".json"):
                    continue
                dashboards += 1
                if json.loads(text) != dashboard:
                    faults.append(f"{file.name}: {name_of(each)}: {name} is not the dashboard")
        for each in release.of("PrometheusRule"):
            rendered = each["spec"]["groups"]
            names = {rule.get("alert") for group in rendered for rule in group["rules"]}
            rules += names >= {rule.get("alert") for group in alerts["groups"] for rule in group["rules"]}
            found = [*altered(rendered, alerts["groups"]), *refused(each["spec"])]
            faults += [f"{file.name}: {name_of(each)}: {fault}" for fault in found]
    if not dashboards or not rules:
        faults.append("no file of values in ci/ makes the dashboard, and all alerts")
    print("\n".join(faults + [f"{dashboards} dashboards, {rules} PrometheusRules with every alert: {len(faults)} faults"]))
    sys.exit(1 if faults else 0)


main()
