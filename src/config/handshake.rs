//! The rules of a provider's handshakes.
//!
//! Takes what a provider's file says of them. Gives [`Handshake`]s and the [`Offer`], or every reason why they
//! can't be used. What a source must bring for them is checked in [`super::source_handshake`].

use http::HeaderName;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONNECTION,
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, DATE, LOCATION, REFRESH,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};

use super::checker::Checker;
use super::diagnostic::Path;
use super::raw::RawProvider;
use super::raw_handshake::{
    RawAnswer, RawHandshake, RawHashEncoding, RawLiteral, RawMethod, RawOffer, RawTest, RawValue, RawWhen,
};
use crate::handshake::answer::Body;
use crate::handshake::value::Written;
use crate::handshake::{
    Asked, Conditions, Handshake, Offer, OfferPlace, SuccessStatus, Template, Test, Value,
};
use crate::json::{MAX_POINTERS, Pointer};

/// Handshakes of one provider. None has more than three.
const MAX_HANDSHAKES: usize = 16;
/// Values in one another: a hash of a hash is more than any provider asks for.
const MAX_DEPTH: usize = 4;

/// Headers that an answer never sets: they frame it, or tell a browser to trust or remember it.
const NEVER_ANSWERED: &[HeaderName] = &[
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    DATE,
    LOCATION,
    REFRESH,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
];

/// Checks the handshakes of the provider that stands at `path`.
pub(super) fn of_provider(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawProvider,
) -> (Vec<Handshake>, Option<Offer>) {
    let at = path.key("handshakes");
    let raw_list = raw.handshakes.as_deref().unwrap_or_default();
    if raw_list.len() > MAX_HANDSHAKES {
        check.error(&at, format!("more than {MAX_HANDSHAKES} handshakes"));
    }
    let mut list = Vec::new();
    for (index, raw) in raw_list.iter().enumerate().take(MAX_HANDSHAKES) {
        let at = check.item(&at, index);
        list.extend(handshake(check, &at, raw));
    }
    let offer = raw.offers_secret.as_ref().and_then(|raw| offer(check, &path.key("offers_secret"), raw));
    (list, offer)
}

fn handshake(check: &mut Checker<'_>, path: &Path, raw: &RawHandshake) -> Option<Handshake> {
    let at = path.key("when");
    let Some(when) = &raw.when else {
        check.missing(path, "when", "say how the handshake is known, such as `json: { /type: ping }`");
        return None;
    };
    let method = when.method.unwrap_or_default();
    let asked = match method {
        RawMethod::Post => Asked::Post { verified: raw.verified.unwrap_or(true) },
        RawMethod::Get => Asked::Get,
        RawMethod::Head => Asked::Head,
        RawMethod::Options => Asked::Options,
    };
    let is_post = method == RawMethod::Post;
    if !is_post && raw.verified.is_some() {
        check.error(&path.key("verified"), "only what is posted can be verified: leave it out");
    }
    if !is_post && !when.json.is_empty() {
        check.error(&at.key("json"), "only the body of a POST is read");
    }
    let conditions = conditions(check, &at, when)?;
    if is_post && !conditions.tests().any(|test| *test != Test::Absent) {
        let message = "a POST is a handshake only by something that is in it; this would answer every event";
        check.error(&at, message);
    }
    let Some(answer) = &raw.answer else {
        check.missing(path, "answer", "what the provider wants to hear; `{}` is an empty 200");
        return None;
    };
    let answer = template(check, &path.key("answer"), answer)?;
    let pointers = pointers(&conditions, &answer);
    if !is_post && pointers.len() > conditions.json.len() {
        check.error(&path.key("answer"), "only the body of a POST is read: `json` names nothing here");
    }
    if pointers.len() > MAX_POINTERS {
        check.error(path, format!("more than {MAX_POINTERS} places in the body are looked at"));
    }
    Some(Handshake { asked, conditions, answer, pointers })
}

fn pointers(conditions: &Conditions, answer: &Template) -> Vec<Pointer> {
    let mut pointers: Vec<Pointer> = Vec::new();
    let mut add = |pointer: &Pointer| {
        if !pointers.contains(pointer) {
            pointers.push(pointer.clone());
        }
    };
    conditions.json.iter().for_each(|(pointer, _)| add(pointer));
    answer.visit(&mut |value| {
        if let Value::Json(pointer) = value {
            add(pointer);
        }
    });
    pointers
}

fn conditions(check: &mut Checker<'_>, path: &Path, when: &RawWhen) -> Option<Conditions> {
    let mut conditions = Conditions::default();
    let mut complete = true;
    for (name, raw) in &when.query {
        let test = test(check, &path.key("query").key(name), raw);
        complete &= test.is_some();
        conditions.query.extend(test.map(|test| (name.clone(), test)));
    }
    for (name, raw) in &when.header {
        let at = path.key("header").key(name);
        let (name, test) = (header_read(check, &at, name), test(check, &at, raw));
        complete &= name.is_some() && test.is_some();
        conditions.headers.extend(name.zip(test));
    }
    for (pointer, raw) in &when.json {
        let at = path.key("json").key(pointer);
        let (pointer, test) = (self::pointer(check, &at, pointer), test(check, &at, raw));
        complete &= pointer.is_some() && test.is_some();
        conditions.json.extend(pointer.zip(test));
    }
    complete.then_some(conditions)
}

fn test(check: &mut Checker<'_>, path: &Path, raw: &RawTest) -> Option<Test> {
    let RawTest::Has(has) = raw else {
        let RawTest::Is(text) = raw else { return None };
        if text.is_empty() {
            check.error(path, "an empty value is not there: write `{ absent: true }`");
            return None;
        }
        return Some(Test::Is(text.clone()));
    };
    match (has.present, has.absent, has.token) {
        (Some(true), None, None) => Some(Test::Present),
        (None, Some(true), None) => Some(Test::Absent),
        (None, None, Some(true)) => Some(Test::Token),
        _ => {
            let message = "say one: a text, `{ present: true }`, `{ absent: true }` or `{ token: true }`";
            check.error(path, message);
            None
        }
    }
}

fn header_read(check: &mut Checker<'_>, path: &Path, name: &str) -> Option<HeaderName> {
    match name.parse::<HeaderName>() {
        Ok(name) if name == AUTHORIZATION || name == COOKIE => {
            check.error(path, format!("the header `{name}` is never read into an answer"));
            None
        }
        Ok(name) => Some(name),
        Err(_) => {
            check.error(path, format!("`{name}` can't be a header's name"));
            None
        }
    }
}

fn pointer(check: &mut Checker<'_>, path: &Path, text: &str) -> Option<Pointer> {
    Pointer::parse(text).map_err(|why| check.error(path, why)).ok()
}

fn template(check: &mut Checker<'_>, path: &Path, raw: &RawAnswer) -> Option<Template> {
    let code = raw.status.unwrap_or(200);
    let status = SuccessStatus::from_u16(code);
    if status.is_none() {
        check.error(&path.key("status"), format!("{code} is no success; use 200 to 299"));
    }
    let body = match (&raw.text, &raw.json) {
        (Some(_), Some(_)) => {
            check.error(path, "an answer is `text` or `json`, not both");
            None
        }
        (None, None) => Some(Body::Empty),
        _ if matches!(code, 204 | 205) => {
            check.error(path, format!("an answer of status {code} has no body"));
            None
        }
        (Some(raw), None) => value(check, &path.key("text"), raw, Depth::OPEN).map(Body::Text),
        (None, Some(entries)) => {
            let mut object = Vec::new();
            for (key, raw) in entries {
                let value = value(check, &path.key("json").key(key), raw, Depth::OPEN);
                object.extend(value.map(|value| (key.clone(), value)));
            }
            (object.len() == entries.len()).then_some(Body::Json(object))
        }
    };
    let mut headers = Vec::new();
    for (name, raw) in &raw.headers {
        let at = path.key("headers").key(name);
        let name = header_written(check, &at, name);
        let value = value(check, &at, raw, Depth::OPEN);
        if let Some(Value::Text(text)) = &value
            && !text.bytes().all(|b| b.is_ascii_graphic())
        {
            check.error(&at, "a header's value is visible ASCII, without a space");
        }
        headers.push(name.zip(value));
    }
    let headers = headers.into_iter().collect::<Option<Vec<_>>>();
    Some(Template { status: status?, body: body?, headers: headers? })
}

fn header_written(check: &mut Checker<'_>, path: &Path, name: &str) -> Option<HeaderName> {
    match name.parse::<HeaderName>() {
        Ok(name) if NEVER_ANSWERED.contains(&name) => {
            check.error(path, format!("the header `{name}` is never set by a handshake"));
            None
        }
        Ok(name) => Some(name),
        Err(_) => {
            check.error(path, format!("`{name}` can't be a header's name"));
            None
        }
    }
}

/// How deep in other values a value stands.
#[derive(Debug, Clone, Copy)]
struct Depth {
    inside: usize,
    /// In a SHA-256, from which nothing can be read back.
    is_hashed: bool,
}

impl Depth {
    const OPEN: Self = Self { inside: 0, is_hashed: false };

    fn deeper(self, is_hashed: bool) -> Self {
        Self { inside: self.inside + 1, is_hashed: self.is_hashed || is_hashed }
    }
}

fn value(check: &mut Checker<'_>, path: &Path, raw: &RawValue, depth: Depth) -> Option<Value> {
    if depth.inside > MAX_DEPTH {
        check.error(path, format!("values stand in each other more than {MAX_DEPTH} deep"));
        return None;
    }
    let is_hash = raw.hmac_sha256.is_some() || raw.sha256.is_some();
    if !is_hash && (raw.encoding.is_some() || raw.prefix.is_some()) {
        check.error(path, "`encoding` and `prefix` are for `hmac_sha256` and `sha256`");
    }
    let written = || Written {
        base64: raw.encoding.unwrap_or_default() == RawHashEncoding::Base64,
        prefix: raw.prefix.clone().unwrap_or_default(),
    };
    let mut found = Vec::new();
    found.extend(raw.query.clone().map(Value::Query).map(Some));
    found.extend(
        raw.header.as_ref().map(|name| header_read(check, &path.key("header"), name).map(Value::Header)),
    );
    found.extend(raw.json.as_ref().map(|text| pointer(check, &path.key("json"), text).map(Value::Json)));
    found.extend(raw.literal.as_ref().map(|literal| {
        Some(match literal {
            RawLiteral::Text(text) => Value::Text(text.clone()),
            RawLiteral::Number(number) => Value::Number(*number),
        })
    }));
    found.extend(raw.parameter.clone().map(Value::Parameter).map(Some));
    found.extend(raw.public_url.filter(|given| *given).map(|_| Some(Value::PublicUrl)));
    if raw.token == Some(true) && !depth.is_hashed {
        check.error(path, "the token is a secret: it stands in an answer only inside `sha256`");
    }
    found.extend(raw.token.filter(|given| *given).map(|_| Some(Value::Token)));
    found.extend(raw.hmac_sha256.as_ref().map(|inner| {
        let inner = value(check, &path.key("hmac_sha256"), inner, depth.deeper(false));
        inner.map(|inner| Value::Hmac(Box::new(inner), written()))
    }));
    found.extend(raw.sha256.as_ref().map(|parts| {
        let at = path.key("sha256");
        let mut values = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            values.push(value(check, &at.index(index), part, depth.deeper(true)));
        }
        values.into_iter().collect::<Option<Vec<_>>>().map(|values| Value::Hash(values, written()))
    }));
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(value), None) => value,
        _ => {
            check.error(path, "say one value, such as `{ query: challenge }` or `{ json: /challenge }`");
            None
        }
    }
}

fn offer(check: &mut Checker<'_>, path: &Path, raw: &RawOffer) -> Option<Offer> {
    let place = match (&raw.header, &raw.json) {
        (Some(name), None) => {
            let at = path.key("header");
            let name = header_read(check, &at, name)?;
            if NEVER_ANSWERED.contains(&name) {
                check.error(&at, format!("the header `{name}` never holds a secret"));
            }
            OfferPlace::Header(name)
        }
        (None, Some(text)) => {
            if raw.echo == Some(true) {
                check.error(&path.key("echo"), "only a header is repeated in the answer");
            }
            OfferPlace::Json([pointer(check, &path.key("json"), text)?])
        }
        _ => {
            check.error(path, "say one place: `{ header: NAME }` or `{ json: /pointer }`");
            return None;
        }
    };
    Some(Offer { place, echo: raw.echo.unwrap_or(false) })
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
