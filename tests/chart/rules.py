"""What must hold between the objects of a release. Schemas know fields, not that a port exists or a selector fits.

Takes a release. Gives faults, each a sentence that names its object. Every rule has a case in test_rules.py in which it
fails.
"""

import re

from release import (
    containers,
    main_container,
    name_of,
    ports_of,
    quantity,
    seconds,
    selects,
)

RECOMMENDED_LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
# What may be in another namespace, since whoever reads it may look there alone.
ELSEWHERE = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap", "KafkaTopic", "KafkaUser"}
# What belongs to no namespace.
CLUSTER_WIDE = {"PriorityClass"}
# Names that end up in labels or in DNS are shorter than others.
SHORT_NAMES = {"Service", "Deployment", "Job", "Pod"}


def identity(release):
    """Names and labels are legal, and nothing is there twice."""
    seen = set()
    for each in release.objects:
        metadata = each.get("metadata") or {}
        name = metadata.get("name") or ""
        most = 63 if each["kind"] in SHORT_NAMES else 253
        if not SUBDOMAIN.fullmatch(name) or len(name) > most:
            yield f"{name_of(each)}: the name is not legal (at most {most} letters, digits and -)"
        key = (each["apiVersion"].split("/")[0], each["kind"], metadata.get("namespace"), name)
        if key in seen:
            yield f"{name_of(each)}: is there twice"
        seen.add(key)
        namespace = metadata.get("namespace")
        if each["kind"] in CLUSTER_WIDE:
            if namespace:
                yield f"{name_of(each)}: belongs to no namespace, and says one"
            if release.namespace not in name:
                yield f"{name_of(each)}: another namespace's release would have the same name"
        elif namespace not in (None, release.namespace) and each["kind"] not in ELSEWHERE:
            yield f"{name_of(each)}: is in the namespace {namespace}"
        labels = metadata.get("labels") or {}
        for label in sorted(RECOMMENDED_LABELS - set(labels)):
            yield f"{name_of(each)}: has no label {label}"
        for label, value in labels.items():
            if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
                yield f"{name_of(each)}: label {label} has no legal value: {value!r}"


def secrets(release):
    """No secret is in the release: they are there by reference alone."""
    for each in release.of("Secret"):
        yield f"{name_of(each)}: a Secret is rendered"
    for owner, _, spec in release.pods():
        for container in containers(spec):
            for variable in container.get("env") or []:
                if re.search(r"SECRET|PASSWORD|TOKEN|HEADERS", variable["name"]) and "value" in variable:
                    yield f"{name_of(owner)}: {variable['name']} of {container['name']} has a plain value"


def unique(items, what, owner):
    """Faults for what is there twice."""
    seen = set()
    for item in items:
        if item in seen:
            yield f"{name_of(owner)}: {what} {item} is there twice"
        seen.add(item)


def selectors(release):
    """A Deployment finds its pods, by labels that no upgrade changes."""
    for owner, metadata, _ in release.deployments():
        labels, selector = metadata.get("labels") or {}, owner["spec"]["selector"]
        if not selects(selector, labels):
            yield f"{name_of(owner)}: its selector does not take its own pods"
        for label in ("app.kubernetes.io/version", "helm.sh/chart"):
            if label in (selector.get("matchLabels") or {}):
                yield f"{name_of(owner)}: its selector holds {label}, which an upgrade changes"


def volumes(release):
    """Volumes and mounts go together, and what they refer to is there."""
    for owner, _, spec in release.pods():
        names = [each["name"] for each in spec.get("volumes") or []]
        yield from unique(names, "volume", owner)
        mounted = set()
        for container in containers(spec):
            mounts = container.get("volumeMounts") or []
            yield from unique([each["mountPath"] for each in mounts], "mount path", owner)
            for mount in mounts:
                mounted.add(mount["name"])
                if mount["name"] not in names:
                    yield f"{name_of(owner)}: {container['name']} mounts {mount['name']}, which is no volume"
                if mount["mountPath"].startswith("/etc/hookbridge") and "subPath" in mount:
                    yield f"{name_of(owner)}: {mount['mountPath']} is mounted by subPath, so it never changes"
        for name in sorted(set(names) - mounted):
            yield f"{name_of(owner)}: volume {name} is mounted nowhere"
        for volume in spec.get("volumes") or []:
            name = (volume.get("configMap") or {}).get("name")
            if name and not volume["configMap"].get("optional") and not release.find("ConfigMap", name):
                yield f"{name_of(owner)}: volume {volume['name']} is of ConfigMap {name}, which is not rendered"


def containers_make_sense(release):
    """Variables, ports, probes and resources of each container."""
    for owner, _, spec in release.pods():
        yield from unique([each["name"] for each in containers(spec)], "container", owner)
        ports = ports_of(spec)
        for container in containers(spec):
            of = f"{name_of(owner)}: {container['name']}"
            yield from unique([each["name"] for each in container.get("env") or []], "variable", owner)
            yield from unique([each.get("name") for each in container.get("ports") or []], "port", owner)
            for port in container.get("ports") or []:
                if len(port.get("name", "")) > 15:
                    yield f"{of}: the port's name {port['name']} is longer than 15 letters"
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = ((container.get(probe) or {}).get("httpGet") or {}).get("port")
                if port is not None and port not in ports:
                    yield f"{of}: {probe} asks port {port}, which is not there"
            resources = container.get("resources") or {}
            for name, most in (resources.get("limits") or {}).items():
                least = (resources.get("requests") or {}).get(name, most)
                if quantity(least) > quantity(most):
                    yield f"{of}: requests more {name} than its limit"


def probes(release):
    """hookbridge is restarted for no fault of Kafka's, and gets no request while it can't take one."""
    for owner, _, spec in release.deployments():
        container = main_container(spec)
        paths = {
            probe: ((container.get(probe) or {}).get("httpGet") or {}).get("path")
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        for probe in ("startupProbe", "livenessProbe"):
            if paths[probe] != "/livez":
                yield f"{name_of(owner)}: {probe} asks {paths[probe]}, not /livez"
        if paths["readinessProbe"] != "/readyz":
            yield f"{name_of(owner)}: readinessProbe asks {paths['readinessProbe']}, not /readyz"
        if "cpu" in ((container.get("resources") or {}).get("limits") or {}):
            yield f"{name_of(owner)}: there is a CPU limit, which throttles"
        if "memory" not in ((container.get("resources") or {}).get("limits") or {}):
            yield f"{name_of(owner)}: there is no memory limit"


def timings(release):
    """A pod has the time to end as its configuration says."""
    server = release.configuration().get("server") or {}
    for owner, _, spec in release.deployments():
        hook = ((main_container(spec).get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
        delay, grace = server.get("shutdown_delay", "0s"), server.get("shutdown_grace", "25s")
        least = hook.get("seconds", 0) + seconds(delay) + seconds(grace)
        given = spec.get("terminationGracePeriodSeconds", 30)
        if given <= least:
            yield f"{name_of(owner)}: killed after {given} s, but its end takes up to {least:g} s"
        if hook.get("seconds", 0) + seconds(delay) == 0:
            yield f"{name_of(owner)}: it stops taking requests while the endpoints still name it"
        rolling = (owner["spec"].get("strategy") or {}).get("rollingUpdate") or {}
        if str(rolling.get("maxUnavailable", "25%")) not in ("0", "0%"):
            yield f"{name_of(owner)}: a roll-out takes a replica away before another is ready"


def listens(release):
    """Ports of the configuration and of the container agree, and are reachable from outside of it."""
    configuration = release.configuration()
    for owner, _, spec in release.deployments():
        ports = ports_of(spec)
        for part, port, default in (("server", "http", "0.0.0.0:8080"), ("admin", "admin", "0.0.0.0:9090")):
            listen = str((configuration.get(part) or {}).get("listen", default))
            host, _, number = listen.rpartition(":")
            if str(ports.get(port)) != number:
                yield f"{name_of(owner)}: port {port} is {ports.get(port)}, but {part}.listen is {listen}"
            if host.startswith("127.") or host in ("[::1]", "localhost"):
                yield f"{name_of(owner)}: {part}.listen is {listen}, which nobody reaches"
        arguments = main_container(spec).get("args") or []
        if "/etc/hookbridge/hookbridge.yaml" not in arguments:
            yield f"{name_of(owner)}: it does not serve /etc/hookbridge/hookbridge.yaml"


def services(release):
    """Services find pods and their ports; the public one has the public port alone."""
    for service in release.of("Service"):
        selector = {"matchLabels": service["spec"].get("selector") or {}}
        specs = [spec for _, metadata, spec in release.deployments() if selects(selector, metadata.get("labels") or {})]
        if not selector["matchLabels"] or not specs:
            yield f"{name_of(service)}: takes no pods"
            continue
        targets = set()
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            targets.add(ports_of(specs[0]).get(target))
            if target not in ports_of(specs[0]):
                yield f"{name_of(service)}: port {port['port']} leads to {target}, which no container has"
        if {ports_of(specs[0]).get("http"), ports_of(specs[0]).get("admin")} <= targets:
            yield f"{name_of(service)}: has the public port and that of health and metrics"


def leads_to(release, owner, name, port):
    """Faults of a way from outside to the Service `name` at `port`, a name or a number."""
    service = release.find("Service", name)
    if not service:
        yield f"{name_of(owner)}: leads to Service {name}, which is not rendered"
        return
    found = [each for each in service["spec"]["ports"] if port in (each["port"], each.get("name"))]
    if not found:
        yield f"{name_of(owner)}: leads to port {port} of Service {name}, which it does not have"
    for each in found:
        if each.get("targetPort") in ("admin", 9090):
            yield f"{name_of(owner)}: shows health and metrics to the outside"


def ways_in(release):
    """Ingress and HTTPRoute lead to the public port, by TLS where the release makes the certificate."""
    for ingress in release.of("Ingress"):
        hosts = set()
        for rule in ingress["spec"].get("rules") or []:
            hosts.add(rule.get("host"))
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                port = backend["port"].get("name", backend["port"].get("number"))
                yield from leads_to(release, ingress, backend["name"], port)
        for tls in ingress["spec"].get("tls") or []:
            for host in set(tls.get("hosts") or []) - hosts:
                yield f"{name_of(ingress)}: has TLS for {host}, which no rule has"
    for route in release.of("HTTPRoute"):
        if not route["spec"].get("parentRefs"):
            yield f"{name_of(route)}: belongs to no Gateway"
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs") or []:
                yield from leads_to(release, route, backend["name"], backend["port"])


def scaling(release):
    """The autoscaler's numbers, and that nobody else sets them."""
    for scaler in release.of("HorizontalPodAutoscaler"):
        spec = scaler["spec"]
        target = release.find(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        if not target:
            yield f"{name_of(scaler)}: scales {spec['scaleTargetRef']['name']}, which is not rendered"
            continue
        least = spec.get("minReplicas", 1)
        if least > spec["maxReplicas"]:
            yield f"{name_of(scaler)}: minReplicas {least} is more than maxReplicas {spec['maxReplicas']}"
        if least < 2:
            yield f"{name_of(scaler)}: minReplicas is {least}; one replica may always be away"
        if "replicas" in target["spec"]:
            yield f"{name_of(target)}: says replicas, which every upgrade would set back"
        if not spec.get("metrics"):
            yield f"{name_of(scaler)}: has no metric"
        container = main_container(target["spec"]["template"]["spec"])
        for metric in spec.get("metrics") or []:
            resource = (metric.get("resource") or {}).get("name")
            if resource and resource not in ((container.get("resources") or {}).get("requests") or {}):
                yield f"{name_of(scaler)}: scales by {resource}, of which nothing is requested"


def disruption(release):
    """The budget takes the pods, and lets a node be drained."""
    for budget in release.of("PodDisruptionBudget"):
        spec = budget["spec"]
        taken = [
            owner for owner, metadata, _ in release.deployments()
            if selects(spec["selector"], metadata.get("labels") or {})
        ]
        if not taken:
            yield f"{name_of(budget)}: takes no pods"
            continue
        scalers = release.of("HorizontalPodAutoscaler")
        replicas = scalers[0]["spec"].get("minReplicas", 1) if scalers else taken[0]["spec"].get("replicas", 1)
        if ("minAvailable" in spec) == ("maxUnavailable" in spec):
            yield f"{name_of(budget)}: needs one of minAvailable and maxUnavailable"
        if spec.get("minAvailable") == "100%" or spec.get("maxUnavailable") in (0, "0%"):
            yield f"{name_of(budget)}: no node can ever be drained"
        if isinstance(spec.get("minAvailable"), int) and spec["minAvailable"] >= replicas:
            yield f"{name_of(budget)}: wants {spec['minAvailable']} of {replicas} replicas, so no node can be drained"


def allows(rules, port):
    """Whether one of the rules of a NetworkPolicy allows this port (TCP)."""
    for rule in rules or []:
        ports = rule.get("ports")
        if not ports or any(each.get("port") in (port, None) for each in ports if each.get("protocol") != "UDP"):
            return True
    return False


def network(release):
    """The network policy denies by default, and allows what the configuration needs."""
    for policy in release.of("NetworkPolicy"):
        spec = policy["spec"]
        specs = [
            pod for _, metadata, pod in release.deployments()
            if selects(spec["podSelector"], metadata.get("labels") or {})
        ]
        if not specs:
            yield f"{name_of(policy)}: takes no pods"
            continue
        if sorted(spec.get("policyTypes") or []) != ["Egress", "Ingress"]:
            yield f"{name_of(policy)}: does not deny both ways"
        ports = ports_of(specs[0])
        if not any(allows(spec.get("ingress"), port) for port in ("http", ports.get("http"))):
            yield f"{name_of(policy)}: lets nobody post"
        if {} in (spec.get("ingress") or []) or {} in (spec.get("egress") or []):
            yield f"{name_of(policy)}: has a rule that allows everything"
        kafka = release.configuration().get("kafka") or {}
        clusters = [kafka, (kafka.get("standby") or {}).get("properties") or {}]
        servers = ",".join(str(each.get("bootstrap.servers") or "") for each in clusters)
        for server in filter(None, (each.strip() for each in servers.split(","))):
            port = int(re.sub(r".*://", "", server).rpartition(":")[2]) if ":" in server else 9092
            if not allows(spec.get("egress"), port):
                yield f"{name_of(policy)}: does not let it reach Kafka at {server}"


def monitoring(release):
    """What scrapes finds a port, and rules have names of their own."""
    for monitor in release.of("ServiceMonitor"):
        found = [each for each in release.of("Service") if selects(monitor["spec"]["selector"], each["metadata"]["labels"])]
        if len(found) != 1:
            yield f"{name_of(monitor)}: takes {len(found)} Services; each would be scraped"
        names = {port.get("name") for each in found for port in each["spec"]["ports"]}
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint.get("port") not in names:
                yield f"{name_of(monitor)}: scrapes port {endpoint.get('port')}, which its Service does not have"
    for monitor in release.of("PodMonitor"):
        specs = [
            spec for _, metadata, spec in release.deployments()
            if selects(monitor["spec"]["selector"], metadata.get("labels") or {})
        ]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if not specs or endpoint.get("port") not in ports_of(specs[0]):
                yield f"{name_of(monitor)}: scrapes port {endpoint.get('port')}, which no pod has"
    if release.of("ServiceMonitor") and release.of("PodMonitor"):
        yield f"{name_of(release.of('PodMonitor')[0])}: pods are scraped twice, by the ServiceMonitor too"
    for rule in release.of("PrometheusRule"):
        groups = rule["spec"].get("groups") or []
        yield from unique([group["name"] for group in groups], "group", rule)
        if not any(each.get("alert") for group in groups for each in group["rules"]):
            yield f"{name_of(rule)}: has no alert"


def kafka_objects(release):
    """Strimzi's topics and user."""
    names, places = [], []
    for topic in release.of("KafkaTopic"):
        name = topic["spec"].get("topicName", topic["metadata"]["name"])
        names.append(name)
        labels = topic["metadata"].get("labels") or {}
        places.append(f"{name} of {topic['metadata'].get('namespace')}/{labels.get('strimzi.io/cluster')}")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
            yield f"{name_of(topic)}: {name!r} is no name of a topic"
        configuration, replicas = topic["spec"].get("config") or {}, topic["spec"].get("replicas")
        if replicas and int(configuration.get("min.insync.replicas", 1)) > replicas:
            yield f"{name_of(topic)}: min.insync.replicas is more than its {replicas} replicas"
    for topic in release.of("KafkaTopic")[:1]:
        yield from unique(places, "topic", topic)
    for each in release.of("KafkaTopic", "KafkaUser"):
        if not (each["metadata"].get("labels") or {}).get("strimzi.io/cluster"):
            yield f"{name_of(each)}: has no label strimzi.io/cluster, so Strimzi does not see it"
    for user in release.of("KafkaUser"):
        acls = (user["spec"].get("authorization") or {}).get("acls") or []
        for name in names:
            writes = [
                each for each in acls
                if each["resource"]["type"] == "topic" and "Write" in each["operations"] and (
                    each["resource"].get("name") == name
                    or (each["resource"].get("patternType") == "prefix" and name.startswith(each["resource"]["name"]))
                )
            ]
            if acls and not writes:
                yield f"{name_of(user)}: may not write the topic {name}"


def certificates(release):
    """Certificates are renewed before their end, and are those that an Ingress uses."""
    for certificate in release.of("Certificate"):
        spec = certificate["spec"]
        if "renewBefore" in spec and seconds(spec["renewBefore"]) >= seconds(spec.get("duration", "2160h")):
            yield f"{name_of(certificate)}: is renewed before it begins"
        if not spec.get("dnsNames") and not spec.get("commonName"):
            yield f"{name_of(certificate)}: is for nobody"


def hooks(release):
    """`helm test` has a pod that ends."""
    tests = [each for each in release.of("Pod") if "test" in (each["metadata"].get("annotations") or {}).get("helm.sh/hook", "")]
    for pod in tests:
        if pod["spec"].get("restartPolicy") != "Never":
            yield f"{name_of(pod)}: is restarted, so it never ends"
    for pod in release.of("Pod"):
        if pod not in tests:
            yield f"{name_of(pod)}: a Pod without a Deployment, and no test"


RULES = [
    identity,
    secrets,
    selectors,
    volumes,
    containers_make_sense,
    probes,
    timings,
    listens,
    services,
    ways_in,
    scaling,
    disruption,
    network,
    monitoring,
    kafka_objects,
    certificates,
    hooks,
]
