//! What every index has to do, whatever engine it is.

use std::{env, sync::Arc};

use projections::{
    Cursor,
    search::{
        Band, Counted, Document, Embedded, FacetSet, Index, Meili, Place, ProductQuery, Sort, Synonyms,
        Values,
    },
};

use store::ports::Machine;
use uuid::Uuid;

use crate::shelf::{all, at, change, expect, fill, hits, product, sorted, text, words};

/// Makes an index with these synonyms.
type Make = fn(&str) -> Arc<dyn Index>;

fn in_process(synonyms: &str) -> Arc<dyn Index> {
    Arc::new(Embedded::in_memory(Synonyms::read(synonyms).unwrap()))
}

/// In the Meilisearch at `MEILI_URL`.
pub fn in_meilisearch(synonyms: &str) -> Arc<dyn Index> {
    let (url, key) = (env::var("MEILI_URL").unwrap(), env::var("MEILI_MASTER_KEY").ok());
    let uid = format!("t{}", Uuid::now_v7().simple());
    let synonyms = Synonyms::read(synonyms).unwrap();
    Arc::new(Meili::new(&url, key.as_deref(), &uid, synonyms, Arc::new(Machine)).unwrap())
}

macro_rules! contract {
    ($($name:ident,)+) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::in_process).await;
            })+
        }

        mod meilisearch {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if std::env::var("MEILI_URL").is_err() {
                    println!("not run: MEILI_URL is not set");
                    return;
                }
                super::$name(super::in_meilisearch).await;
            })+
        }
    };
}

contract! {
    words_find_what_holds_all_of_them_in_any_order_case_and_number,
    mistyped_words_find_what_was_meant,
    the_last_word_may_go_on_until_a_space_ends_it,
    phrases_stand_together_and_unwanted_words_are_left_out,
    the_title_counts_more_than_what_stands_beside_it,
    synonyms_find_each_other_or_one_the_other,
    filters_narrow_what_is_found,
    facets_count_all_hits_whatever_page_is_shown,
    every_order_orders,
    pages_go_on_past_a_thousand_with_nothing_lost_or_twice,
    values_change_in_place_and_say_what_moved,
    what_is_written_twice_is_there_once,
    it_is_filled_anew_beside_what_answers_and_swapped_at_once,
    what_is_typed_is_completed_by_what_finds_most,
    a_cursor_that_somebody_made_up_is_a_place_like_any_other,
    letters_beyond_ascii_are_found_and_completed,
    what_is_held_is_read_as_it_was_written,
    what_is_built_beside_is_written_and_read_until_it_is_swapped_or_given_up,
}

/// Six products, listed at 1 to 6.
fn shelf() -> Vec<Document> {
    let mut lamp = product(1, "Red lamp");
    lamp.brand = Some("Lumen".to_owned());
    lamp.category = vec!["Home".to_owned(), "Light".to_owned()];
    lamp.values = Values { price: 900, available: true, sold: 5, rating_sum: 9, rating_count: 2 };
    let mut kettle = product(2, "Élan Kettle <steel>");
    kettle.category = vec!["Home".to_owned(), "Kitchen".to_owned()];
    kettle.description = Some("Boils in a minute; goes with the red mugs".to_owned());
    kettle.values = Values { price: 2_500, available: false, sold: 90, rating_sum: 4, rating_count: 1 };
    let mut mugs = product(3, "Set of 6 tea mugs");
    mugs.brand = Some("Potter".to_owned());
    mugs.category = vec!["Home".to_owned(), "Kitchen".to_owned(), "Mugs".to_owned()];
    mugs.values = Values { price: 1_200, available: true, sold: 40, ..Values::default() };
    let mut holder = product(4, "White T-Light holder");
    holder.brand = Some("Lumen".to_owned());
    holder.category = vec!["Home".to_owned(), "Light".to_owned()];
    holder.values = Values { price: 150, available: true, sold: 0, rating_sum: 10, rating_count: 2 };
    let mut shirt = product(5, "Shirt with hanging hearts");
    shirt.category = vec!["Clothes".to_owned()];
    shirt.names.push("blue, XL".to_owned());
    shirt.values = Values { price: 900, available: false, sold: 7, rating_sum: 1, rating_count: 1 };
    let mut lantern = product(6, "Hanging heart lantern, white metal");
    lantern.category = vec!["Home".to_owned(), "Light".to_owned()];
    lantern.values = Values { price: 70_000, available: true, sold: 7, ..Values::default() };
    vec![lamp, kettle, mugs, holder, shirt, lantern]
}

async fn filled(index: Make) -> Arc<dyn Index> {
    let index = index("sofa, couch\nbrew => tea\n");
    fill(&index, &shelf(), at(6)).await;
    index
}

async fn words_find_what_holds_all_of_them_in_any_order_case_and_number(index: Make) {
    let index = filled(index).await;
    expect(&index, words("red lamp"), &[1]).await;
    expect(&index, words("LAMPS red"), &[1]).await;
    expect(&index, words("elan kettles"), &[2]).await;
    expect(&index, words("mug"), &[3, 2]).await;
    expect(&index, words("heart hanging lantern "), &[6]).await;
    expect(&index, words("tlight"), &[4]).await;
    expect(&index, words("t light holder"), &[4]).await;
    expect(&index, words("lan tern"), &[6]).await;
    expect(&index, words("sku-5"), &[5]).await;
    expect(&index, words("xl shirt"), &[5]).await;
    expect(&index, words("lumen lamp"), &[1]).await;
    expect(&index, words("zzz"), &[]).await;
    expect(&index, words("!!"), &[]).await;
    expect(&index, words("  "), &[6, 5, 4, 3, 2, 1]).await;
}

async fn mistyped_words_find_what_was_meant(index: Make) {
    let index = filled(index).await;
    for (typed, meant) in [
        ("kettel", 2),
        ("ketle", 2),
        ("kettlle", 2),
        ("lantren", 6),
        ("lanterm metal", 6),
        ("hangig hart lantern", 6),
        ("hloder", 4),
    ] {
        expect(&index, words(typed), &[meant]).await;
    }
    // A short word is what it is, and few people mistype the first letter.
    expect(&index, words("mgu"), &[]).await;
    expect(&index, words("bettle"), &[]).await;
}

async fn the_last_word_may_go_on_until_a_space_ends_it(index: Make) {
    let index = filled(index).await;
    expect(&index, words("red la"), &[1]).await;
    expect(&index, words("hea"), &[5, 6]).await;
    expect(&index, words("hea "), &[]).await;
    expect(&index, words("lanetr"), &[6]).await;
}

async fn phrases_stand_together_and_unwanted_words_are_left_out(index: Make) {
    let index = filled(index).await;
    // Which of the two stands first is the engine's own: one of them begins with it, the other is shorter.
    let newest = ProductQuery { sort: Sort::Newest, ..words("\"hanging heart\"") };
    expect(&index, newest, &[6, 5]).await;
    expect(&index, words("\"heart hanging\""), &[]).await;
    expect(&index, words("\"hanging heart\" white"), &[6]).await;
    expect(&index, words("heart -shirt"), &[6]).await;
    expect(&index, words("red -mug"), &[1]).await;
}

async fn the_title_counts_more_than_what_stands_beside_it(index: Make) {
    let index = filled(index).await;
    expect(&index, words("red"), &[1, 2]).await;
    expect(&index, words("tea"), &[3]).await;
    // Most of the words are better than nothing.
    expect(&index, words("purple metal lantern"), &[6]).await;
}

async fn synonyms_find_each_other_or_one_the_other(index: Make) {
    let index = filled(index).await;
    fill(&index, &[product(1, "Leather sofa"), product(2, "Tea pot"), product(3, "Brew kit")], at(3)).await;
    expect(&index, words("couches"), &[1]).await;
    expect(&index, words("brew"), &[3, 2]).await;
    expect(&index, words("tea"), &[2]).await;
}

async fn filters_narrow_what_is_found(index: Make) {
    let index = filled(index).await;
    let category =
        |names: &[&str]| ProductQuery { category: names.iter().map(|name| text(name)).collect(), ..all() };
    expect(&index, category(&["Home"]), &[6, 4, 3, 2, 1]).await;
    expect(&index, category(&["Home", "Kitchen"]), &[3, 2]).await;
    expect(&index, category(&["Kitchen"]), &[]).await;
    let brand = ProductQuery { brand: Some(text("Lumen")), ..all() };
    expect(&index, brand.clone(), &[4, 1]).await;
    expect(&index, ProductQuery { brand: Some(text("lumen")), ..all() }, &[]).await;
    expect(&index, ProductQuery { price_min: Some(900), price_max: Some(1_200), ..all() }, &[5, 3, 1]).await;
    expect(&index, ProductQuery { available: Some(true), ..all() }, &[6, 4, 3, 1]).await;
    expect(&index, ProductQuery { available: Some(false), ..all() }, &[5, 2]).await;
    expect(&index, ProductQuery { rating_min: Some(4_500), ..all() }, &[4, 1]).await;
    expect(&index, ProductQuery { rating_min: Some(4_501), ..all() }, &[4]).await;
    expect(&index, ProductQuery { available: Some(true), price_max: Some(500), ..brand }, &[4]).await;
    expect(&index, ProductQuery { available: Some(false), ..words("heart") }, &[5]).await;
}

async fn facets_count_all_hits_whatever_page_is_shown(index: Make) {
    let index = filled(index).await;
    let query = ProductQuery { facets: FacetSet::ALL, limit: 1, ..all() };
    let facets = hits(&index, &query).await.facets.unwrap();
    let counted = |counted: Vec<Counted>| {
        counted.into_iter().map(|of| format!("{} {}", of.value, of.count)).collect::<Vec<_>>()
    };
    assert_eq!(facets.total, 6);
    assert_eq!(counted(facets.brand.unwrap()), ["Lumen 2", "Potter 1"]);
    assert_eq!(
        counted(facets.category.unwrap()),
        ["Home 5", "Home > Light 3", "Home > Kitchen 2", "Clothes 1", "Home > Kitchen > Mugs 1"]
    );
    let priced = facets.price.unwrap().into_iter().filter(|band| band.count > 0);
    assert_eq!(
        priced.collect::<Vec<_>>(),
        [
            Band { from: 0, to: Some(499), count: 1 },
            Band { from: 500, to: Some(999), count: 2 },
            Band { from: 1_000, to: Some(2_499), count: 1 },
            Band { from: 2_500, to: Some(4_999), count: 1 },
            Band { from: 50_000, to: None, count: 1 },
        ]
    );
    assert_eq!(counted(facets.rating.unwrap()), ["5 1", "4 3", "3 3", "2 3", "1 4"]);
    assert_eq!(counted(facets.available.unwrap()), ["true 4", "false 2"]);
    let narrowed = ProductQuery {
        facets: FacetSet { brand: true, ..FacetSet::default() },
        available: Some(true),
        ..words("white")
    };
    let facets = hits(&index, &narrowed).await.facets.unwrap();
    assert_eq!((facets.total, counted(facets.brand.unwrap())), (2, vec!["Lumen 1".to_owned()]));
    assert_eq!((facets.price, facets.category), (None, None));
}

async fn every_order_orders(index: Make) {
    let index = filled(index).await;
    for (sort, expected) in [
        (Sort::Newest, [6, 5, 4, 3, 2, 1]),
        (Sort::Relevance, [6, 5, 4, 3, 2, 1]),
        (Sort::PriceAsc, [4, 1, 5, 3, 2, 6]),
        (Sort::PriceDesc, [6, 2, 3, 5, 1, 4]),
        (Sort::Rating, [4, 1, 2, 5, 6, 3]),
        (Sort::Popularity, [2, 3, 6, 5, 1, 4]),
    ] {
        expect(&index, sorted(sort), &expected).await;
    }
}

async fn pages_go_on_past_a_thousand_with_nothing_lost_or_twice(index: Make) {
    let index = index("");
    let mut documents: Vec<_> = (1..=1_300).map(|n| product(n, &format!("Thing number {n}"))).collect();
    for (document, n) in documents.iter_mut().zip(0..) {
        document.values =
            Values { price: n % 7, sold: n % 5, rating_sum: n % 4, rating_count: 1, ..Values::default() };
    }
    fill(&index, &documents, at(1_300)).await;
    for sort in
        [Sort::Relevance, Sort::Newest, Sort::PriceAsc, Sort::PriceDesc, Sort::Rating, Sort::Popularity]
    {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let query = ProductQuery { sort, cursor, ..words("thing") };
            let page = hits(&index, &query).await;
            seen.extend(page.listed_at);
            pages += 1;
            let Some(next) = page.next else { break };
            let json = serde_json::to_vec(&next).unwrap();
            use base64::Engine as _;
            cursor = Some(Cursor::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)));
        }
        assert_eq!((seen.len(), pages), (1_300, 13), "{sort:?}");
        let of = |listed_at: &i64| documents[usize::try_from(listed_at - 1).unwrap()].values;
        let prices: Vec<i64> = seen.iter().map(|listed_at| of(listed_at).price).collect();
        match sort {
            Sort::PriceAsc => assert!(prices.is_sorted()),
            Sort::PriceDesc => assert!(prices.iter().rev().is_sorted()),
            Sort::Popularity => assert!(seen.iter().rev().map(|listed_at| of(listed_at).sold).is_sorted()),
            Sort::Rating => assert!(seen.iter().rev().map(|listed_at| of(listed_at).rating()).is_sorted()),
            Sort::Relevance | Sort::Newest => assert!(seen.iter().rev().is_sorted()),
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1_300, "{sort:?}");
    }
}

async fn values_change_in_place_and_say_what_moved(index: Make) {
    let index = filled(index).await;
    let shelf = shelf();
    let changed = vec![
        change(&shelf[0], |values| values.price = 3_000),
        change(&shelf[1], |values| values.available = true),
        change(&shelf[3], |values| values.sold = 1_000),
    ];
    let moved = index.write(vec![], changed, &at(9)).await.unwrap();
    assert!(moved.price && moved.available && moved.sold && !moved.products);
    // A Meilisearch does not say what was there before.
    assert!(index.is_shared() || !moved.rating);
    expect(&index, sorted(Sort::PriceDesc), &[6, 1, 2, 3, 5, 4]).await;
    expect(&index, ProductQuery { available: Some(false), ..all() }, &[5]).await;
    expect(&index, sorted(Sort::Popularity), &[4, 2, 3, 6, 5, 1]).await;
    assert_eq!(index.marker().await.unwrap(), Some(at(9)));
}

async fn what_is_written_twice_is_there_once(index: Make) {
    let index = filled(index).await;
    let new = product(7, "Purple lamp");
    for _ in 0..2 {
        let changed = vec![change(&new, |_| {})];
        index.write(vec![shelf()[0].clone(), new.clone()], changed, &at(7)).await.unwrap();
    }
    expect(&index, words("lamp"), &[7, 1]).await;
    let counted = ProductQuery { facets: FacetSet::ALL, ..all() };
    assert_eq!(hits(&index, &counted).await.facets.unwrap().total, 7);
}

async fn it_is_filled_anew_beside_what_answers_and_swapped_at_once(index: Make) {
    let index = index("");
    assert_eq!(index.marker().await.unwrap(), None);
    fill(&index, &shelf(), at(6)).await;
    let mut filling = index.fill(&at(8)).await.unwrap();
    filling.add(vec![product(1, "Red chair"), product(8, "Blue chair")]).await.unwrap();
    expect(&index, words("lamp"), &[1]).await;
    expect(&index, words("chair"), &[]).await;
    assert_eq!(index.marker().await.unwrap(), Some(at(6)));
    filling.finish(at(8)).await.unwrap();
    expect(&index, words("lamp"), &[]).await;
    expect(&index, words("chair"), &[8, 1]).await;
    assert_eq!(index.marker().await.unwrap(), Some(at(8)));
    // One that was given up leaves what was there.
    let mut given_up = index.fill(&at(9)).await.unwrap();
    given_up.add(vec![product(9, "Sofa")]).await.unwrap();
    drop(given_up);
    expect(&index, all(), &[8, 1]).await;
}

async fn what_is_typed_is_completed_by_what_finds_most(index: Make) {
    let index = filled(index).await;
    assert_eq!(index.complete("ha").await.unwrap(), ["hanging"]);
    assert_eq!(index.complete("Red l").await.unwrap(), ["red lamp"]);
    assert_eq!(index.complete("white h").await.unwrap(), ["white hanging", "white heart", "white holder"]);
    assert_eq!(index.complete("t-l").await.unwrap(), ["t-light"]);
    assert!(index.complete("zz").await.unwrap().is_empty());
    assert!(index.complete("red ").await.unwrap().is_empty());
}

async fn a_cursor_that_somebody_made_up_is_a_place_like_any_other(index: Make) {
    let index = filled(index).await;
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
    for sort in [Sort::Newest, Sort::PriceAsc, Sort::PriceDesc, Sort::Rating, Sort::Popularity] {
        for (key, listed_at) in ends.into_iter().flat_map(|key| ends.map(|listed_at| (key, listed_at))) {
            let json = serde_json::to_vec(&Place { sort, key, listed_at }).unwrap();
            use base64::Engine as _;
            let cursor = Some(Cursor::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)));
            let page = hits(&index, &ProductQuery { cursor, limit: 2, ..sorted(sort) }).await;
            assert!(page.listed_at.len() <= 2, "{sort:?} {key} {listed_at}");
        }
    }
}

async fn letters_beyond_ascii_are_found_and_completed(index: Make) {
    let index = index("");
    fill(&index, &[product(1, "Éclair"), product(2, "灯籠ランプ 赤"), product(3, "مصباح أحمر")], at(3)).await;
    expect(&index, words("éclair"), &[1]).await;
    expect(&index, words("灯籠ランプ"), &[2]).await;
    expect(&index, words("مصباح"), &[3]).await;
    for typed in ["é", "É", "灯", "مص", "😀", "👩‍👩‍👧‍👦 é", "e\u{301}"] {
        let completed = index.complete(typed).await.unwrap();
        assert!(completed.len() <= 10, "{typed}: {completed:?}");
    }
    for typed in
        ["😀".repeat(200), "-".to_owned(), "\"".repeat(199), "\"unclosed".to_owned(), "-\"".to_owned()]
    {
        index.find(&words(&typed)).await.unwrap();
        index.complete(&typed).await.unwrap();
    }
}

/// Everything that an index holds has to be as it should be of these.
async fn holds(index: &dyn Index, documents: &[Document]) {
    let mut reading = index.read(true).await.unwrap();
    let held = reading.between(i64::MIN, i64::MAX).await.unwrap();
    let should: Vec<_> = documents.iter().map(|document| reading.of(document)).collect();
    assert_eq!(held, should);
}

async fn what_is_held_is_read_as_it_was_written(index: Make) {
    let index = filled(index).await;
    holds(&*index, &shelf()).await;
    let mut documents = shelf();
    documents.push(product(7, "Purple lamp"));
    documents[0].values = Values { price: 3, available: false, sold: 8, rating_sum: 12, rating_count: 5 };
    let changed = [0, 6].map(|nth: usize| change(&documents[nth], |_| {}));
    index.write(vec![documents[6].clone()], changed.to_vec(), &at(9)).await.unwrap();
    holds(&*index, &documents).await;
    let mut reading = index.read(true).await.unwrap();
    let stretch = reading.between(2, 5).await.unwrap();
    assert_eq!(stretch.iter().map(|held| held.listed_at).collect::<Vec<_>>(), [3, 4, 5]);
    let other = Document { title: "Purple mug".to_owned(), ..documents[6].clone() };
    assert_ne!(reading.between(6, 7).await.unwrap(), [reading.of(&other)]);
}

async fn what_is_built_beside_is_written_and_read_until_it_is_swapped_or_given_up(index: Make) {
    let index = filled(index).await;
    for given_up in [true, false] {
        let mut filling = index.fill(&at(8)).await.unwrap();
        filling.add(vec![product(1, "Red chair")]).await.unwrap();
        let beside = filling.build(at(8)).await.unwrap();
        let mut chair = product(8, "Blue chair");
        beside.index().write(vec![chair.clone()], vec![], &at(9)).await.unwrap();
        chair.values.price = 5;
        beside.index().write(vec![], vec![change(&chair, |_| {})], &at(10)).await.unwrap();
        holds(beside.index(), &[product(1, "Red chair"), chair]).await;
        expect(&index, words("lamp"), &[1]).await;
        expect(&index, words("chair"), &[]).await;
        match given_up {
            true => beside.give_up().await.unwrap(),
            false => beside.swap().await.unwrap(),
        }
        expect(&index, words("lamp"), if given_up { &[1] } else { &[] }).await;
    }
    expect(&index, words("chair"), &[8, 1]).await;
    expect(&index, sorted(Sort::PriceAsc), &[8, 1]).await;
    assert_eq!(index.marker().await.unwrap(), Some(at(10)));
    index.still_there().await.unwrap();
    // What is swapped in is written on like any other.
    index.write(vec![product(11, "Green chair")], vec![], &at(11)).await.unwrap();
    expect(&index, words("chair"), &[11, 8, 1]).await;
}
