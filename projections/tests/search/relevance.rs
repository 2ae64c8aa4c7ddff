//! How well the embedded index finds what shoppers mean, over the names of a real shop.

use std::sync::Arc;

use projections::search::{Document, Embedded, Index, Synonyms};

use crate::shelf::{at, fill, hits, product, words};

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

#[tokio::test(flavor = "multi_thread")]
async fn nearly_all_of_what_shoppers_mean_is_among_the_first_ten_hits() {
    let codes: Vec<&str> = lines(include_str!("../relevance/products.tsv")).map(|(code, _)| code).collect();
    let documents: Vec<Document> = (1..)
        .zip(lines(include_str!("../relevance/products.tsv")))
        .map(|(listed_at, (code, name))| Document {
            names: vec![code.to_owned()],
            ..product(listed_at, name)
        })
        .collect();
    let index: Arc<dyn Index> = Arc::new(Embedded::in_memory(Synonyms::default()));
    fill(&index, &documents, at(documents.len() as i64)).await;
    let mut all = Vec::new();
    for (query, meant) in lines(include_str!("../relevance/queries.tsv")) {
        let hits = hits(&index, &words(query)).await;
        let code = |listed_at: &i64| codes[usize::try_from(*listed_at).unwrap() - 1].to_owned();
        let found = hits.listed_at.iter().take(10).map(code).collect();
        all.push(Asked { query, meant: meant.split(' ').collect(), found });
    }
    let count = all.len() as f64;
    let within = |rank: usize| all.iter().filter(|of| of.rank().is_some_and(|at| at <= rank)).count() as f64;
    let (first, ten) = (within(1) / count, within(10) / count);
    let mrr = all.iter().filter_map(Asked::rank).map(|rank| 1.0 / rank as f64).sum::<f64>() / count;
    println!("{count} queries: hit@1 {first:.3}, hit@10 {ten:.3}, MRR {mrr:.3}");
    for asked in all.iter().filter(|of| of.rank() != Some(1)) {
        println!("{:?} {} meant {:?}, found {:?}", asked.rank(), asked.query, asked.meant, asked.found);
    }
    assert!(count >= 60.0 && ten >= 0.95, "hit@10 is {ten:.3}");
}
