"""Providers that send events, each signed by its own rules: what a wrong key, a slow clock or a retry looks like from outside.

Takes a source's name, what is wrong with it, and where replicas listen. Gives HTTP requests. Shares nothing with src/.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

KEYS = {name: base64.b64encode(name.encode() * 8).decode() for name in
        ("BILLING", "SHOP", "REPOS", "EVENTS_2025", "EVENTS_2026", "PAYROLL", "CRM", "WRONG")}
SECRETS = {name: f"whsec_{key}" for name, key in KEYS.items()}
ATTEMPTS = 4
# How many requests may wait for an answer; more are made by an outage than by all sources.
WORKERS = 160

_numbers = itertools.count(1)


def _mac(key, content):
    return hmac.new(key, content, hashlib.sha256)


class Trouble:
    """What is wrong with a request. Each is a share of 0 to 1."""

    def __init__(self, wrong_key=0.0, slow_clock=0.0, other_encoding=0.0, no_type=0.0, again=0.0, new_key=0.0, huge=0.0):
        self.wrong_key, self.slow_clock, self.other_encoding = wrong_key, slow_clock, other_encoding
        self.no_type, self.again, self.new_key, self.huge = no_type, again, new_key, huge


def _body(kind, trouble, number):
    event = {"id": f"evt_{number}", "type": kind, "created": int(time.time()),
             "data": {"object": {"id": f"obj_{number % 5000}", "amount": random.randrange(100, 90000), "currency": "EUR",
                                 "lines": ["seat"] * random.randrange(1, 120)}}}
    if random.random() < trouble.no_type:
        del event["type"]
    if random.random() < trouble.huge:
        event["padding"] = "x" * 1_100_000
    return json.dumps(event).encode()


def stripe(trouble, number):
    body = _body(random.choice(["invoice.paid", "invoice.created", "charge.refunded"]), trouble, number)
    key = SECRETS["WRONG" if random.random() < trouble.wrong_key else "BILLING"].encode()
    at = int(time.time())
    signature = _mac(key, f"{at}.".encode() + body).hexdigest()
    return body, {"Stripe-Signature": f"t={at},v1={signature}"}


def shopify(trouble, number):
    body = _body("orders/create", trouble, number)
    signature = base64.b64encode(_mac(SECRETS["SHOP"].encode(), body).digest()).decode()
    return body, {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Topic": random.choice(["orders/create", "orders/paid"]),
                  "X-Shopify-Event-Id": f"ev-{number}"}


def github(trouble, number):
    body = _body("push", trouble, number)
    mac = _mac(SECRETS["REPOS"].encode(), body)
    other = random.random() < trouble.other_encoding
    signature = base64.b64encode(mac.digest()).decode() if other else f"sha256={mac.hexdigest()}"
    return body, {"X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "X-GitHub-Delivery": f"d-{number}"}


def _standard(prefix, secret):
    def sign(trouble, number):
        body = _body(random.choice(["attendee.joined", "attendee.left", "session.started"]), trouble, number)
        name = secret(trouble)
        at = int(time.time()) - random.choice([0, 0, 0, 1, 2, 4])
        if random.random() < trouble.slow_clock:
            at -= 660
        identity = f"msg_{number}"
        key = base64.b64decode(KEYS[name])
        signature = base64.b64encode(_mac(key, f"{identity}.{at}.".encode() + body).digest()).decode()
        return body, {f"{prefix}-id": identity, f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1,{signature}"}
    return sign


SIGNERS = {
    "billing": stripe,
    "shop": shopify,
    "repos": github,
    "events": _standard("svix", lambda trouble: "EVENTS_2026" if random.random() < trouble.new_key else "EVENTS_2025"),
    "payroll": _standard("webhook", lambda _: "PAYROLL"),
    "crm": _standard("webhook", lambda trouble: "WRONG" if random.random() < trouble.wrong_key else "CRM"),
}


class Senders:
    """Posts to one of the replicas, as a load balancer would, and again after 503, as providers do."""

    def __init__(self, ports):
        self.ports = ports
        self.pool = ThreadPoolExecutor(WORKERS)
        self.of_thread = threading.local()
        self.answers = {}
        self.counting = threading.Lock()

    def send(self, source, trouble):
        number = next(_numbers)
        body, headers = SIGNERS[source](trouble, number)
        self.pool.submit(self._deliver, f"/webhooks/{source}", body, headers)
        if random.random() < trouble.again:
            self.pool.submit(self._deliver, f"/webhooks/{source}", body, headers, after=2)

    def look_around(self):
        """What anybody sends who looks for a hole."""
        self.pool.submit(self._deliver, random.choice(["/wp-login.php", "/.env", "/webhooks/"]), b"{}", {})

    def _deliver(self, path, body, headers, after=0):
        time.sleep(after)
        for attempt in range(ATTEMPTS):
            status = self._post(path, body, headers)
            with self.counting:
                self.answers[status] = self.answers.get(status, 0) + 1
            if status not in (0, 503):
                return
            time.sleep(random.uniform(1, 3) * (attempt + 1))  # a provider's patience

    def _post(self, path, body, headers):
        port = random.choice(self.ports)
        connections = self.of_thread.__dict__.setdefault("connections", {})
        try:
            if port not in connections:
                connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connections[port].request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connections[port].getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            connections.pop(port).close()
            return 0

    def close(self):
        self.pool.shutdown(wait=False, cancel_futures=True)
