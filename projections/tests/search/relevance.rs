//! How well the embedded index finds what shoppers mean, over the names of a real shop.

use std::{env, sync::Arc};

use projections::search::{Document, Embedded, Index, Synonyms};

use crate::{
    contract::in_meilisearch,
    shelf::{at, fill, hits, product, words},
};

/// A query, the codes that were meant, and the code of each of the first ten hits.
struct Asked<'q> {
    query: &'q str,
    meant: Vec<&'q str>,
    found: Vec<String>,
}

impl Asked<'_> {
    /// The first of the wanted ones among the hits, from 1.
    fn rank(&self) -> Option<usize> {
        self.found.iter().position(|code| self.meant.contains(&code.as_str())).map(|nth| nth + 1)
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap())
}

/// What was found of each query.
struct Measured {
    all: Vec<Asked<'static>>,
}

impl Measured {
    async fn of(index: Arc<dyn Index>) -> Self {
        let products = || lines(include_str!("../relevance/products.tsv"));
        let codes: Vec<&str> = products().map(|(code, _)| code).collect();
        let document = |(listed_at, (code, name)): (i64, (&str, &str))| Document {
            names: vec![code.to_owned()],
            ..product(listed_at, name)
        };
        let documents: Vec<Document> = (1..).zip(products()).map(document).collect();
        fill(&index, &documents, at(documents.len() as i64)).await;
        let mut all = Vec::new();
        for (query, meant) in lines(include_str!("../relevance/queries.tsv")) {
            let hits = hits(&index, &words(query)).await;
            let code = |listed_at: &i64| codes[usize::try_from(*listed_at).unwrap() - 1].to_owned();
            let found = hits.listed_at.iter().take(10).map(code).collect();
            all.push(Asked { query, meant: meant.split(' ').collect(), found });
        }
        Self { all }
    }

    /// The share of queries of which a wanted product is among so many hits.
    fn within(&self, rank: usize) -> f64 {
        let found = self.all.iter().filter(|of| of.rank().is_some_and(|at| at <= rank));
        found.count() as f64 / self.all.len() as f64
    }

    fn tell(&self, engine: &str) {
        let (count, first, ten) = (self.all.len(), self.within(1), self.within(10));
        let mrr = self.all.iter().filter_map(Asked::rank).map(|rank| 1.0 / rank as f64).sum::<f64>();
        let mrr = mrr / count as f64;
        println!("{engine}: {count} queries: hit@1 {first:.3}, hit@10 {ten:.3}, MRR {mrr:.3}");
        for asked in self.all.iter().filter(|of| of.rank() != Some(1)) {
            println!("{:?} {} meant {:?}, found {:?}", asked.rank(), asked.query, asked.meant, asked.found);
        }
    }
}

fn embedded() -> Arc<dyn Index> {
    Arc::new(Embedded::in_memory(Synonyms::default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn nearly_all_of_what_shoppers_mean_is_among_the_first_ten_hits() {
    let measured = Measured::of(embedded()).await;
    measured.tell("embedded");
    let ten = measured.within(10);
    assert!(measured.all.len() >= 60 && ten >= 0.95, "hit@10 is {ten:.3}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_index_finds_as_much_as_meilisearch_does() {
    if env::var("MEILI_URL").is_err() {
        println!("not run: MEILI_URL is not set");
        return;
    }
    let (ours, theirs) = (Measured::of(embedded()).await, Measured::of(in_meilisearch("")).await);
    theirs.tell("meilisearch");
    assert!(ours.within(10) >= theirs.within(10) - 0.03, "{} and {}", ours.within(10), theirs.within(10));
}
