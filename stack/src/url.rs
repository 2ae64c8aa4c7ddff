//! Knows how to put other credentials into a URL.

/// Puts other credentials into a URL, escaped.
pub(crate) fn with_credentials(url: &str, user: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let server = rest[..authority].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    format!("{scheme}://{}:{}@{server}", escaped(user), escaped(password))
}

pub(crate) fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::with_credentials;

    #[test]
    fn other_credentials_replace_those_in_the_url() {
        assert_eq!(
            with_credentials("postgres://a:b@h:1/d?x=y@z", "app", "p@:/"),
            "postgres://app:p%40%3A%2F@h:1/d?x=y@z"
        );
        assert_eq!(with_credentials("postgres://h/d", "app", "pw"), "postgres://app:pw@h/d");
    }
}
