//! Random carts and tables: every quote adds up.

use proptest::prelude::*;

use super::*;
use crate::{
    cart::Line,
    testing::{named, pounds, survives_json, units},
    value::Currency,
};

const COUNTRIES: &[&str] = &["GB", "DE", "US"];
const CATEGORIES: &[&str] = &["books", "food"];

fn rate(country: &str, category: Option<&str>, rate_ppm: u32) -> TaxRate {
    TaxRate { country: named(country), category: category.map(named), name: named("VAT"), rate_ppm }
}

fn tax() -> impl Strategy<Value = TaxTable> {
    let ppm = || prop_oneof![Just(0), Just(1), Just(50_000), Just(200_000), 0..=RATE_PPM_MAX];
    let rates = (prop::collection::vec(ppm(), 5), any::<bool>());
    rates.prop_map(|(ppm, prices_include_tax)| TaxTable {
        prices_include_tax,
        rates: vec![
            rate("GB", None, ppm[0]),
            rate("GB", Some("books"), ppm[1]),
            rate("DE", None, ppm[2]),
            rate(ANYWHERE, Some("food"), ppm[3]),
            rate(ANYWHERE, None, ppm[4]),
        ],
    })
}

fn method(rule: ShippingRule, free_from: Option<i64>) -> ShippingMethod {
    ShippingMethod {
        code: named("post"),
        title: named("By post"),
        country: named(ANYWHERE),
        tax_category: None,
        rule,
        free_from: free_from.map(pounds),
    }
}

fn heavy(bands: &[(u64, i64)]) -> ShippingRule {
    let band = |&(up_to_grams, price): &(u64, i64)| WeightBand { up_to_grams, price: pounds(price) };
    ShippingRule::ByWeight { bands: bands.iter().map(band).collect() }
}

fn dear(bands: &[(i64, i64)]) -> ShippingRule {
    let band = |&(up_to, price): &(i64, i64)| PriceBand { up_to, price: pounds(price) };
    ShippingRule::ByPrice { bands: bands.iter().map(band).collect() }
}

fn rule() -> impl Strategy<Value = ShippingRule> {
    let prices = || [0..2_000_i64, 0..2_000, 0..2_000];
    prop_oneof![
        (0..2_000_i64).prop_map(|price| ShippingRule::Flat { price: pounds(price) }),
        prices().prop_map(|[a, b, c]| heavy(&[(500, a), (5_000, b), (u64::MAX, c)])),
        prices().prop_map(|[a, b, c]| dear(&[(1_000, a), (50_000, b), (i64::MAX, c)])),
    ]
}

fn tables() -> impl Strategy<Value = Tables> {
    (tax(), rule(), prop::option::of(0..100_000_i64)).prop_map(|(tax, rule, free_from)| {
        Tables::new(tax, ShippingTable { methods: vec![method(rule, free_from)] }).unwrap()
    })
}

fn line(sku: usize, quantity: u32, price: i64, category: Option<&str>) -> Line {
    Line {
        sku: named(&format!("S{sku}")),
        product: named("p-1"),
        title: named("a thing"),
        quantity: units(quantity),
        unit_price: pounds(price),
        tax_category: category.map(named),
        weight_grams: 100,
        purchase_limit: None,
    }
}

/// Lines of every size; `grand` ones come near to what can be counted.
fn lines(grand: bool) -> impl Strategy<Value = Vec<Line>> {
    let price = if grand { prop_oneof![0..9_i64, 0..=i64::MAX].boxed() } else { (0..5_000_i64).boxed() };
    let quantity = if grand { (1..=u32::MAX).boxed() } else { (1..9_u32).boxed() };
    let category = prop::option::of(prop::sample::select(CATEGORIES));
    prop::collection::vec((quantity, price, category), 0..8).prop_map(|lines| {
        let lines = lines.into_iter().enumerate();
        lines.map(|(sku, (quantity, price, category))| line(sku, quantity, price, category)).collect()
    })
}

fn country() -> impl Strategy<Value = Text> {
    prop::sample::select(COUNTRIES).prop_map(named)
}

fn asked(tables: &Tables, country: &Text, lines: &[Line]) -> Result<Quote, Unquotable> {
    quote(tables, country, Some(&named("post")), Currency::GBP, lines)
}

fn goods(lines: &[Line]) -> Money {
    lines
        .iter()
        .map(|line| line.unit_price.times(line.quantity).unwrap())
        .fold(pounds(0), |sum, price| sum.plus(price).unwrap())
}

/// Less than one minor unit from the exact tax of the price.
fn near(tax: Money, price: Money, rate_ppm: u32, included: bool) -> bool {
    let whole = 1_000_000 + if included { i128::from(rate_ppm) } else { 0 };
    let exact = i128::from(price.amount) * i128::from(rate_ppm);
    (i128::from(tax.amount) * whole - exact).abs() < whole
}

proptest! {
    #[test]
    fn everything_adds_up_and_every_line_is_near_its_exact_tax(
        tables in tables(), country in country(), lines in lines(false),
    ) {
        let quote = asked(&tables, &country, &lines).unwrap();
        survives_json(&quote);
        prop_assert!(quote.fits(goods(&lines), lines.len()));
        let included = quote.prices_include_tax;
        for (line, LineTax { rate_ppm, tax }) in lines.iter().zip(&quote.lines) {
            prop_assert!(near(*tax, line.unit_price.times(line.quantity).unwrap(), *rate_ppm, included));
        }
        let Some(Shipping { price, rate_ppm, tax, .. }) = quote.shipping else { panic!("it is sent") };
        prop_assert!(near(tax, price, rate_ppm, included));
    }

    #[test]
    fn each_rate_is_rounded_once_half_up(tables in tables(), country in country(), lines in lines(false)) {
        let quote = quote(&tables, &country, None, Currency::GBP, &lines).unwrap();
        let mut groups = std::collections::BTreeMap::<u32, (i128, i128)>::new();
        for (line, taxed) in lines.iter().zip(&quote.lines) {
            let (price, tax) = groups.entry(taxed.rate_ppm).or_default();
            *price += i128::from(line.unit_price.times(line.quantity).unwrap().amount);
            *tax += i128::from(taxed.tax.amount);
        }
        for (rate_ppm, (price, tax)) in groups {
            let whole = 1_000_000 + if quote.prices_include_tax { i128::from(rate_ppm) } else { 0 };
            let off = tax * whole - price * i128::from(rate_ppm);
            prop_assert!(-whole < 2 * off && 2 * off <= whole);
        }
    }

    #[test]
    fn the_order_of_lines_changes_no_sum(
        tables in tables(),
        country in country(),
        (lines, shuffled) in lines(false).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        let one = asked(&tables, &country, &lines).unwrap();
        let other = asked(&tables, &country, &shuffled).unwrap();
        prop_assert_eq!((one.tax, one.total), (other.tax, other.total));
    }

    #[test]
    fn however_large_the_prices_are_a_quote_adds_up_or_is_none(
        tables in tables(), country in country(), lines in lines(true),
    ) {
        match asked(&tables, &country, &lines) {
            Ok(quote) => prop_assert!(quote.fits(goods(&lines), lines.len())),
            Err(refused) => prop_assert_eq!(refused, Unquotable::BadTotal),
        }
    }

    #[test]
    fn heavier_parcels_fall_into_later_bands(quantities in [1..60_u32, 1..60_u32]) {
        let rule = heavy(&[(1_000, 1), (2_500, 2), (4_000, 3), (u64::MAX, 4)]);
        let tables = untaxed(vec![method(rule, None)]);
        let band = |quantity| {
            let quote = asked(&tables, &named("GB"), &[line(0, quantity, 100, None)]).unwrap();
            quote.shipping.unwrap().price.amount
        };
        let [light, heavy] = [quantities.iter().min(), quantities.iter().max()].map(|units| *units.unwrap());
        prop_assert!(band(light) <= band(heavy));
    }

    #[test]
    fn tables_survive_json(tables in tables()) {
        survives_json(&tables);
    }
}

fn untaxed(methods: Vec<ShippingMethod>) -> Tables {
    Tables::new(TaxTable { prices_include_tax: true, rates: vec![] }, ShippingTable { methods }).unwrap()
}

fn taxed(rates: Vec<TaxRate>, prices_include_tax: bool) -> Tables {
    Tables::new(TaxTable { prices_include_tax, rates }, ShippingTable::default()).unwrap()
}

#[test]
fn the_most_specific_rate_counts() {
    let tables = taxed(
        vec![
            rate(ANYWHERE, None, 1),
            rate(ANYWHERE, Some("books"), 2),
            rate("GB", None, 3),
            rate("GB", Some("books"), 4),
        ],
        true,
    );
    let rate = |country: &str, category: Option<&str>| {
        tables.rate_ppm(&named(country), category.map(named).as_ref())
    };
    assert_eq!(rate("GB", Some("books")), 4);
    assert_eq!((rate("GB", None), rate("GB", Some("food"))), (3, 3));
    assert_eq!(rate("DE", Some("books")), 2);
    assert_eq!((rate("DE", None), rate("DE", Some("food"))), (1, 1));
    assert_eq!(taxed(vec![], true).rate_ppm(&named("GB"), None), 0, "what no rate is for is not taxed");
}

#[test]
fn three_pennies_of_tax_are_not_lost_on_three_lines() {
    // A fifth of 3 × 0.99 is 0.594, a sixth of it 0.495.
    let lines: Vec<_> = (0..3).map(|sku| line(sku, 1, 99, None)).collect();
    for (included, tax, each, total) in [(false, 59, [20, 20, 19], 356), (true, 50, [17, 17, 16], 297)] {
        let tables = taxed(vec![rate("GB", None, 200_000)], included);
        let quote = quote(&tables, &named("GB"), None, Currency::GBP, &lines).unwrap();
        assert_eq!((quote.tax, quote.total), (pounds(tax), pounds(total)));
        assert_eq!(quote.lines.iter().map(|line| line.tax.amount).collect::<Vec<_>>(), each);
    }
}

#[test]
fn half_a_penny_is_rounded_up() {
    let tables = taxed(vec![rate("GB", None, 50_000)], false);
    let tax = |price| {
        let lines = [line(0, 1, price, None)];
        quote(&tables, &named("GB"), None, Currency::GBP, &lines).unwrap().tax
    };
    assert_eq!((tax(9), tax(10), tax(30)), (pounds(0), pounds(1), pounds(2)));
}

#[test]
fn shipping_is_taxed_as_its_own_category() {
    let post = ShippingMethod {
        tax_category: Some(named("post")),
        ..method(ShippingRule::Flat { price: pounds(500) }, Some(10_000))
    };
    let tax = TaxTable {
        prices_include_tax: false,
        rates: vec![rate("GB", None, 200_000), rate("GB", Some("post"), 50_000)],
    };
    let tables = Tables::new(tax, ShippingTable { methods: vec![post] }).unwrap();
    let quote = |price| asked(&tables, &named("GB"), &[line(0, 1, price, None)]).unwrap();
    let small = quote(1_000);
    let shipping = small.shipping.unwrap();
    assert_eq!((shipping.price, shipping.rate_ppm, shipping.tax), (pounds(500), 50_000, pounds(25)));
    assert_eq!((small.tax, small.total), (pounds(225), pounds(1_725)));
    let large = quote(10_000);
    assert_eq!((large.shipping.unwrap().price, large.total), (pounds(0), pounds(12_000)), "sent for nothing");
}

#[test]
fn a_band_holds_its_bound_and_nothing_is_sent_beyond_the_last() {
    let by_weight = untaxed(vec![method(heavy(&[(200, 1), (300, 2)]), None)]);
    let by_price = untaxed(vec![method(dear(&[(200, 1), (300, 2)]), None)]);
    for tables in [by_weight, by_price] {
        let price = |quantity| {
            let quote = asked(&tables, &named("GB"), &[line(0, quantity, 100, None)]);
            quote.map(|quote| quote.shipping.unwrap().price.amount)
        };
        assert_eq!((price(1), price(2), price(3)), (Ok(1), Ok(1), Ok(2)));
        assert_eq!(price(4), Err(Unquotable::TooMuch { code: named("post") }));
    }
}

#[test]
fn a_method_for_the_country_counts_before_one_for_all() {
    let flat = |country: &str, price| ShippingMethod {
        country: named(country),
        ..method(ShippingRule::Flat { price }, None)
    };
    let euros = Money::new(700, named("EUR"));
    let tables = untaxed(vec![
        flat(ANYWHERE, pounds(900)),
        flat("GB", pounds(300)),
        flat("GB", euros),
        flat("DE", euros),
    ]);
    let price = |country: &str| {
        let quote = asked(&tables, &named(country), &[line(0, 1, 1, None)]).unwrap();
        quote.shipping.unwrap().price
    };
    assert_eq!((price("GB"), price("US")), (pounds(300), pounds(900)));
    assert_eq!(price("DE"), pounds(900), "the one for the country is in another currency");
    let unknown = quote(&tables, &named("GB"), Some(&named("drone")), Currency::GBP, &[]);
    let (code, country) = (named("drone"), named("GB"));
    assert_eq!(unknown, Err(Unquotable::NoSuchMethod { code, country }));
}

#[test]
fn a_foreign_or_negative_price_is_not_quoted() {
    let tables = taxed(vec![], true);
    let quote = |line: Line| quote(&tables, &named("GB"), None, Currency::GBP, &[line]);
    let euros = Line { unit_price: Money::new(5, named("EUR")), ..line(0, 1, 5, None) };
    assert_eq!(quote(euros), Err(Unquotable::BadTotal));
    assert_eq!(quote(line(0, 1, -5, None)), Err(Unquotable::BadTotal));
}

#[test]
fn tables_that_contradict_themselves_are_not_taken() {
    let tax = |rates| TaxTable { prices_include_tax: true, rates };
    let flat = |price| method(ShippingRule::Flat { price }, None);
    let code: Text = named("post");
    let (euros, country) = (Money::new(1, named("EUR")), named::<Text>("GB"));
    let bands = Err(BadTables::BandsNotRising { code: code.clone() });
    let prices = Err(BadTables::BadPrices { code: code.clone() });
    let high = BadTables::RateTooHigh { name: named("VAT"), country: country.clone(), rate_ppm: 1_000_001 };
    let cases = [
        (vec![rate("GB", None, RATE_PPM_MAX)], vec![], Ok(())),
        (vec![rate("GB", None, RATE_PPM_MAX + 1)], vec![], Err(high)),
        (vec![rate("GB", None, 1), rate("GB", None, 2)], vec![], Err(BadTables::RateTwice { country })),
        (vec![], vec![flat(pounds(1)), flat(euros)], Ok(())),
        (
            vec![],
            vec![flat(pounds(1)), flat(pounds(2))],
            Err(BadTables::MethodTwice { code, country: named(ANYWHERE) }),
        ),
        (vec![], vec![method(heavy(&[(5, 1), (5, 2)]), None)], bands.clone()),
        (vec![], vec![method(dear(&[(5, 1), (4, 2)]), None)], bands.clone()),
        (vec![], vec![method(heavy(&[]), None)], bands),
        (vec![], vec![flat(pounds(-1))], prices.clone()),
        (vec![], vec![ShippingMethod { free_from: Some(euros), ..flat(pounds(1)) }], prices),
    ];
    for (rates, methods, expected) in cases {
        assert_eq!(Tables::new(tax(rates), ShippingTable { methods }).map(|_| ()), expected);
    }
}

#[test]
fn tables_are_checked_when_they_are_read() {
    let read = |rate_ppm: u32| {
        serde_json::from_str::<Tables>(&format!(
            r#"{{ "tax": {{ "prices_include_tax": true,
                   "rates": [{{ "country": "*", "name": "VAT", "rate_ppm": {rate_ppm} }}] }} }}"#
        ))
    };
    assert!(read(200_000).is_ok());
    assert!(read(1_000_001).unwrap_err().to_string().contains("more than 1000000"));
}
