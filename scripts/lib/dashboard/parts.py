"""The real parts of a run: Apache Kafka, hookbridge and Prometheus, as processes on loopback.

Takes the jars of scripts/kafka-kit and the executables. Gives processes that answer, and that end with this one. Leaves to
others what is sent, and what is asked.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

READY_WITHIN = 90  # seconds; a busy machine with two cores takes ten


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _die_with_parent():
    # PR_SET_PDEATHSIG: no process is left behind, however this one ends.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(command, log, env=None):
    with open(log, "ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
                                preexec_fn=_die_with_parent)


def wait_until(what, holds, within=READY_WITHIN, every=0.2):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(every)  # between two looks at a condition
    raise SystemExit(f"dashboard: {what}: not within {within} s")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Kafka:
    """One broker, which can be killed and started again."""

    def __init__(self, kit, directory):
        self.port, controller = free_ports(2)
        self.directory = directory
        directory.mkdir()
        (directory / "server.properties").write_text(
            f"""process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=2097152
""", encoding="utf-8")
        self.java = ["java", "-Xmx384m", "-cp", f"{kit}:{kit}/*"]
        subprocess.run([*self.java, "kafka.tools.StorageTool", "format", "--standalone", "-t", "hookbridge-dashboard01", "-c",
                        str(directory / "server.properties")], check=True, stdout=subprocess.DEVNULL)
        self.process = None
        self.start()

    def start(self):
        self.process = start([*self.java, "kafka.Kafka", str(self.directory / "server.properties")], self.directory / "log")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Hookbridge:
    """One replica. `admin` and `port` stay the same over a restart."""

    def __init__(self, binary, directory, name, configuration, secrets):
        self.binary, self.name, self.directory = binary, name, directory
        self.port, self.admin = free_ports(2)
        self.file = directory / f"{name}.yaml"
        self.file.write_text(configuration(self.port, self.admin), encoding="utf-8")
        self.env = {**os.environ, **secrets, "HOOKBRIDGE_LOG": "warn"}
        self.process = None
        self.start()

    def start(self):
        self.process = start([str(self.binary), "serve", "--config", str(self.file)], self.directory / f"{self.name}.log", self.env)

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"dashboard: {self.name} has ended:\n" + (self.directory / f"{self.name}.log").read_text()[-4000:])
        return answers(f"http://127.0.0.1:{self.admin}/readyz")

    def restart(self):
        self.process.terminate()
        self.process.wait()
        self.start()


class Prometheus:
    """Scrapes the replicas as it would in a cluster, with the labels of one, and evaluates the alerts."""

    def __init__(self, binary, directory, replicas, alerts, every):
        (self.port,) = free_ports(1)
        targets = "\n".join(
            f"      - {{ targets: ['127.0.0.1:{one.admin}'], labels: {{ namespace: webhooks, pod: {one.name} }} }}"
            for one in replicas)
        (directory / "prometheus.yml").write_text(
            f"""global: {{ scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: {every}s }}
rule_files: ['{alerts}']
scrape_configs:
  - job_name: hookbridge
    static_configs:
{targets}
""", encoding="utf-8")
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = start([binary, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/prometheus",
                              f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], directory / "prometheus.log")

    def _ask(self, path, **arguments):
        query = urllib.parse.urlencode(arguments)
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"dashboard: Prometheus refuses {arguments}: {error.read().decode()}") from error

    def now(self, expr, at):
        return self._ask("/api/v1/query", query=expr, time=at)["result"]

    def over_time(self, expr, begin, end, step):
        return self._ask("/api/v1/query_range", query=expr, start=begin, end=end, step=step)["result"]

    def label_values(self, expr, label, at):
        return sorted({one["metric"].get(label, "") for one in self.now(expr, at)} - {""})


def directory_of(path):
    found = Path(path).resolve()
    found.mkdir(parents=True, exist_ok=True)
    return found
