//! The headers that many routes take and answer with.

use serde_json::{Map, Value, json};

use crate::{freshness, idempotency};

const TOKEN: &str = "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,19}$";
const TAGS: &str = r#"^(?:\*|(?:W/)?"[\x21\x23-\x7e]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e]*")*)$"#;

/// A reference to a parameter that is described once.
pub fn parameter(name: &str) -> Value {
    assert!(parameters().contains_key(name), "there is no parameter {name}");
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A header by the name that clients see, as a reference to its description.
pub fn header(name: &str) -> (String, Value) {
    let found = HEADERS.iter().find(|(known, ..)| *known == name);
    let (_, shown, ..) = found.unwrap_or_else(|| panic!("there is no header {name}"));
    ((*shown).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
}

/// Headers of answers: the name here, the name there, what it says, what it looks like.
const HEADERS: &[(&str, &str, &str, &str)] = &[
    (
        "Position",
        "Daybook-Position",
        "Up to where the answer shows everything that happened, or where the log stands after the command: send it back as `Daybook-Min-Position` to see at least that.",
        TOKEN,
    ),
    (
        "PositionOfPage",
        "Daybook-Position",
        "Up to where a page shows everything; an answer without an end says it event by event.",
        TOKEN,
    ),
    (
        "StaleSince",
        "Daybook-Stale-Since",
        "The first event that the answer lacks, because its stream was set aside.",
        TOKEN,
    ),
    ("NextOfPage", "Daybook-Next", "Where the next page begins.", "^[0-9]{1,19}$"),
    (
        "ETag",
        "ETag",
        "The version of what is answered, for `If-Match` and `If-None-Match`.",
        r#"^"[\x21\x23-\x7e]+"$"#,
    ),
    ("Replayed", "Idempotency-Replayed", "`true` when this is the first answer again.", "^true$"),
    ("Location", "Location", "Where the new thing is.", "^/v1/"),
    ("LocationIfAny", "Location", "Where to look what came of it, where that is a page of its own.", "^/v1/"),
    ("CacheControl", "Cache-Control", "Who may keep the answer, and for how long.", ""),
    ("Vary", "Vary", "What else of the request the answer depends on.", ""),
    ("RetryAfter", "Retry-After", "Seconds after which it is worth trying again.", "^[0-9]+$"),
    (
        "RateLimit",
        "RateLimit",
        "What is left of a quota: `r` requests at once, and all of them again in `t` seconds.",
        r#"^"[a-z]+";r=[0-9]+;t=[0-9]+$"#,
    ),
    (
        "RateLimitPolicy",
        "RateLimit-Policy",
        "A quota: `q` requests in `w` seconds.",
        r#"^"[a-z]+";q=[0-9]+;w=[0-9]+$"#,
    ),
    ("Authenticate", "WWW-Authenticate", "What token is wanted.", "^Bearer "),
];

/// Headers that are always there: the others only when there is something to say.
const ALWAYS: &[&str] = &["Position", "ETag", "Location"];

/// Every header of answers.
pub fn headers() -> Map<String, Value> {
    let described = HEADERS.iter().map(|(name, _, what, pattern)| {
        let mut schema = json!({ "type": "string" });
        if !pattern.is_empty() {
            schema["pattern"] = (*pattern).into();
        }
        let header = json!({ "description": what, "required": ALWAYS.contains(name), "schema": schema });
        ((*name).to_owned(), header)
    });
    described.collect()
}

/// Every parameter that is a header.
pub fn parameters() -> Map<String, Value> {
    let key = json!({ "type": "string", "format": "idempotency-key", "pattern": "^[!-~]{1,255}$" });
    let key_says = "A name of your own for this command, the same again when you repeat it: the first answer is given again. Kept for a day at least.";
    let of = |name: &str, required: bool, schema: Value, what: &str| json!({ "name": name, "in": "header", "required": required, "description": what, "schema": schema });
    let shown = |name: &axum::http::HeaderName| {
        let words = name.as_str().split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect::<Vec<_>>().join("-")
    };
    let text = || json!({ "type": "string" });
    let token = || json!({ "type": "string", "format": "daybook-position", "pattern": TOKEN });
    let tags =
        || json!({ "type": "string", "format": "entity-tags", "pattern": TAGS, "examples": ["\"7\"", "*"] });
    let all = [
        ("IdempotencyKey", of(&shown(&idempotency::KEY), false, key.clone(), key_says)),
        ("RequiredIdempotencyKey", of(&shown(&idempotency::KEY), true, key, key_says)),
        (
            "MinPosition",
            of(
                &shown(&freshness::MIN_POSITION),
                false,
                token(),
                "What a `Daybook-Position` said: the answer shows at least everything up to there, or is 503 `read_model.behind`.",
            ),
        ),
        (
            "PreferWait",
            of(
                &shown(&freshness::PREFER),
                false,
                json!({ "type": "string" }),
                "`wait=<seconds>`: how long to wait, 2 unless it says so, 30 at most.",
            ),
        ),
        (
            "IfMatch",
            of("If-Match", false, tags(), "The tags of which the page must have one, or `*`; otherwise 412."),
        ),
        (
            "IfVersion",
            of(
                "If-Match",
                false,
                tags(),
                "The versions of which what the command is for must have one, as tags: `\"7\"`. `*` wants that there is anything at all; otherwise 412.",
            ),
        ),
        (
            "IfNoneMatch",
            of(
                "If-None-Match",
                false,
                text(),
                "The tags of pages that the client has: 304 when this is one of them.",
            ),
        ),
        (
            "LastEventId",
            of("Last-Event-ID", false, token(), "Goes on after that event: the `id` that was told last."),
        ),
        ("AcceptInvoice", of("Accept", false, text(), "`text/html` for a page to print; JSON otherwise.")),
        ("AcceptEvents", of("Accept", false, text(), "`text/event-stream` for Server-Sent Events.")),
        (
            "StripeSignature",
            of("Stripe-Signature", true, text(), "What Stripe signs with: `t=<seconds>,v1=<hex>`."),
        ),
        ("WebhookId", of("webhook-id", true, text(), "The message's own id: it is taken once.")),
        (
            "WebhookTimestamp",
            of(
                "webhook-timestamp",
                true,
                json!({ "type": "string", "pattern": "^[0-9]+$" }),
                "When it was sent, in seconds since 1970.",
            ),
        ),
        (
            "WebhookSignature",
            of(
                "webhook-signature",
                true,
                text(),
                "`v1,<base64>`: HMAC-SHA256 of id, timestamp and body, as Standard Webhooks says.",
            ),
        ),
    ];
    all.into_iter().map(|(name, parameter)| (name.to_owned(), parameter)).collect()
}
