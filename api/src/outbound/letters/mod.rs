//! What is written to buyers and to the shop: each letter as text and as HTML, from the templates in `api/templates/mail`.

mod account;
mod facts;
mod templates;

pub use account::{ACCOUNT, AccountLetter, Opened};
pub use facts::{Buyer, Facts, LookUpError, Lookup, Ordered, Row, Story};

/// A letter without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// For whoever reads text.
    pub text: String,
    /// The same with everything from outside escaped.
    pub html: String,
}

/// A template that cannot be filled.
#[derive(Debug, thiserror::Error)]
#[error("a letter cannot be written: {0}")]
pub struct LetterError(#[from] askama::Error);

impl Letter {
    /// The letter that tells a story; `None` when the story is not one for letters.
    ///
    /// # Errors
    /// When a template cannot be filled.
    pub fn of(shop: &str, facts: &Facts) -> Result<Option<Self>, LetterError> {
        let name = facts.buyer.as_ref().map_or("", |buyer| buyer.name.as_str());
        let letter = match &facts.story {
            Story::Confirmed { order } => templates::confirmed(shop, name, order)?,
            Story::Shipped { order, sent, carrier, tracking } => {
                templates::shipped(shop, name, order, (sent, carrier, tracking.as_deref()))?
            }
            Story::Refunded { order, amount } => templates::refunded(shop, name, order, amount)?,
            Story::Cancelled { order, why } => templates::cancelled(shop, name, order, why)?,
            Story::Low { sku, available, reorder_point } => {
                templates::low_stock(shop, sku, *available, *reorder_point)?
            }
            Story::Disputed { order, dispute, amount, reason } => {
                templates::disputed(shop, (order, dispute), amount, reason)?
            }
            Story::Delivered { .. } => return Ok(None),
        };
        Ok(Some(letter))
    }
}

/// One line for a header: whatever would end or break it is a space. Mail libraries fold and encode headers, but what begins
/// another header must not even reach them.
#[must_use]
pub fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let plain: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered() -> Ordered {
        let row = |title: &str| Row { title: title.into(), quantity: 2, amount: "25.00 GBP".into() };
        Ordered {
            id: "O1".into(),
            lines: vec![row("Mug <b>blue</b>")],
            charges: vec![Row { quantity: 1, ..row("Post & packing") }],
            total: "54.50 GBP".into(),
        }
    }

    fn facts(story: Story) -> Facts {
        let buyer = Buyer {
            name: "Ada <script>alert(1)</script>".into(),
            email: "ada@example.com".into(),
            phone: None,
        };
        Facts { story, buyer: Some(buyer) }
    }

    fn stories() -> Vec<Story> {
        let order = ordered;
        vec![
            Story::Confirmed { order: order() },
            Story::Shipped {
                order: order(),
                sent: order().lines,
                carrier: "Fast & <i>safe</i>".into(),
                tracking: Some("AB<12>".into()),
            },
            Story::Refunded { order: order(), amount: "54.50 GBP".into() },
            Story::Cancelled { order: order(), why: "you asked for it" },
            Story::Low { sku: "MUG <1>".into(), available: 2, reorder_point: 5 },
            Story::Disputed {
                order: "O1".into(),
                dispute: "dp_1".into(),
                amount: "54.50 GBP".into(),
                reason: "not <b>received</b>".into(),
            },
        ]
    }

    #[test]
    fn what_comes_from_outside_is_escaped_in_html_and_stands_as_it_is_in_text() {
        for story in stories() {
            let letter = Letter::of("The <Shop>", &facts(story.clone())).unwrap().unwrap();
            for tag in ["<script", "<b>", "<i>", "<1>", "<12>", "<Shop>"] {
                assert!(!letter.html.contains(tag), "{tag} in {}", letter.html);
            }
            assert!(letter.text.contains("The <Shop>"), "{}", letter.text);
            if !matches!(story, Story::Low { .. } | Story::Disputed { .. }) {
                assert!(letter.html.contains("Ada &#60;script&#62;"), "{}", letter.html);
                assert!(letter.text.contains("Ada <script>"), "{}", letter.text);
                assert!(letter.text.contains("O1") && letter.html.contains("O1"));
            }
        }
    }

    #[test]
    fn a_letter_says_what_it_is_about() {
        let [confirmed, shipped, refunded, cancelled, low, disputed] =
            stories().try_into().unwrap_or_else(|_| panic!("six stories"));
        let text = |story| Letter::of("Shop", &facts(story)).unwrap().unwrap().text;
        let confirmed = text(confirmed);
        for part in ["2 × Mug <b>blue</b>", "25.00 GBP", "Post & packing", "54.50 GBP"] {
            assert!(confirmed.contains(part), "{part} in {confirmed}");
        }
        let shipped = text(shipped);
        assert!(shipped.contains("AB<12>") && shipped.contains("Fast & <i>safe</i>"), "{shipped}");
        assert!(text(refunded).contains("54.50 GBP"));
        assert!(text(cancelled).contains("you asked for it"));
        let disputed = text(disputed);
        for part in ["O1", "dp_1", "54.50 GBP", "not <b>received</b>"] {
            assert!(disputed.contains(part), "{part} in {disputed}");
        }
        let low = text(low);
        assert!(low.contains("MUG <1>") && low.contains('2') && low.contains('5'), "{low}");
    }

    #[test]
    fn a_header_is_one_line_whatever_it_is_made_of() {
        assert_eq!(one_line("Order\r\nBcc: everybody@example.com"), "Order Bcc: everybody@example.com");
        assert_eq!(one_line(" a\u{2028}b\tc\0d\u{85}e "), "a b c d e");
        let story = Story::Low { sku: "A\r\nBcc: x@example.com".into(), available: 0, reorder_point: 1 };
        let letter = Letter::of("Shop\r\nX: y", &facts(story)).unwrap().unwrap();
        assert!(!letter.subject.contains(['\r', '\n']), "{:?}", letter.subject);
    }
}
