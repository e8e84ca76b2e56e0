//! The rules: what is accepted as written, and what every fault says.

use super::*;
use crate::batch::Split;
use crate::config::{Authentication, Source};
use crate::topic::Destination;

const SECRET: &str = "a secret of sufficient length";

fn env(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "EMPTY" => Some(String::new()),
        "BLANK" => Some("  \n".to_owned()),
        "SHORT" => Some("short".to_owned()),
        "PUBLIC" => Some("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        name if name.contains("WHSEC") => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        _ => Some(SECRET.to_owned()),
    }
}

fn read(text: &str) -> Result<Config, Invalid> {
    parse("hookbridge.yaml", text, &env)
}

const KAFKA: &str = "kafka: { bootstrap.servers: kafka:9092 }\n";

/// The faults of one source's configuration, which follows the name in line 3.
fn faults_of_source(source: &str) -> String {
    let indented: String = source.lines().map(|line| format!("    {line}\n")).collect();
    read(&format!("{KAFKA}sources:\n  s:\n{indented}")).unwrap_err().to_string()
}

fn source(source: &str) -> Arc<Source> {
    let indented: String = source.lines().map(|line| format!("    {line}\n")).collect();
    let config =
        read(&format!("{KAFKA}sources:\n  s:\n{indented}")).unwrap_or_else(|invalid| panic!("{invalid}"));
    Arc::clone(&config.sources[0])
}

#[test]
fn the_design_as_written_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let text = format!(
        r#"
server:
  listen: 0.0.0.0:8080
  # tls: {{ cert_file: /etc/hookbridge/tls/tls.crt, key_file: /etc/hookbridge/tls/tls.key }}
admin:
  listen: 0.0.0.0:9090            # /livez /readyz /metrics
kafka:                            # librdkafka's own property names; those that would break P2 are refused
  bootstrap.servers: kafka:9092
  sasl.password: {{ file: {secret} }}
dead_letter: webhooks.dead-letter
sources:
  allfly:                         # served at /webhooks/allfly unless `path` says otherwise
    provider: svix
    secrets:                      # any of them may match: rotation without a lost delivery
      - {{ env: ALLFLY_WHSEC }}
      - {{ file: {secret} }}
    topics:
      event_attendee.joined_event: attendee.joined
      "event_attendee.*": attendee.other
      "*": "webhooks.{{source}}.{{type}}"
  billing:
    provider:                     # a provider without a preset: the same schema as config/providers/*.yaml
      signature: {{ header: X-Webhook-Signature, algorithm: hmac-sha256, encoding: hex, prefix: "sha256=", content: "{{body}}" }}
      message_id: {{ json: /id }}
      event_type: {{ header: X-Webhook-Event }}
    secrets: [{{ env: BILLING_SECRET }}]
    topics: {{ "payment.refunded": {{ drop: true }}, "*": payments }}
"#,
        secret = secret.display()
    );
    let config = read(&text).unwrap_or_else(|invalid| panic!("{invalid}"));
    let [allfly, billing] = &config.sources[..] else { panic!("two sources") };
    assert_eq!((allfly.path.as_str(), billing.path.as_str()), ("/webhooks/allfly", "/webhooks/billing"));
    let topic = |source: &Source, event_type| match source.topics.destination(event_type) {
        Destination::Topic(topic, _) => topic.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(topic(allfly, "event_attendee.joined_event"), "attendee.joined");
    assert_eq!(topic(allfly, "event_attendee.left"), "attendee.other");
    assert_eq!(topic(allfly, "ticket"), "webhooks.allfly.ticket");
    assert_eq!(topic(billing, "payment.refunded"), "Drop");
    assert_eq!(allfly.respond_within, Duration::from_secs(14));
    assert_eq!(billing.respond_within, Duration::from_millis(4500));
    assert_eq!(config.kafka.get("sasl.password"), Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    // A password without a protocol that uses it, and a topic by an unsigned header.
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
}

#[test]
fn every_fault_is_reported_at_once_where_it_stands() {
    let text = "\
server: { listen: nowhere, shutdown_grace: 2s }
kafka:
  acks: 1
  enable.idempotence: false
  sasl.password: hunter2
sources:
  one:
    provider: svux
    secrets: [{ env: UNSET }]
  two:
    provider: generic-hex
    secrts: []
    topics: { a: b c }
  thr ee: { provider: svix }
";
    let shown = read(text).unwrap_err().to_string();
    for expected in [
        "hookbridge.yaml:1:11: error: server.listen: `nowhere` is no address and port",
        "hookbridge.yaml:2:1: error: kafka[\"bootstrap.servers\"]: `bootstrap.servers` is missing",
        "hookbridge.yaml:3:3: error: kafka.acks: `acks: 1` would break the promise that a 2xx is a receipt",
        "hookbridge.yaml:4:3: error: kafka[\"enable.idempotence\"]",
        "hookbridge.yaml:5:3: error: kafka[\"sasl.password\"]: a secret must not stand in the configuration",
        "hookbridge.yaml:8:5: error: sources.one.provider: there is no preset `svux`\n  hint: did you mean `svix`?",
        "hookbridge.yaml:9:15: error: sources.one.secrets[0]: the environment variable `UNSET` is not set",
        "hookbridge.yaml:10:3: error: sources.two.secrets: `secrets` is missing",
        "hookbridge.yaml:12:5: error: sources.two.secrts: unknown key `secrts`\n  hint: did you mean `secrets`?",
        "hookbridge.yaml:13:15: error: sources.two.topics.a: `b c` has ` `",
        "hookbridge.yaml:14:3: error: sources[\"thr ee\"]: a source's name has",
    ] {
        assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
    }
    assert!(shown.ends_with("errors in hookbridge.yaml"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_secret_that_is_none_refuses_to_start() {
    for (secret, expected) in [
        ("{ env: UNSET }", "`UNSET` is not set"),
        ("{ env: EMPTY }", "`EMPTY` is empty"),
        ("{ env: BLANK }", "`BLANK` is empty"),
        ("{ env: SHORT }", "has 5 octets; at least 16"),
        ("{ env: PUBLIC }", "public-key scheme"),
        ("{ file: /nowhere/at/all }", "/nowhere/at/all can't be opened"),
        ("{ file: / }", "can't be read"),
        ("{}", "a secret is a reference to one place"),
        ("{ env: A, file: B }", "a secret is a reference to one place"),
        ("whsec_inline", "expected a mapping, found text"),
    ] {
        let shown = faults_of_source(&format!("provider: generic-hex\nsecrets: [{secret}]"));
        assert!(shown.contains(expected), "{secret}: {shown}");
        assert!(!shown.contains("inline"), "{shown}");
    }
    let shown = faults_of_source("provider: svix\nsecrets: [{ env: NOT_BASE64 }]");
    assert!(shown.contains("the secret is not base64") && !shown.contains(SECRET), "{shown}");
    assert!(faults_of_source("provider: svix\nsecrets: []").contains("the list is empty"));
    assert!(faults_of_source("provider: svix").contains("`secrets` is missing"));
}

#[test]
fn a_faulty_secret_does_not_shift_the_others() {
    let shown = faults_of_source("provider: svix\nsecrets: [oops, { env: WHSEC }, { env: UNSET }]");
    assert!(shown.contains("secrets[0]: expected a mapping, found text"), "{shown}");
    assert!(shown.contains("secrets[2]: the environment variable `UNSET` is not set"), "{shown}");
}

#[test]
fn a_secret_has_a_name_and_a_window() {
    let source = source(
        "provider: svix\nsecrets:\n- { env: WHSEC, name: old, not_after: 2026-03-01T00:00:00Z }\n\
         - { env: WHSEC }\n- { env: WHSEC, not_before: 2026-03-01T01:00:00+01:00, not_after: '9999-01-01T00:00:00Z' }",
    );
    let Authentication::Signed { keys, .. } = &source.authentication else { panic!("signed") };
    let shown: Vec<_> = keys.iter().map(|key| format!("{}: {}", key.name, key.window)).collect();
    let last = "3: from 2026-03-01T00:00:00Z until 9999-01-01T00:00:00Z";
    assert_eq!(shown, ["old: until 2026-03-01T00:00:00Z", "2: always", last]);
}

#[test]
fn a_secret_with_a_wrong_name_or_window_is_refused() {
    for (secrets, expected) in [
        ("{ env: A, name: '' }", "secrets[0].name: a secret's name has 1 to 64"),
        ("{ env: A, name: 'a b' }", "secrets[0].name: a secret's name has 1 to 64"),
        (
            "{ env: A, name: x }, { env: B, name: x }",
            "secrets[1].name: secret number 1 of this source is called `x`",
        ),
        (
            "{ env: A, name: '2' }, { env: B }",
            "secrets[1].name: secret number 1 of this source is called `2`",
        ),
        ("{ env: A, not_before: tomorrow }", "secrets[0].not_before: `tomorrow` is no instant; write date"),
        ("{ env: A, not_after: 2026-03-01 }", "secrets[0].not_after: `2026-03-01` is no instant"),
        (
            "{ env: A, not_before: 2026-03-01T00:00:00Z, not_after: 2026-03-01T01:00:00+01:00 }",
            "secrets[0].not_after: must be later than `not_before`, 2026-03-01T00:00:00Z",
        ),
    ] {
        let shown = faults_of_source(&format!("provider: generic-hex\nsecrets: [{secrets}]"));
        assert!(shown.contains(expected), "{secrets}: {shown}");
        assert_eq!(shown.matches("error: ").count(), 1, "{secrets}: {shown}");
    }
    let shown = with_kafka_password("{ env: A, name: x }");
    assert!(shown.contains("unknown key `name`"), "only a source's secrets have names: {shown}");
}

fn with_kafka_password(reference: &str) -> String {
    let text = format!("kafka: {{ bootstrap.servers: a:1, sasl.password: {reference} }}\nsources: {{}}");
    read(&text).unwrap_err().to_string()
}

#[test]
fn a_window_that_is_over_and_a_source_without_a_valid_secret_are_warned_of() {
    let warnings = |secrets: &str| -> Vec<String> {
        let source = format!("s: {{ provider: generic-hex, secrets: [{secrets}] }}");
        let config = read(&format!("{KAFKA}sources: {{ {source} }}")).unwrap();
        config.warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect()
    };
    let (past, future) = (
        "{ env: A, not_after: 1999-01-01T00:00:00Z, name: old }",
        "{ env: A, not_before: 9999-01-01T00:00:00Z }",
    );
    assert_eq!(warnings("{ env: A }"), Vec::<String>::new());
    assert_eq!(warnings(&format!("{future}, {{ env: A }}")), Vec::<String>::new());
    let over = "sources.s.secrets[0]: the secret `old` is not tried any more: it was valid until 1999-01-01T00:00:00Z";
    assert_eq!(warnings(&format!("{past}, {{ env: A }}")), [over]);
    let none = "sources.s.secrets: no secret is valid now: every request is refused";
    assert_eq!(warnings(&format!("{past}, {future}")), [none, over]);
}

#[test]
fn accepting_unsigned_requests_must_be_said_and_is_warned_of() {
    assert!(matches!(
        source("provider: svix\ndanger_accept_unsigned: true").authentication,
        Authentication::DangerUnsigned
    ));
    assert!(source("danger_accept_unsigned: true").provider.message_id.is_empty());
    let text = format!(
        "{KAFKA}sources: {{ s: {{ provider: {{ message_id: {{ json: /id }} }}, danger_accept_unsigned: true }} }}"
    );
    let config = read(&text).unwrap();
    assert!(config.warnings[0].message.contains("without any signature"));
    let shown = faults_of_source("provider: svix\ndanger_accept_unsigned: true\nsecrets: [{ env: A }]");
    assert!(shown.contains("has no use for secrets"), "{shown}");
    let shown = faults_of_source("provider: svix\ndanger_accept_unsigned: false");
    assert!(shown.contains("`secrets` is missing"), "{shown}");
}

#[test]
fn deadlines_leave_room_for_each_other() {
    let with = |server: &str, kafka: &str, source: &str| {
        let text = format!(
            "server: {{ {server} }}\nkafka: {{ bootstrap.servers: a:1{kafka} }}\nsources: {{ s: {{ provider: generic-hex, secrets: [{{ env: A }}]{source} }} }}"
        );
        read(&text).map_err(|invalid| invalid.to_string())
    };
    assert!(with("", "", "").is_ok());
    for (server, kafka, source, expected) in [
        ("body_timeout: 5s", "", "", "4.5s must be longer than server.body_timeout"),
        ("shutdown_grace: 4s", "", "", "4.5s must be shorter than server.shutdown_grace, 4s"),
        ("", ", message.timeout.ms: 4000", "", "must be shorter than kafka's message.timeout.ms, 4s"),
        ("", "", ", respond_within: 0s", "must be more than nothing"),
        ("", "", ", respond_within: 30s", "must be shorter than server.shutdown_grace, 25s"),
        ("", "", ", tolerance: 1m", "signs no timestamp"),
        ("", "", ", max_body_bytes: 0", "must be from 1 to"),
        ("max_in_flight_bytes: 1KiB", "", "", "must be from 1 to 1024 bytes"),
        ("max_connections: 0", "", "", "must be more than nothing"),
        ("header_timeout: 0s", "", "", "must be more than nothing"),
    ] {
        let shown = with(server, kafka, source).unwrap_err();
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_custom_scheme_must_be_whole() {
    let with = |signature: &str, rest: &str| {
        faults_of_source(&format!(
            "provider:\n  signature: {{ {signature} }}\n{rest}\nsecrets: [{{ env: A }}]"
        ))
    };
    let shown = with("header: X-S", "");
    for key in ["algorithm", "encoding", "content"] {
        assert!(shown.contains(&format!("`{key}` is missing")), "{shown}");
    }
    const HEX: &str = "header: X-S, algorithm: hmac-sha256, encoding: hex";
    for (signature, rest, expected) in [
        ("header: X-S, algorithm: md5, encoding: hex, content: '{body}'", "", "unknown value `md5`"),
        (&format!("{HEX}, content: '{{id}}'"), "", "must have {body}: a signature"),
        (&format!("{HEX}, content: '{{id}}.{{body}}'"), "", "`message_id` is missing"),
        (&format!("{HEX}, content: '{{timestamp}}.{{body}}'"), "", "`header` is missing"),
        (&format!("{HEX}, content: '{{body}}'"), "  timestamp: { header: X-T }", "proves nothing"),
        (&format!("{HEX}, content: '{{body}}'"), "  message_id: { json: id }", "must begin with `/`"),
        (&format!("{HEX}, content: '{{body}}'"), "  message_id: { json: /id, header: X }", "say one place"),
        (&format!("{HEX}, content: '{{body}}'"), "  event_type: { header: Authorization }", "is never read"),
        (
            &format!("{HEX}, content: '{{body}}'"),
            "  event_type: { header: 'a b' }",
            "can't be a header's name",
        ),
        (&format!("{HEX}, content: '{{body}}'"), "  success: { status: 302 }", "302 is no success"),
        (&format!("{HEX}, content: '{{body}}'"), "  extends: stripe2", "no preset `stripe2`"),
        (&format!("{HEX}, content: '{{body}}', prefix: 'a b', separator: ' '"), "", "nor part of the prefix"),
    ] {
        let shown = with(signature, rest);
        assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
    }
}

#[test]
fn a_provider_can_build_on_a_preset() {
    let source = source(
        "provider: { extends: svix, event_type: { json: /kind } }\nsecrets: [{ env: WHSEC }]\ntolerance: 1m",
    );
    let Authentication::Signed { scheme, .. } = &source.authentication else { panic!("signed") };
    assert!(
        scheme.to_string().contains("{id}.{timestamp}.{body} in svix-signature or webhook-signature"),
        "{scheme}"
    );
    assert_eq!(scheme.timestamp.as_ref().map(|rule| rule.tolerance), Some(Duration::from_secs(60)));
    assert_eq!(source.provider.event_type[0].to_string(), "body /kind");
}

#[test]
fn two_sources_never_share_a_path_and_a_disabled_one_needs_no_secret() {
    let text = format!(
        "{KAFKA}sources:\n  a: {{ provider: generic-hex, secrets: [{{ env: A }}], path: /in }}\n  b: {{ provider: generic-hex, secrets: [{{ env: A }}], path: /in }}"
    );
    assert!(read(&text).unwrap_err().to_string().contains("the source `a` is served at `/in` too"));
    let text = text.replace("secrets: [{ env: A }], path: /in }\n", "enabled: false, path: /in }\n");
    assert_eq!(read(&text).unwrap().disabled, ["a"]);
    for path in ["in", "/a b", "/a?b", "/%2e", "", "/a#b"] {
        let shown =
            faults_of_source(&format!("provider: generic-hex\nsecrets: [{{ env: A }}]\npath: '{path}'"));
        assert!(shown.contains("can't be a path"), "{shown}");
    }
}

#[test]
fn without_sources_there_is_nothing_to_serve() {
    for text in [KAFKA, "", "kafka:\nsources:\n"] {
        assert!(read(text).unwrap_err().to_string().contains("`sources` is missing"), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_survived(text in "(server|kafka|sources|provider|secrets|[a-z:{}\\[\\],\\n -]){0,40}") {
        let _ = read(&text);
    }
}

#[test]
fn kafka_is_told_no_secret_and_nothing_twice() {
    let with = |kafka: &str| {
        let text = format!(
            "kafka:\n  bootstrap.servers: a:1\n  {kafka}\nsources: {{ s: {{ provider: generic-hex, secrets: [{{ env: A }}] }} }}"
        );
        read(&text).unwrap_err().to_string()
    };
    let shown = with("partitioner: { env: A }");
    assert!(shown.contains("can't be used for `partitioner`") && !shown.contains(SECRET), "{shown}");
    assert!(with("metadata.broker.list: b:1").contains("are one property, given twice"));
    assert!(with("message.timeout.ms: 60s").contains("is not a plain number"));
    let default = |kafka: &str, source: &str| {
        let text = format!(
            "kafka: {{ bootstrap.servers: x{kafka} }}\nsources: {{ s: {{ danger_accept_unsigned: true{source} }} }}"
        );
        parse("a.yaml", &text, &|_| None).map(|config| config.sources[0].max_body_bytes)
    };
    assert_eq!(default("", "").unwrap() + 65536, 1024 * 1024, "what a topic of Kafka's default takes");
    assert_eq!(default(", message.max.bytes: 100000", "").unwrap(), 100_000 - 65_536);
    assert_eq!(default(", message.max.bytes: 5000000", "").unwrap(), 5_000_000 - 65_536);
    for source in [", max_body_bytes: 100000", ", max_body_bytes: 80000, cloudevents: structured"] {
        let refused = default(", message.max.bytes: 100000", source).unwrap_err().to_string();
        assert!(refused.contains("must be less than kafka's message.max.bytes"), "{refused}");
    }
    assert!(with("sasl.oauthbearer.config: x").contains("must not stand in the configuration"));
}

#[test]
fn what_cannot_be_read_stands_apart() {
    let shown =
        faults_of_source("provider: generic-hex\nsecrets: [{ env: A }]\ntopics: { a: webhooks.dead-letter }");
    assert!(shown.contains("sources.s.topics.a: `webhooks.dead-letter` is the dead-letter topic"), "{shown}");
    let text =
        format!("{KAFKA}sources: {{ dead-letter: {{ provider: generic-hex, secrets: [{{ env: A }}] }} }}");
    assert!(read(&text).unwrap_err().to_string().contains("is the dead-letter topic"));
}

#[test]
fn a_secret_in_the_place_of_a_name_is_not_repeated() {
    let text = format!("{KAFKA}sources: {{ s: {{ provider: svix, secrets: [{{ env: whsec_c2VjcmV0 }}] }} }}");
    let shown = parse("hookbridge.yaml", &text, &|_| None).unwrap_err().to_string();
    assert!(shown.contains("not the secret itself") && !shown.contains("c2VjcmV0"), "{shown}");
}

#[test]
fn places_are_said_in_exactly_one_way() {
    let provider = |message_id: &str| {
        format!(
            "provider:\n  extends: generic-hex\n  message_id: {message_id}\nsecrets: [{{ env: SECRET }}]\nsplit: \"\""
        )
    };
    let accepted = |message_id: &str| {
        let source = source(&provider(message_id));
        assert_eq!(source.split, Some(Split::parse("").unwrap()));
        source.provider.message_id.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(accepted("{ query: id }"), ["query id"]);
    assert_eq!(accepted("[{ form: Sid }, { json: /id, of: body }]"), ["form Sid", "whole body /id"]);
    assert_eq!(
        accepted("{ join: [{ json: /a }, { header: X-B }, { query: c }], with: . }"),
        ["body /a `.` header x-b `.` query c"]
    );
    for (message_id, expected) in [
        ("{}", "message_id: say one place"),
        ("{ query: id, form: id }", "message_id: say one place"),
        ("{ json: /id, join: [{ json: /a }, { json: /b }], with: . }", "message_id: say one place"),
        ("{ query: '' }", "message_id.query: the name is empty"),
        ("{ header: X-Id, of: body }", "message_id.of: `of` goes with `json`"),
        ("{ json: /id, of: element }", "message_id.of: "),
        ("{ json: /id, with: . }", "message_id.with: `with` goes with `join`"),
        ("{ join: [{ json: /a }], with: . }", "message_id.join: 2 to 8 places can be joined"),
        ("{ join: [{ json: /a }, { json: /b }] }", "message_id.with: `with` is missing"),
        ("{ join: [{ json: /a }, { json: /b }], with: '' }", "message_id.with: `with` is missing"),
        ("{ join: [{ json: /a }, { json: b }], with: . }", "message_id.join[1].json: `b` is no JSON Pointer"),
        (
            "{ join: [{ json: /a }, { join: [{ json: /b }, { json: /c }], with: . }], with: . }",
            "message_id.join[1]: what is joined can't be joined again",
        ),
        ("{ header: Authorization }", "message_id.header: the header `authorization` is never read"),
    ] {
        let shown = faults_of_source(&provider(message_id));
        assert!(shown.contains(&format!("sources.s.provider.{expected}")), "{message_id}:\n{shown}");
    }
    let shown = faults_of_source("provider: generic-hex\nsecrets: [{ env: SECRET }]\nsplit: events");
    assert!(shown.contains("sources.s.split: `events` is no JSON Pointer"), "{shown}");
}

#[test]
fn a_warning_says_that_nobody_signed_the_query() {
    let text = "provider: { extends: generic-hex, message_id: { join: [{ json: /a }, { query: b }], with: . } }\n\
                secrets: [{ env: SECRET }]";
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    let config = read(&format!("{KAFKA}sources:\n  s:\n{indented}")).unwrap();
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert_eq!(
        warning.message,
        "the key comes from the message ID in body /a `.` query b, which the signature does not cover"
    );
}

#[test]
fn a_border_that_can_not_be_told_is_refused() {
    let shown = faults_of_source(
        "provider: { signature: { header: X-S, algorithm: hmac-sha256, encoding: hex, content: '{header:X-A}{json:/a}{body}' } }\n\
         secrets: [{ env: SECRET }]",
    );
    assert!(shown.contains("nothing stands between two values, `{header:x-a}{json:/a}`"), "{shown}");
}

#[test]
fn silence_is_expected_within_bounds() {
    let of = |every: &str| format!("provider: svix\nsecrets: [{{ env: WHSEC }}]\nexpected_every: {every}");
    for (every, seconds) in [("1m", 60), ("12h", 43_200), ("7d", 604_800)] {
        let expected = source(&of(every)).expected_every;
        assert_eq!(expected.map(|every| every.as_secs()), Some(seconds), "{every}");
    }
    for (every, said) in
        [("59s", "must be from 1m to 7d"), ("8d", "longer than a week"), ("1w", "is not a duration")]
    {
        let shown = faults_of_source(&of(every));
        assert!(shown.contains("sources.s.expected_every") && shown.contains(said), "{shown}");
    }
    assert_eq!(source("provider: svix\nsecrets: [{ env: WHSEC }]").expected_every, None);
}

#[test]
fn hints_are_short_and_say_what_to_do() {
    let lists = "`hookbridge providers` lists";
    for (source, said) in [
        ("secrets: [{ env: S }]", format!("hint: a preset ({lists} them), or the provider's scheme\n")),
        ("provider: nothing-like-it\nsecrets: [{ env: S }]", format!("hint: {lists} the presets\n")),
        // More keys than anybody reads.
        ("provider: svix\nfoobarbaz: 1", "hint: config/hookbridge.yaml shows every key".to_owned()),
        ("provider: github\nsecrets: [{ env: SHORT }]", "choose one of 16 octets or more".to_owned()),
        (
            "provider: github\nsecrets: [{ file: not/there }]",
            format!(
                "it is relative to the working directory, {}",
                std::env::current_dir().unwrap().display()
            ),
        ),
    ] {
        let shown = faults_of_source(source);
        assert!(shown.contains(&said), "{said}\nis not in\n{shown}");
    }
    assert!(!faults_of_source("provider: github\nsecrets: [{ file: /not/there }]").contains("relative"));
}
