//! The catalogue: products, offers and search.

use domain::{
    product::{Command, Listing},
    value::{ProductId, Text},
};
use projections::{
    Cursor, LIMIT_MAX, Page, QueryError,
    search::{Found, ProductQuery, Sort},
};

use crate::world::{World, after, any, gbp, listing, sku, text};

async fn list(world: &World, id: &str, listing: Listing) {
    world.run(id, Command::List(listing)).await;
}

fn all() -> ProductQuery {
    ProductQuery { limit: LIMIT_MAX, ..ProductQuery::default() }
}

fn words(words: &str) -> ProductQuery {
    ProductQuery { text: Some(words.to_owned()), ..all() }
}

fn path(names: &[&str]) -> Vec<Text> {
    names.iter().map(|name| text(name)).collect()
}

async fn page(world: &World, query: &ProductQuery) -> Page<Found> {
    let token = world.head().await;
    world.read.products(query, after(token)).await.unwrap().value.page
}

async fn found(world: &World, query: &ProductQuery) -> Vec<String> {
    let page = page(world, query).await;
    page.data.iter().map(|found| found.product.id.to_string()).collect()
}

/// Four products, listed in this order.
async fn shelf() -> World {
    let world = World::new().await;
    let mut lamp = listing("Red lamp", &[("L1", 900), ("L2", 1_100)]);
    lamp.category = path(&["Home", "Light"]);
    lamp.brand = Some(text("Lumen"));
    lamp.description = Some(text("For a cosy evening with a kettle"));
    let mut kettle = listing("ÉLAN kettle", &[("K1", 2_500)]);
    kettle.category = path(&["Home", "Kitchen"]);
    let mut mug = listing("Mug", &[("M 1", 500)]);
    mug.category = path(&["Home", "Kitchen", "Mugs"]);
    mug.description = Some(text("Red, for tea"));
    let mut shirt = listing("Shirt", &[("S1", 900)]);
    shirt.category = path(&["Clothes", "Home"]);
    for (id, listing) in [("lamp", lamp), ("kettle", kettle), ("mug", mug), ("shirt", shirt)] {
        list(&world, id, listing).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_shows_its_listing_at_the_prices_of_now() {
    let world = World::new().await;
    let mut listed = listing("Lamp", &[("L1", 900), ("L2", 1_100)]);
    listed.images = vec![text("https://example.org/lamp.png")];
    listed.description = Some(text("Bright"));
    list(&world, "lamp", listed.clone()).await;
    let change = Command::ChangePrice { sku: sku("L2"), price: gbp(700) };
    let token = world.run("lamp", change).await;
    let id: ProductId = "lamp".parse().unwrap();
    let product = world.read.product(&id, after(token)).await.unwrap().value.unwrap();
    listed.variants[1].price = gbp(700);
    assert_eq!((product.variants, product.images), (listed.variants, listed.images));
    assert_eq!((product.price_from, product.version), (gbp(700), 2));
    assert_eq!(product.description, listed.description);
    assert_eq!(world.read.product(&"x".parse().unwrap(), any()).await.unwrap().value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_has_the_price_of_now_and_the_first_product_that_listed_the_sku() {
    let world = World::new().await;
    let mut lamp = listing("Lamp", &[("L1", 900)]);
    lamp.variants[0].title = Some(text("red"));
    list(&world, "z", lamp).await;
    list(&world, "a", listing("Copy", &[("L1", 1)])).await;
    let change = Command::ChangePrice { sku: sku("L1"), price: gbp(800) };
    let token = world.run("z", change).await;
    let offer = world.read.variant(&sku("L1"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((offer.product.as_str(), offer.title.as_str(), offer.price), ("z", "Lamp, red", gbp(800)));
    assert_eq!(world.read.variant(&sku("L2"), any()).await.unwrap().value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_find_products_whatever_their_case_and_titles_weigh_more() {
    let world = shelf().await;
    assert_eq!(found(&world, &words("kettle")).await, ["kettle", "lamp"]);
    assert_eq!(found(&world, &words("élan")).await, ["kettle"]);
    assert_eq!(found(&world, &words("RED")).await, ["lamp", "mug"]);
    assert_eq!(found(&world, &words("red lumen")).await, ["lamp"]);
    assert_eq!(found(&world, &words("k1")).await, ["kettle"]);
    assert_eq!(found(&world, &words("red -tea")).await, ["lamp"]);
    for nothing in ["sofa", "'", "!!", "\" & | : * ( )", "a\0b", "\\"] {
        assert!(found(&world, &words(nothing)).await.is_empty(), "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_holds_everything_below_it_and_nothing_beside_it() {
    let world = shelf().await;
    let of = |names: &[&str]| ProductQuery { category: path(names), ..all() };
    assert_eq!(found(&world, &of(&["Home"])).await, ["mug", "kettle", "lamp"]);
    assert_eq!(found(&world, &of(&["Home", "Kitchen"])).await, ["mug", "kettle"]);
    assert!(found(&world, &of(&["Kitchen"])).await.is_empty());
    assert!(found(&world, &of(&["Kitchen", "Home"])).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn brand_and_price_narrow_what_is_found() {
    let world = shelf().await;
    let brand = ProductQuery { brand: Some(text("Lumen")), ..all() };
    assert_eq!(found(&world, &brand).await, ["lamp"]);
    let priced = ProductQuery { price_min: Some(500), price_max: Some(900), sort: Sort::PriceAsc, ..all() };
    assert_eq!(found(&world, &priced).await, ["mug", "lamp", "shirt"]);
    let both = ProductQuery { price_min: Some(1_000), ..brand };
    assert!(found(&world, &both).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_goes_on_where_the_page_before_ended() {
    let world = World::new().await;
    for n in 0..17 {
        let mut product = listing(&format!("Thing {n}"), &[(&format!("T{n}"), n % 5)]);
        product.description = Some(text(&"thing ".repeat(usize::try_from(n % 3).unwrap() + 1)));
        list(&world, &format!("t{n:02}"), product).await;
    }
    for sort in
        [Sort::Relevance, Sort::Newest, Sort::PriceAsc, Sort::PriceDesc, Sort::Rating, Sort::Popularity]
    {
        let whole = found(&world, &ProductQuery { sort, ..words("thing") }).await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let query = ProductQuery { sort, limit: 4, cursor, ..words("thing") };
            let page = page(&world, &query).await;
            seen.extend(page.data.iter().map(|found| found.product.id.to_string()));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, whole, "{sort:?}");
        assert_eq!(seen.len(), 17, "{sort:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_order_is_refused() {
    let world = shelf().await;
    let first = page(&world, &ProductQuery { limit: 1, ..all() }).await;
    for cursor in [first.next_cursor.unwrap(), Cursor::new("x")] {
        let query = ProductQuery { sort: Sort::PriceAsc, cursor: Some(cursor), ..all() };
        let answer = world.read.products(&query, any()).await;
        assert!(matches!(answer, Err(QueryError::BadCursor)), "{answer:?}");
    }
}
