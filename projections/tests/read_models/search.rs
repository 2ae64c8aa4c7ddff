//! The search index follows the read models: stock, sales, prices and ratings, rebuilds, restores, and what is set aside.

use std::time::Duration;

use domain::{
    order,
    product::Command,
    value::{ProductId, Text, Time},
};
use projections::{
    Freshness, QueryError,
    search::{FacetSet, ProductQuery, Sort},
};
use sqlx::Executor as _;
use store::{executor::Token, testing::eventually};

use crate::engines::{Make, on_every_engine};
use crate::world::{World, after, any, gbp, listing, order_line, placement, receive, reserve, sku, text};

on_every_engine! {
    what_is_in_stock_is_found_as_soon_as_the_answer_says_so,
    what_sells_comes_first_and_what_is_called_off_is_taken_back,
    a_price_of_now_is_what_filters_and_sorting_compare,
    ratings_count_as_soon_as_something_writes_them,
    matches_are_marked_and_what_is_typed_is_completed,
    a_token_that_is_not_reached_in_time_is_told,
    a_stock_that_is_set_aside_matters_only_where_availability_does,
    a_rebuild_of_the_read_models_ends_with_the_same_answers,
    a_log_of_a_new_life_is_answered_for_and_what_it_lost_is_not_found,
    a_thousand_events_later_every_column_agrees_with_the_rows,
}

fn all() -> ProductQuery {
    ProductQuery { limit: 100, ..ProductQuery::default() }
}

fn available() -> ProductQuery {
    ProductQuery { available: Some(true), ..all() }
}

fn popular() -> ProductQuery {
    ProductQuery { sort: Sort::Popularity, ..all() }
}

async fn found(world: &World, query: &ProductQuery, freshness: Freshness) -> Vec<String> {
    let results = world.read.products(query, freshness).await.unwrap().value;
    results.page.data.iter().map(|found| found.product.id.to_string()).collect()
}

/// A lamp and a mug, listed in this order.
async fn shelf(make: Make) -> (World, Token) {
    let world = World::keeping(make()).await;
    world.run("lamp", Command::List(listing("Red lamp", &[("L1", 900), ("L2", 800)]))).await;
    let token = world.run("mug", Command::List(listing("Mug", &[("M1", 500)]))).await;
    (world, token)
}

fn sale(lines: &[(&str, u32)]) -> order::Command {
    let lines = lines.iter().map(|(name, units)| order_line(name, *units, 100)).collect();
    order::Command::Place(order::Placement { lines, ..placement("retail:1", Time::from_millis(0)) })
}

async fn what_is_in_stock_is_found_as_soon_as_the_answer_says_so(make: Make) {
    let (world, token) = shelf(make).await;
    assert!(found(&world, &available(), after(token)).await.is_empty());
    let token = world.run("L2", receive(1)).await;
    assert_eq!(found(&world, &available(), after(token)).await, ["lamp"]);
    let token = world.run("M1", receive(5)).await;
    assert_eq!(found(&world, &available(), after(token)).await, ["mug", "lamp"]);
    let token = world.run("L2", reserve("r", 1, None)).await;
    assert_eq!(found(&world, &available(), after(token)).await, ["mug"]);
    let counted = ProductQuery { facets: FacetSet::ALL, ..all() };
    let facets = world.read.products(&counted, after(token)).await.unwrap().value.facets.unwrap();
    assert_eq!(facets.available.unwrap()[0].count, 1);
}

async fn what_sells_comes_first_and_what_is_called_off_is_taken_back(make: Make) {
    let (world, _) = shelf(make).await;
    world.run("o1", sale(&[("L1", 3), ("L2", 1)])).await;
    let token = world.run("o2", sale(&[("M1", 3)])).await;
    assert_eq!(found(&world, &popular(), after(token)).await, ["lamp", "mug"]);
    let cancel = order::Command::Cancel { reason: order::CancelReason::CustomerRequest, note: None };
    let token = world.run("o1", cancel).await;
    assert_eq!(found(&world, &popular(), after(token)).await, ["mug", "lamp"]);
    let sold: Vec<(String, i64)> =
        sqlx::query_as("SELECT sku, units FROM sales ORDER BY sku").fetch_all(&world.pool).await.unwrap();
    assert_eq!(sold, [("L1".to_owned(), 0), ("L2".to_owned(), 0), ("M1".to_owned(), 3)]);
}

async fn a_price_of_now_is_what_filters_and_sorting_compare(make: Make) {
    let (world, _) = shelf(make).await;
    let token = world.run("mug", Command::ChangePrice { sku: sku("M1"), price: gbp(2_000) }).await;
    let cheap = ProductQuery { price_max: Some(1_000), ..all() };
    assert_eq!(found(&world, &cheap, after(token)).await, ["lamp"]);
    let dear = ProductQuery { sort: Sort::PriceDesc, ..all() };
    assert_eq!(found(&world, &dear, after(token)).await, ["mug", "lamp"]);
}

async fn ratings_count_as_soon_as_something_writes_them(make: Make) {
    let (world, token) = shelf(make).await;
    let rated = ProductQuery { rating_min: Some(4_000), ..all() };
    assert!(found(&world, &rated, after(token)).await.is_empty());
    let rate = "INSERT INTO ratings VALUES ('lamp', 9, 2, 3), ('mug', 3, 1, 4)";
    world.pool.execute(rate).await.unwrap();
    eventually("the lamp is rated", async || (found(&world, &rated, any()).await == ["lamp"]).then_some(()))
        .await;
    let best = ProductQuery { sort: Sort::Rating, ..all() };
    assert_eq!(found(&world, &best, any()).await, ["lamp", "mug"]);
}

async fn matches_are_marked_and_what_is_typed_is_completed(make: Make) {
    let (world, token) = shelf(make).await;
    let query = ProductQuery { text: Some("lamps".to_owned()), ..all() };
    let results = world.read.products(&query, after(token)).await.unwrap().value;
    let highlight = results.page.data[0].highlight.clone().unwrap();
    assert_eq!((highlight.title.as_str(), highlight.description), ("Red <em>lamp</em>", None));
    let suggested = world.read.suggestions("red la", after(token)).await.unwrap().value;
    assert_eq!(suggested.queries, ["red lamp"]);
    let titles: Vec<_> = suggested.titles.iter().map(|of| (of.id.as_str(), of.highlight.as_str())).collect();
    assert_eq!(titles, [("lamp", "<em>Red</em> <em>lamp</em>")]);
}

async fn a_token_that_is_not_reached_in_time_is_told(make: Make) {
    let (world, token) = shelf(make).await;
    found(&world, &all(), after(token)).await;
    let beyond = Token { position: token.position + 1, ..token };
    let freshness = Freshness { at_least: Some(beyond), wait: Duration::from_millis(20) };
    let answer = world.read.products(&all(), freshness).await;
    assert!(
        matches!(answer, Err(QueryError::Behind { reflects }) if reflects == token.position),
        "{answer:?}"
    );
    let foreign = Token { incarnation: uuid::Uuid::nil(), ..token };
    let freshness = Freshness { at_least: Some(foreign), wait: Duration::ZERO };
    let answer = world.read.products(&all(), freshness).await;
    assert!(matches!(answer, Err(QueryError::WrongIncarnation)), "{answer:?}");
}

async fn a_stock_that_is_set_aside_matters_only_where_availability_does(make: Make) {
    let (world, _) = shelf(make).await;
    let bad = world.run("L1", receive(1)).await;
    world.settle().await;
    sqlx::query(
        "INSERT INTO parked_streams (follower, aggregate_type, aggregate_id, first_position, reason) \
         VALUES ('stock', 'inventory_item', 'L1', $1, 'by hand')",
    )
    .bind(bad.position)
    .execute(&world.pool)
    .await
    .unwrap();
    let token = world.run("M1", receive(1)).await;
    assert_eq!(found(&world, &all(), after(token)).await, ["mug", "lamp"]);
    let answer = world.read.products(&available(), after(token)).await;
    assert!(
        matches!(answer, Err(QueryError::Parked { first_position }) if first_position == bad.position),
        "{answer:?}"
    );
    let whatever = world.read.products(&available(), any()).await.unwrap();
    assert_eq!((whatever.reflects.position, whatever.stale_since), (bad.position - 1, Some(bad.position)));
}

async fn a_rebuild_of_the_read_models_ends_with_the_same_answers(make: Make) {
    let (world, _) = shelf(make).await;
    world.run("L1", receive(3)).await;
    let token = world.run("o2", sale(&[("M1", 3)])).await;
    let queries = [all(), available(), popular(), ProductQuery { sort: Sort::PriceAsc, ..all() }];
    let mut live = Vec::new();
    for query in &queries {
        live.push(found(&world, query, after(token)).await);
    }
    world.rebuild_all().await;
    world.settle().await;
    for (query, live) in queries.iter().zip(live) {
        eventually("the index is as before", async || {
            let found = world.read.products(query, after(token)).await.ok()?.value.page.data;
            let ids: Vec<String> = found.iter().map(|found| found.product.id.to_string()).collect();
            (ids == live).then_some(())
        })
        .await;
    }
}

async fn a_log_of_a_new_life_is_answered_for_and_what_it_lost_is_not_found(make: Make) {
    let (world, _) = shelf(make).await;
    let old = world.run("gone", Command::List(listing("Sofa", &[("S1", 1)]))).await;
    assert_eq!(found(&world, &all(), after(old)).await, ["gone", "mug", "lamp"]);
    let world = world
        .restarted(&[
            "DELETE FROM events WHERE position > 2",
            "DELETE FROM log_links WHERE last_position > 2",
            "DELETE FROM commands WHERE position > 2",
            "UPDATE log_head SET incarnation = gen_random_uuid(), position = 2, \
             link = (SELECT link FROM log_links WHERE last_position = 2)",
        ])
        .await;
    let new = world.run("chair", Command::List(listing("Chair", &[("C1", 1)]))).await;
    assert_eq!(found(&world, &all(), after(new)).await, ["chair", "mug", "lamp"]);
    let hasty = Freshness { at_least: Some(old), wait: Duration::ZERO };
    assert!(matches!(world.read.products(&all(), hasty).await, Err(QueryError::WrongIncarnation)));
}

async fn a_thousand_events_later_every_column_agrees_with_the_rows(make: Make) {
    let world = World::keeping(make()).await;
    for n in 0..40_i64 {
        let mut product = listing(&format!("Thing {n}"), &[(&format!("T{n}"), n)]);
        product.brand = Some(text(if n % 2 == 0 { "Even" } else { "Odd" }));
        world.run(&format!("t{n}"), Command::List(product)).await;
    }
    for n in 0..300_i64 {
        let name = format!("T{}", n * 7 % 40);
        match n % 4 {
            0 => drop(world.run(&name, receive(1)).await),
            1 => drop(world.run(&format!("o{n}"), sale(&[(&name, 1 + u32::try_from(n % 5).unwrap())])).await),
            2 => drop(world.try_run(&name, reserve(&format!("r{n}"), 1, None)).await),
            _ => {
                let price = gbp(n * 13 % 900);
                world.run(&format!("t{}", n * 7 % 40), Command::ChangePrice { sku: sku(&name), price }).await;
            }
        }
    }
    let token = world.settle().await;
    for (query, sql) in [
        (
            popular(),
            "SELECT p.id FROM products p LEFT JOIN sales s ON s.sku = upper(p.id) \
                     ORDER BY COALESCE(s.units, 0) DESC, p.listed_at DESC",
        ),
        (ProductQuery { sort: Sort::PriceAsc, ..all() }, "SELECT id FROM products ORDER BY price, listed_at"),
        (
            available(),
            "SELECT p.id FROM products p JOIN stock s ON s.sku = upper(p.id) WHERE s.on_hand > s.reserved \
             ORDER BY p.listed_at DESC",
        ),
    ] {
        let expected: Vec<String> = sqlx::query_scalar(sql).fetch_all(&world.pool).await.unwrap();
        assert_eq!(found(&world, &query, after(token)).await, expected, "{sql}");
        assert!(!expected.is_empty());
    }
    let one: ProductId = "t1".parse().unwrap();
    let brand = ProductQuery { brand: Some(Text::new("Odd").unwrap()), ..all() };
    assert!(found(&world, &brand, after(token)).await.contains(&one.to_string()));
}
