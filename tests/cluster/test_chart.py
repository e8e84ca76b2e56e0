"""The chart on a real Kubernetes: a control plane that validates, and a node that runs it against a real Kafka.

scripts/cluster-test calls it, and says where everything is. The namespace enforces Pod Security "restricted".
"""

import base64
import json
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

import yaml

import image
from cluster import NODE, Cluster, Failed, wait
from load import Load

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "hookbridge"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
NAMESPACE = "shop"
SECRET = "whsec_" + "0123456789abcdef" * 2
NEXT_SECRET = "whsec_" + "fedcba9876543210" * 2
# What a stranger writes: all that has to be said.
TWELVE_LINES = f"""\
config:
  kafka:
    bootstrap.servers: kafka.kafka:9092
  topics: {{ create_missing: true }}
  sources:
    billing:
      provider: stripe
      secrets:
        - file: /var/run/secrets/hookbridge/billing/signing-secret
secrets:
  billing:
    existingSecret: billing-webhook
"""
# What Kubernetes itself makes and forgets in its own time.
PASSING = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "componentstatuses"}

cluster = None


def setUpModule():
    global cluster
    cluster = Cluster(os.environ["KUBE_KIT"], os.environ["CLUSTER_KIT"], os.environ["CLUSTER_WORK"])
    cluster.start_control_plane()
    cluster.kubectl("apply", "--server-side", *[f"--filename={file}" for file in sorted(cluster.tools.glob("crds/*.yaml"))])
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
    # What the values of ci/ say is there already.
    cluster.kubectl("create", "priorityclass", "critical", "--value=1000")
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": "runsc"}
    cluster.kubectl("create", "--filename=-", give=json.dumps(runtime))
    found = {each["metadata"].get("namespace") for file in VALUES for each in objects_of(file)} - {None}
    for namespace in found | {NAMESPACE}:
        make_namespace(namespace)


def tearDownModule():
    cluster.stop()


def make_namespace(name):
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted",
                    "pod-security.kubernetes.io/warn=restricted")  # fmt: skip
    # Pods are refused without it, and it comes a moment later.
    wait("the account of the namespace", lambda: cluster.get("serviceaccount", "default", "--namespace", name))


def everything():
    """The names of all objects that last."""
    kinds = set(cluster.kubectl("api-resources", "--verbs=list", "--output=name", "--cached").split()) - PASSING
    each = '{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{"\\n"}{end}'
    return set(cluster.kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", f"--output=jsonpath={each}").split("\n"))


def helm(*arguments, program="helm", give=None):
    return cluster.run(program, *arguments, "--namespace", NAMESPACE, give=give)


def objects_of(file, *arguments):
    return [each for each in yaml.safe_load_all(helm("template", "hb", CHART, "--values", file, *arguments)) if each]


class OnAControlPlane(unittest.TestCase):
    """What the API server says. No pod has to run for it."""

    maxDiff = None

    def test_the_namespace_is_restricted(self):
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loose", "namespace": NAMESPACE},
            "spec": {"containers": [{"name": "x", "image": "x:1", "securityContext": {"privileged": True}}]},
        }  # fmt: skip
        with self.assertRaisesRegex(Failed, "violates PodSecurity"):
            cluster.kubectl("create", "--filename=-", give=json.dumps(pod))

    def test_the_api_server_takes_every_object(self):
        for file in VALUES:
            with self.subTest(file.name):
                for each in objects_of(file):
                    # Exit code 0, and not a word of warning: of Pod Security, of deprecated or unknown fields.
                    result = subprocess.run(
                        ["kubectl", "create", "--dry-run=server", "--validate=strict", "--output=name", "--filename=-"],
                        input=json.dumps(each), env=cluster.environment, capture_output=True, text=True,
                    )  # fmt: skip
                    self.assertEqual((result.returncode, result.stderr), (0, ""), f"{each['kind']} {each['metadata']['name']}")

    def test_nothing_is_left_of_any_release(self):
        for file in VALUES:
            with self.subTest(file.name):
                self.come_and_go("helm", file)
        # Both render the same, as scripts/chart finds, so one file tells whether helm 3 gets along with the API server.
        self.come_and_go("helm3", CHART / "ci" / "minimal-values.yaml")

    def come_and_go(self, program, file):
        """Installs, upgrades, rolls back and uninstalls. Hooks need pods that run: see OnANode."""
        before = everything()
        helm("install", "hb", CHART, "--values", file, "--no-hooks", program=program)
        installed = everything() - before
        deployment = cluster.get("deployment", "--namespace", NAMESPACE)["items"]
        if deployment:
            name = deployment[0]["metadata"]["name"]
            pods = wait(f"pods of {name}", lambda: self.admitted(name))
            self.assertGreaterEqual(pods, 1)
        helm("upgrade", "hb", CHART, "--values", file, "--no-hooks", "--set", "commonLabels.try=second", program=program)
        self.assertEqual(
            {each for each in everything() - before if lasting(each)} - {each for each in installed if lasting(each)}, set()
        )
        helm("rollback", "hb", "1", "--no-hooks", program=program)
        kept = [
            each for each in objects_of(file)
            if (each["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") == "keep"
        ]
        helm("uninstall", "hb", "--no-hooks", "--wait", program=program)
        for each in kept:
            # They stay on purpose, and are all that stays.
            cluster.kubectl("delete", each["kind"], each["metadata"]["name"], "--namespace",
                            each["metadata"].get("namespace", NAMESPACE))  # fmt: skip
        wait("nothing to be left", lambda: everything() == before or self.left(before), 60)

    @staticmethod
    def left(before):
        raise Failed(f"left: {sorted(everything() - before)}; gone: {sorted(before - everything())}")

    @staticmethod
    def admitted(name):
        """How many pods the Deployment has. One that Pod Security refuses never comes about."""
        sets = cluster.get("replicaset", "--namespace", NAMESPACE)["items"]
        for each in sets:
            for condition in each["status"].get("conditions") or []:
                if condition["type"] == "ReplicaFailure":
                    raise SystemExit(f"{name}: {condition['message']}")
        return sum(each["status"]["replicas"] for each in sets)


def lasting(name):
    """Whether an object is the chart's, and not made of it by a controller or by helm."""
    return not name.startswith(("Pod/", "ReplicaSet/", "Secret/", "EndpointSlice/"))


class OnANode(unittest.TestCase):
    """What is installed runs: with a real Kafka, until the records are there."""

    @classmethod
    def setUpClass(cls):
        cluster.start_node()
        for program, place, reference in (
            (cluster.programs / "bin" / "pause", "/pause", "localhost/pause:1"),
            (os.environ["HOOKBRIDGE_BIN"], "/hookbridge", image_of_the_chart()),
        ):
            archive = cluster.work / "image.tar"
            image.write(program, place, reference, archive)
            cluster.ctr("images", "import", archive)
        start_kafka()
        cls.before = everything()

    def test_a_life_of_a_release(self):
        cluster.kubectl("create", "secret", "generic", "billing-webhook", f"--from-literal=signing-secret={SECRET}",
                        "--namespace", NAMESPACE)  # fmt: skip
        values = cluster.work / "values.yaml"
        values.write_text(TWELVE_LINES)
        self.assertEqual(len(TWELVE_LINES.splitlines()), 12)
        installed = subprocess.Popen(
            ["helm", "install", "hb", CHART, "--values", values, "--namespace", NAMESPACE, "--wait", "--timeout", "3m"],
            env=cluster.environment,
        )
        cluster.wait("the Services", lambda: len(cluster.get("services", "--namespace", NAMESPACE)["items"]) >= 2)
        cluster.publish_names(NAMESPACE)
        if installed.wait():
            raise Failed(self.state())
        self.assertEqual(len(self.pods()), 2)

        # Helm 3 takes the pod away before it reads its log: https://github.com/helm/helm/issues/9098.
        for program, *more in (("helm", "--logs"), ("helm3",)):
            words = helm("test", "hb", *more, program=program)
            self.assertRegex(words, "Phase: +Succeeded")
            print(words)

        address = cluster.get("service", "hb-hookbridge", "--namespace", NAMESPACE)["spec"]["clusterIP"]
        self.reload_without_a_restart(values)
        self.rotate_the_secret(address)
        with Load(address, 80, "/webhooks/billing", NEXT_SECRET) as load:
            wait("the first events", lambda: load.acknowledged > 20)
            self.roll_out(values)
            print(f"{load.acknowledged} events were acknowledged during a roll-out and a rollback, {len(load.lost)} lost")
        self.assertEqual(load.lost, [])

        helm("uninstall", "hb", "--wait")
        cluster.kubectl("delete", "secret", "billing-webhook", "--namespace", NAMESPACE)
        cluster.wait("nothing to be left", lambda: everything() <= self.before or self.left())

    def left(self):
        raise Failed(f"left: {sorted(everything() - self.before)}")

    def pods(self):
        """The pods that are there, by name, each with how often it was restarted."""
        return {
            each["metadata"]["name"]: each["status"]["containerStatuses"][0]["restartCount"]
            for each in cluster.get("pods", "--namespace", NAMESPACE)["items"]
            if "deletionTimestamp" not in each["metadata"]
        }

    def upgrade(self, values, *arguments):
        helm("upgrade", "hb", CHART, "--values", values, "--wait", "--timeout", "3m", *arguments)

    def reload_without_a_restart(self, values):
        """A new source is served by the pods that are there."""
        before = self.pods()
        values.write_text(
            TWELVE_LINES.replace("    billing:\n", "    second: { provider: github, secrets: [{ file: "
                                 "/var/run/secrets/hookbridge/billing/signing-secret }] }\n    billing:\n", 1)
        )  # fmt: skip
        self.upgrade(values)
        cluster.wait("the new source in every pod", lambda: all(self.has_source(pod, "second") for pod in before), 150)
        self.assertEqual(self.pods(), before, "the pods are the same, and none was restarted")

    def rotate_the_secret(self, address):
        """A Secret that changes counts in the pods that are there. The events of these tries are in the topic, too."""
        before = self.pods()
        data = base64.b64encode(NEXT_SECRET.encode()).decode()
        cluster.kubectl("patch", "secret", "billing-webhook", "--namespace", NAMESPACE,
                        "--patch", json.dumps({"data": {"signing-secret": data}}))  # fmt: skip

        def all_take_it():
            # Each by a connection of its own, to one of two pods: so many in a row that it is no luck.
            with Load(address, 80, "/webhooks/billing", NEXT_SECRET, senders=1, pause=0.01) as load:
                wait("some answers", lambda: load.acknowledged + len(load.lost) >= 20)
            return not load.lost

        cluster.wait("the new secret in every pod", all_take_it, 150)
        self.assertEqual(self.pods(), before, "the pods are the same, and none was restarted")

    @staticmethod
    def has_source(pod, source):
        # 405 to a GET says that the path is served, 404 that it is not.
        address = cluster.get("pod", pod, "--namespace", NAMESPACE)["status"]["podIP"]
        words = cluster.run("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "5",
                            f"http://{address}:8080/webhooks/{source}")  # fmt: skip
        return words == "405"

    def roll_out(self, values):
        """What is read at the start alone changes, so everything is replaced; and is replaced again."""
        before = set(self.pods())
        self.upgrade(values, "--set", r"config.kafka.linger\.ms=1")
        between = set(self.pods())
        self.assertFalse(before & between, "every pod is new")
        helm("rollback", "hb", "2", "--wait", "--timeout", "3m")
        self.assertFalse(between & set(self.pods()), "every pod is new again")

    @staticmethod
    def state():
        """What there is to say about pods that do not become ready."""
        return cluster.kubectl("get", "events,pods,replicasets", "--all-namespaces", "--output=wide") + "".join(
            cluster.kubectl("logs", "--namespace", NAMESPACE, "--selector=app.kubernetes.io/name=hookbridge",
                            "--tail=20", "--prefix", fine=(0, 1))
        )  # fmt: skip


def image_of_the_chart():
    """The image that the chart asks for by default, under the name that a node knows it by."""
    deployment = next(each for each in objects_of(CHART / "ci" / "minimal-values.yaml") if each["kind"] == "Deployment")
    name = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    first = name.split("/")[0]
    if "/" not in name:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def start_kafka():
    """A broker on the node's own address, and a Service that leads to it."""
    kit, work = os.environ["KAFKA_KIT"], cluster.work
    (work / "server.properties").write_text(
        f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{NODE}:9093\n"
        f"listeners=PLAINTEXT://{NODE}:9092,CONTROLLER://{NODE}:9093\ncontroller.listener.names=CONTROLLER\n"
        f"advertised.listeners=PLAINTEXT://{NODE}:9092\nlog.dirs={work}/kafka\nauto.create.topics.enable=false\n"
        "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
        "transaction.state.log.min.isr=1\nmin.insync.replicas=1\n"
    )
    classpath = f"{kit}:{kit}/*"
    cluster.run("java", "-cp", classpath, "kafka.tools.StorageTool", "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qk",
                "--config", work / "server.properties")  # fmt: skip
    cluster.start("java", "-Xmx384m", "-cp", classpath, "kafka.Kafka", work / "server.properties")
    cluster.kubectl("apply", "--filename=-", give=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kafka"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kafka", "namespace": "kafka"},
         "spec": {"ports": [{"port": 9092}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": "kafka", "namespace": "kafka", "labels": {"kubernetes.io/service-name": "kafka"}},
         "ports": [{"port": 9092}], "endpoints": [{"addresses": [NODE]}]},
    ]}))  # fmt: skip
    cluster.publish_names("kafka")
    cluster.wait("Kafka", lambda: socket.create_connection((NODE, 9092), 2).close() is None, of="java")


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv, failfast=True)
