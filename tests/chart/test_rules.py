"""Every rule can fail: a release without fault is broken in one place, and the rule must say so.

    python3 -m unittest test_rules
"""

import copy
import unittest
from pathlib import Path

import pod_security
import rules
from release import LOADER, Release
from yaml import load_all

GOOD = list(load_all((Path(__file__).parent / "good.yaml").read_text(), Loader=LOADER))


class Broken:
    """The release of good.yaml, with short ways to its parts."""

    def __init__(self):
        self.objects = copy.deepcopy(GOOD)

    def get(self, kind, name=None):
        return next(o for o in self.objects if o["kind"] == kind and name in (None, o["metadata"]["name"]))

    def spec(self, kind, name=None):
        return self.get(kind, name)["spec"]

    @property
    def pod(self):
        return self.spec("Deployment")["template"]["spec"]

    @property
    def container(self):
        return self.pod["containers"][0]

    def configure(self, old, new):
        data = self.get("ConfigMap")["data"]
        assert old in data["hookbridge.yaml"], old
        data["hookbridge.yaml"] = data["hookbridge.yaml"].replace(old, new)


def put(thing, key, value):
    """`thing[key] = value`, in an expression."""
    thing[key] = value


PORT = {"name": "admin", "port": 9090, "targetPort": "admin"}

# The rule, what breaks it, and what it says.
CASES = [
    (rules.identity, lambda b: put(b.get("Service")["metadata"], "name", "Hb"), "not legal"),
    (rules.identity, lambda b: put(b.get("Service")["metadata"], "name", "a" * 64), "not legal"),
    (rules.identity, lambda b: b.objects.append(b.get("Ingress")), "is there twice"),
    (rules.identity, lambda b: put(b.get("Deployment")["metadata"], "namespace", "other"), "is in the namespace"),
    (rules.identity, lambda b: b.get("Service")["metadata"]["labels"].pop("helm.sh/chart"), "has no label helm.sh/chart"),
    (rules.identity, lambda b: put(b.get("Service")["metadata"]["labels"], "x", "a+b"), "no legal value"),
    (rules.identity, lambda b: b.objects.append({**b.get("Service"), "kind": "PriorityClass"}), "would have the same name"),
    (
        rules.identity,
        lambda b: b.objects.append({**b.get("Deployment"), "kind": "PriorityClass"}),
        "belongs to no namespace",
    ),
    (rules.secrets, lambda b: b.objects.append({"kind": "Secret", "metadata": {"name": "x"}}), "a Secret is rendered"),
    (rules.secrets, lambda b: b.container["env"].append({"name": "SHOP_SECRET", "value": "x"}), "plain value"),
    (rules.selectors, lambda b: put(b.spec("Deployment")["selector"]["matchLabels"], "a", "b"), "its own pods"),
    (
        rules.selectors,
        lambda b: put(b.spec("Deployment")["selector"]["matchLabels"], "helm.sh/chart", "hookbridge-0.1.0"),
        "which an upgrade changes",
    ),
    (rules.volumes, lambda b: b.pod["volumes"].append(b.pod["volumes"][0]), "is there twice"),
    (rules.volumes, lambda b: b.pod["volumes"].pop(), "which is no volume"),
    (rules.volumes, lambda b: b.container["volumeMounts"].pop(), "is mounted nowhere"),
    (rules.volumes, lambda b: put(b.container["volumeMounts"][0], "subPath", "x"), "by subPath"),
    (rules.volumes, lambda b: put(b.container["volumeMounts"][1], "mountPath", "/etc/hookbridge"), "mount path"),
    (rules.volumes, lambda b: put(b.pod["volumes"][0]["configMap"], "name", "x"), "which is not rendered"),
    (rules.containers_make_sense, lambda b: b.pod["containers"].append(b.container), "container hookbridge"),
    (rules.containers_make_sense, lambda b: b.container["env"].append(b.container["env"][0]), "variable"),
    (rules.containers_make_sense, lambda b: b.container["ports"].append({"name": "http", "containerPort": 1}), "port http"),
    (
        rules.containers_make_sense,
        lambda b: b.container["ports"].append({"name": "sixteen-letters-", "containerPort": 1}),
        "longer than 15",
    ),
    (rules.containers_make_sense, lambda b: put(b.container["startupProbe"]["httpGet"], "port", 1), "which is not there"),
    (rules.containers_make_sense, lambda b: put(b.container["resources"]["limits"], "memory", "1Mi"), "than its limit"),
    (rules.probes, lambda b: put(b.container["livenessProbe"]["httpGet"], "path", "/readyz"), "not /livez"),
    (rules.probes, lambda b: b.container.pop("readinessProbe"), "not /readyz"),
    (rules.probes, lambda b: put(b.container["resources"]["limits"], "cpu", 1), "CPU limit"),
    (rules.probes, lambda b: b.container["resources"]["limits"].clear(), "no memory limit"),
    (rules.timings, lambda b: put(b.pod, "terminationGracePeriodSeconds", 35), "takes up to 35 s"),
    (rules.timings, lambda b: b.configure("shutdown_grace: 25s", "shutdown_grace: 1m"), "takes up to 70 s"),
    (
        rules.timings,
        lambda b: (b.container.pop("lifecycle"), b.configure("shutdown_delay: 5s", "shutdown_delay: 0s")),
        "still name it",
    ),
    (
        rules.timings,
        lambda b: put(b.spec("Deployment")["strategy"]["rollingUpdate"], "maxUnavailable", "25%"),
        "before another is ready",
    ),
    (rules.listens, lambda b: b.configure("server: {", "server: { listen: '0.0.0.0:1',"), "server.listen is"),
    (rules.listens, lambda b: b.configure("kafka:", "admin: { listen: '127.0.0.1:9090' }\nkafka:"), "nobody reaches"),
    (rules.listens, lambda b: put(b.container, "args", ["serve"]), "does not serve"),
    (rules.services, lambda b: put(b.spec("Service")["selector"], "a", "b"), "takes no pods"),
    (rules.services, lambda b: put(b.spec("Service")["ports"][0], "targetPort", "x"), "which no container has"),
    (rules.services, lambda b: b.spec("Service")["ports"].append(PORT), "and that of health"),
    (rules.ways_in, lambda b: put(b.spec("HTTPRoute")["rules"][0]["backendRefs"][0], "name", "x"), "not rendered"),
    (rules.ways_in, lambda b: put(b.spec("HTTPRoute")["rules"][0]["backendRefs"][0], "port", 81), "does not have"),
    (
        rules.ways_in,
        lambda b: b.spec("HTTPRoute")["rules"][0]["backendRefs"].append({"name": "hb-admin", "port": 9090}),
        "to the outside",
    ),
    (rules.ways_in, lambda b: b.spec("HTTPRoute")["parentRefs"].clear(), "no Gateway"),
    (rules.ways_in, lambda b: put(b.spec("Ingress")["rules"][0], "host", "x.example.com"), "which no rule has"),
    (rules.scaling, lambda b: put(b.spec("HorizontalPodAutoscaler"), "minReplicas", 11), "is more than"),
    (rules.scaling, lambda b: put(b.spec("HorizontalPodAutoscaler"), "minReplicas", 1), "may always be away"),
    (rules.scaling, lambda b: put(b.spec("Deployment"), "replicas", 2), "would set back"),
    (rules.scaling, lambda b: b.spec("HorizontalPodAutoscaler").pop("metrics"), "no metric"),
    (rules.scaling, lambda b: b.container["resources"]["requests"].pop("cpu"), "nothing is requested"),
    (
        rules.scaling,
        lambda b: put(b.spec("HorizontalPodAutoscaler")["scaleTargetRef"], "name", "x"),
        "which is not rendered",
    ),
    (rules.disruption, lambda b: put(b.spec("PodDisruptionBudget"), "maxUnavailable", 0), "ever be drained"),
    (rules.disruption, lambda b: b.spec("PodDisruptionBudget").pop("maxUnavailable"), "needs one of"),
    (
        rules.disruption,
        lambda b: (b.spec("PodDisruptionBudget").pop("maxUnavailable"), put(b.spec("PodDisruptionBudget"), "minAvailable", 2)),
        "2 of 2 replicas",
    ),
    (
        rules.disruption,
        lambda b: put(b.spec("PodDisruptionBudget"), "selector", {"matchLabels": {"a": "b"}}),
        "takes no pods",
    ),
    (rules.network, lambda b: put(b.spec("NetworkPolicy"), "podSelector", {"matchLabels": {"a": "b"}}), "takes no pods"),
    (rules.network, lambda b: b.spec("NetworkPolicy")["policyTypes"].pop(), "both ways"),
    (rules.network, lambda b: b.spec("NetworkPolicy")["ingress"].clear(), "lets nobody post"),
    (rules.network, lambda b: b.spec("NetworkPolicy")["egress"].append({}), "allows everything"),
    (rules.network, lambda b: b.spec("NetworkPolicy")["egress"].pop(), "reach Kafka at kafka:9092"),
    (rules.monitoring, lambda b: put(b.spec("ServiceMonitor"), "selector", {}), "takes 2 Services"),
    (rules.monitoring, lambda b: put(b.spec("ServiceMonitor")["endpoints"][0], "port", "http"), "does not have"),
    (
        rules.monitoring,
        lambda b: b.objects.append(
            {
                "kind": "PodMonitor",
                "metadata": {"name": "hb"},
                "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "admin"}]},
            }
        ),
        "scraped twice",
    ),
    (
        rules.monitoring,
        lambda b: b.objects.append(
            {"kind": "PodMonitor", "metadata": {"name": "hb"}, "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "x"}]}}
        ),
        "which no pod has",
    ),
    (rules.monitoring, lambda b: b.spec("PrometheusRule")["groups"].append(b.spec("PrometheusRule")["groups"][0]), "twice"),
    (rules.monitoring, lambda b: b.spec("PrometheusRule")["groups"].clear(), "no alert"),
    (rules.kafka_objects, lambda b: put(b.spec("KafkaTopic"), "topicName", "shop/events"), "no name of a topic"),
    (rules.kafka_objects, lambda b: put(b.spec("KafkaTopic"), "replicas", 1), "its 1 replicas"),
    (rules.kafka_objects, lambda b: b.objects.append(b.get("KafkaTopic")), "topic shop.events of None/kafka is there twice"),
    (rules.kafka_objects, lambda b: b.get("KafkaUser")["metadata"]["labels"].pop("strimzi.io/cluster"), "does not see it"),
    (
        rules.kafka_objects,
        lambda b: put(b.spec("KafkaUser")["authorization"]["acls"][0]["resource"], "name", "x"),
        "may not write",
    ),
    (rules.certificates, lambda b: put(b.spec("Certificate"), "renewBefore", "2160h"), "before it begins"),
    (rules.certificates, lambda b: b.spec("Certificate").pop("dnsNames"), "for nobody"),
    (rules.hooks, lambda b: b.spec("Pod").pop("restartPolicy"), "never ends"),
    (rules.hooks, lambda b: b.get("Pod")["metadata"].pop("annotations"), "no test"),
    (pod_security.restricted, lambda b: put(b.pod, "hostNetwork", True), "hostNetwork"),
    (pod_security.restricted, lambda b: b.pod["volumes"].append({"name": "x", "hostPath": {}}), "not allowed: hostPath"),
    (pod_security.restricted, lambda b: put(b.pod["securityContext"], "runAsUser", 0), "runAsUser is 0"),
    (pod_security.restricted, lambda b: put(b.pod["securityContext"], "sysctls", [{"name": "a"}]), "sysctl a"),
    (pod_security.restricted, lambda b: put(b.container["securityContext"], "privileged", True), "is privileged"),
    (pod_security.restricted, lambda b: b.container["securityContext"].pop("allowPrivilegeEscalation"), "Escalation: false"),
    (pod_security.restricted, lambda b: b.container["securityContext"].pop("capabilities"), "drop all"),
    (
        pod_security.restricted,
        lambda b: put(b.container["securityContext"]["capabilities"], "add", ["NET_RAW"]),
        "adds capabilities",
    ),
    (pod_security.restricted, lambda b: b.pod["securityContext"].pop("runAsNonRoot"), "runAsNonRoot: true"),
    (pod_security.restricted, lambda b: put(b.container["securityContext"], "runAsUser", 0), "runAsUser is 0"),
    (pod_security.restricted, lambda b: b.pod["securityContext"].pop("seccompProfile"), "no seccompProfile"),
    (pod_security.restricted, lambda b: put(b.container["securityContext"], "procMount", "Unmasked"), "procMount"),
    (pod_security.restricted, lambda b: put(b.container["ports"][0], "hostPort", 80), "hostPort 80"),
    (pod_security.hardened, lambda b: b.pod.pop("automountServiceAccountToken"), "get a token"),
    (pod_security.hardened, lambda b: b.container["securityContext"].pop("readOnlyRootFilesystem"), "can write"),
    (pod_security.hardened, lambda b: put(b.container, "image", "example.org:5000/hookbridge"), "no version"),
    (pod_security.hardened, lambda b: put(b.container, "image", "hookbridge:latest"), "no version"),
]


class Rules(unittest.TestCase):
    def test_a_good_release_has_no_fault(self):
        release = Release(GOOD, "test")
        self.assertEqual([fault for rule in rules.RULES + pod_security.RULES for fault in rule(release)], [])

    def test_each_fault_is_found(self):
        for number, (rule, breaks, says) in enumerate(CASES):
            with self.subTest(number=number, rule=rule.__name__, says=says):
                broken = Broken()
                breaks(broken)
                faults = list(rule(Release(broken.objects, "test")))
                self.assertTrue(any(says in fault for fault in faults), f"found {faults}")

    def test_each_rule_has_a_case(self):
        self.assertEqual({rule for rule, _, _ in CASES}, set(rules.RULES + pod_security.RULES))


if __name__ == "__main__":
    unittest.main()
