"""What the dashboard asks: a row for each question that an operator has at three in the morning.

Gives helm/hookbridge/files/dashboard.json by way of grafana.py. The metrics are those of docs/metrics.md.

Usage: panels.py            print the dashboard
       panels.py FILE       write it there, if it is another one
       panels.py --check F  fail if the file is another one, or something in it breaks a rule of this page
"""

import json
import re
import sys
from pathlib import Path

from grafana import BLUE, GREEN, ORANGE, RED, YELLOW, bands, dashboard, event, lines, number, steps, table, target, variable

# What is looked at: the variables. Other services' http_server_* and messaging_* are of other jobs.
ALL = 'namespace=~"$namespace",job=~"$job"'
OF_SOURCE = f'{ALL},hookbridge_source=~"$source"'
SCOPE = 'otel_scope_name="hookbridge"'
PROCESS = f"{ALL},{SCOPE}"
RATE = "[$__rate_interval]"
RANGE = "[$__range]"

REQUESTS = "http_server_request_duration_seconds_count"
REFUSED = "hookbridge_rejections_total"
SENT = "messaging_client_sent_messages_total"
ACK = "messaging_client_operation_duration_seconds"
NOT_GENUINE = 'error_type=~"signature_.+|timestamp_outside_tolerance|header_repeated"'
ACCEPTED = 'http_response_status_code=~"2.."'
OUR_FAULT = 'http_response_status_code=~"5.."'
FAIR = 'http_response_status_code=~"2..|5.."'

# A line at 0 for every source that is configured, so that what is well is not "No data".
ZERO = f"0 * max by (hookbridge_source) (hookbridge_source_info{{{OF_SOURCE}}})"


def total(function, metric, labels, over, by=""):
    return f"sum{by} ({function}({metric}{{{labels}}}{over}))"


def per_second(metric, labels, by=""):
    return total("rate", metric, labels, RATE, by)


def or_none(label, name="none"):
    """A line at 0 where there is no other: what is well is not "No data"."""
    return f'or on() label_replace(vector(0), "{label}", "{name}", "", "")'


def within(metric, labels, by=""):
    return total("increase", metric, labels, RANGE, by)


def quantile(share, metric, labels, by=""):
    inner = f"le{', ' + by if by else ''}"
    return f"histogram_quantile({share}, sum by ({inner}) (rate({metric}_bucket{{{labels}}}{RATE})))"


BY_SOURCE = " by (hookbridge_source)"
BY_REPLICA = " by (instance, pod)"
# Of replicas that are gone, too, as HookbridgeSourceSilent looks back: a new one has accepted nothing yet.
LAST_ACCEPTED = (
    f"max by (hookbridge_source) (max_over_time(hookbridge_source_last_accepted_timestamp_seconds{{{OF_SOURCE}}}[8d]))"
)
REPLICA = "{{pod}} {{instance}}"


def fine():
    share_of_range = f"""
        1 - ({within(REQUESTS, f'{OF_SOURCE},{OUR_FAULT}')} or vector(0))
        / ({within(REQUESTS, f'{OF_SOURCE},{FAIR}')} > 0) or vector(1)"""
    share_refused = f"""
        {total('rate', REFUSED, f'{OF_SOURCE},{NOT_GENUINE}', '[5m]')}
        / ({total('rate', REQUESTS, OF_SOURCE, '[5m]')} > 0) or vector(0)"""
    silent = f"""
        count(time() - {LAST_ACCEPTED}
        > max by (hookbridge_source) (hookbridge_source_expected_every_seconds{{{OF_SOURCE}}})) or vector(0)"""
    of_ours = f'{ALL},alertname=~"Hookbridge.+"'
    return [
        number("Alerts", "hookbridge's alerts that are firing. docs/runbook.md has a section for each.",
               f'count(ALERTS{{{of_ours},alertstate="firing"}}) or vector(0)',
               "short", steps(GREEN, (1, RED)), graph=False),
        number("Replicas ready", "Replicas whose /readyz says 200: Kafka answers, and they take events.",
               f"sum(hookbridge_ready{{{ALL}}}) or vector(0)", "short", steps(RED, (1, GREEN)), graph=False),
        number("Accepted", "Requests answered 2xx, each after Kafka's acknowledgement.",
               f"{per_second(REQUESTS, f'{OF_SOURCE},{ACCEPTED}')} or vector(0)", "reqps", steps(BLUE)),
        number("Service level",
               "2xx among 2xx and 5xx in the time shown: how much of what could be genuine was accepted. 99.9 % is the objective of HookbridgeEventsRefused.",
               share_of_range, "percentunit", steps(RED, (0.99, YELLOW), (0.999, GREEN)), decimals=2, graph=False),
        number("Bad signatures",
               "Refused for their signature, among all requests of the last 5 minutes. Anybody can send such; from half on a provider "
               "is failing.",
               share_refused, "percentunit", steps(GREEN, (0.05, YELLOW), (0.5, RED)), decimals=1),
        number("Kafka (p99)", "How long one record of a hundred waits: from enqueueing a record to its delivery report. Providers wait 3 to 15 s.",
               f"{quantile(0.99, ACK, f'{ALL},{SCOPE}')} > 0", "s", steps(GREEN, (0.25, YELLOW), (1, RED)), empty="none"),
        number("Silent sources", "Sources of which nothing was accepted for longer than their `expected_every`.",
               silent, "short", steps(GREEN, (1, RED)), graph=False),
        number("Dead letters", "Genuine events in the time shown that could not be read, and wait in the dead-letter topic.",
               f"{within('hookbridge_dead_letters_total', OF_SOURCE)} or vector(0)", "short", steps(GREEN, (1, YELLOW)),
               decimals=0, graph=False),
        table("What is firing", "hookbridge's alerts, and for how long what they tell has been so.",
              [("severity", "severity"), ("alertname", "alert"), ("hookbridge_source", "source"), ("error_type", "reason")],
              [("for", f"""
                  time() - min by (severity, alertname, hookbridge_source, error_type) (
                    ALERTS_FOR_STATE{{{of_ours}}} and ignoring(alertstate) ALERTS{{{of_ours},alertstate="firing"}})
                  {or_none('alertname')}""", "s", None)], width=10, sort=[("severity", False), ("for", False)]),
        lines("Answers", "All requests by status. 401: signature. 503: not confirmed by Kafka, or no room; the provider tries again.",
              [target(per_second(REQUESTS, OF_SOURCE, " by (http_response_status_code)"), "{{http_response_status_code}}")],
              "reqps", width=7, stacked=True),
        lines("Time to answer", "Of accepted requests, from head to answer: nearly all of it is Kafka's.",
              [target(quantile(share, "http_server_request_duration_seconds", f"{OF_SOURCE},{ACCEPTED}"), f"p{round(share * 100)}")
               for share in (0.5, 0.9, 0.99)], "s", width=7, log=True),
    ]


def failing():
    def of_reason(reason):
        return f"{within(REFUSED, f'{OF_SOURCE},error_type=~{chr(34)}{reason}{chr(34)}', BY_SOURCE)} or {ZERO}"

    some = steps(GREEN, (1, ORANGE))
    share = f"""
        ({per_second(REFUSED, f'{OF_SOURCE},{NOT_GENUINE}', BY_SOURCE)} or {ZERO})
        / ({per_second(REQUESTS, OF_SOURCE, BY_SOURCE)} > 0) or {ZERO}"""
    return [
        bands("Refused for their signature, by source",
              "Since when is a provider failing? The share of its requests that are refused for their signature: "
              "yellow from 5 %, red from half on (HookbridgeProviderRefused).",
              [target(share, "{{hookbridge_source}}")], "percentunit", steps(GREEN, (0.05, YELLOW), (0.5, RED)), width=12),
        table("Sources, in the time shown",
              "Why is it failing? Wrong key: no configured key gives the signature. Encoding: it is in another form. Clock: the "
              "signed time is too far from ours.",
              [("hookbridge_source", "source")],
              [("accepted", f"{within(REQUESTS, f'{OF_SOURCE},{ACCEPTED}', BY_SOURCE)} or {ZERO}", "short", None),
               ("wrong key", of_reason("signature_mismatch"), "short", some),
               ("encoding", of_reason("signature_malformed"), "short", some),
               ("no signature", of_reason("signature_missing|header_repeated"), "short", some),
               ("clock", of_reason("timestamp_outside_tolerance"), "short", some),
               ("5xx", f"{within(REQUESTS, f'{OF_SOURCE},{OUR_FAULT}', BY_SOURCE)} or {ZERO}", "short", some)],
              width=12, height=6, sort=[("accepted", True)]),
        lines("Refused for their signature, by reason", "The log has each with its reason; `hookbridge explain` names the likely cause.",
              [target(f"{per_second(REFUSED, f'{OF_SOURCE},{NOT_GENUINE}', ' by (hookbridge_source, error_type)')} > 0 {or_none('error_type')}",
                      "{{hookbridge_source}} {{error_type}}")], "reqps"),
        lines("Refused although they could be genuine (503, 500)",
              "Each is sent again by its provider. kafka_unreachable, delivery_timed_out, queue_full: Kafka. overloaded: our limits. "
              "topic_unavailable: a topic. registry_unavailable: schemas.",
              [target(f"{per_second(REQUESTS, f'{OF_SOURCE},{OUR_FAULT}', ' by (error_type)')} {or_none('error_type')}", "{{error_type}}")],
              "reqps", stacked=True),
        lines("Refused for another reason",
              "404: a wrong URL at the provider, or somebody who looks around. 413: max_body_bytes. 400: unmapped, or a broken body.",
              [target(f"{per_second(REQUESTS, f'{ALL},hookbridge_source!={chr(34)}{chr(34)},http_response_status_code=~{chr(34)}4..{chr(34)},http_response_status_code!={chr(34)}401{chr(34)}', ' by (hookbridge_source, error_type)')} {or_none('error_type')}",
                      "{{hookbridge_source}} {{error_type}}")], "reqps"),
    ]


def silent():
    last = LAST_ACCEPTED
    expected = f"max by (hookbridge_source) (hookbridge_source_expected_every_seconds{{{OF_SOURCE}}})"
    return [
        table("How long has each source been silent?",
              "Silence: since the last accepted event, by any replica of the last 8 days. Its longest: the source's `expected_every`, where "
              "it is configured (HookbridgeSourceSilent).",
              [("hookbridge_source", "source")],
              [("silent for", f"time() - {last}", "s", None), ("at most", expected, "s", None),
               ("used of it", f"(time() - {last}) / {expected}", "percentunit", steps(GREEN, (0.8, YELLOW), (1, RED)))],
              width=8, sort=[("silent for", True)]),
        lines("Accepted, by source", "Each source at its own pace; the scale is logarithmic.",
              [target(f"{per_second(REQUESTS, f'{OF_SOURCE},{ACCEPTED}', BY_SOURCE)} > 0", "{{hookbridge_source}}")],
              "reqps", width=16, log=True),
    ]


def keys():
    of_key = " by (hookbridge_source, hookbridge_key)"
    verified = "hookbridge_verified_total"
    return [
        lines("Requests by the key that signed them",
              "Is the old key still used? Keys have the names that the configuration gives them, else their place in its list.",
              [target(per_second(verified, OF_SOURCE, of_key), "{{hookbridge_source}}: {{hookbridge_key}}")], "reqps"),
        table("Keys", "Used: requests of the last day that it verified. Ends: its not_after, where there is one.",
              [("hookbridge_source", "source"), ("hookbridge_key", "key")],
              [("used in a day", total("increase", verified, OF_SOURCE, "[1d]", of_key), "short", None),
               ("ends in", f"min{of_key} (hookbridge_key_not_after_timestamp_seconds{{{OF_SOURCE}}}) - time()", "s",
                steps(RED, (86400, YELLOW), (604800, GREEN)))], width=8, sort=[("used in a day", True)]),
        lines("Age of signatures (p90)",
              "Distance between the signed time and the receipt. Ahead: our clock is behind, or the provider's ahead. "
              "Behind: slow deliveries, retries with their first time, or a clock.",
              [target(quantile(0.9, "hookbridge_signature_age_seconds", OF_SOURCE, "hookbridge_source, hookbridge_clock"),
                      "{{hookbridge_source}} {{hookbridge_clock}}")], "s"),
    ]


def kafka():
    broker = " by (hookbridge_broker)"
    troubles = [("retried", "hookbridge_kafka_requests_retried_total"), ("failed", "hookbridge_kafka_requests_failed_total"),
                ("timed out", "hookbridge_kafka_requests_timed_out_total"),
                ("connections lost", "hookbridge_kafka_connections_lost_total")]
    return [
        lines("How late is Kafka?", "From enqueueing a record to its delivery report (HookbridgeKafkaSlow: p99 above 1 s).",
              [target(quantile(share, ACK, f"{ALL},{SCOPE}"), f"p{round(share * 100)}") for share in (0.5, 0.9, 0.99)], "s",
              thresholds=steps(GREEN, (1, RED)), log=True),
        lines("Round trip to brokers (p99)", "A produce request and its answer, as librdkafka measures it, of the slowest replica.",
              [target(f'max by (hookbridge_broker) (hookbridge_kafka_broker_round_trip_seconds{{{ALL},hookbridge_statistic="p99"}})',
                      "{{hookbridge_broker}}")], "s"),
        lines("Trouble with brokers", "What librdkafka heals by itself. Much of it makes records late.",
              [target(f"{per_second(metric, ALL)} or vector(0)", name) for name, metric in troubles], "ops"),
        lines("Acknowledged, by topic", "Records that Kafka has on all replicas that it needs.",
              [target(f'topk(12, {per_second(SENT, f"{ALL},{SCOPE},error_type={chr(34)}{chr(34)}", " by (messaging_destination_name)")})',
                      "{{messaging_destination_name}}")], "cps", stacked=True),
        lines("Not acknowledged, by topic and reason", "Records that Kafka did not take. Their requests were answered 503, or 500.",
              [target(f'{per_second(SENT, f"{ALL},{SCOPE},error_type!={chr(34)}{chr(34)}", " by (messaging_destination_name, error_type)")} {or_none("error_type")}',
                      "{{messaging_destination_name}} {{error_type}}")], "cps", stacked=True),
        lines("Late deliveries", "Records whose end came after their request was answered 503: acknowledged ones come a second time.",
              [target(f"{per_second('hookbridge_deliveries_late_total', ALL, ' by (hookbridge_outcome)')} {or_none('hookbridge_outcome')}",
                      "{{hookbridge_outcome}}")], "cps"),
        bands("Brokers", "Replicas that have a connection to the broker. None is no fault by itself: librdkafka connects where it has "
              "something to send.",
              [target(f"sum{broker} (hookbridge_kafka_broker_connected{{{ALL}}})", "{{hookbridge_broker}}")],
              "short", steps(YELLOW, (1, GREEN)), width=8, height=5),
        lines("Throttled by brokers", "The longest time that a broker holds back its answers for a quota.",
              [target(f"max{broker} (hookbridge_kafka_broker_throttle_seconds{{{ALL}}})", "{{hookbridge_broker}}")], "s", height=5),
        number("Producers", "New ones in the time shown: one died, lost every broker from its sight, or had new certificates.",
               f"sum(changes(hookbridge_producer_generation{{{ALL}}}{RANGE})) or vector(0)", "short", steps(GREEN, (3, YELLOW)),
               width=2, height=5, graph=False),
        number("Standby", "Replicas that write to the second cluster (HookbridgeOnStandby).",
               f'sum(hookbridge_kafka_active_cluster{{{ALL},hookbridge_cluster="standby"}}) or vector(0)', "short",
               steps(GREEN, (1, ORANGE)), width=2, height=5, graph=False),
        number("Faults", "Of topics, rights, certificates and schemas: what is not there that the configuration needs. `hookbridge check --live` names it.",
               f'max(hookbridge_preflight_faults{{{ALL},hookbridge_severity="error"}}) or vector(0)', "short", steps(GREEN, (1, RED)),
               width=2, height=5, graph=False),
        number("Registry", "Failed in the time shown: questions to the schema registry without a usable schema.",
               f'{within("hookbridge_registry_requests_total", f"{ALL},hookbridge_outcome={chr(34)}failed{chr(34)}")} or vector(0)', "short",
               steps(GREEN, (1, YELLOW)), width=2, height=5, decimals=0, graph=False),
    ]


def twice_or_never():
    repeated = f"""
        {per_second('hookbridge_deliveries_repeated_total', OF_SOURCE, BY_SOURCE)}
        / ({per_second(REQUESTS, f'{OF_SOURCE},{ACCEPTED}', BY_SOURCE)} > 0) or {ZERO}"""
    return [
        lines("Duplicates", "Records that had been acknowledged before, by key, among what is accepted. A lower bound: each replica "
              "remembers its own last ones. Consumers dedupe by key.",
              [target(repeated, "{{hookbridge_source}}")], "percentunit", thresholds=steps(GREEN, (0.1, ORANGE))),
        lines("Dead letters, by reason", "Genuine, acknowledged, and not readable: `hookbridge dead-letters list`, then `replay`.",
              [target(f"{per_second('hookbridge_dead_letters_total', OF_SOURCE, ' by (hookbridge_source, error_type)')} > 0 {or_none('error_type')}",
                      "{{hookbridge_source}} {{error_type}}")], "cps"),
        lines("Kept apart, or dropped", "Quarantined and not kept: refused requests of sources with a quarantine. Report-only: not "
              "genuine and accepted. Dropped: types that the configuration drops.",
              [target(f"{per_second(metric, OF_SOURCE)} or vector(0)", name) for name, metric in
               [("quarantined", "hookbridge_quarantined_total"), ("not kept", "hookbridge_quarantine_skipped_total"),
                ("report-only", "hookbridge_unverified_total"), ("dropped", "hookbridge_events_dropped_total")]], "cps"),
    ]


def shedding():
    used = [("requests", "hookbridge_in_flight_requests", "hookbridge_in_flight_requests_limit"),
            ("octets of bodies", "hookbridge_in_flight_body_bytes", "hookbridge_in_flight_body_limit_bytes"),
            ("connections", "hookbridge_connections", "hookbridge_connections_limit"),
            ("producer's queue, records", "hookbridge_kafka_queue_messages", "hookbridge_kafka_queue_messages_limit"),
            ("producer's queue, octets", "hookbridge_kafka_queue_size_bytes", "hookbridge_kafka_queue_limit_bytes")]
    return [
        lines("Used of the limits", "Of the replica that is nearest to each. Past a limit it answers 503 (HookbridgeNearLimit: 80 %).",
              [target(f"max({now}{{{ALL}}} / {limit}{{{ALL}}})", name) for name, now, limit in used], "percentunit",
              thresholds=steps(GREEN, (0.8, RED)), top=1),
        lines("Shed", "Requests that were refused since there was no room, or the replica was ending.",
              [target(f'{per_second(REFUSED, f"{ALL},error_type={chr(34)}{reason}{chr(34)}")} or vector(0)', reason)
               for reason in ("overloaded", "queue_full", "draining")] +
              [target(f"{per_second('hookbridge_connections_refused_total', ALL)} or vector(0)", "connections refused")], "reqps"),
        lines("Under way", "Requests up to Kafka's last report, and open connections, of all replicas.",
              [target(f"sum(hookbridge_in_flight_requests{{{ALL}}})", "requests"),
               target(f"sum(hookbridge_connections{{{ALL}}})", "connections")], "short"),
    ]


def cost():
    size = "http_server_request_body_size_bytes"
    return [
        lines("CPU for 1000 requests", "Seconds of a core for a thousand answers of any kind, of all sources together, in 5 minutes. With "
              "little traffic it is the idle process that is seen.",
              [target(f"""1000 * {total('rate', 'process_cpu_time_seconds_total', PROCESS, '[5m]')}
                  / ({total('rate', REQUESTS, f'{ALL},hookbridge_source!={chr(34)}{chr(34)}', '[5m]')} > 0)""", "CPU")], "s"),
        lines("Octets of an event", "The mean of the bodies. What Kafka stores is this with some 0.5 KiB of headers, times its replicas.",
              [target(f"{per_second(f'{size}_sum', OF_SOURCE, BY_SOURCE)} / ({per_second(f'{size}_count', OF_SOURCE, BY_SOURCE)} > 0)",
                      "{{hookbridge_source}}")], "bytes"),
        lines("Octets in a second", "Of all bodies that were read, by source.",
              [target(per_second(f"{size}_sum", OF_SOURCE, BY_SOURCE), "{{hookbridge_source}}")], "Bps", stacked=True),
    ]


def process():
    lost = f"""
        {per_second('hookbridge_logs_lost_total', ALL)} or vector(0)"""
    return [
        lines("CPU", "Cores in use, by replica.",
              [target(per_second("process_cpu_time_seconds_total", PROCESS, BY_REPLICA), REPLICA)], "short", width=6),
        lines("Memory", "Resident, by replica (HookbridgeMemoryNearLimit: 90 % of the pod's limit).",
              [target(f"sum{BY_REPLICA} (process_memory_usage_bytes{{{PROCESS}}})", REPLICA)], "bytes", width=6),
        lines("Descriptors and threads", "Open descriptors (a connection is one), and threads, by replica.",
              [target(f"sum{BY_REPLICA} (process_unix_file_descriptor_count{{{PROCESS}}})", f"descriptors {REPLICA}"),
               target(f"sum{BY_REPLICA} (process_thread_count{{{PROCESS}}})", f"threads {REPLICA}")], "short", width=6),
        lines("Lost telemetry", "Lines of the log, and what should have been exported, that nobody took fast enough. No event is lost "
              "by that.",
              [target(lost, "lines of the log"),
               target(f"{per_second('hookbridge_telemetry_lost_total', ALL, ' by (hookbridge_signal)')} {or_none('hookbridge_signal', 'exports')}",
                      "{{hookbridge_signal}}")],
              "cps", width=6),
        table("Replicas", "Version, time since the start, and since the configuration was read. Failed: its files are wrong, and an "
              "older one runs (HookbridgeConfigReloadFailed).",
              [("instance", "replica"), ("pod", "pod")],
              [("up for", f"max{BY_REPLICA} (process_uptime_seconds{{{PROCESS}}})", "s", None),
               ("configured for", f"time() - max{BY_REPLICA} (hookbridge_config_last_load_timestamp_seconds{{{ALL}}})", "s", None),
               ("failed", f"max{BY_REPLICA} (hookbridge_config_reload_failed{{{ALL}}})", "short", steps(GREEN, (1, RED))),
               ("producers", f"max{BY_REPLICA} (hookbridge_producer_generation{{{ALL}}})", "short", None)], width=16, height=4),
        table("Versions", "More than one during a rolling update, and not after it.",
              [("version", "version")], [("replicas", f"count by (version) (hookbridge_build_info{{{ALL}}})", "short", None)],
              width=8, height=4),
    ]


def build():
    return dashboard(
        "hookbridge", "hookbridge",
        "Webhooks into Kafka: is it fine, which provider fails since when and why, and what does it cost. docs/runbook.md has a "
        "section for each alert.",
        [variable("namespace", "Namespace", "label_values(hookbridge_ready, namespace)", ".*", "Kubernetes namespaces"),
         variable("job", "Job", 'label_values(hookbridge_ready{namespace=~"$namespace"}, job)', None, "Releases of hookbridge"),
         variable("source", "Source", f"label_values(hookbridge_source_info{{{ALL}}}, hookbridge_source)", None,
                  "Sources, by their names in the configuration")],
        [event("Configuration read", f"changes(hookbridge_config_last_load_timestamp_seconds{{{ALL}}}[2m]) > 0",
               "configuration read", BLUE),
         event("Pages", f'max by (alertname) (ALERTS{{alertname=~"Hookbridge.+",alertstate="firing",severity="page",{ALL}}})',
               "{{alertname}}", RED)],
        [("Is it fine?", fine()),
         ("Is a provider failing? Since when, and why?", failing()),
         ("Is a source silent that should not be?", silent()),
         ("Is the old key still used?", keys()),
         ("How late is Kafka, and does it take everything?", kafka()),
         ("What comes twice, and what is kept apart?", twice_or_never()),
         ("Are we shedding?", shedding()),
         ("What does an event cost?", cost()),
         ("The process", process())])


def text():
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def faults(found):
    """What breaks a rule: every panel has title, description, unit and thresholds, all of their own, and room."""
    told, titles, places = [], set(), set()
    variables = {one["name"] for one in found["templating"]["list"]}
    for one in found["panels"]:
        title = one["title"]
        if title in titles:
            told.append(f"two panels are called '{title}'")
        titles.add(title)
        place = one["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        if cells & places or place["x"] + place["w"] > 24:
            told.append(f"'{title}' has no room")
        places |= cells
        if one["type"] == "row":
            continue
        if len(one.get("description", "")) < 20:
            told.append(f"'{title}' has no description")
        defaults = one["fieldConfig"]["defaults"]
        if not defaults.get("unit") or not defaults.get("thresholds"):
            told.append(f"'{title}' has no unit, or no thresholds")
        for query in one["targets"]:
            for name in re.findall(r"\$\{?(\w+)", query["expr"]):
                if name not in variables and not name.startswith("__"):
                    told.append(f"'{title}' uses ${name}, which is no variable")
    return told


def main(arguments):
    broken = faults(build())
    if broken:
        sys.exit("panels.py: " + "\n  ".join(["the dashboard breaks its rules:", *broken]))
    if not arguments:
        sys.stdout.write(text())
        return
    check = arguments[0] == "--check"
    path = Path(arguments[-1])
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if there == text():
        return
    if check:
        sys.exit(f"panels.py: {path} is not what this page says; run `scripts/dashboard write`")
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
