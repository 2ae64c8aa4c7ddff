//! Many buyers, few units.

use futures::future::join_all;

use crate::support::Api;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_of_twenty_units_get_exactly_twenty() {
    let api = Api::start().await;
    api.stock("HOT", 500, 20).await;
    let carts = join_all((0..200).map(|_| api.cart(&[("HOT", 1)]))).await;
    let replies = join_all(carts.iter().map(|cart| api.check_out(cart, "card"))).await;
    let sold = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(sold, 20);
    for reply in replies.into_iter().filter(|reply| reply.status != 201) {
        reply.expect_problem(409, "inventory.insufficient");
    }
    api.until_stock("HOT", 20, 20).await;
}
