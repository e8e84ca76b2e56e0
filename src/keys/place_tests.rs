//! What a request may name, and what it may not.

use http::HeaderMap;

use super::*;

fn sns() -> Allowed {
    Allowed {
        hosts: ["sns.{region}.amazonaws.com", "sns.{region}.amazonaws.com.cn"]
            .map(|host| Pattern::host(host).unwrap())
            .into(),
        path: Pattern::path("/SimpleNotificationService-*.pem").unwrap(),
    }
}

#[test]
fn only_the_one_spelling_of_an_allowed_url_passes() {
    let allowed = sns();
    for url in [
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a1b.pem",
    ] {
        assert_eq!(allowed.key(url).unwrap().as_str(), url);
    }
    let path = "/SimpleNotificationService-1.pem";
    for host in [
        "sns.amazonaws.com",
        "sns..amazonaws.com",
        "sns.a.b.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        // A bucket with the name `sns`, whose owner could put any certificate into it.
        "sns.s3.amazonaws.com",
        "sns.s3-us-west-2.amazonaws.com",
        "sns.s3-accelerate.amazonaws.com",
        "sns.us-east.amazonaws.com",
        "sns.us-1.amazonaws.com",
        "sns.us-east-1a.amazonaws.com",
        "xsns.us-east-1.amazonaws.com",
        "sns.us-east-1.amazonaws.com.example.com",
        "sns.us-east-1.amazonaws.com.",
        "sns.us-east-1.amazonaws.com:443",
        "sns.us-east-1.amazonaws.com:8443",
        "sns.us-east-1.amazonaws.com@example.com",
        "user@sns.us-east-1.amazonaws.com",
        "sns.us-east-1.amazonaws.com\\@example.com",
        "sns.us-east-1.amazonaws.com%2eexample.com",
        "SNS.us-east-1.amazonaws.com",
        "sns.US-EAST-1.amazonaws.com",
        "sns.example.com#.amazonaws.com",
        "sns.example.com?.amazonaws.com",
        "sns.é.amazonaws.com",
        "169.254.169.254",
        "[::1]",
        "",
    ] {
        assert_eq!(allowed.key(&format!("https://{host}{path}")), None, "{host}");
    }
    let host = "https://sns.us-east-1.amazonaws.com";
    for path in [
        "",
        "/",
        "/SimpleNotificationService-.pem",
        "/SimpleNotificationService-1.pem?x=1",
        "/SimpleNotificationService-1.pem#x",
        "/SimpleNotificationService-a/b.pem",
        "/SimpleNotificationService-%2e.pem",
        "/SimpleNotificationService-...pem",
        "/x/../SimpleNotificationService-1.pem",
        "//SimpleNotificationService-1.pem",
        "/?Action=Publish&x=SimpleNotificationService-1.pem",
    ] {
        assert_eq!(allowed.key(&format!("{host}{path}")), None, "{path}");
    }
    for url in ["http", "HTTPS", "ftp", "https:/", " https", ""] {
        let url = format!("{url}://sns.us-east-1.amazonaws.com{path}");
        assert_eq!(allowed.key(&url), None, "{url}");
    }
    assert_eq!(allowed.key(&format!("{host}/SimpleNotificationService-{}.pem", "a".repeat(3000))), None);
}

#[test]
fn only_the_one_action_is_asked_for() {
    let (allowed, host) = (sns(), "https://sns.us-east-1.amazonaws.com");
    let confirm = |url: &str| allowed.action(url, "ConfirmSubscription");
    let url = format!("{host}/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:1:a&Token=23");
    assert_eq!(confirm(&url).unwrap().as_str(), url);
    for target in [
        "/?Action=ConfirmSubscription",
        "/?Action=ConfirmSubscriptions&Token=1",
        "/?Action=DeleteTopic&Action=ConfirmSubscription&Token=1",
        "/x?Action=ConfirmSubscription&Token=1",
        "/?Action=ConfirmSubscription&Token=1#x",
        "/?Action=ConfirmSubscription&Token= 1",
        "/?Action=ConfirmSubscription&Token=1\r\nX: y",
    ] {
        assert_eq!(confirm(&format!("{host}{target}")), None, "{target}");
    }
    assert_eq!(confirm("https://example.com/?Action=ConfirmSubscription&Token=1"), None);
    assert_eq!(confirm("http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"), None);
}

#[test]
fn a_provider_file_can_pin_no_less_than_a_domain() {
    for host in [
        "*",
        "*.com",
        "a.*",
        "amazonaws.*.com",
        "com",
        "127.0.0.1",
        "a.*.*.example.com",
        "A.com",
        "a*.b.com",
        "a.{region}.com",
        "a{region}.b.example.com",
        "*.{region}.example.com",
        "{kid}.b.example.com",
        "",
    ] {
        assert!(Pattern::host(host).is_err(), "{host}");
    }
    for host in ["api.paypal.com", "*.example.com", "a.*.example.com", "sns.{region}.amazonaws.com.cn"] {
        assert!(Pattern::host(host).is_ok(), "{host}");
    }
    for url in [
        "http://api.ebay.com/k/{kid}",
        "https://api.ebay.com",
        "https://api.ebay.com:8443/k",
        "https://*.ebay.com/k",
        "https://10.0.0.1/k",
        "https://api.ebay.com/k/{kid}/{kid}",
        "https://api.ebay.com/../k",
        "https://api.ebay.com/k?x=1",
    ] {
        assert!(PinnedUrl::fixed(url).is_err(), "{url}");
    }
}

#[test]
fn the_name_of_a_key_can_not_leave_its_place_in_the_url() {
    use base64::Engine as _;
    let url = PinnedUrl::fixed("https://api.ebay.com/key/{kid}").unwrap();
    let name = HeaderName::from_static("x-ebay-signature");
    let place = Place::Fixed { url, key_id: KeyIdIn::Ebay(vec![name.clone()]) };
    let wanted = |kid: &str| {
        let json = serde_json::json!({ "kid": kid, "signature": "c2ln" }).to_string();
        let value = base64::engine::general_purpose::STANDARD.encode(json);
        let headers: HeaderMap = [(name.clone(), value.parse().unwrap())].into_iter().collect();
        place.wanted(&Message { headers: &headers, query: None, body: b"" })
    };
    assert_eq!(wanted("9936-a_b").unwrap().url.as_str(), "https://api.ebay.com/key/9936-a_b");
    for kid in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "{kid}", "é", &"a".repeat(129)] {
        assert!(matches!(wanted(kid), Err(SignatureError::Malformed(_))), "{kid}");
    }
}

#[test]
fn a_token_may_stand_behind_the_name_of_its_scheme() {
    use base64::Engine as _;
    let url = PinnedUrl::fixed("https://keys.example.com/get").unwrap();
    let name = http::header::AUTHORIZATION;
    let place = Place::Fixed { url, key_id: KeyIdIn::Jwt(vec![name.clone()]) };
    let head = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k1"}"#);
    for before in ["", "Bearer "] {
        let value = format!("{before}{head}.e30.c2ln").parse().unwrap();
        let headers: HeaderMap = [(name.clone(), value)].into_iter().collect();
        let wanted = place.wanted(&Message { headers: &headers, query: None, body: b"" }).unwrap();
        assert_eq!(wanted.key_id.as_deref(), Some("k1"), "{before}");
    }
}
