//! Every command of a round once more, under its key: the first outcome again, and nothing else.

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, interval};

use crate::{
    http::Connection,
    ledger::{Ledger, News},
    load::{send_lines, send_request},
    record::{Answer, Sent, Told, Way},
};

/// Lines of a request.
const LINES: usize = 100;
/// Longer than leases of dead processes last.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// Sends commands as they were sent before, until each has an answer that settles it.
pub async fn send(address: SocketAddr, sent: &[Sent]) -> Vec<Answer> {
    let (mut lines, mut requests) = (vec![], vec![]);
    for (index, command) in sent.iter().enumerate() {
        match &command.way {
            Way::Line(_) => lines.push((index, command.clone())),
            Way::Request { .. } => requests.push((index, command.clone())),
        }
    }
    let mut parts: Vec<Vec<(usize, Sent)>> = lines.chunks(LINES).map(<[_]>::to_vec).collect();
    parts.extend(requests.chunks(4).map(<[_]>::to_vec));
    let answers = join_all(parts.into_iter().map(|part| async move {
        let (indexes, commands): (Vec<_>, Vec<_>) = part.into_iter().unzip();
        let answers = settled(address, &commands).await;
        indexes.into_iter().zip(answers).collect::<Vec<_>>()
    }));
    let mut answers: Vec<_> = answers.await.into_iter().flatten().collect();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Sends either lines or requests until every answer settles its command.
async fn settled(address: SocketAddr, commands: &[Sent]) -> Vec<Answer> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let mut tries = interval(Duration::from_millis(50));
    loop {
        tries.tick().await;
        let answers = answers(address, commands).await;
        let open = |answer: &&Answer| {
            answer.status >= 500 || answer.code.as_deref() == Some("idempotency.in_flight")
        };
        let complete = answers.len() == commands.len();
        match answers.iter().find(open) {
            None if complete => return answers,
            open => assert!(
                Instant::now() < deadline,
                "{} of {} commands are answered, one by {open:?}",
                answers.len(),
                commands.len()
            ),
        }
    }
}

/// As many answers as come.
async fn answers(address: SocketAddr, commands: &[Sent]) -> Vec<Answer> {
    let Some(connection) = Connection::open(address).await else { return vec![] };
    let mut connection = connection.hurried();
    if matches!(commands[0].way, Way::Line(_)) {
        return send_lines(&mut connection, commands).await.0;
    }
    let mut answers = vec![];
    for command in commands {
        match send_request(&mut connection, command).await.0 {
            Some(answer) => answers.push(answer),
            None => break,
        }
    }
    answers
}

/// Repeats a round's commands twice where their fate was open, and holds what comes of it against what stood before.
/// Returns how many of those without an answer stood, and how many did not.
pub async fn repeat(ledger: &mut Ledger, address: SocketAddr, sent: Vec<Sent>, news: &News) -> (u64, u64) {
    let stood: Vec<_> =
        sent.iter().map(|command| command.id).filter(|id| news.rows.contains_key(id)).collect();
    let again = send(address, &sent).await;
    let (mut found, mut absent, mut open) = (0, 0, vec![]);
    for (command, answer) in sent.into_iter().zip(again) {
        let stands = news.rows.get(&command.id);
        if command.answer.is_none() {
            let count = if stands.is_some() { &mut found } else { &mut absent };
            *count += 1;
        }
        if let Err(fault) = is_first(&command, &answer, news) {
            ledger.fault(format!("{fault}: {answer:?} repeats {command:?}, where {stands:?} stands"));
        }
        if stands.is_none() {
            open.push(Sent { answer: Some(answer), ..command });
        }
    }
    let once_more = send(address, &open).await;
    for (command, answer) in open.iter_mut().zip(once_more) {
        let first = command.told();
        // What was not tried is free to happen now, as when others have made the version that it insists on.
        if matches!(first, Told::NotTried(_)) {
            command.answer = Some(answer);
            continue;
        }
        let tried = matches!(first, Told::Done(_) | Told::Refused(_));
        if tried && (first != command.means(&answer) || !(answer.replayed || answer.code.is_some())) {
            ledger.fault(format!("another outcome the second time: {answer:?} repeats {command:?}"));
        }
    }
    let later = ledger.read_on().await;
    ledger.judge(&later, &open);
    for (id, row) in ledger.rows(&stood).await {
        if news.rows.get(&id) != Some(&row) || later.events.contains_key(&id) {
            ledger.fault(format!("repeating changed command {id}: {:?} was {row:?}", news.rows.get(&id)));
        }
    }
    (found, absent)
}

/// Whether a repeat got what was told the first time, or, where nothing was, what stands.
fn is_first(command: &Sent, answer: &Answer, news: &News) -> Result<(), &'static str> {
    let told = command.told();
    let means = command.means(answer);
    let as_it_was = |holds: bool| if holds { Ok(()) } else { Err("a repeat got another outcome") };
    match (&told, &means, news.rows.get(&command.id)) {
        (Told::Done(_), Told::Done(_), _) => as_it_was(told == means && answer.replayed),
        (Told::Done(_) | Told::Refused(_), _, _) => as_it_was(told == means),
        (Told::Accepted, _, _) => as_it_was(!matches!(means, Told::NotTried(_) | Told::Refused(_))),
        (Told::Nothing, Told::Done(receipt), Some(row)) => {
            let count = i32::try_from(receipt.events.len()).unwrap();
            let same = (receipt.version, receipt.position, count) == (row.version, row.position, row.events);
            as_it_was(same && row.refusal.is_none() && answer.replayed)
        }
        (Told::Nothing, Told::Refused(code), Some(row)) => {
            as_it_was(row.refusal.as_ref().is_some_and(|refusal| refusal.contains(&format!("\"{code}\""))))
        }
        (Told::Nothing, Told::NotTried(_), Some(_)) => Err("what stands was tried again"),
        (Told::Nothing | Told::Followed | Told::NotTried(_), _, _) => Ok(()),
    }
}
