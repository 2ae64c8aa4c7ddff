//! Entity tags, and what requests ask under them (RFC 9110, sections 8.8.3 and 13).
//!
//! Our tags begin with the stream's version: `"7"` where the page follows from one stream alone, `"7.c0ffee…"` where it shows
//! more than that, with a hash of all that it shows. Commands compare the version; readers compare the whole tag.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use store::log::Sequence;

use crate::problem::Problem;

/// A version that nothing ever has.
pub const NO_VERSION: Sequence = -1;

/// What a client knows already, or insists on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Whatever there is: `*`.
    Any,
    /// One of these.
    These(Vec<Tag>),
}

/// One entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    weak: bool,
    /// What stands between the quotes.
    opaque: Box<str>,
}

/// The version that a command has to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It does not matter.
    Whatever,
    /// Any, as long as there is one.
    There,
    /// One of these.
    Versions(Vec<Sequence>),
}

/// Under which conditions a page is asked for.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    matches: Option<Tags>,
    none_matches: Option<Tags>,
}

/// What the conditions make of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is sent.
    Wanted,
    /// The client has it.
    Known,
    /// It is not the one that the client insists on.
    Another,
}

impl Tags {
    /// The tags of all fields of that name; `None` without any, an error when they are none.
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Result<Self, ()>> {
        let mut fields = headers.get_all(name).iter().peekable();
        fields.peek()?;
        let texts: Option<Vec<&str>> = fields.map(|field| field.to_str().ok()).collect();
        Some(texts.and_then(|texts| Self::parse(&texts.join(","))).ok_or(()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_matches([' ', '\t', ',']);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        while !rest.is_empty() {
            let weak = rest.starts_with("W/");
            let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
            let (opaque, after) = quoted.split_once('"')?;
            let visible = |byte: u8| byte == b'!' || (byte > b'"' && byte != 0x7F);
            if !opaque.bytes().all(visible) {
                return None;
            }
            tags.push(Tag { weak, opaque: opaque.into() });
            // Between two tags stands a comma, perhaps several.
            let next = after.trim_start_matches([' ', '\t']);
            rest = next.trim_start_matches([' ', '\t', ',']);
            if !rest.is_empty() && !next.starts_with(',') {
                return None;
            }
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }

    /// For reading again: a weak tag will do.
    fn knows(&self, opaque: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| &*tag.opaque == opaque),
        }
    }

    /// For insisting: a weak tag never will.
    fn insists_on(&self, opaque: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| !tag.weak && &*tag.opaque == opaque),
        }
    }
}

impl Tag {
    /// The stream's version in a tag of ours.
    fn version(&self) -> Option<Sequence> {
        let version = self.opaque.split('.').next().filter(|_| !self.weak)?;
        version.parse().ok().filter(|version| *version >= 0)
    }
}

impl Expected {
    /// What `If-Match` says to a command.
    ///
    /// # Errors
    /// `precondition.malformed`.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match Tags::of(headers, &header::IF_MATCH) {
            None => Ok(Self::Whatever),
            Some(Ok(Tags::Any)) => Ok(Self::There),
            Some(Ok(Tags::These(tags))) => Ok(Self::Versions(tags.iter().filter_map(Tag::version).collect())),
            Some(Err(())) => Err(malformed()),
        }
    }

    /// Whether one of certain versions is wanted.
    #[must_use]
    pub const fn names_versions(&self) -> bool {
        matches!(self, Self::Versions(_))
    }
}

impl From<Option<Sequence>> for Expected {
    fn from(version: Option<Sequence>) -> Self {
        version.map_or(Self::Whatever, |version| Self::Versions(vec![version]))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self {
            matches: match Tags::of(&parts.headers, &header::IF_MATCH) {
                Some(Err(())) => return Err(malformed()),
                tags => tags.and_then(Result::ok),
            },
            // Whoever cannot say what is known gets everything.
            none_matches: Tags::of(&parts.headers, &header::IF_NONE_MATCH).and_then(Result::ok),
        })
    }
}

impl Conditions {
    /// What they make of a page with that tag, in the order of RFC 9110, section 13.2.2.
    #[must_use]
    pub fn judge(&self, tag: &HeaderValue) -> Judged {
        if self.matches.is_none() && self.none_matches.is_none() {
            return Judged::Wanted;
        }
        let opaque = tag.to_str().unwrap_or_default().trim_matches('"');
        if self.matches.as_ref().is_some_and(|tags| !tags.insists_on(opaque)) {
            return Judged::Another;
        }
        match self.none_matches.as_ref().is_some_and(|tags| tags.knows(opaque)) {
            true => Judged::Known,
            false => Judged::Wanted,
        }
    }
}

fn malformed() -> Problem {
    Problem::new("precondition.malformed", "If-Match takes ETags of ours, such as \"3\", or *")
}

/// The tag of a page that follows from one stream alone.
#[must_use]
pub fn of_version(version: Sequence) -> HeaderValue {
    tag(format_args!("{version}"))
}

/// The tag of a page that shows more than its stream.
#[must_use]
pub fn of_page(version: Sequence, hash: Hash) -> HeaderValue {
    tag(format_args!("{version}.{:016x}", hash.0))
}

/// The tag of what changes with the program only.
#[must_use]
pub fn of_text(hash: Hash) -> HeaderValue {
    tag(format_args!("{:016x}", hash.0))
}

fn tag(opaque: std::fmt::Arguments<'_>) -> HeaderValue {
    // Digits and dots are visible ASCII; without a tag a page would only be sent once more.
    HeaderValue::from_str(&format!("\"{opaque}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Tells pages apart (FNV-1a, 64 bits): the same in every process, and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    /// Of what a page shows.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(0xCBF2_9CE4_8422_2325).and(bytes)
    }

    /// The same with more of it.
    #[must_use]
    pub fn and(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(tags: &[(bool, &str)]) -> Option<Tags> {
        let tag = |(weak, opaque): &(bool, &str)| Tag { weak: *weak, opaque: (*opaque).into() };
        Some(Tags::These(tags.iter().map(tag).collect()))
    }

    #[test]
    fn lists_are_read_as_the_rfc_writes_them() {
        for (text, wanted) in [
            ("*", Some(Tags::Any)),
            (r#""3""#, these(&[(false, "3")])),
            (r#"W/"3" , "4.a,b",,"""#, these(&[(true, "3"), (false, "4.a,b"), (false, "")])),
            (r#" ,"xyzzy", "#, these(&[(false, "xyzzy")])),
            ("3", None),
            ("", None),
            (r#""3" "4""#, None),
            (r#""3"#, None),
            (r#"w/"3""#, None),
            (r#"*, "3""#, None),
            ("\"a b\"", None),
        ] {
            assert_eq!(Tags::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_weak_tag_is_known_and_never_insisted_on() {
        let weak = Tags::parse(r#"W/"7.0a""#).unwrap();
        assert!(weak.knows("7.0a") && !weak.knows("7") && !weak.insists_on("7.0a"));
        let strong = Tags::parse(r#""6", "7.0a""#).unwrap();
        assert!(strong.knows("7.0a") && strong.insists_on("6") && !strong.insists_on("7"));
    }

    #[test]
    fn the_version_is_what_stands_before_the_dot() {
        for (text, version) in [("7", Some(7)), ("7.0a", Some(7)), ("x", None), ("-1", None), ("", None)] {
            assert_eq!(Tag { weak: false, opaque: text.into() }.version(), version, "{text}");
        }
        assert_eq!(Tag { weak: true, opaque: "7".into() }.version(), None);
    }

    #[test]
    fn every_byte_counts() {
        assert_eq!(Hash::of(b"foobar").0, 0x8594_4171_F739_67E8);
        assert_eq!(Hash::of(b"foo").and(b"bar"), Hash::of(b"foobar"));
    }
}
