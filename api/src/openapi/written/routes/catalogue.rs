//! Products.

use serde_json::json;

use crate::{
    openapi::written::operation::{Operation, get, post, put},
    products,
};
use projections::{
    products::{Offered, Product},
    search::{Found, Results, Suggestions},
};

pub fn operations() -> Vec<Operation> {
    let mut show = get("/v1/products/{id}", products::show, "Show a product");
    let product = show.schemas.named::<Product<Offered>>("ShownProduct");
    // What a type is generic over is not among what a derive finds in it.
    show.schemas.of::<Offered>();
    show.schemas.of::<Found>();
    vec![
        get("/v1/products", products::search, "Find products, or list them")
            .more("Everything that is given has to match. `Daybook-Min-Position` counts here as well: what was listed before it is found.")
            .queried::<Results>("A page of what was found, with facets where they were asked for.")
            .refuses(&["search.unavailable"]),
        post("/v1/products", products::list, "List a product")
            .example(json!({
                "title": "Stoneware mug", "brand": "Ledger", "category": ["Home", "Kitchen"],
                "variants": [{ "sku": "MUG-SEA", "title": "sea", "price": { "amount": 1250, "currency": "GBP" } }],
            }))
            .done::<crate::answer::Receipt>(201, "It is in the catalogue.")
            .refuses(&[
                "product.already_listed",
                "product.no_variants",
                "product.duplicate_sku",
                "product.negative_price",
                "product.too_large",
                "product.bad_image_address",
            ]),
        get("/v1/products/suggest", products::suggest, "Complete what somebody types")
            .queried::<Suggestions>("What may be meant.")
            .refuses(&["search.unavailable"]),
        show.page_with("The product, with what is available of each variant.", product)
            .refuses(&["product.not_found"]),
        put("/v1/products/{id}/prices/{sku}", products::change_price, "Set the price of a variant")
            .example(json!({ "price": { "amount": 1190, "currency": "GBP" } }))
            .done::<crate::answer::Receipt>(200, "It costs that from now on.")
            .refuses(&["product.not_listed", "product.unknown_variant", "product.negative_price"]),
    ]
}
