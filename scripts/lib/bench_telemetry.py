"""The measurements of scripts/bench-telemetry, which says what they are.

Takes what it measures with: a broker's jars, a collector, a bridge. Gives a table on standard output. Everything it starts listens
on loopback, at ports that were free, and ends with it.
"""

import argparse
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

SECRET = "a secret of thirty-two characters"
CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, look, within=60):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if look():
            return
        time.sleep(0.05)
    raise SystemExit(f"waited in vain: {what}")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_kafka(directory, jars):
    port, controller = free_port(), free_port()
    properties = directory / "server.properties"
    properties.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n"
        f"controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        f"log.dirs={directory}/data\nauto.create.topics.enable=true\nnum.partitions=6\n"
        "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
        "transaction.state.log.min.isr=1\n"
    )
    java = ["java", "-Xmx512m", "-cp", f"{jars}:{jars}/*"]
    run = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", "bZ1p2nS4T3Wl0cT9m2Q5yA", "-c", str(properties), "--standalone"],
        check=True, **run,
    )
    process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], **run)
    wait_for("kafka listens", lambda: listens(port))
    return process, port


def start_collector(directory, program):
    port = free_port()
    config = directory / "collector.yaml"
    config.write_text(
        f"receivers: {{ otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:{port}' }} }} }} }}\n"
        "exporters: { file: { path: /dev/null } }\n"
        "service:\n  telemetry: { metrics: { level: none }, logs: { level: error } }\n  pipelines:\n"
        + "".join(f"    {signal}: {{ receivers: [otlp], exporters: [file] }}\n" for signal in ("traces", "metrics", "logs"))
    )
    process = subprocess.Popen([program, f"--config=file:{config}"], stderr=subprocess.DEVNULL)
    wait_for("the collector listens", lambda: listens(port))
    return process, port


def start_stand_in(serve):
    """Something that is no collector, in a thread for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=guarded, args=(serve, connection), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def guarded(serve, connection):
    try:
        with connection:
            serve(connection)
    except OSError:
        pass


def read_request(connection):
    octets = b""
    while b"\r\n\r\n" not in octets:
        more = connection.recv(65536)
        if not more:
            raise OSError("gone")
        octets += more
    head, body = octets.split(b"\r\n\r\n", 1)
    left = int(re.search(rb"content-length: (\d+)", head, re.I).group(1)) - len(body)
    while left > 0:
        left -= len(connection.recv(65536))


def never(connection):
    while connection.recv(65536):
        pass


def slowly(connection):
    while True:
        read_request(connection)
        time.sleep(2)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")


def endlessly(connection):
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n")
    while True:
        connection.sendall(b"x" * 4096)
        time.sleep(0.001)


def lua(path):
    """What wrk sends: a thousand signed events, in turn."""
    events = []
    for number in range(1000):
        body = json.dumps({"id": f"evt_{number}", "type": "bench.happened", "data": {"text": "x" * 400}})
        signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        events.append(f"{{ [[{body}]], '{signature}' }}")
    path.write_text(
        "local events = {\n" + ",\n".join(events) + "\n}\nlocal next = 0\n"
        "request = function()\n  next = next % #events + 1\n  local event = events[next]\n"
        "  return wrk.format('POST', '/webhooks/bench', { ['content-type'] = 'application/json',\n"
        "    ['x-webhook-signature'] = event[2] }, event[1])\nend\n"
    )


class Bridge:
    """A bridge that exports as `environment` says."""

    def __init__(self, directory, program, kafka, environment):
        config = directory / "hookbridge.yaml"
        config.write_text(
            "server: { listen: '127.0.0.1:0', shutdown_delay: 0s }\nadmin: { listen: '127.0.0.1:0' }\n"
            f"kafka: {{ bootstrap.servers: '127.0.0.1:{kafka}' }}\n"
            "sources:\n  bench: { provider: generic-hex, secrets: [{ env: BENCH_SECRET }] }\n"
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "HOOKBRIDGE_"))}
        self.log = directory / "bridge.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--config", str(config)], stderr=log,
                env={**inherited, **environment, "BENCH_SECRET": SECRET},
            )
        self.port, self.admin = self.address("listening for webhooks"), self.address("listening for health and metrics")
        wait_for("the bridge is ready", self.is_ready)

    def address(self, message):
        found = []

        def look():
            lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}"))
            found.extend(line["address"] for line in lines if line["message"] == message)
            return found

        wait_for(message, look)
        return int(found[0].rsplit(":", 1)[1])

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz").status == 200
        except OSError:
            return False

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics").read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{"))

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60) != 0:
            raise SystemExit(f"the bridge ended with {self.process.returncode}:\n{self.log.read_text()}")


def measure(bridge, script, seconds):
    load = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-s", str(script)]
    url = f"http://127.0.0.1:{bridge.port}/"
    subprocess.run([*load, "-d", "2s", url], check=True, stdout=subprocess.DEVNULL)
    acknowledged = "messaging_client_sent_messages_total"
    events, cpu, begun = bridge.metric(acknowledged), bridge.cpu(), time.monotonic()
    said = subprocess.run([*load, "-d", f"{seconds}s", url], check=True, stdout=subprocess.PIPE, text=True).stdout
    events, cpu, took = bridge.metric(acknowledged) - events, bridge.cpu() - cpu, time.monotonic() - begun
    if "Non-2xx" in said or events == 0:
        raise SystemExit(f"requests failed:\n{said}")
    return {
        "events/s": events / took,
        "us/event": cpu / events * 1e6,
        "MiB": bridge.peak(),
        "lost": bridge.metric("hookbridge_telemetry_lost_total"),
    }


def main():
    parser = argparse.ArgumentParser()
    for name in ("kafka", "collector", "bridge"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("rounds", "seconds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        directory = pathlib.Path(name)
        processes = []
        try:
            kafka, port = start_kafka(directory, options.kafka)
            processes.append(kafka)
            collector, collector_port = start_collector(directory, options.collector)
            processes.append(collector)
            script = directory / "events.lua"
            lua(script)
            print_table(run(options, directory, port, collector_port, script))
        finally:
            for process in processes:
                process.kill()
                process.wait()


def run(options, directory, kafka, collector, script):
    def exporting(port, **more):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_LOGS_EXPORTER": "otlp",
                "OTEL_METRIC_EXPORT_INTERVAL": "1000", **more}

    always = {"OTEL_TRACES_SAMPLER": "always_on"}
    never_answers, slow, endless = start_stand_in(never), start_stand_in(slowly), start_stand_in(endlessly)
    scenarios = {
        "no export": {},
        "no export, again": {},
        "collector, 1 % sampled": exporting(
            collector, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.01"
        ),
        "collector": exporting(collector),
        "away": exporting(free_port()),
        "never answers": exporting(never_answers),
        "answers after 2 s": exporting(slow),
        "answers without end": exporting(endless),
        "collector, all sampled": exporting(collector, **always),
        "away, all sampled": exporting(free_port(), **always),
        "never answers, all": exporting(never_answers, **always),
        "answers after 2 s, all": exporting(slow, **always),
        "without end, all": exporting(endless, **always),
    }
    measured = {name: [] for name in scenarios}
    for _ in range(options.rounds):
        for name, environment in scenarios.items():
            bridge = Bridge(directory, options.bridge, kafka, environment)
            try:
                measured[name].append(measure(bridge, script, options.seconds))
            finally:
                bridge.end()
    return measured


def print_table(measured):
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]} for name, rounds in measured.items()
    }
    first = next(iter(medians.values()))
    print(f"{'':24}{'events/s':>10}{'ratio':>8}{'us CPU/event':>14}{'ratio':>8}{'peak MiB':>10}{'lost':>10}")
    for name, of in medians.items():
        print(
            f"{name:24}{of['events/s']:>10.0f}{of['events/s'] / first['events/s']:>8.3f}"
            f"{of['us/event']:>14.1f}{of['us/event'] / first['us/event']:>8.3f}{of['MiB']:>10.0f}{of['lost']:>10.0f}"
        )


main()
