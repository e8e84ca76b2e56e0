//! Hypotheses about a form (application/x-www-form-urlencoded): its fields were kept, and its octets were not.

use super::bench::Hypothesis;
use super::cause::Cause;

pub(super) fn hypotheses() -> Vec<Hypothesis> {
    type Change = fn(&[u8]) -> Option<Vec<u8>>;
    let table: [(&str, Change); 7] = [
        ("the form's spaces were `%20`, and were made `+`", |body| replaced(body, "+", "%20")),
        ("the form's spaces were `+`, and were made `%20`", |body| replaced(body, "%20", "+")),
        ("the form's escapes were in upper case, and were made lower case", |body| {
            with_escapes(body, u8::to_ascii_uppercase)
        }),
        ("the form's escapes were in lower case, and were made upper case", |body| {
            with_escapes(body, u8::to_ascii_lowercase)
        }),
        ("the form was parsed and written anew", |body| {
            if !is_form(body) {
                return None;
            }
            let pairs = form_urlencoded::parse(body);
            Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes())
        }),
        ("the form was decoded: its escapes are gone", |body| {
            if !is_form(body) {
                return None;
            }
            let mut out = form_urlencoded::Serializer::new(String::new());
            for pair in std::str::from_utf8(body).ok()?.split('&') {
                let (name, value) = pair.split_once('=')?;
                out.append_pair(name, value);
            }
            Some(out.finish().into_bytes())
        }),
        ("the body was the form field `payload`, and only its value was passed on", |body| {
            let text = std::str::from_utf8(body).ok().filter(|text| text.starts_with(['{', '[']))?;
            let mut out = form_urlencoded::Serializer::new(String::new());
            Some(out.append_pair("payload", text).finish().into_bytes())
        }),
    ];
    table.map(|(text, change)| Hypothesis::body(Cause::FormReencoded, text, change)).into()
}

fn is_form(body: &[u8]) -> bool {
    body.contains(&b'=')
        && !body.starts_with(b"{")
        && !body.starts_with(b"[")
        && std::str::from_utf8(body).is_ok()
}

fn replaced(body: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    if !is_form(body) {
        return None;
    }
    let text = std::str::from_utf8(body).ok().filter(|text| text.contains(from))?;
    Some(text.replace(from, to).into_bytes())
}

/// The form with the case of its escapes' digits changed.
fn with_escapes(body: &[u8], change: fn(&u8) -> u8) -> Option<Vec<u8>> {
    if !is_form(body) {
        return None;
    }
    let mut out = body.to_vec();
    for at in 0..out.len() {
        let is_escape = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_hexdigit);
        if out[at] == b'%' && is_escape(out.get(at + 1)) && is_escape(out.get(at + 2)) {
            for digit in &mut out[at + 1..at + 3] {
                *digit = change(digit);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_change_their_case_and_nothing_else_does() {
        assert_eq!(with_escapes(b"a=%2bb%c3%a9", u8::to_ascii_uppercase).unwrap(), b"a=%2Bb%C3%A9");
        assert_eq!(with_escapes(b"{\"a=\":1}", u8::to_ascii_uppercase), None);
        assert_eq!(replaced(b"a=b+c", "+", "%20").unwrap(), b"a=b%20c");
    }
}
