"""A day in the life of hookbridge in some minutes: real Kafka, two replicas, real Prometheus, six providers and their troubles.

Usage: scene.py try     DASHBOARD ALERTS        until every query of the dashboard has data; fails if one never has
       scene.py picture DASHBOARD ALERTS FILE   for MINUTES, then writes what the panels show, as JSON

Environment: HOOKBRIDGE (the executable), KAFKA_KIT (what scripts/kafka-kit prints), PROMETHEUS (its executable),
MINUTES (of the picture; 25 for the one in docs/).
"""

import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from ask import Dashboard
from parts import Hookbridge, Kafka, Prometheus, wait_until
from senders import SECRETS, Senders, Trouble

# Events in a second, of each source.
RATES = {"billing": 16, "shop": 9, "repos": 3, "events": 12, "payroll": 0.6, "crm": 1.2}


def configuration(kafka_port):
    not_after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4 * 86400))

    def of(port, admin):
        return f"""server: {{ listen: "127.0.0.1:{port}", max_in_flight_requests: 48, max_connections: 400 }}
admin: {{ listen: "127.0.0.1:{admin}" }}
kafka: {{ bootstrap.servers: "127.0.0.1:{kafka_port}", message.timeout.ms: 30000 }}
topics: {{ create_missing: true, defaults: {{ partitions: 6, replication_factor: 1 }} }}
sources:
  billing:
    provider: stripe
    secrets: [{{ env: BILLING }}]
    quarantine: true
    expected_every: 5m
    topics: {{ "invoice.*": billing.invoices, charge.refunded: billing.refunds, "*": billing.other }}
  shop:
    provider: shopify
    secrets: [{{ env: SHOP }}]
    topics: {{ "*": shop.orders }}
  repos:
    provider: github
    secrets: [{{ env: REPOS }}]
    expected_every: 1h
  events:
    provider: allfly
    secrets:
      - {{ env: EVENTS_2025, name: "2025", not_after: {not_after} }}
      - {{ env: EVENTS_2026, name: "2026" }}
    topics: {{ "attendee.*": attendees, session.started: {{ drop: true }}, "*": events.other }}
  payroll:
    provider: standard-webhooks
    secrets: [{{ env: PAYROLL }}]
    expected_every: 3m
  crm:
    provider: standard-webhooks
    secrets: [{{ env: CRM }}]
    verification: report_only
    report_only_topic: crm.unverified
"""
    return of


def between(at, begin, end):
    return begin <= at < end


def trouble_of(source, at):
    """What is wrong with a source at a share of the time, 0 to 1."""
    if source == "billing":
        return Trouble(wrong_key=0.85 if at >= 0.48 else 0.0, no_type=0.06 if between(at, 0.36, 0.44) else 0.0)
    if source == "events":
        return Trouble(slow_clock=0.6 if between(at, 0.10, 0.16) else 0.0, new_key=min(1.0, max(0.0, (at - 0.3) / 0.35)),
                       again=0.25 if between(at, 0.70, 0.86) else 0.01)
    if source == "repos":
        return Trouble(other_encoding=0.7 if between(at, 0.80, 0.88) else 0.0, huge=0.03 if between(at, 0.55, 0.62) else 0.0)
    return Trouble(wrong_key=0.15)


class Scene:
    """All parts, and the one loop that makes everything happen."""

    def __init__(self, directory, alerts, scrape):
        kit, binary, prometheus = (os.environ[name] for name in ("KAFKA_KIT", "HOOKBRIDGE", "PROMETHEUS"))
        self.kafka = Kafka(kit, directory / "kafka")
        self.replicas = [Hookbridge(binary, directory, f"hookbridge-{name}", configuration(self.kafka.port), SECRETS)
                         for name in ("7c4d-k2x", "7c4d-p9q")]
        wait_until("the replicas are not ready", lambda: all(one.is_ready() for one in self.replicas))
        self.prometheus = Prometheus(prometheus, directory, self.replicas, alerts, scrape)
        self.scrape = scrape
        self.senders = Senders([one.port for one in self.replicas])
        self.begin = time.time()
        self.due = dict.fromkeys(RATES, self.begin)
        self.next_look = self.begin
        self.done = set()

    def once(self, name):
        return name not in self.done and not self.done.add(name)

    def step(self, at, outage):
        """Sends what is due, and lets happen what happens at this share of the time."""
        now = time.time()
        for source, rate in RATES.items():
            wave = 1 + 0.35 * math.sin(at * 19 + len(source))
            while self.due[source] <= now:
                self.due[source] += random.expovariate(rate * wave)
                if source != "payroll" or at < 0.5:
                    self.senders.send(source, trouble_of(source, at))
        if now >= self.next_look:
            self.next_look = now + random.expovariate(0.3)
            self.senders.look_around()
        if at >= 0.22 and self.once("kafka dies"):
            self.kafka.kill()
            self.back_at = now + outage
        if "kafka dies" in self.done and now >= self.back_at and self.once("kafka is back"):
            self.kafka.start()
        if at >= 0.62 and self.once("the configuration changes"):
            for one in self.replicas:
                one.file.write_text(one.file.read_text() + "# changed\n", encoding="utf-8")
        if at >= 0.9 and self.once("a replica restarts"):
            self.replicas[1].restart()
        time.sleep(0.01)  # the pace of the loop; what is due is sent all the same

    def play(self, seconds, outage):
        while (at := (time.time() - self.begin) / seconds) < 1:
            self.step(at, outage)

    def dashboard(self, path):
        return Dashboard(path, self.prometheus, int(self.begin), int(time.time()), self.scrape)


def try_it(scene, path):
    """Plays it through once, and goes on for as long as a query is without data, within limits."""
    seconds, deadline = 45, time.time() + 300
    scene.play(seconds, outage=6)
    while empty := scene.dashboard(path).without_data():
        if time.time() > deadline:
            told = "\n".join(f"  {title}: {expr}" for title, expr in empty)
            raise SystemExit(f"dashboard: these queries have no data:\n{told}")
        for _ in range(300):
            scene.step(0.95, outage=6)
    queries = sum(len(one["targets"]) for one in scene.dashboard(path).panels())
    print(f"dashboard: all {queries} queries of {len(scene.dashboard(path).panels())} panels have data; "
          f"answers: {dict(sorted(scene.senders.answers.items()))}")


def picture(scene, path, file):
    scene.play(float(os.environ.get("MINUTES", "25")) * 60, outage=25)
    shown = scene.dashboard(path)
    data = {"begin": shown.begin, "end": shown.end, "step": shown.step, "model": shown.model, "events": shown.events(),
            "answers": {one["id"]: [shown.answer(query) for query in one["targets"]] for one in shown.panels()}}
    Path(file).write_text(json.dumps(data), encoding="utf-8")
    alerts = scene.prometheus.now('ALERTS{alertstate="firing"}', shown.end)
    print("dashboard: firing at the end: " + ", ".join(sorted({one["metric"]["alertname"] for one in alerts})))
    print(f"dashboard: answers: {dict(sorted(scene.senders.answers.items()))}")


def main(arguments):
    what, path, alerts, *file = arguments
    # So that what is open is closed when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="hookbridge-dashboard-"))
    try:
        scene = Scene(directory, Path(alerts).resolve(), scrape=1 if what == "try" else 5)
        try_it(scene, Path(path)) if what == "try" else picture(scene, Path(path), *file)
        scene.senders.close()
    except SystemExit:
        for log in sorted(directory.glob("*.log")):
            print(f"--- {log.name}\n" + log.read_text(errors="replace")[-2000:], file=sys.stderr)
        raise
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(directory, ignore_errors=True)
    # Threads that wait for a provider's patience, and all processes, end here.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
