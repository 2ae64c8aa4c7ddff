//! Random histories of products.

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, money, named, play, pounds, quantity, sku, text};

fn variant() -> impl Strategy<Value = Variant> {
    let text = || prop::option::of(text());
    (sku(), text(), money(), text(), 0..9_u32, prop::option::of(quantity())).prop_map(
        |(sku, title, price, tax_category, weight_grams, purchase_limit)| Variant {
            sku,
            title,
            price,
            tax_category,
            weight_grams,
            purchase_limit,
        },
    )
}

fn listing() -> impl Strategy<Value = Listing> {
    let texts = || prop::collection::vec(text(), 0..3);
    (text(), prop::option::of(text()), texts(), prop::collection::vec(variant(), 0..3)).prop_map(
        |(title, description, category, variants)| Listing {
            title,
            description,
            brand: None,
            category,
            images: vec![named("https://example.com/mug.jpg")],
            variants,
        },
    )
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    let change = (sku(), money()).prop_map(|(sku, price)| Command::ChangePrice { sku, price });
    prop::collection::vec(prop_oneof![listing().prop_map(Command::List), change], 0..12)
}

proptest! {
    #[test]
    fn prices_stay_sound_and_repeats_change_nothing(commands in history()) {
        play::<Product>(commands, |_| Again::Nothing, |product, _| {
            for variant in product.listing().map_or(&[][..], |listing| &listing.variants) {
                assert!(product.price(&variant.sku).unwrap().amount >= 0);
            }
        });
    }

    #[test]
    fn any_order_of_events_folds(
        events in history().prop_map(caused::<Product>).prop_shuffle()
    ) {
        let product: Product = fold(events);
        prop_assert_eq!(product.listing().is_some(), product != Product::Unlisted);
    }
}

#[test]
fn a_listing_is_refused_for_what_is_wrong_with_it() {
    let mug = Variant {
        sku: named("MUG"),
        title: None,
        price: pounds(500),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    let good = Listing {
        title: named("Mug"),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: vec![mug.clone()],
    };
    let long = |chars: usize| named::<Text>(&"ä".repeat(chars));
    let too_large = |field: &str, max| Some(Refusal::TooLarge { field: field.into(), max });
    let cases = [
        (good.clone(), None),
        (Listing { variants: vec![], ..good.clone() }, Some(Refusal::NoVariants)),
        (
            Listing { variants: vec![mug.clone(), mug.clone()], ..good.clone() },
            Some(Refusal::DuplicateSku { sku: named("MUG") }),
        ),
        (
            Listing { variants: vec![Variant { price: pounds(-1), ..mug }], ..good.clone() },
            Some(Refusal::NegativePrice { sku: named("MUG") }),
        ),
        (Listing { title: long(TITLE_CHARS_MAX), ..good.clone() }, None),
        (Listing { title: long(TITLE_CHARS_MAX + 1), ..good.clone() }, too_large("title", TITLE_CHARS_MAX)),
        (
            Listing { category: vec![long(1); CATEGORY_LEVELS_MAX + 1], ..good.clone() },
            too_large("category", CATEGORY_LEVELS_MAX),
        ),
        (
            Listing { images: vec![named("ftp://example.com")], ..good },
            Some(Refusal::BadImageAddress { address: named("ftp://example.com") }),
        ),
    ];
    for (listing, refusal) in cases {
        assert_eq!(Product::Unlisted.decide(Command::List(listing)).err(), refusal);
    }
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::AlreadyListed,
        Refusal::NotListed,
        Refusal::UnknownVariant { sku: named("MUG") },
        Refusal::DuplicateSku { sku: named("MUG") },
        Refusal::NoVariants,
        Refusal::NegativePrice { sku: named("MUG") },
        Refusal::TooLarge { field: "title".into(), max: 200 },
        Refusal::BadImageAddress { address: named("ftp://example.com") },
    ];
    refusals.iter().for_each(check_refusal::<Product>);
}
