//! `explain`: requests that were broken on their way, each in one way, and whether the true cause is named.
//!
//! No Kafka: `explain` needs none.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::support::captured::{
    CRM_KEY, Captured, SHOP, SHOP_KEY, T, TEXT, Told, mac, mac_sha512, standard, standard_ed25519,
};

const BODY: &[u8] = br#"{"type":"order.paid","data":{"id":"ord_1","n":1,"of":1.0,"url":"https://a.example/x","name":"Zo\u00eb"}}"#;

/// The cause is named, it is the first, it is proved, and people read of it.
#[track_caller]
fn assert_cause(captured: &Captured, cause: &str, said: &str) -> Told {
    let told = captured.explained();
    assert_eq!(told.code, 1, "{told:?}");
    assert_eq!(told.json["cause"], cause, "{}\n{:#}", told.text, told.json);
    assert_eq!(told.json["causes"][0]["proven"], true, "{}", told.text);
    assert!(told.text.contains(said), "`{said}` in\n{}", told.text);
    assert!(told.text.contains(&format!("[{cause}]")) && told.text.contains("What to do: "), "{}", told.text);
    told
}

/// The same of signs that prove nothing.
#[track_caller]
fn assert_suspected(captured: &Captured, cause: &str, said: &str) {
    let told = captured.explained();
    assert_eq!((told.code, &told.json["cause"]), (1, &cause.into()), "{}", told.text);
    assert_eq!(told.json["causes"][0]["proven"], false, "{}", told.text);
    assert!(told.text.contains("Possible cause: ") && told.text.contains(said), "{}", told.text);
}

#[test]
fn a_genuine_request_is_accepted_and_its_topic_named() {
    let told = Captured::svix("shop", SHOP_KEY, BODY).explained();
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(
        told.text,
        "Accepted: a request to the source `shop` (svix), received at 2026-01-01T00:00:00Z.\n\n\
         \x20 ✓ body       104 octets\n\
         \x20 ✓ headers    what the scheme reads is there, once, and can be read\n\
         \x20 ✓ timestamp  within 5m of the time of receipt\n\
         \x20 ✓ signature  it is that of the configured secret\n\
         \x20 ✓ event      type `order.paid`, ID `msg_1`\n\
         \x20 ✓ topic      orders\n"
    );
    let event = &told.json["events"][0];
    assert_eq!((&event["message_id"], &event["event_type"]), (&"msg_1".into(), &"order.paid".into()));
    assert_eq!((&event["topic"], &event["outcome"]), (&"orders".into(), &"published".into()));
    assert_eq!((&told.json["accepted"], &told.json["cause"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn every_form_of_a_head_is_read() {
    let captured = Captured::svix("shop", SHOP_KEY, BODY);
    let pairs: Vec<String> =
        captured.headers.iter().map(|(name, value)| format!("[\"{name}\",\"{value}\"]")).collect();
    for head in [
        captured.head().replace('\n', "\r\n"),
        format!("POST /webhooks/shop HTTP/1.1\r\nHost: h\r\n{}\r\n", captured.head().replace('\n', "\r\n")),
        format!("> POST /webhooks/shop HTTP/2\n> {}", captured.head().trim_end().replace('\n', "\n> ")),
        format!("[{}]", pairs.join(",")),
    ] {
        let told = captured.explained_from(&head);
        assert_eq!(told.code, 0, "{head}\n{}", told.text);
    }
}

#[test]
fn another_sources_secret() {
    let told = assert_cause(
        &Captured::svix("shop", CRM_KEY, BODY),
        "other_sources_secret",
        "it is signed with the secret of the source `crm`",
    );
    assert_eq!(
        told.text,
        "Refused with 401 (signature_mismatch): a request to the source `shop` (svix), received at \
         2026-01-01T00:00:00Z.\n\n\
         \x20 ✓ body       104 octets\n\
         \x20 ✓ headers    what the scheme reads is there, once, and can be read\n\
         \x20 ✓ timestamp  within 5m of the time of receipt\n\
         \x20 ✗ signature  it is not that of the configured secret over this request\n\n\
         Likely cause: it is signed with the secret of the source `crm`. [other_sources_secret]\n\
         \x20 What to do: refer to the right secret, or have the provider post to the path of the other source.\n\n\
         Once that is mended: the event `order.paid`, ID `msg_1`, goes to the topic `orders`.\n"
    );
    assert_eq!(told.json["once_mended"][0]["topic"], "orders");
}

#[test]
fn a_secret_outside_its_time() {
    let captured = Captured { source: "windowed", ..Captured::hex("hex", BODY) };
    let said = "it is signed with the secret `old`, which is valid until 2025-01-01T00:00:00Z";
    assert_cause(&captured, "secret_not_valid", said);
    let told = captured.at(&["--at", "2024-12-31T00:00:00Z"]).explained();
    assert_eq!(told.code, 0, "{}", told.text);
    assert!(told.text.contains("✓ signature  it is that of the secret `old`, of 2"), "{}", told.text);
}

#[test]
fn a_secret_that_is_decoded_in_another_way() {
    let text = &SHOP[6..];
    let told = "the sender takes the secret as its text stands, and here it is taken as base64";
    assert_cause(&Captured::svix("shop", text.as_bytes(), BODY), "secret_encoding", told);
    let told = "the text of the secret with `whsec_` before it";
    assert_cause(&Captured::svix("shop", SHOP.as_bytes(), BODY), "secret_prefix", told);
    let captured = Captured { source: "twice", ..Captured::hex("hex", BODY) };
    assert_cause(&captured, "secret_encoding", "Kubernetes Secret is encoded twice");
}

#[test]
fn a_secret_with_something_round_it() {
    let captured = Captured { source: "quoted", ..Captured::hex("hex", BODY) };
    assert_cause(&captured, "secret_surroundings", "the configured secret has quotes round it");
    let with_newline = hex::encode(mac(format!("{TEXT}\n").as_bytes(), &[BODY]));
    let captured = Captured::new("hex", &[("X-Webhook-Signature", &with_newline)], BODY);
    assert_cause(&captured, "secret_surroundings", "the sender's secret ends with a newline");
}

#[test]
fn a_body_that_is_serialised_anew() {
    for (signed, said) in [
        // Python, json.dumps.
        (
            r#"{"type": "order.paid", "data": {"id": "ord_1", "n": 1, "of": 1.0, "url": "https://a.example/x", "name": "Zo\u00eb"}}"#,
            "a space after each comma and colon (Python's default)",
        ),
        // PHP, json_encode.
        (
            r#"{"type":"order.paid","data":{"id":"ord_1","n":1,"of":1.0,"url":"https:\/\/a.example\/x","name":"Zo\u00eb"}}"#,
            "slashes escaped",
        ),
        // JavaScript, JSON.stringify.
        (
            r#"{"type":"order.paid","data":{"id":"ord_1","n":1,"of":1,"url":"https://a.example/x","name":"Zoë"}}"#,
            "numbers in their shortest form",
        ),
        // Indented, with sorted keys.
        (
            "{\n    \"data\": {\n        \"id\": \"ord_1\",\n        \"n\": 1,\n        \"name\": \"Zo\\u00eb\",\n        \"of\": 1.0,\n        \"url\": \"https://a.example/x\"\n    },\n    \"type\": \"order.paid\"\n}",
            "JSON indented by 4 spaces, with its keys sorted",
        ),
        // A number that has lost its point.
        (
            r#"{"type":"order.paid","data":{"id":"ord_1","n":1.0,"of":1.0,"url":"https://a.example/x","name":"Zo\u00eb"}}"#,
            "whole numbers as 1.0",
        ),
    ] {
        let captured = Captured::svix("shop", SHOP_KEY, signed.as_bytes()).arrived(BODY);
        assert_cause(&captured, "body_reserialised", said);
    }
    // And the other way: what was compact has been made pretty.
    let pretty = b"{\n  \"type\": \"order.paid\",\n  \"data\": {}\n}\n";
    let captured = Captured::svix("shop", SHOP_KEY, br#"{"type":"order.paid","data":{}}"#).arrived(pretty);
    assert_cause(&captured, "body_reserialised", "it was compact JSON");
}

#[test]
fn a_body_with_another_end_or_beginning() {
    let signed = |body: &[u8]| Captured::svix("shop", SHOP_KEY, body);
    let with = |before: &str, after: &str| [before.as_bytes(), BODY, after.as_bytes()].concat();
    for (captured, cause, said) in [
        (signed(BODY).arrived(with("", "\n")), "body_newline", "a newline was added"),
        (signed(BODY).arrived(with("", "\r\n")), "body_newline", "a newline was added"),
        (
            signed(&with("", "\n")).arrived(BODY),
            "body_newline",
            "the newline at the end of the body was taken off",
        ),
        (signed(BODY).arrived(with("\u{feff}", "")), "body_bom", "a byte order mark was put before"),
        (
            signed(&with("\u{feff}", "")).arrived(BODY),
            "body_bom",
            "the byte order mark before the body was taken off",
        ),
        (signed(b"{\r\n}\r\n").arrived(b"{\n}\n"), "body_line_endings", "were CRLF, and were made LF"),
        (signed(b"{\n\n}\n").arrived(b"{\r\n\r\n}\r\n"), "body_line_endings", "were LF, and were made CRLF"),
    ] {
        assert_cause(&captured, cause, said);
    }
}

#[test]
fn a_body_in_another_charset() {
    let utf8 = r#"{"type":"order.paid","name":"Zoë’s"}"#;
    let latin = utf8
        .replace('’', "")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect::<Vec<_>>();
    let mojibake = utf8.replace('ë', "Ã«").replace('’', "â€™");
    let signed = |body: &[u8]| Captured::svix("shop", SHOP_KEY, body);
    let without = utf8.replace('’', "");
    assert_cause(
        &signed(without.as_bytes()).arrived(&latin),
        "body_charset",
        "was UTF-8, and was made Latin-1",
    );
    assert_cause(&signed(&latin).arrived(&without), "body_charset", "was Latin-1, and was made UTF-8");
    assert_cause(
        &signed(utf8.as_bytes()).arrived(mojibake),
        "body_charset",
        "read as Windows-1252, and written as UTF-8 again",
    );
    assert_suspected(&signed(&latin).arrived(without.replace('ë', "\u{fffd}")), "body_charset", "U+FFFD");
}

#[test]
fn a_body_with_its_framing_or_in_an_encoding() {
    let signed = |body: &[u8]| Captured::svix("shop", SHOP_KEY, body);
    let chunked = [
        b"6\r\n",
        &BODY[..6],
        b"\r\n",
        format!("{:x}\r\n", BODY.len() - 6).as_bytes(),
        &BODY[6..],
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    assert_cause(&signed(BODY).arrived(chunked), "body_chunked", "framing of chunked transfer");
    assert_cause(&signed(BODY).arrived(STANDARD.encode(BODY)), "body_encoded", "given in base64");
    let text = serde_json::to_string(std::str::from_utf8(BODY).expect("UTF-8")).expect("JSON");
    assert_cause(&signed(BODY).arrived(text), "body_encoded", "as a JSON text, in quotes");
    let length = BODY.len().to_string();
    let longer = signed(BODY).header("Content-Length", &length).arrived([BODY, b"</html>"].concat());
    assert_cause(&longer, "body_appended", "than Content-Length says");
}

#[test]
fn a_body_that_cannot_be_restored_is_suspected() {
    let signed = Captured::svix("shop", SHOP_KEY, BODY).header("Content-Type", "application/json");
    let length = BODY.len().to_string();
    let shorter = signed.clone().header("Content-Length", &length).arrived(&BODY[..50]);
    assert_suspected(&shorter, "body_truncated", "Content-Length says 104 octets, and the body has 50");
    assert_suspected(&signed.clone().arrived(&BODY[..50]), "body_truncated", "JSON that ends too soon");
    assert_suspected(&signed.clone().arrived(b""), "body_empty", "the body is empty");
    assert_suspected(
        &signed.clone().arrived(b"\x1f\x8b\x08\0\0\0\0\0"),
        "body_compressed",
        "the body is compressed",
    );
    let encoded = signed.header("Content-Encoding", "gzip").explained();
    assert_eq!(encoded.code, 0, "the signature is over what was sent: {}", encoded.text);
    assert!(encoded.text.contains("as a dead letter: undecodable_body"), "{}", encoded.text);
}

#[test]
fn a_form_that_is_written_anew() {
    for (signed, arrived, said) in [
        ("a=b%20c&d=%C3%A9", "a=b+c&d=%C3%A9", "spaces were `%20`, and were made `+`"),
        ("a=b+c&d=%C3%A9", "a=b+c&d=%c3%a9", "upper case, and were made lower case"),
        ("payload=%7B%22a%22%3A1%7D", r#"{"a":1}"#, "the form field `payload`"),
    ] {
        let captured = Captured::hex("hex", signed.as_bytes()).arrived(arrived);
        assert_cause(&captured, "form_reencoded", said);
    }
}

#[test]
fn a_signature_that_is_written_in_another_way() {
    let octets = standard(SHOP_KEY, "msg_1", T, BODY);
    let svix = |value: &str| Captured::svix("shop", SHOP_KEY, BODY).header("svix-signature", value);
    let in_hex = svix(&format!("v1,{}", hex::encode(&octets)));
    assert_cause(&in_hex, "signature_encoding", "written in hexadecimal, and the scheme expects base64");
    let url_safe = svix(&format!("v1,{}", URL_SAFE_NO_PAD.encode(&octets)));
    assert_cause(&url_safe, "signature_encoding", "base64");
    let bare = svix(&STANDARD.encode(&octets));
    assert_cause(&bare, "signature_prefix", "stands with nothing before it, and the scheme expects `v1,`");
    let quoted = svix(&format!("\"v1,{}\"", STANDARD.encode(&octets)));
    assert_cause(&quoted, "signature_quoted", "quotes or white space round it");
    let escaped = svix(&format!(
        "v1%2C{}",
        STANDARD.encode(&octets).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    ));
    assert_cause(&escaped, "signature_quoted", "percent-encoded");
    let base64 = STANDARD.encode(mac(TEXT.as_bytes(), &[BODY]));
    let captured = Captured::new("prefixed", &[("X-Webhook-Signature", &format!("sha256={base64}"))], BODY);
    assert_cause(&captured, "signature_encoding", "written in base64, and the scheme expects hexadecimal");
}

#[test]
fn a_timestamp_that_is_the_only_defect() {
    let old = Captured::svix("shop", SHOP_KEY, BODY);
    let told = assert_cause(
        &old.clone().at(&[]),
        "timestamp_outside_tolerance",
        "was this captured earlier? Use --at",
    );
    assert!(told.text.contains("✓ signature") && told.text.contains("✗ timestamp"), "{}", told.text);
    assert_eq!(told.json["error"], "timestamp_outside_tolerance");
    let late = old.clone().at(&["--at", "2026-01-01T00:06:00Z"]);
    assert_cause(&late, "timestamp_outside_tolerance", "signed 6 minutes before it was received");
    let early = old.clone().at(&["--at", "2025-12-31T21:00:00Z"]);
    assert_cause(&early, "timestamp_outside_tolerance", "3 hours in the future");
    assert_eq!(old.at(&["--at", "2026-01-01T00:05:00Z"]).explained().code, 0);
}

#[test]
fn a_timestamp_in_another_unit() {
    let millis = format!("{T}000");
    let signature = format!("v1,{}", STANDARD.encode(standard(SHOP_KEY, "msg_1", &millis, BODY)));
    let headers = [("svix-id", "msg_1"), ("svix-timestamp", &millis), ("svix-signature", &signature)];
    let said = "written in milliseconds, and the scheme says seconds";
    assert_cause(&Captured::new("shop", &headers, BODY), "timestamp_unit", said);
    // What was signed is what the scheme says; what the header says is another unit.
    let altered = Captured::svix("shop", SHOP_KEY, BODY).header("svix-timestamp", &millis);
    assert_cause(&altered, "timestamp_unit", "written in milliseconds, and was signed in seconds");
    let altered = Captured::svix("shop", SHOP_KEY, BODY).header("svix-timestamp", "2026-01-01T00:00:00Z");
    assert_cause(
        &altered,
        "timestamp_unit",
        "written in a date and time (RFC 3339), and was signed in seconds",
    );
    let signature = hex::encode(mac(TEXT.as_bytes(), &[T.as_bytes(), b".", BODY]));
    let seconds = Captured::new("listed", &[("X-Sig", &format!("t={T},v1={signature}"))], BODY);
    assert_cause(&seconds, "timestamp_unit", "written in seconds, and the scheme says milliseconds");
}

#[test]
fn another_preset() {
    let told = assert_cause(
        &Captured::svix("lost", SHOP_KEY, BODY),
        "wrong_preset",
        "genuine as the preset `svix` (Svix, and every service that sends through it), and the source is configured as `generic-hex`",
    );
    assert_eq!(told.json["error"], "signature_missing");
    let captured = Captured { source: "prefixed", ..Captured::hex("hex", BODY) };
    assert_cause(&captured, "wrong_preset", "the preset `generic-hex`");
}

#[test]
fn another_algorithm_or_content() {
    let signature = hex::encode(mac_sha512(TEXT.as_bytes(), BODY));
    let captured = Captured::new("hex", &[("X-Webhook-Signature", &signature)], BODY);
    assert_cause(&captured, "wrong_algorithm", "signed with HMAC-SHA512, and the scheme says HMAC-SHA256");
    let signature = hex::encode(mac(TEXT.as_bytes(), &[T.as_bytes(), b".", BODY]));
    let headers = [("X-Webhook-Signature", signature.as_str()), ("X-Webhook-Timestamp", T)];
    let said = "what is signed is `{header:x-webhook-timestamp}.{body}`, and the scheme says `{body}`";
    assert_cause(&Captured::new("hex", &headers, BODY), "wrong_content", said);
    let signature = format!("v1,{}", STANDARD.encode(mac(SHOP_KEY, &[BODY])));
    let body_alone = Captured::svix("shop", SHOP_KEY, BODY).header("svix-signature", &signature);
    assert_cause(&body_alone, "wrong_content", "what is signed is `{body}`");
}

#[test]
fn headers_that_were_altered_on_the_way() {
    let genuine = Captured::svix("shop", SHOP_KEY, BODY);
    let signature = genuine.value("svix-signature");
    let mut twice = genuine.clone();
    twice.headers.push(("svix-signature".to_owned(), "v1,AAAA".to_owned()));
    let told = assert_cause(
        &twice,
        "header_repeated",
        "`svix-signature` is there 2 times, and the first is what was signed",
    );
    assert_eq!(told.json["error"], "header_repeated");
    let mut doubled = genuine.clone();
    doubled.headers.push(("svix-signature".to_owned(), signature.clone()));
    let told = assert_cause(&doubled, "header_repeated", "is there 2 times");
    assert_eq!(
        told.json["causes"].as_array().map(Vec::len),
        Some(1),
        "nothing is quoted or folded: {}",
        told.text
    );
    let joined = genuine.clone().header("svix-id", "msg_1, msg_2");
    assert_cause(
        &joined,
        "headers_joined",
        "`svix-id` holds several values that were joined by commas, and the first",
    );
    let folded =
        genuine.clone().header("svix-signature", &format!("{} {}", &signature[..20], &signature[20..]));
    assert_cause(&folded, "header_folded", "when a line was folded");
    let mut renamed = genuine.clone();
    for (name, _) in &mut renamed.headers {
        *name = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
    }
    assert_cause(&renamed, "header_renamed", "`svix-signature` arrives as `http_svix_signature`");
    let other = genuine.clone().header("webhook-id", "msg_2");
    assert_cause(
        &other,
        "header_families_mixed",
        "`svix-signature`, `svix-timestamp`, `svix-id` belong together",
    );
    let replaced = genuine.clone().header("svix-id", "3f2a9c").header("x-original-message-id", "msg_1");
    assert_cause(&replaced, "id_altered", "the one of the header `x-original-message-id` was signed");
    let missing = genuine.without("svix-signature");
    let told =
        assert_cause(&missing, "header_missing", "✗ headers    the header `svix-signature` is missing");
    assert_eq!(told.json["error"], "signature_missing");
}

#[test]
fn another_public_url() {
    for (url, query, said) in [
        ("http://hooks.example.com/in/called", None, "its scheme is `http`, not `https`"),
        ("https://hooks.example.com/in/called/", None, "its path is `/in/called/`, not `/in/called`"),
        (
            "https://edge.example.net/in/called",
            None,
            "its host is `edge.example.net`, not `hooks.example.com`",
        ),
        (
            "https://hooks.example.com/in/called",
            Some("key=hunter2"),
            "the query that arrived is not what was signed",
        ),
    ] {
        let signature = STANDARD.encode(mac(TEXT.as_bytes(), &[url.as_bytes(), BODY]));
        let headers = [("X-Sig", signature.as_str()), ("Host", "edge.example.net")];
        let mut captured = Captured::new("called", &headers, BODY);
        captured.arguments.extend(query.map(|query| format!("--query={query}")));
        let told = assert_cause(&captured, "public_url", said);
        assert!(!told.text.contains("hunter2") && !told.json.to_string().contains("hunter2"));
    }
}

/// The fields follow the URL with nothing between them, so that it is signed, and yet not covered.
#[test]
fn another_public_url_of_a_form() {
    let signature = STANDARD.encode(mac(TEXT.as_bytes(), &[b"http://hooks.example.com/in/phonedTo+1"]));
    let headers =
        [("X-Twilio-Signature", &*signature), ("Content-Type", "application/x-www-form-urlencoded")];
    let captured = Captured::new("phoned", &headers, b"To=%2B1");
    assert_cause(&captured, "public_url", "its scheme is `http`, not `https`");
}

#[test]
fn public_keys_and_tokens() {
    let signature = |body: &[u8]| format!("v1a,{}", STANDARD.encode(standard_ed25519("msg_1", T, body)));
    let headers = |signature: &str| {
        Captured::new(
            "keyed",
            &[("svix-id", "msg_1"), ("svix-timestamp", T), ("svix-signature", signature)],
            BODY,
        )
    };
    assert_eq!(headers(&signature(BODY)).explained().code, 0);
    let captured = headers(&signature(BODY)).arrived([BODY, b"\n"].concat());
    assert_cause(&captured, "body_newline", "a newline was added");
    assert_cause(
        &Captured::new("token", &[("X-Token", &format!("Bearer {TEXT}"))], BODY),
        "signature_prefix",
        "`Bearer ` before it",
    );
    assert_eq!(Captured::new("token", &[("X-Token", TEXT)], BODY).explained().code, 0);
}

#[test]
fn two_mistakes_at_once() {
    let signed = Captured::hex("hex", BODY);
    let captured = Captured { source: "quoted", ..signed }.arrived([BODY, b"\n"].concat());
    let told = assert_cause(&captured, "secret_surroundings", "And, at the same time: a newline was added");
    assert_eq!(
        (&told.json["together"], &told.json["causes"][1]["cause"]),
        (&true.into(), &"body_newline".into())
    );
}

#[test]
fn what_no_known_mistake_explains_is_said_to_be_so() {
    let told = Captured::svix("shop", b"a secret that is nowhere configured", BODY).explained();
    assert_eq!(told.code, 1, "{told:?}");
    assert_eq!(
        (&told.json["cause"], &told.json["causes"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    assert_eq!(told.json["tried"]["complete"], true, "{:#}", told.json);
    for said in [
        "No known mistake explains the signature. Tried, alone and in pairs",
        "  - every other preset\n",
        "re-serialised JSON",
        "of its test or live mode",
    ] {
        assert!(told.text.contains(said), "`{said}` in\n{}", told.text);
    }
    assert!(!told.text.contains("cause:"), "{}", told.text);
    // An old timestamp beside a wrong signature is not its cause.
    let old = Captured::svix("shop", b"a secret that is nowhere configured", BODY).at(&[]).explained();
    assert_eq!(old.json["cause"], serde_json::Value::Null, "{}", old.text);
    assert!(old.text.contains("give the time of receipt with --at"), "{}", old.text);
}
