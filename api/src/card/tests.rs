//! What is taken for a card's number, and what is not. The numbers are those that networks publish for tests.

use serde_json::{Value, json};

use super::*;

fn refused(body: &Value) -> bool {
    none_in(body.to_string().as_bytes()).is_err()
}

const NUMBERS: &[&str] = &[
    "4242424242424242",
    "4000002500003155",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
];

#[test]
fn numbers_of_every_network_are_found_however_they_are_written() {
    for number in NUMBERS {
        // Diners' example of 16 digits begins as their 14 do; it counts where a card is named.
        let name = if *number == "3056930009020004" { "card" } else { "note" };
        // As they stand on the cards.
        let grouped = |between: &str| match number.len() {
            14 | 15 => [&number[..4], &number[4..10], &number[10..]].join(between),
            _ => [&number[..4], &number[4..8], &number[8..12], &number[12..]].join(between),
        };
        for text in [(*number).to_owned(), grouped(" "), grouped("-"), format!("my card: {number}, thanks")] {
            assert!(refused(&json!({ name: text })), "{text}");
        }
    }
}

#[test]
fn they_are_found_wherever_they_stand() {
    let card = "4242 4242 4242 4242";
    for body in [
        json!(card),
        json!([["x", card]]),
        json!({ "a": { "b": [card] } }),
        json!({ "contact": { "name": format!("Ada 12 {card} 34") } }),
        json!({ "token": "4222222222222" }),
        json!({ "card": { "number": 4_242_424_242_424_242_u64 } }),
        json!({ "number": "9999999999999995" }),
        json!({ "cvc": "123" }),
        json!({ "security_code": 1234 }),
        json!({ "4242424242424242": true }),
    ] {
        assert!(refused(&body), "{body}");
    }
    let escaped = br#"{"note":"\u0034242424242424242"}"#;
    assert!(none_in(escaped).is_err());
    let twice = br#"{"note":"4242424242424242","note":"x"}"#;
    assert!(none_in(twice).is_err());
    let cut = br#"{"note":"4242424242424242","#;
    assert!(none_in(cut).is_err());
}

#[test]
fn what_is_no_card_goes_through() {
    for text in [
        // One digit is wrong; no network has it; it is too long; it is a part of something.
        "4242424242424241",
        "9999999999999995",
        "42424242424242424242424242",
        "order-4242424242424242x",
        "A4242424242424242",
        // Telephones.
        "+44 20 7946 0000",
        "+4915123456789012",
        "0044 20 7946 0000",
        // EAN-13 of German and Japanese goods, ISBN, GTIN-14, IBAN.
        "4006381333931",
        "4901234567894",
        "9783161484100",
        "14006381333938",
        "GB29 NWBK 6016 1331 9268 19",
        // Gateways' tokens, dates, lists of numbers.
        "pm_card_visa",
        "tok_1N3T00LkdIwHu7ixt44h1F8k",
        "2026-11-22 05:31:53 2026",
        "1 2 3 4 5 6 7 8 9 10 11 12 13",
    ] {
        assert!(!refused(&json!({ "note": text })), "{text}");
    }
    for body in [
        json!({ "sku": "4242424242424242", "lines": [{ "sku": "5555555555554444" }] }),
        json!({ "tracking": "4242424242424242" }),
        json!({ "key": "4242424242424242", "aggregate_id": "4242424242424242" }),
        json!({ "amount": 4_242_424_242_424_242_u64, "position": 5_555_555_555_554_444_u64 }),
        json!({ "code": "123", "country_code": "044", "cvc": "" }),
    ] {
        assert!(!refused(&body), "{body}");
    }
}

#[test]
fn no_uuid_is_taken_for_a_card() {
    // Every group of digits alone, as one id in some thousands is; the middle ones would be a Visa's number.
    for id in [
        "12345678-4242-4242-4242-123456789012",
        "4242a242-4242-4242-4242-4242b2424242",
        "aaaaaaaa-4242-4242-4242-4242aaaaaaaa",
        "aaaaaaa4-2424-2424-2424-242424242424",
    ] {
        assert!(!refused(&json!({ "note": id })), "{id}");
    }
}
