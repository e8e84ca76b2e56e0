"""A provider that never rests: signed events, as fast as it is told, from several senders at once.

Takes the URL's parts and the secret (Stripe's scheme). Gives how many events were acknowledged, and every one that was not.
"""

import hashlib
import hmac
import http.client
import json
import threading
import time


def signed(secret, number):
    """An event and its headers."""
    body = json.dumps({"id": f"evt_{number}", "object": "event", "type": "charge.succeeded"}).encode()
    now = str(int(time.time()))
    mac = hmac.new(secret.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={mac}"}


class Load:
    """`with Load(...) as load:` sends meanwhile. Every other sender keeps its connection; a single one does not."""

    def __init__(self, host, port, path, secret, senders=4, pause=0.05):
        self.host, self.port, self.path, self.secret, self.pause = host, port, path, secret, pause
        self.acknowledged, self.lost = 0, []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(each,), daemon=True) for each in range(senders)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def send(self, sender):
        keeps, connection, number = sender % 2 == 1, None, 0
        while not self.over.wait(self.pause):
            number += 1
            body, headers = signed(self.secret, f"{sender}_{time.time_ns()}")
            try:
                connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=20)
                connection.request("POST", self.path, body, headers)
                answer = connection.getresponse()
                words = answer.read()
                fault = None if answer.status in (200, 202, 204) else f"{answer.status} {words[:200]!r}"
                if answer.will_close or not keeps:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                fault, connection = repr(error), None
            with self.lock:
                if fault:
                    self.lost.append((round(time.time(), 1), "kept" if keeps else "new", fault))
                else:
                    self.acknowledged += 1
        if connection:
            connection.close()
