//! W3C Trace Context: what a request says of the trace it belongs to, and what a record says.
//!
//! Takes and gives header values. Pure. What is not exactly as the recommendation says is as if it were not there;
//! so is what would be too long to pass on, since anybody can send it.
//!
//! Source: W3C Trace Context, sections 3.2 and 3.3.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use http::HeaderMap;
use opentelemetry::trace::{SpanId, TraceId, TraceState};

use super::current::Ids;

/// The header with the IDs.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems add.
pub(crate) const TRACESTATE: &str = "tracestate";

/// What a later version may say beside the IDs, in octets.
const MAX_MORE: usize = 128;

/// The longest `tracestate` that is passed on, in octets; the recommendation asks for 512.
pub(crate) const MAX_STATE: usize = 1024;

/// The IDs of the sender's span, if the request names one.
pub(crate) fn parent(headers: &HeaderMap) -> Option<Ids> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    read(value.as_bytes())
}

/// `{2 hex}-{32 hex}-{16 hex}-{2 hex}`, lower case, neither ID all zero. Later versions than 00 may say more after it.
fn read(value: &[u8]) -> Option<Ids> {
    let (fixed, more) = value.split_at_checked(55)?;
    let is_hex = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let version = &fixed[..2];
    let parts = [version, &fixed[3..35], &fixed[36..52], &fixed[53..]];
    let are_parted = fixed[2] == b'-' && fixed[35] == b'-' && fixed[52] == b'-';
    let is_more =
        |more: &[u8]| more[0] == b'-' && more.len() <= MAX_MORE && more.iter().all(u8::is_ascii_graphic);
    let is_version = version != b"ff" && (more.is_empty() || (version != b"00" && is_more(more)));
    if !are_parted || !is_version || !parts.iter().all(|part| is_hex(part)) {
        return None;
    }
    let [_, trace, span, flags] = parts.map(|part| str::from_utf8(part).unwrap_or_default());
    let trace = TraceId::from_hex(trace).ok().filter(|trace| *trace != TraceId::INVALID)?;
    let span = SpanId::from_hex(span).ok().filter(|span| *span != SpanId::INVALID)?;
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some(Ids { trace, span, sampled })
}

/// What the sender's tracing systems have added.
pub(crate) fn state(headers: &HeaderMap) -> TraceState {
    let mut text = String::new();
    for value in headers.get_all(TRACESTATE) {
        let Ok(value) = value.to_str() else { return TraceState::NONE };
        if text.len() + value.len() > MAX_STATE {
            return TraceState::NONE;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(value);
    }
    text.parse().unwrap_or(TraceState::NONE)
}

/// The value of `traceparent`.
pub(crate) fn text(ids: Ids) -> String {
    format!("00-{}-{}-{:02x}", ids.trace, ids.span, u8::from(ids.sampled))
}

/// A trace that begins here, not sampled. Its ids must be unlike others, not hard to guess: the seeds of the
/// standard library's hash maps are that.
pub(crate) fn new_ids() -> Ids {
    let random = || RandomState::new().build_hasher().finish().max(1);
    let trace = u128::from(random()) << 64 | u128::from(random());
    Ids { trace: TraceId::from(trace), span: SpanId::from(random()), sampled: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        HeaderMap::from_iter(values.iter().map(|value| (name.parse().unwrap(), value.parse().unwrap())))
    }

    #[test]
    fn a_new_traceparent_is_one_and_unlike_the_last() {
        let (one, other) = (new_ids(), new_ids());
        assert_ne!(one.trace, other.trace);
        assert_ne!(one.span, other.span);
        for ids in [one, other] {
            assert_eq!(read(text(ids).as_bytes()), Some(ids));
        }
    }

    #[test]
    fn a_traceparent_is_taken_only_if_it_is_one() {
        let ids = parent(&with(TRACEPARENT, &[GIVEN])).unwrap();
        assert_eq!(text(ids), GIVEN);
        assert!(ids.sampled);
        let later = format!("01{}-more", &GIVEN[2..]);
        assert_eq!(read(later.as_bytes()), Some(ids), "a later version");
        assert!(!read(GIVEN.replace("-01", "-02").as_bytes()).unwrap().sampled, "another flag");
        assert_eq!(parent(&with(TRACEPARENT, &[GIVEN, GIVEN])), None, "two");
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            &format!("01{}-{}", &GIVEN[2..], "x".repeat(MAX_MORE)),
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parent(&with(TRACEPARENT, &[wrong])), None, "{wrong}");
        }
    }

    #[test]
    fn a_tracestate_is_passed_on_within_bounds() {
        assert_eq!(state(&with(TRACESTATE, &["a=1,b=2", "c=3"])).header(), "a=1,b=2,c=3");
        assert_eq!(state(&HeaderMap::new()).header(), "");
        assert_eq!(state(&with(TRACESTATE, &["no list"])).header(), "");
        let long = format!("a={}", "x".repeat(200));
        let five = [long.as_str(); 5];
        assert_ne!(state(&with(TRACESTATE, &five[..4])).header(), "");
        assert_eq!(state(&with(TRACESTATE, &[five.concat().as_str()])).header(), "", "too long");
    }
}
