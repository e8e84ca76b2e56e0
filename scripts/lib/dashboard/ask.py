"""Reads dashboard.json as Grafana does, and asks Prometheus its queries.

Takes the dashboard, a Prometheus and a span of time. Gives what each panel shows, as data; and which queries Prometheus had
nothing for.
"""

import json
import re
import sys
from pathlib import Path

# Parts of selectors of metrics that this run has no reason to report. That they exist is tests/it/metrics_documented.rs's to say.
MAY_BE_ABSENT = {
    "hookbridge_registry_requests_total",  # no schema registry
    "hookbridge_kafka_active_cluster",  # no second cluster
    "hookbridge_telemetry_lost_total",  # no collector
    "hookbridge_quarantine_skipped_total",  # nobody floods
    "ALERTS",  # a run of a minute is too short for most
    'otel_scope_name="hookbridge",error_type!=""',  # a short outage may lose no record
    "hookbridge_deliveries_late_total",  # nor have one late
    'error_type="draining"',  # no request came in that moment
    'error_type="queue_full"',  # the service's own limits come first
}


class Dashboard:
    """The variables at their defaults: everything."""

    def __init__(self, path, prometheus, begin, end, scrape):
        self.model = json.loads(path.read_text(encoding="utf-8"))
        self.prometheus, self.begin, self.end = prometheus, begin, end
        # 200 points; Grafana's rule for $__rate_interval: four scrapes at least, so that every rate has two samples.
        self.step = max(scrape, round((end - begin) / 200))
        self.rate = max(4 * scrape, self.step + scrape)
        self.values = {}
        for variable in self.model["templating"]["list"]:
            if variable["type"] == "query":
                self.values[variable["name"]] = variable.get("allValue") or self._offered(variable["query"]["query"])

    def _offered(self, definition):
        # label_values(METRIC{...}, LABEL)
        inner = definition.removeprefix("label_values(").removesuffix(")")
        expr, label = inner.rsplit(",", 1)
        found = self.prometheus.label_values(self.resolved(expr), label.strip(), self.end)
        if not found:
            raise SystemExit(f"dashboard: a variable has nothing to choose from: {definition}")
        return "|".join(found)

    def resolved(self, expr):
        for name, value in {"__rate_interval": f"{self.rate}s", "__range": f"{self.end - self.begin}s", **self.values}.items():
            expr = expr.replace(f"${name}", value)
        if "$" in expr.replace('$"', ""):
            raise SystemExit(f"dashboard: a variable is unknown in: {expr}")
        return expr

    def panels(self):
        return [one for one in self.model["panels"] if one["type"] != "row"]

    def answer(self, query):
        """Samples at the end of an instant query, or the series of another."""
        expr = self.resolved(query["expr"])
        if query.get("instant"):
            return self.prometheus.now(expr, self.end)
        return self.prometheus.over_time(expr, self.begin, self.end, self.step)

    def events(self):
        """The marks: a colour, and from when to when. Those of one colour that touch are one."""
        found = []
        for one in self.model["annotations"]["list"]:
            if "expr" in one:
                series = self.prometheus.over_time(self.resolved(one["expr"]), self.begin, self.end, self.step)
                spans = []
                for at in sorted({float(at) for each in series for at, _ in each["values"]}):
                    if spans and at - spans[-1]["to"] <= self.step:
                        spans[-1]["to"] = at
                    else:
                        spans.append({"color": one["iconColor"], "from": at, "to": at})
                found += spans
        return found

    def selectors(self):
        """Every `metric{...}` that is asked for. Beside the queries, since those may have `or vector(0)`."""
        return sorted({(panel["title"], found) for panel in self.panels() for query in panel["targets"]
                       for found in re.findall(r"\b[a-zA-Z_:]+\{[^}]*\}", query["expr"])})

    def without_data(self):
        """The queries that have not a single number, and the metrics in them that were never there."""
        empty = []
        for panel in self.panels():
            for query in panel["targets"]:
                samples = [value for one in self.answer(query)
                           for _, value in (one["values"] if "values" in one else [one["value"]])]
                if all(value == "NaN" for value in samples):
                    empty.append((panel["title"], query["expr"]))
        for title, selector in self.selectors():
            expr = f"count(last_over_time({self.resolved(selector)}[{self.end - self.begin}s]))"
            if not any(one in selector for one in MAY_BE_ABSENT) and not self.prometheus.now(expr, self.end):
                empty.append((title, selector))
        return empty


def main(arguments):
    """`rules DASHBOARD`: its queries as a rule file (JSON is YAML), each a recording rule, for promtool to read."""
    _, path = arguments
    shown = Dashboard.__new__(Dashboard)
    shown.model = json.loads(Path(path).read_text(encoding="utf-8"))
    shown.begin, shown.end, shown.rate = 0, 3600, 60
    shown.values = {one["name"]: ".+" for one in shown.model["templating"]["list"] if one["type"] == "query"}
    queries = [query["expr"] for panel in shown.panels() for query in panel["targets"]]
    queries += [one["expr"] for one in shown.model["annotations"]["list"] if "expr" in one]
    rules = [{"record": f"query_{place}", "expr": shown.resolved(expr)} for place, expr in enumerate(queries)]
    json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
