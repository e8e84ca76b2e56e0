//! Hypotheses about the URL, of schemes that sign it: `public_url` is not what the provider has.
//!
//! Takes what the head says of the URL, and what is configured. Gives schemes that are bound to other URLs. A query
//! may hold a credential, so that no text here has one.

use std::collections::BTreeSet;

use http::Uri;
use http::uri::Authority;

use super::Case;
use super::bench::{Hypothesis, Otherwise};
use super::cause::Cause;
use crate::signature::native::Native;
use crate::signature::scheme::Proof;
use crate::signature::{Account, Content, Scheme};

/// URLs that are tried.
const MAX_URLS: usize = 300;
/// Hosts that the head may name: proxies on the way are few.
const MAX_HOSTS: usize = 16;

/// The scheme, bound to every other URL that this one may have been sent to.
pub(crate) fn hypotheses(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    // Twilio signs the URL, and what of it is covered is another question.
    let signs_url = scheme.coverage.url || matches!(scheme.proof, Proof::Native(Native::Twilio { .. }));
    let Some(own) = case.disclosed.account.public_url.as_deref().filter(|_| signs_url) else {
        return Vec::new();
    };
    let Some(parts) = Parts::of(own) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut hypotheses = Vec::new();
    for (url, text) in candidates(case, &parts) {
        if hypotheses.len() == MAX_URLS {
            break;
        }
        if !seen.insert(url.clone()) {
            continue;
        }
        let Some(other) = bound_to(case, scheme, &url) else { continue };
        let mut request = case.capture.clone();
        let appended = request.query.as_deref().is_some_and(|query| query.contains("bodySHA256="));
        if !appended {
            request.query = url.split_once('?').map(|(_, query)| query.to_owned());
        }
        let otherwise = Otherwise::SchemeAndRequest(Box::new(other), Box::new(request));
        hypotheses.push(Hypothesis::new(Cause::PublicUrl, text, otherwise));
    }
    hypotheses
}

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let at = rest.find('/').unwrap_or(rest.len());
        Some(Self { scheme, authority: &rest[..at], path: &rest[at..], query })
    }
}

/// Other URLs, those that differ least first, each with what is different.
fn candidates(case: &Case<'_>, own: &Parts<'_>) -> Vec<(String, String)> {
    let schemes = [own.scheme, if own.scheme == "https" { "http" } else { "https" }];
    let authorities = authorities(case, own);
    let mut paths = vec![own.path.to_owned()];
    for path in [case.capture.path.as_deref(), Some(&case.source.path), Some(own.path)].into_iter().flatten()
    {
        for path in [
            path.to_owned(),
            path.trim_end_matches('/').to_owned(),
            format!("{}/", path.trim_end_matches('/')),
        ] {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    let mut queries = vec![own.query];
    for query in [case.capture.query.as_deref(), None] {
        if !queries.contains(&query) {
            queries.push(query);
        }
    }
    let mut all = Vec::new();
    for scheme in schemes {
        for authority in &authorities {
            for path in &paths {
                for query in &queries {
                    let mut different = Vec::new();
                    if scheme != own.scheme {
                        different.push(format!("its scheme is `{scheme}`, not `{}`", own.scheme));
                    }
                    if authority != own.authority {
                        different.push(format!("its host is `{authority}`, not `{}`", own.authority));
                    }
                    if path != own.path {
                        different.push(format!("its path is `{path}`, not `{}`", own.path));
                    }
                    if *query != own.query {
                        different.push(match query {
                            None => "it has no query".to_owned(),
                            Some(_) => "it has the query of the request".to_owned(),
                        });
                    }
                    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                    let text = match different.as_slice() {
                        [] => "the query that arrived is not what was signed: that is the one of `public_url`, or none".to_owned(),
                        _ => format!("the URL that was signed is not `public_url`: {}", different.join(", ")),
                    };
                    all.push((different.len(), format!("{scheme}://{authority}{path}{query}"), text));
                }
            }
        }
    }
    all.sort_by_key(|(count, ..)| *count);
    all.into_iter().map(|(_, url, text)| (url, text)).collect()
}

fn authorities(case: &Case<'_>, own: &Parts<'_>) -> Vec<String> {
    let mut all = vec![own.authority.to_owned()];
    for name in ["host", "x-forwarded-host", "x-original-host"] {
        let values = case.capture.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        for value in values.flat_map(|value| value.split(',')).take(MAX_HOSTS) {
            // Only what is a host is shown.
            all.extend(value.trim().parse::<Authority>().ok().map(|authority| authority.to_string()));
        }
    }
    for port in [":443", ":80"] {
        all.push(own.authority.strip_suffix(port).unwrap_or(own.authority).to_owned());
        if !own.authority.contains(':') {
            all.push(format!("{}{port}", own.authority));
        }
    }
    let mut seen = BTreeSet::new();
    all.retain(|authority| seen.insert(authority.clone()));
    all
}

fn bound_to(case: &Case<'_>, scheme: &Scheme, url: &str) -> Option<Scheme> {
    url.parse::<Uri>().ok()?;
    let mut other = scheme.clone();
    other.proof = match &scheme.proof {
        Proof::Native(Native::Twilio { .. }) => Proof::Native(Native::Twilio { public_url: url.to_owned() }),
        Proof::Content(_) => {
            let account = Account { public_url: Some(url.to_owned()), ..case.disclosed.account.clone() };
            Proof::Content(Content::parse(case.disclosed.content.as_deref()?).ok()?.bind(&account).ok()?)
        }
        _ => return None,
    };
    // What the request's query is was settled with the URL.
    other.query = None;
    Some(other)
}
