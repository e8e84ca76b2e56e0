//! A captured request, in the forms in which people have one.
//!
//! Takes the text of its head: one `Name: value` a line, a whole HTTP head with its request line, `curl -v`'s `> `
//! lines, or JSON (an object, pairs, or objects with `name` and `value`). Gives [`Capture`]. What is wrong is said by
//! line number: a line may hold a credential.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The largest head that is read, in octets: `serve` takes 64 KiB.
pub(crate) const MAX_HEAD_BYTES: usize = 1024 * 1024;

/// Ten times as many headers as `serve` takes. A map of them has an end, beyond which it panics.
const MAX_HEADERS: usize = 1000;

/// A captured request.
#[derive(Clone, Default)]
pub(crate) struct Capture {
    /// The method, where the capture says it.
    pub(crate) method: Option<String>,
    /// The path, where the capture says it.
    pub(crate) path: Option<String>,
    /// What follows `?` in the target.
    pub(crate) query: Option<String>,
    /// The headers, repeats included.
    pub(crate) headers: HeaderMap,
    /// The octets of the body.
    pub(crate) body: Bytes,
}

impl Capture {
    /// Reads a head. The body is still to be put in.
    ///
    /// # Errors
    /// A sentence that quotes nothing of the head.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, String> {
        if head.len() > MAX_HEAD_BYTES {
            return Err(format!("the headers are larger than {MAX_HEAD_BYTES} octets"));
        }
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let mut capture = Self::default();
        match head.trim_ascii_start().first() {
            Some(b'{' | b'[') => capture.read_json(head)?,
            _ => capture.read_lines(head)?,
        }
        if capture.headers.is_empty() {
            return Err("there is no header in it; write one `Name: value` a line".to_owned());
        }
        Ok(capture)
    }

    fn read_lines(&mut self, head: &[u8]) -> Result<(), String> {
        let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
        let is_curl = head.starts_with(b"> ") || head.windows(3).any(|three| three == b"\n> ");
        for (index, line) in head.split(|octet| *octet == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = match (is_curl, line) {
                (false, line) => line,
                (true, [b'>', b' ', rest @ ..]) => rest,
                (true, b">") => break,
                (true, _) => continue,
            };
            match (line, lines.last_mut()) {
                // What follows an empty line would be the body, which is given apart.
                ([], Some(_)) => break,
                ([], None) => {}
                // The folding of RFC 7230, section 3.2.4.
                ([b' ' | b'\t', ..], Some((_, before))) => {
                    before.push(b' ');
                    before.extend_from_slice(line.trim_ascii());
                }
                (line, _) => lines.push((index + 1, line.to_vec())),
            }
        }
        for (place, (number, line)) in lines.iter().enumerate() {
            if place == 0 && self.read_request_line(line)? {
                continue;
            }
            self.read_line(*number, line)?;
        }
        Ok(())
    }

    /// `POST /path?query HTTP/1.1`, if it is one.
    fn read_request_line(&mut self, line: &[u8]) -> Result<bool, String> {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (method, target) = match words.as_slice() {
            [method, target, version] if version.starts_with("HTTP/") => (*method, *target),
            [version, ..] if version.starts_with("HTTP/") => {
                return Err("this is the head of an answer; the request's is needed".to_owned());
            }
            [method, target] if target.starts_with('/') && !method.ends_with(':') => (*method, *target),
            _ => return Ok(false),
        };
        self.method = Some(method.to_owned());
        self.read_target(target);
        Ok(true)
    }

    fn read_target(&mut self, target: &str) {
        // The absolute form of a request to a proxy.
        let target = match target.split_once("://") {
            Some((_, rest)) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
            None => target,
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        self.path = Some(path.to_owned());
        self.query = query;
    }

    fn read_line(&mut self, number: usize, line: &[u8]) -> Result<(), String> {
        // The pseudo-headers of HTTP/2 begin with a colon.
        let from = usize::from(line.first() == Some(&b':'));
        let colon = line[from..].iter().position(|octet| *octet == b':').map(|at| at + from);
        let colon = colon.ok_or_else(|| format!("line {number} is no header; write `Name: value`"))?;
        self.add(&line[..colon], line[colon + 1..].trim_ascii())
            .map_err(|why| format!("line {number}: {why}"))
    }

    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let name = name.trim_ascii();
        if name.starts_with(b":") {
            let text = String::from_utf8_lossy(value).into_owned();
            match name {
                b":method" => self.method = Some(text),
                b":path" => self.read_target(&text),
                b":authority" => return self.add(b"host", value),
                _ => {}
            }
            return Ok(());
        }
        let name = HeaderName::from_bytes(name).map_err(|_| "that can't be a header's name")?;
        let value =
            HeaderValue::from_bytes(value).map_err(|_| format!("`{name}` can't have such a value"))?;
        if self.headers.len() == MAX_HEADERS {
            return Err(format!("there are more than {MAX_HEADERS} headers"));
        }
        self.headers.append(name, value);
        Ok(())
    }

    fn read_json(&mut self, head: &[u8]) -> Result<(), String> {
        let json: Value =
            serde_json::from_slice(head).map_err(|error| format!("the headers are no JSON: {error}"))?;
        // A log line of the whole request.
        for (key, slot) in
            [("method", &mut self.method), ("path", &mut self.path), ("query", &mut self.query)]
        {
            *slot = json.get("headers").and_then(|_| json.get(key)?.as_str()).map(str::to_owned);
        }
        if let Some(path) = self.path.take() {
            let query = self.query.take();
            self.read_target(&path);
            self.query = self.query.take().or(query);
        }
        self.read_json_headers(json.get("headers").filter(|headers| !headers.is_string()).unwrap_or(&json))
    }

    fn read_json_headers(&mut self, json: &Value) -> Result<(), String> {
        let form = || "the JSON is neither an object of headers nor a list of pairs".to_owned();
        match json {
            Value::Object(object) => {
                for (name, value) in object {
                    for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
                        self.add_json(name, value)?;
                    }
                }
                Ok(())
            }
            Value::Array(items) => {
                for item in items {
                    let pair = match item {
                        Value::Array(pair) => (pair.first(), pair.get(1)),
                        item => (item.get("name").or_else(|| item.get("key")), item.get("value")),
                    };
                    let (Some(name), Some(value)) = (pair.0.and_then(Value::as_str), pair.1) else {
                        return Err(form());
                    };
                    self.add_json(name, value)?;
                }
                Ok(())
            }
            _ => Err(form()),
        }
    }

    fn add_json(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                return Err(format!(
                    "a header has a value that is no text (header {})",
                    self.headers.len() + 1
                ));
            }
        };
        self.add(name.as_bytes(), text.as_bytes())
            .map_err(|why| format!("header {}: {why}", self.headers.len() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(head: &str) -> Capture {
        let capture = Capture::parse(head.as_bytes()).unwrap();
        assert_eq!(capture.headers.get("x-a").unwrap(), "1:2", "{head}");
        let all: Vec<_> =
            capture.headers.get_all("x-b").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(all, ["b", "c"], "{head}");
        capture
    }

    #[test]
    fn reads_every_form() {
        same("X-A: 1:2\nX-B: b\nX-B: c");
        same("\u{feff}X-A:1:2\r\nX-B:\tb \r\nX-B: c\r\n\r\nX-A: body");
        same(r#"{"X-A":"1:2","X-B":["b","c"]}"#);
        same(r#" [["X-A","1:2"],["x-b","b"],["X-B","c"]]"#);
        same(r#"[{"name":"X-A","value":"1:2"},{"key":"X-B","value":"b"},{"name":"x-b","value":"c"}]"#);
        for head in [
            "POST /hook?a=1&b HTTP/1.1\r\nX-A: 1:2\r\nX-B: b\r\nX-B: c\r\n\r\nbody",
            "* connected\n> POST https://h.example/hook?a=1&b HTTP/2\n> X-A: 1:2\n> X-B: b\n> X-B: c\n> \n< HTTP/2 200\n< x: y",
            ":method: POST\n:path: /hook?a=1&b\nx-a: 1:2\nx-b: b\nx-b: c",
            r#"{"method":"POST","path":"/hook?a=1&b","headers":{"X-A":"1:2","X-B":["b","c"]}}"#,
        ] {
            let capture = same(head);
            assert_eq!(capture.method.as_deref(), Some("POST"), "{head}");
            assert_eq!(capture.path.as_deref(), Some("/hook"), "{head}");
            assert_eq!(capture.query.as_deref(), Some("a=1&b"), "{head}");
        }
        let folded = Capture::parse(b"x-a: one\n\t two\n").unwrap();
        assert_eq!(folded.headers.get("x-a").unwrap(), "one two");
    }

    #[test]
    fn what_is_wrong_is_said_and_not_quoted() {
        for (wrong, said) in [
            ("", "no header"),
            ("x-a: b\nhunter2hunter2", "line 2"),
            ("x a: hunter2", "line 1"),
            ("x-a: hunter2\x01", "`x-a` can't have"),
            ("{\"x-a\": {\"hunter2\": 1}}", "no text"),
            ("[1]", "neither"),
            ("{\"x-a\": ", "no JSON"),
            ("HTTP/1.1 401 Unauthorized\nx-a: b", "answer"),
            (&(0..1001).map(|name| format!("{name}:\n")).collect::<String>(), "more than 1000 headers"),
        ] {
            let why = Capture::parse(wrong.as_bytes()).err().unwrap();
            assert!(why.contains(said) && !why.contains("hunter2"), "{wrong}: {why}");
        }
    }
}
