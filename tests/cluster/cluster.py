"""A Kubernetes of one node, in the network that this process has for itself.

Takes the kits of scripts/kube-kit and scripts/cluster-kit, and a directory to work in. Gives a control plane (etcd,
kube-apiserver, kube-controller-manager, kube-scheduler), a node (containerd, kubelet, kube-proxy) and names for Services.
What is tried on it is left to test_chart.py. scripts/cluster-test has made the network, mount and process namespaces, so
ports are free, and everything ends with it.
"""

import json
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

NODE = "10.77.0.1"
SERVICES = "10.96.0.0/16"
PODS = "10.88.0.0/16"
API = "https://127.0.0.1:6443"
TOKEN = "of-this-test-alone"


class Failed(Exception):
    """Something did not come about; the message says what, and shows the words of whoever should know."""


def wait(what, condition, seconds=120):
    """Waits until `condition` gives something true, and returns that. It may raise meanwhile."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
            last = found
        except (Failed, OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(0.2)
    raise Failed(f"waited {seconds} s for {what}; last: {last}")


class Names(threading.Thread):
    """A DNS server for names of Services: A records alone, for what `names` holds."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.names = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))

    def run(self):
        while True:
            query, sender = self.socket.recvfrom(512)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace").lower())
                at += 1 + query[at]
            question, kind = query[12 : at + 5], struct.unpack("!H", query[at + 1 : at + 3])[0]
            address = self.names.get(".".join(labels))
            answer = b""
            if address and kind == 1:
                answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(address)
            # An answer with authority; without an address it is "no such name".
            flags = 0x8580 if address else 0x8583
            head = query[:2] + struct.pack("!HHHHH", flags, 1, bool(answer), 0, 0)
            self.socket.sendto(head + question + answer, sender)


class Cluster:
    """The processes, and ways to talk to them."""

    def __init__(self, tools, programs, work):
        self.tools, self.programs, self.work = Path(tools), Path(programs), Path(work)
        self.processes = {}
        path = f"{self.programs}/bin:{self.tools}/bin:{os.environ['PATH']}"
        self.kubeconfig = self.work / "kubeconfig"
        self.environment = {
            "PATH": path, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.work), "TMPDIR": str(self.work),
        }  # fmt: skip

    def run(self, *arguments, give=None, fine=(0,)):
        """Runs a program to its end, and returns what it printed."""
        result = subprocess.run(
            [str(each) for each in arguments], input=give, env=self.environment, capture_output=True, text=True, timeout=300
        )
        if result.returncode not in fine:
            raise Failed(f"{' '.join(map(str, arguments))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout + (result.stderr if 0 not in fine else "")

    def kubectl(self, *arguments, **more):
        return self.run("kubectl", *arguments, **more)

    def get(self, *arguments):
        """Objects, as parsed JSON."""
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def start(self, name, *arguments):
        """Starts a program whose words go to a file."""
        with (self.work / f"{name}.log").open("w") as words:
            self.processes[name] = subprocess.Popen(
                [name, *map(str, arguments)], env=self.environment, stdout=words, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=self.work,
            )  # fmt: skip

    def words(self, name, lines=15):
        """The last words of a program."""
        return "\n".join((self.work / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def wait(self, what, condition, seconds=120, of=None):
        """As `wait`, but gives up at once when a program has ended, and shows the words of `of`."""

        def still():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise SystemExit(f"{name} has ended with {process.returncode}:\n{self.words(name)}")
            return condition()

        try:
            return wait(what, still, seconds)
        except Failed as error:
            raise Failed(f"{error}\n{self.words(of) if of else ''}") from error

    def start_control_plane(self):
        self.run("ip", "link", "set", "lo", "up")
        # A pair with nothing at its other end: it has a carrier, as an address needs.
        self.run("ip", "link", "add", "node0", "type", "veth", "peer", "name", "node1")
        self.run("ip", "link", "set", "node1", "up")
        self.run("ip", "address", "add", f"{NODE}/24", "dev", "node0")
        self.run("ip", "link", "set", "node0", "up")
        # Addresses of Services are nowhere; packets need a way to where they are rewritten.
        self.run("ip", "route", "add", "default", "via", NODE)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        key, tokens = self.work / "accounts.key", self.work / "tokens.csv"
        self.run("openssl", "genrsa", "-out", key, "2048")
        tokens.write_text(f"{TOKEN},admin,admin,system:masters\n")
        self.write_kubeconfig()
        self.start("etcd", "--data-dir", self.work / "etcd", "--unsafe-no-fsync", "--log-level", "warn")
        self.start(
            "kube-apiserver", "--etcd-servers", "http://127.0.0.1:2379", "--secure-port", "6443",
            "--advertise-address", NODE, "--cert-dir", self.work / "api", "--service-cluster-ip-range", SERVICES,
            "--token-auth-file", tokens, "--authorization-mode", "RBAC",
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key,
            "--service-account-signing-key-file", key, "--allow-privileged",
            "--kubelet-preferred-address-types", "InternalIP",
        )  # fmt: skip
        self.wait("the API server", lambda: "ok" in self.kubectl("get", "--raw", "/readyz"), of="kube-apiserver")
        self.start(
            "kube-controller-manager", "--kubeconfig", self.kubeconfig, "--leader-elect=false",
            "--service-account-private-key-file", key, "--root-ca-file", self.work / "api" / "apiserver.crt",
            "--allocate-node-cidrs", "--cluster-cidr", PODS, "--node-cidr-mask-size", "24", "--secure-port", "0",
        )  # fmt: skip
        self.start("kube-scheduler", "--kubeconfig", self.kubeconfig, "--leader-elect=false", "--secure-port", "0")

    def write_kubeconfig(self):
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "here",
                    "clusters": [{"name": "here", "cluster": {"server": API, "insecure-skip-tls-verify": True}}],
                    "users": [{"name": "admin", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
                }
            )  # fmt: skip
        )

    def start_node(self):
        """containerd, kubelet and kube-proxy. Needs root and cgroups."""
        self.write_container_runtime()
        self.start("containerd", "--config", self.work / "containerd.toml", "--log-level", "warn")
        self.wait("containerd", lambda: self.ctr("version"), of="containerd")
        self.write_kubelet()
        self.start(
            "kubelet", "--config", self.work / "kubelet.json", "--kubeconfig", self.kubeconfig, "--node-ip", NODE,
            "--hostname-override", "node", "--root-dir", self.work / "kubelet", "--cert-dir", self.work / "kubelet-pki",
        )  # fmt: skip
        self.start(
            "kube-proxy", "--kubeconfig", self.kubeconfig, "--hostname-override", "node", "--cluster-cidr", PODS,
            "--proxy-mode", "iptables", "--conntrack-max-per-core", "0",
        )  # fmt: skip
        self.wait("the node to be ready", self.node_is_ready, of="kubelet")
        self.names = Names(NODE)
        self.names.start()

    def node_is_ready(self):
        conditions = self.get("node", "node")["status"].get("conditions") or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def ctr(self, *arguments):
        return self.run("ctr", "--address", self.work / "containerd.sock", "--namespace", "k8s.io", *arguments)

    def write_container_runtime(self):
        network = self.work / "cni"
        network.mkdir()
        (network / "10-bridge.conflist").write_text(
            json.dumps(
                {
                    "cniVersion": "0.4.0", "name": "pods",
                    "plugins": [
                        {
                            "type": "bridge", "bridge": "pods0", "isGateway": True, "ipMasq": True, "hairpinMode": True,
                            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}]],
                                     "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(self.work / "ipam")},
                        },
                    ],
                }
            )  # fmt: skip
        )
        (self.work / "containerd.toml").write_text(
            f"""
version = 3
root = "{self.work}/containerd"
state = "{self.work}/containerd-state"
[grpc]
address = "{self.work}/containerd.sock"
[ttrpc]
address = "{self.work}/containerd.sock.ttrpc"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
# A container's root need not be allowed to lower what kills it first.
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{self.programs}/cni"]
conf_dir = "{network}"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{self.programs}/bin/runc"
SystemdCgroup = false
"""
        )

    def write_kubelet(self):
        # A node's own files are often on a disk that is nearly full: no eviction for that here.
        (self.work / "kubelet.json").write_text(
            json.dumps(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
                    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
                    "authorization": {"mode": "AlwaysAllow"}, "cgroupDriver": "cgroupfs", "failSwapOn": False,
                    "failCgroupV1": False, "clusterDNS": [NODE], "clusterDomain": "cluster.local",
                    "containerRuntimeEndpoint": f"unix://{self.work}/containerd.sock",
                    "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%",
                                     "nodefs.inodesFree": "0%"},
                    "imageGCHighThresholdPercent": 100, "registerNode": True, "localStorageCapacityIsolation": False,
                    "enforceNodeAllocatable": [], "cgroupRoot": "/", "makeIPTablesUtilChains": True,
                    "syncFrequency": "5s", "configMapAndSecretChangeDetectionStrategy": "Watch",
                }
            )  # fmt: skip
        )

    def publish_names(self, namespace):
        """Makes the Services of a namespace known by name."""
        for service in self.get("services", "--namespace", namespace)["items"]:
            name, address = service["metadata"]["name"], service["spec"].get("clusterIP")
            if address and address != "None":
                self.names.names[f"{name}.{namespace}.svc.cluster.local"] = address

    def stop(self):
        """Ends what was started. Nothing of it is kept, so nothing has to be put in order first."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
