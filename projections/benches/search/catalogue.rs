//! Generated products and questions about them: realistic words, skewed as sales are.

use std::sync::LazyLock;

use domain::value::Text;
use projections::search::{Document, FacetSet, ProductQuery, Sort, Values};

static COLOURS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "white black red blue green grey pink silver cream brown gold ivory navy purple turquoise orange \
     yellow copper olive coral"
        .split(' ')
        .collect()
});
static MATERIALS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "cotton wooden glass metal ceramic leather plastic steel paper linen wool bamboo enamel felt wicker \
     marble rubber velvet porcelain slate"
        .split(' ')
        .collect()
});
static STYLES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "vintage classic modern small large folding hanging mini retro portable traditional antique deluxe \
     striped floral polkadot handmade slim heavy quilted waterproof stackable rustic scented decorative \
     ergonomic wireless reusable"
        .split(' ')
        .collect()
});
static NOUNS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "mug lamp lantern candle holder bowl plate kettle teapot cushion blanket towel basket mirror clock \
     frame shelf cabinet chair table stool desk jacket shirt trousers dress skirt scarf gloves boots \
     sandals trainers hat belt wallet handbag backpack suitcase umbrella watch necklace bracelet earrings \
     ring brooch headphones speaker keyboard mouse monitor charger cable tripod camera lens tent rucksack \
     torch stove flask cooler bicycle helmet pump saddle racket football skateboard puzzle doll robot \
     train kite drum guitar ukulele notebook pencil marker envelope stapler scissors ruler globe calendar \
     hammer screwdriver drill saw ladder bucket shovel rake hose planter trellis birdhouse doormat \
     curtain rug vase tray jar bottle corkscrew whisk grater saucepan wok toaster blender scales apron \
     napkin bunting garland ornament"
        .split(' ')
        .collect()
});
const BRANDS: usize = 2_000;
/// Products that are made at once.
const CHUNK: usize = 10_000;

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A place below `count`, the first ones far more often.
    fn skewed(&mut self, count: usize) -> usize {
        let at = (count as f64).powf(self.share()) - 1.0;
        (at as usize).min(count - 1)
    }

    fn word<'w>(&mut self, words: &'w [&'w str]) -> &'w str {
        words[self.skewed(words.len())]
    }
}

pub struct Catalogue {
    pub products: usize,
}

impl Catalogue {
    pub fn of(products: usize) -> Self {
        Self { products }
    }

    /// All products, the same each time.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<Document>> {
        let products = self.products;
        (0..products)
            .step_by(CHUNK)
            .map(move |from| (from..products.min(from + CHUNK)).map(product).collect())
    }
}

fn product(nth: usize) -> Document {
    let mut dice = Dice(nth as u64 ^ 0x5eed);
    let noun = dice.skewed(NOUNS.len());
    let (style, colour, material) = (dice.word(&STYLES), dice.word(&COLOURS), dice.word(&MATERIALS));
    let title = match dice.roll() % 4 {
        0 => format!("{colour} {material} {}", NOUNS[noun]),
        1 => format!("{style} {colour} {}", NOUNS[noun]),
        2 => format!("{style} {} with {material} {}", NOUNS[noun], NOUNS[dice.skewed(NOUNS.len())]),
        _ => format!("{style} {colour} {material} {} model {}", NOUNS[noun], dice.roll() % 5_000),
    };
    let brand = dice.skewed(BRANDS);
    let price = (200.0 * (dice.share() * 6.5).exp()) as i64;
    let rated = (dice.skewed(2_000) as i64).max(0);
    Document {
        listed_at: i64::try_from(nth).unwrap() + 1,
        title,
        description: Some(format!("A {style} {} in {colour} {material}, made by brand {brand}", NOUNS[noun])),
        brand: Some(brand_name(brand)),
        category: category(noun),
        names: vec![format!("SKU{nth:07}")],
        values: Values {
            price: price.clamp(50, 150_000),
            available: !dice.roll().is_multiple_of(10),
            sold: dice.skewed(100_000) as i64,
            rating_sum: rated * (20 + (dice.roll() % 31) as i64) / 10,
            rating_count: rated,
        },
    }
}

fn brand_name(brand: usize) -> String {
    const FIRST: &[&str] = &["Al", "Bel", "Cor", "Dan", "El", "Fer", "Gal", "Hol", "Is", "Jun"];
    const SECOND: &[&str] = &["ba", "do", "ka", "len", "mi", "nor", "pa", "ri", "sto", "ver"];
    format!("{}{}{}", FIRST[brand % 10], SECOND[brand / 10 % 10], brand / 100)
}

/// Nouns of one kind lie together: 12 departments, shelves of four nouns in them.
fn category(noun: usize) -> Vec<String> {
    vec![format!("Department {}", noun % 12), format!("Shelf {}", noun / 4), NOUNS[noun].to_owned()]
}

/// What is asked: mostly words, some with filters, some of it mistyped, some without any words at all.
pub fn questions(count: usize) -> Vec<ProductQuery> {
    let mut dice = Dice(42);
    (0..count).map(|nth| question(&mut dice, nth)).collect()
}

fn question(dice: &mut Dice, nth: usize) -> ProductQuery {
    let facets = FacetSet { brand: true, category: true, price: true, ..FacetSet::default() };
    let (colour, noun) = (dice.word(&COLOURS), dice.skewed(NOUNS.len()));
    let (style, material) = (dice.word(&STYLES), dice.word(&MATERIALS));
    let text = |text: String| Some(text);
    let name = |name: &str| Text::new(name).unwrap();
    let plain = ProductQuery { limit: 20, ..ProductQuery::default() };
    match nth % 20 {
        0..=4 => ProductQuery { text: text(format!("{colour} {} ", NOUNS[noun])), facets, ..plain },
        5..=7 => ProductQuery { text: text(format!("{style} {material} {} ", NOUNS[noun])), facets, ..plain },
        8..=9 => ProductQuery {
            text: text(format!("{} ", NOUNS[noun])),
            available: Some(true),
            price_min: Some(1_000),
            price_max: Some(10_000),
            sort: Sort::PriceAsc,
            facets,
            ..plain
        },
        10..=11 => {
            let noun = NOUNS[noun];
            ProductQuery { text: text(format!("{colour} {}", &noun[..noun.len().min(3)])), ..plain }
        }
        12..=13 => ProductQuery { text: text(format!("{colour} {} ", mistyped(dice, NOUNS[noun]))), ..plain },
        14..=16 => ProductQuery {
            category: category(noun)
                .iter()
                .take(1 + (dice.roll() % 3) as usize)
                .map(|level| name(level))
                .collect(),
            available: Some(true),
            sort: Sort::Popularity,
            facets: FacetSet::ALL,
            ..plain
        },
        17..=18 => ProductQuery {
            brand: Some(name(&brand_name(dice.skewed(BRANDS)))),
            rating_min: Some(3_500),
            sort: Sort::Rating,
            facets: FacetSet::ALL,
            ..plain
        },
        _ => ProductQuery {
            category: category(noun).iter().take(2).map(|level| name(level)).collect(),
            price_max: Some(5_000),
            sort: Sort::Newest,
            facets: FacetSet::ALL,
            ..plain
        },
    }
}

/// Two neighbouring letters change places, never the first.
fn mistyped(dice: &mut Dice, word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 3 {
        let at = 1 + (dice.roll() as usize) % (letters.len() - 2);
        letters.swap(at, at + 1);
    }
    letters.into_iter().collect()
}
