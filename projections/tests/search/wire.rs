//! The Meilisearch adapter against what a real server answered: a tiny server in the test says it again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use projections::search::{FacetSet, Index, IndexError, Meili, ProductQuery, Sort, Synonyms};
use serde_json::{Value, json};
use store::ports::Machine;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::shelf::{at, change, product, text};

const RECORDED: &str = include_str!("../wire/meilisearch-1.50.txt");

/// `<method> <path>`, and the answers to it, one after another; the last one is given again and again.
type Answers = HashMap<String, VecDeque<(u16, String)>>;

fn recorded() -> Answers {
    let mut answers = Answers::new();
    let mut asked = String::new();
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        if let Some(answer) = line.strip_prefix("< ") {
            let (status, body) = answer.split_once(' ').unwrap();
            answers.entry(asked.clone()).or_default().push_back((status.parse().unwrap(), body.to_owned()));
        } else if !line.starts_with("> ") && !line.is_empty() {
            asked = line.split('?').next().unwrap().to_owned();
        }
    }
    answers
}

struct Server {
    url: String,
    /// What was asked, and with which body.
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn new(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(answers)));
        let mut tasks = JoinSet::new();
        let noted = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&noted), Arc::clone(&answers)));
            }
        });
        Self { url, asked, _tasks: tasks }
    }

    fn index(&self) -> Meili {
        let synonyms = Synonyms::read("sofa, couch").unwrap();
        Meili::new(&self.url, Some("a-master-key"), "wire", synonyms, Arc::new(Machine)).unwrap()
    }

    fn asked(&self, what: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked == what).map(|(_, body)| body.clone()).collect()
    }
}

async fn serve(stream: TcpStream, asked: Arc<Mutex<Vec<(String, Value)>>>, answers: Arc<Mutex<Answers>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let body = body(&mut stream, &head).await;
        let mut words = head[0].split(' ');
        let path = words.next().unwrap().to_owned() + " " + words.next().unwrap().split('?').next().unwrap();
        asked.lock().unwrap().push((path.clone(), serde_json::from_slice(&body).unwrap_or(Value::Null)));
        let (status, answer) = answer(&mut answers.lock().unwrap(), &path);
        let answer = format!(
            "HTTP/1.1 {status} Recorded\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn body(stream: &mut BufReader<TcpStream>, head: &[String]) -> Vec<u8> {
    let of =
        |name: &str| head.iter().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned));
    let mut body = Vec::new();
    if let Some(length) = of("content-length: ") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).await.unwrap();
    } else if of("transfer-encoding: chunked").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await.unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.unwrap();
            body.extend(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    body
}

/// An index that is being filled is recorded under the name of the second one.
fn answer(answers: &mut Answers, asked: &str) -> (u16, String) {
    let recorded = asked.replace("wire_next", "wire");
    let known = [asked, &recorded].into_iter().find(|asked| answers.contains_key(*asked));
    let Some(queue) = known.map(str::to_owned).and_then(|known| answers.get_mut(&known)) else {
        let error =
            json!({ "message": asked, "code": "index_not_found", "type": "invalid_request", "link": "" });
        return (404, error.to_string());
    };
    if queue.len() > 1 { queue.pop_front().unwrap() } else { queue[0].clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_makes_an_index_writes_it_and_swaps_it() {
    let mut answers = recorded();
    // The recording deletes the other index of the two.
    let deleted = answers["DELETE /indexes/wire2"].clone();
    answers.insert("DELETE /indexes/wire_next".to_owned(), deleted);
    let server = Server::new(answers).await;
    let index = server.index();
    let mut filling = index.fill(&at(2)).await.unwrap();
    let mut lamp = product(1, "Red lamp");
    lamp.category = vec!["Home".to_owned(), "Light".to_owned()];
    filling.add(vec![lamp, product(2, "Mug")]).await.unwrap();
    filling.finish(at(2)).await.unwrap();
    let settings = &server.asked("PATCH /indexes/wire_next/settings")[0];
    assert_eq!(settings["rankingRules"][0], "sort");
    assert_eq!(settings["synonyms"]["sofa"], json!(["couch"]));
    assert_eq!(settings["typoTolerance"]["minWordSizeForTypos"], json!({ "oneTypo": 4, "twoTypos": 8 }));
    let written = server.asked("POST /indexes/wire_next/documents");
    assert_eq!(written[0][0]["id"], "p1");
    assert_eq!(written[0][0]["category"], json!(["Home", "Home > Light"]));
    assert_eq!(
        (&written[0][0]["title_words"], &written[0][0]["names"][1]),
        (&json!("red lamp"), &json!("light"))
    );
    assert_eq!((&written[0][1]["price"], written[0].as_array().unwrap().len()), (&json!(1_000), 2));
    assert_eq!(written[1][0]["id"], "marker");
    assert_eq!(server.asked("POST /swap-indexes")[0][0]["indexes"], json!(["wire", "wire_next"]));
    assert_eq!(server.asked("DELETE /indexes/wire_next").len(), 2, "before and after");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_merged_into_what_is_there_with_the_marker_behind_them() {
    let server = Server::new(recorded()).await;
    let lamp = product(1, "Red lamp");
    let changed = vec![change(&lamp, |values| values.price = 4)];
    server.index().write(vec![], changed, &at(9)).await.unwrap();
    assert!(server.asked("POST /indexes/wire/documents").is_empty());
    let put = &server.asked("PUT /indexes/wire/documents")[0];
    assert_eq!((&put[0]["id"], &put[0]["price"], &put[0]["title"]), (&json!("p1"), &json!(4), &Value::Null));
    assert_eq!(put[1]["id"], "marker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_names_filter_order_and_facets_and_the_answer_is_read() {
    let server = Server::new(recorded()).await;
    let query = ProductQuery {
        text: Some("lamp".to_owned()),
        brand: Some(text("Ac\"me")),
        price_max: Some(10),
        sort: Sort::PriceAsc,
        facets: FacetSet { brand: true, ..FacetSet::default() },
        limit: 5,
        ..ProductQuery::default()
    };
    let hits = server.index().find(&query).await.unwrap();
    assert_eq!((hits.listed_at, hits.next), (vec![1], None));
    let brands = hits.facets.unwrap().brand.unwrap();
    assert_eq!((brands[0].value.as_str(), brands[0].count), ("Acme", 1));
    let asked = &server.asked("POST /indexes/wire/search")[0];
    // FNV-1a of the name, of 128 bits.
    let acme = "c94beecc4b83d94f7080ebfec84b12cf";
    assert_eq!(asked["filter"], format!("listed_at >= 0 AND brand_is = {acme} AND price <= 10"));
    assert_eq!((&asked["q"], &asked["matchingStrategy"]), (&json!("lamp"), &json!("all")));
    assert_eq!(asked["sort"], json!(["price:asc", "listed_at:asc"]));
    assert_eq!((&asked["limit"], &asked["facets"]), (&json!(6), &json!(["brand", "available"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_not_there_has_no_marker_and_a_server_that_is_not_there_is_told() {
    let server = Server::new(Answers::new()).await;
    assert_eq!(server.index().marker().await.unwrap(), None);
    let nobody =
        Meili::new("http://127.0.0.1:9", None, "wire", Synonyms::default(), Arc::new(Machine)).unwrap();
    assert!(matches!(nobody.marker().await, Err(IndexError::Failed(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_take_another_number_of_bytes_when_folded_can_be_completed() {
    let title =
        |title: &str| json!({ "hits": [{ "id": "p1", "title": title }], "processingTimeMs": 1, "query": "" });
    for (typed, shown, completed) in [
        ("é", "Éclair", vec!["eclair"]),
        ("red É", "Red éclair", vec!["red eclair"]),
        ("œu", "Œuf", vec!["oeuf"]),
        ("İs", "İstanbul", vec!["istanbul"]),
        ("café l", "Café lamp", vec!["café lamp"]),
        ("straß", "Straßenlampe", vec!["strassenlampe"]),
    ] {
        let mut answers = Answers::new();
        answers.insert("POST /indexes/wire/search".to_owned(), [(200, title(shown).to_string())].into());
        let server = Server::new(answers).await;
        assert_eq!(server.index().complete(typed).await.unwrap(), completed, "{typed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nonsense_or_fails_its_task_is_told() {
    for (status, answer) in [(500, "oops"), (200, "<html>"), (200, "{}"), (503, ""), (200, "[1]")] {
        let mut answers = recorded();
        answers.insert("POST /indexes/wire/search".to_owned(), [(status, answer.to_owned())].into());
        answers.insert("GET /indexes/wire/documents/marker".to_owned(), [(status, answer.to_owned())].into());
        let index = Server::new(answers).await.index();
        assert!(index.find(&ProductQuery::default()).await.is_err(), "{status} {answer}");
        assert!(index.complete("lam").await.is_err(), "{status} {answer}");
        let marker = index.marker().await;
        assert!(
            marker.is_err() || marker.as_ref().is_ok_and(Option::is_none),
            "{status} {answer} {marker:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_holds_a_password_is_refused_without_telling_it() {
    for url in ["http://admin:hunter2@127.0.0.1:7700", "hunter2@host", "https://hunter2@host/path"] {
        let refused = Meili::new(url, Some("key"), "wire", Synonyms::default(), Arc::new(Machine));
        let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("MEILI_MASTER_KEY") && !told.contains("hunter2"), "{told}");
    }
    assert!(Meili::new("http://h:7700/a@b", None, "wire", Synonyms::default(), Arc::new(Machine)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_asked_for_by_listings_and_the_marker_is_no_product() {
    let server = Server::new(recorded()).await;
    let mut reading = server.index().read(true).await.unwrap();
    let held = reading.between(0, i64::MAX).await.unwrap();
    assert_eq!(held.iter().map(|held| held.listed_at).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((&held[0].fields["id"], &held[1].fields["price"]), (&json!("p1"), &json!(5)));
    let asked = server.asked("POST /indexes/wire/documents/fetch");
    assert_eq!(asked[0]["filter"], "listed_at > 0 AND listed_at <= 9223372036854775807");
    assert_eq!((&asked[0]["limit"], &asked[1]["filter"]), (&json!(1_000), &json!("listed_at NOT EXISTS")));
    let mut lamp = product(1, "Red lamp");
    lamp.names.clear();
    let should = reading.of(&lamp).fields;
    assert_eq!(
        (&should["id"], &should["title_words"], &should["names"]),
        (&json!("p1"), &json!("red lamp"), &json!([]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_made_anew_by_a_write_is_not_the_one_that_was_filled() {
    let mut answers = recorded();
    let other = answers["GET /indexes/wire"][0].1.replace("00:26:58", "00:31:07");
    answers.get_mut("GET /indexes/wire").unwrap().push_back((200, other));
    let server = Server::new(answers).await;
    let index = server.index();
    index.still_there().await.unwrap();
    let written = index.write(vec![], vec![change(&product(1, "Red lamp"), |_| {})], &at(9)).await;
    assert!(matches!(written, Err(IndexError::Astray(_))), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_and_given_up_is_removed_and_nothing_is_swapped() {
    let mut answers = recorded();
    let deleted = answers["DELETE /indexes/wire2"].clone();
    answers.insert("DELETE /indexes/wire_next".to_owned(), deleted);
    let server = Server::new(answers).await;
    let mut filling = server.index().fill(&at(2)).await.unwrap();
    filling.add(vec![product(1, "Red lamp")]).await.unwrap();
    let beside = filling.build(at(2)).await.unwrap();
    beside.index().write(vec![product(2, "Mug")], vec![], &at(3)).await.unwrap();
    beside.give_up().await.unwrap();
    assert_eq!(
        server.asked("POST /indexes/wire_next/documents").len(),
        3,
        "the lamp, the marker and the mug"
    );
    assert_eq!(server.asked("DELETE /indexes/wire_next").len(), 2, "before and after");
    assert!(server.asked("POST /swap-indexes").is_empty());
    assert!(server.asked("PUT /indexes/wire/documents").is_empty());
}
