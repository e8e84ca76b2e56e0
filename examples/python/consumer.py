"""Enriches EventsAir's thin events: reads hookbridge's topic, asks the GraphQL API for the registration, keeps it once.

Takes records whose value is EventsAir's webhook, which brings IDs alone. Gives a row of `registrations` for each
message, or one of `dead_ends` with the reason. Offsets are committed after the work, and a result is kept together
with its key: so a record that comes again, after a crash or because its sender repeated it, changes nothing.
"""

import argparse
import concurrent.futures as futures
import functools
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from eventsair import Api, Later, NoAnswer
from store import Store

BATCH_RECORDS = 100
# The first wait after a failure, and the longest. Each is a random part of it, so that instances do not move in step.
BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 30.0


@dataclass(frozen=True)
class Outcome:
    """What became of a message: the registration, or the reason why there is none."""

    source: str
    key: str
    type: str
    received_at: str
    place: tuple[str, int, int]
    ids: tuple[str, str] = ("", "")
    registration: dict | None = None
    reason: str = ""


class Stopped(Exception):
    """The consumer is to end; what is under way comes again."""


def log(message: str, **fields: object) -> None:
    print(json.dumps({"message": message, **fields}), file=sys.stderr, flush=True)


def header(record: Message, name: str) -> str:
    for key, value in record.headers() or []:
        if key == name and value is not None:
            return value.decode("utf-8", "replace")
    return ""


def key_of(record: Message) -> str:
    return record.key().decode("utf-8", "replace")


def ids(value: bytes | None) -> tuple[str, str]:
    """Event and registration, as the webhook names them."""
    value = value or b""
    # In a topic with a JSON Schema, five octets stand before the JSON: 0 and the schema's ID.
    data = json.loads(value[5:] if value[:1] == b"\0" else value)["data"]
    found = data["eventId"], data["registrationId"]
    if not all(isinstance(one, str) and one for one in found):
        raise ValueError("an ID is no text")
    return found


def enrich(api: Api, attempts: int, stop: threading.Event, record: Message) -> Outcome:
    """Works off one record. Waits as long as the API is away: the records are safe in Kafka."""
    base = {
        "source": header(record, "hookbridge_source"),
        "key": key_of(record),
        "type": header(record, "ce_type"),
        "received_at": header(record, "hookbridge_received_at"),
        "place": (record.topic(), record.partition(), record.offset()),
    }
    if header(record, "hookbridge_verification") not in ("", "not_repeated"):  # the latter: replayed on trust
        return Outcome(**base, reason="hookbridge could not verify it, and has marked it so")
    try:
        found = ids(record.value())
    except (ValueError, KeyError, TypeError, RecursionError) as why:
        return Outcome(**base, reason=f"no eventId and registrationId in it: {type(why).__name__}")
    without_answer, failures = 0, 0
    while True:
        try:
            return Outcome(**base, ids=found, registration=api.registration(*found))
        except NoAnswer as why:
            without_answer += 1
            if without_answer >= attempts:
                return Outcome(**base, ids=found, reason=str(why))
            wait = 0.0
        except Later as why:
            wait = why.after
            if failures % 10 == 0:
                log("waiting for the API", key=base["key"], why=str(why))
        failures += 1
        longest = min(BACKOFF_SECONDS * 2 ** min(failures, 16), MAX_BACKOFF_SECONDS)
        if stop.wait(max(wait, random.uniform(0, longest))):
            raise Stopped


class Consuming:
    """The loop: a batch, its work, its results, its offsets."""

    def __init__(
        self,
        consumer: Consumer,
        enrich: Callable[[Message], Outcome],
        store: Store,
        workers: int,
        stop: threading.Event,
    ):
        self._consumer = consumer
        self._enrich = enrich
        self._store = store
        self._pool = futures.ThreadPoolExecutor(workers)
        self._stop = stop
        # Records that came while nothing was asked for.
        self._early: list[Message] = []

    def run(self, topics: list[str]) -> None:
        # A partition that was paused when it went would still be paused when it comes back.
        self._consumer.subscribe(topics, on_assign=lambda consumer, partitions: consumer.resume(partitions))
        try:
            while not self._stop.is_set():
                early, self._early = self._early, []
                batch = early + self._readable(self._consumer.consume(BATCH_RECORDS, timeout=0.5))
                if batch:
                    self._work_off(batch)
        except Stopped:
            pass
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _readable(self, polled: list[Message]) -> list[Message]:
        readable = []
        for record in polled:
            error = record.error()
            if error is None:
                readable.append(record)
            elif error.fatal():
                raise KafkaException(error)
            elif error.code() != KafkaError._PARTITION_EOF:
                # librdkafka repairs by itself what can be repaired.
                log("reading", why=error.str())
        return readable

    def _work_off(self, batch: list[Message]) -> None:
        # IDs are a sender's own, and two may share a topic: a message is the same by source and key.
        first: dict[tuple[str, str], Message] = {}
        for record in batch:
            # Without a key it is not hookbridge's.
            if record.key():
                first.setdefault((header(record, "hookbridge_source"), key_of(record)), record)
        unseen = self._store.unseen(list(first))
        work = [self._pool.submit(self._enrich, first[message]) for message in first if message in unseen]
        self._wait_for(work)
        # If partitions have moved meanwhile, somebody else may have done some of it: the store knows.
        kept = self._store.keep([one.result() for one in work])
        for outcome in kept:
            if outcome.registration is None:
                log("dead end", key=outcome.key, type=outcome.type, why=outcome.reason, place=outcome.place)
        self._commit(batch)

    def _wait_for(self, work: list[futures.Future]) -> None:
        """Kafka must hear of us every `max.poll.interval.ms`, however long the API is away: so it is polled, with
        nothing to read."""
        _, pending = futures.wait(work, timeout=1)
        if not pending:
            return
        while pending:
            # Each time, since partitions may have come.
            self._consumer.pause(self._consumer.assignment())
            early = self._consumer.poll(0)
            if early is not None:
                # Of a partition that came just now.
                self._early += self._readable([early])
            _, pending = futures.wait(pending, timeout=1)
        self._consumer.resume(self._consumer.assignment())

    def _commit(self, batch: list[Message]) -> None:
        # Records of a partition come in their order: the last one stands.
        last = {(record.topic(), record.partition()): record.offset() + 1 for record in batch}
        offsets = [TopicPartition(*place, offset) for place, offset in last.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # The batch comes again, and is known.
            log("committing", why=str(error))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Enriches EventsAir's events by its GraphQL API.")
    parser.add_argument("--bootstrap", default="localhost:9092", help="Kafka's addresses")
    parser.add_argument("--group", default="eventsair-enrichment", help="the consumer group")
    parser.add_argument("--instance", help="this instance's name in the group: it has its partitions back at once")
    parser.add_argument("--topics", required=True, help="the topics, separated by commas")
    parser.add_argument("--database", required=True, help="the SQLite file for the results")
    parser.add_argument("--remember-hours", type=float, default=7 * 24, help="how long keys are remembered (168)")
    parser.add_argument("--graphql", required=True, help="the URL of the GraphQL API")
    parser.add_argument("--token-url", default="", help="where access tokens are had; without it none is sent")
    parser.add_argument("--scope", default="", help="the scope to ask for")
    parser.add_argument(
        "--attempts", type=int, default=6, help="how often the API may have no answer, until it is believed (6)"
    )
    parser.add_argument("--workers", type=int, default=8, help="questions to the API at once (8)")
    parser.add_argument(
        "--property", action="append", default=[], metavar="NAME=VALUE", help="more of librdkafka's properties"
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    properties = dict(one.split("=", 1) for one in options.property)
    if options.instance:
        properties["group.instance.id"] = options.instance
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            # Offsets are committed by `_commit`, after the work, and by nothing else.
            "enable.auto.commit": False,
            # A new group begins with what is there, instead of leaving it out.
            "auto.offset.reset": "earliest",
            **properties,
        }
    )
    credentials = os.environ.get("EVENTSAIR_CLIENT_ID", ""), os.environ.get("EVENTSAIR_CLIENT_SECRET", "")
    api = Api(options.graphql, options.token_url, options.scope, *credentials)
    store = Store(options.database, options.remember_hours * 3600)
    began = time.monotonic()
    try:
        one = functools.partial(enrich, api, options.attempts, stop)
        Consuming(consumer, one, store, options.workers, stop).run(options.topics.split(","))
    finally:
        consumer.close()
        store.close()
    log("ended in order", seconds=round(time.monotonic() - began, 1))


if __name__ == "__main__":
    main()
