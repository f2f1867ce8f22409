//! `Idempotency-Key`: a string as structured fields write it (RFC 9651), or the same without quotes.

use http::{HeaderMap, HeaderName};

/// The header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const MOST_CHARS: usize = 255;

/// Why a header is no key.
pub(crate) const WANTED: &str =
    "must be given once and have 1 to 255 visible ASCII characters, with or without quotes around them";

/// The key of a request, if it has one. An error if it has something else.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(first) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(());
    }
    let text = first.to_str().map_err(drop)?.trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted).ok_or(())?,
        None if text.contains('"') => return Err(()),
        None => text.to_owned(),
    };
    let fits = (1..=MOST_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(Some(key)) } else { Err(()) }
}

/// What stands between the quotes, the first of which is taken off already.
fn unquoted(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|c| ['"', '\\'].contains(c))?),
            other => key.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, ()> {
        of(&values.iter().map(|value| (IDEMPOTENCY_KEY, value.parse().unwrap())).collect())
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        for text in ["8e03978e-40d5-43dd-bc93-6894a57f9324", "a", "a\\b;c=1"] {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\"));
            for given in [text, &quoted, &format!(" {quoted}\t")] {
                assert_eq!(read(&[given]), Ok(Some(text.to_owned())), "{given}");
            }
        }
        assert_eq!(read(&["\"a\\\"b\""]), Ok(Some("a\"b".to_owned())));
        assert_eq!(read(&[&"k".repeat(255)]), Ok(Some("k".repeat(255))));
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in
            ["", " ", "\"\"", "\"open", "a b", "\"a b\"", "\"a\"b", "a\"b", "\"a\\n\"", "\"a\";p=1", "\"\\"]
        {
            assert_eq!(read(&[text]), Err(()), "{text:?}");
        }
        assert_eq!(read(&[&"k".repeat(256)]), Err(()));
        assert_eq!(read(&["a", "a"]), Err(()), "twice");
        let not_ascii =
            HeaderMap::from_iter([(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(b"\xff").unwrap())]);
        assert_eq!(of(&not_ascii), Err(()));
    }
}
