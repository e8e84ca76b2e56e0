"""Pod Security Standards, profile "restricted", as Kubernetes' documentation has it.

Takes a release. Gives what the admission of a namespace with `enforce: restricted` would refuse. A real API server
says the same in scripts/cluster-test; this is here because CI has none.
"""

from release import containers, name_of

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}


def of_pod(spec):
    """What is wrong with the pod as a whole."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is on"
    for volume in spec.get("volumes") or []:
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']} is of a kind that is not allowed: {', '.join(sorted(kinds - VOLUMES))}"
    context = spec.get("securityContext") or {}
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0"
    for sysctl in context.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not allowed"


def of_container(container, spec):
    """What is wrong with one container, given the pod around it."""
    pod, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "does not say allowPrivilegeEscalation: false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "does not drop all capabilities"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"adds capabilities: {capabilities['add']}"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "does not say runAsNonRoot: true"
    if own.get("runAsUser") == 0:
        yield "runAsUser is 0"
    profile = (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield "has no seccompProfile of type RuntimeDefault or Localhost"
    if own.get("procMount", "Default") != "Default":
        yield "has a procMount"
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            yield f"has hostPort {port['hostPort']}"


def restricted(release):
    """Everything that the profile refuses."""
    for owner, _, spec in release.pods():
        for fault in of_pod(spec):
            yield f"{name_of(owner)}: Pod Security restricted: {fault}"
        for container in containers(spec):
            for fault in of_container(container, spec):
                yield f"{name_of(owner)}: Pod Security restricted: container {container['name']} {fault}"


def hardened(release):
    """What hookbridge promises beyond the profile."""
    for owner, _, spec in release.pods():
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name_of(owner)}: pods get a token of the service account"
        for container in spec["containers"]:
            own = container.get("securityContext") or {}
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{name_of(owner)}: container {container['name']} can write its root file system"
            image = container.get("image") or ""
            last = image.rsplit("/", 1)[-1]
            if "@sha256:" not in image and (":" not in last or last.endswith((":", ":latest"))):
                yield f"{name_of(owner)}: container {container['name']} has no version in its image {image!r}"


RULES = [restricted, hardened]
