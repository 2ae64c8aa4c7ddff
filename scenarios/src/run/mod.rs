//! Plays a scenario in a world, and tells where it goes another way.

mod answers;
mod streams;
mod told;

use domain::AnyCommand;
use uuid::Uuid;

pub(crate) use self::told::parts;
use self::told::{told_entry, told_event, told_refusal};
use crate::{
    bind::{Act, Play, See, Step},
    steps::Stream,
    world::{Answer, Stuck, World},
};

/// How a scenario went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where it went another way; nothing when it went as told.
    pub failure: Option<Failure>,
    /// Steps that this level cannot check.
    pub skipped: Vec<String>,
}

/// A step that went another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the step stands.
    pub line: u32,
    /// The step.
    pub step: String,
    /// What should have been.
    pub expected: Vec<String>,
    /// What was.
    pub got: Vec<String>,
    /// Field by field, where both are alike enough.
    pub differences: Vec<String>,
    /// Everything that had happened by the first When, in order.
    pub given: Vec<String>,
    /// Everything that has happened since.
    pub since: Vec<String>,
}

/// Plays a scenario.
pub async fn play(play: &Play, world: &mut dyn World) -> Outcome {
    let mut player = Player::new(world);
    let mut failure = None;
    for step in &play.steps {
        if let Err(wrong) = player.step(step).await {
            failure = Some(wrong.at(step));
            break;
        }
    }
    if let (None, Err(wrong), Some(last)) = (&failure, player.close(), play.steps.last()) {
        failure = Some(wrong.at(last));
    }
    if let Some(failure) = &mut failure {
        (failure.given, failure.since) = player.history().await;
    }
    Outcome { failure, skipped: player.skipped }
}

/// A scenario that could not even begin.
pub(crate) fn stuck(play: &Play, stuck: Stuck) -> Outcome {
    let failure = play.steps.first().map(|step| Wrong::from(stuck).at(step));
    Outcome { failure, skipped: vec![] }
}

/// What is wrong, before it is known with which step.
#[derive(Debug, Default)]
struct Wrong {
    expected: Vec<String>,
    got: Vec<String>,
    differences: Vec<String>,
    /// Which step is wrong, where it is not the one that was played.
    step: Option<(u32, String)>,
}

impl Wrong {
    fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: vec![expected.into()], got: vec![got.into()], ..Self::default() }
    }

    fn at(self, step: &Step) -> Failure {
        let (line, step) = self.step.unwrap_or_else(|| (step.line, step.text.clone()));
        Failure {
            line,
            step,
            expected: self.expected,
            got: self.got,
            differences: self.differences,
            given: vec![],
            since: vec![],
        }
    }
}

impl From<Stuck> for Wrong {
    fn from(stuck: Stuck) -> Self {
        Self::new("the shop to go on", stuck.0)
    }
}

/// What the last When brought.
enum Heard {
    /// A command, its stream and answer; how many of its events were told, and whether anything was said about it.
    Answer { stream: Stream, answer: Answer, told: usize, noticed: bool, step: (u32, String) },
    /// Time passed; where the log stood before.
    Time { before: usize },
}

struct Player<'a> {
    world: &'a mut dyn World,
    /// Where the log stood when everything was given.
    given: Option<usize>,
    heard: Option<Heard>,
    last: Option<(Uuid, Stream, AnyCommand)>,
    asked: i64,
    /// Up to where each stream was told with `eventually`.
    told: Vec<(Stream, usize)>,
    /// Which commands were told of each stream that wants some.
    wanted: Vec<(Stream, Vec<usize>)>,
    skipped: Vec<String>,
}

impl<'a> Player<'a> {
    fn new(world: &'a mut dyn World) -> Self {
        Self {
            world,
            given: None,
            heard: None,
            last: None,
            asked: 0,
            told: vec![],
            wanted: vec![],
            skipped: vec![],
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        match &step.act {
            Act::Clock(now) => Ok(self.world.set_clock(*now).await?),
            Act::Happened(stream, events) => Ok(self.world.happened(stream, events.clone()).await?),
            Act::Done(stream, commands) => {
                for command in commands {
                    self.done(stream, command).await?;
                }
                Ok(())
            }
            Act::Ask(stream, command) => {
                self.begin().await?;
                let id = self.next_id();
                self.last = Some((id, stream.clone(), command.clone()));
                self.ask(step).await
            }
            Act::AskAgain => {
                self.begin().await?;
                self.ask(step).await
            }
            Act::Pass(ms) => {
                self.begin().await?;
                let before = self.world.entries().await?.len();
                self.heard = Some(Heard::Time { before });
                Ok(self.world.pass(*ms).await?)
            }
            Act::See(see) => self.see(see, step).await.map_err(|mut wrong| {
                // Probably the reason, when no Then has spoken of it.
                if let Some(Heard::Answer { answer: Answer::Refused(refusal), noticed: false, .. }) =
                    &self.heard
                {
                    wrong.got.push(told_refusal(refusal));
                }
                wrong
            }),
        }
    }

    fn next_id(&mut self) -> Uuid {
        self.asked += 1;
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("scenario:{}", self.asked).as_bytes())
    }

    async fn done(&mut self, stream: &Stream, command: &AnyCommand) -> Result<(), Wrong> {
        self.world.rest().await?;
        let id = self.next_id();
        let answer = self.world.ask(id, stream, command.clone()).await?;
        self.world.rest().await?;
        match answer {
            Answer::Accepted(_) => Ok(()),
            Answer::Refused(refusal) => Err(Wrong::new("it to be accepted", told_refusal(&refusal))),
        }
    }

    /// Before a When: everything given has come to rest, and the last When was told completely.
    async fn begin(&mut self) -> Result<(), Wrong> {
        self.close()?;
        if self.given.is_none() {
            self.world.rest().await?;
            self.given = Some(self.world.entries().await?.len());
        }
        Ok(())
    }

    async fn ask(&mut self, step: &Step) -> Result<(), Wrong> {
        let Some((id, stream, command)) = self.last.clone() else { return Ok(()) };
        let answer = self.world.ask(id, &stream, command).await?;
        self.world.rest().await?;
        self.heard = Some(Heard::Answer {
            stream,
            answer,
            told: 0,
            noticed: false,
            step: (step.line, step.text.clone()),
        });
        Ok(())
    }

    /// After a When and its Thens: nothing of its answer may have been passed over.
    fn close(&mut self) -> Result<(), Wrong> {
        match self.heard.take() {
            Some(Heard::Answer { answer: Answer::Refused(refusal), noticed: false, step, .. }) => {
                let wrong =
                    Wrong::new("it to be accepted, as no Then says otherwise", told_refusal(&refusal));
                Err(Wrong { step: Some(step), ..wrong })
            }
            Some(Heard::Answer { answer: Answer::Accepted(events), told, noticed: true, stream, step })
                if told < events.len() =>
            {
                let got = events.iter().skip(told).map(|event| told_event(&stream, event)).collect();
                let expected = vec!["nothing more to come of it".into()];
                Err(Wrong { expected, got, differences: vec![], step: Some(step) })
            }
            _ => Ok(()),
        }
    }

    async fn see(&mut self, see: &See, step: &Step) -> Result<(), Wrong> {
        match see {
            See::Events(all) => all.iter().try_for_each(|expected| self.event(expected)),
            See::Nothing => self.nothing().await,
            See::Refused(code, values) => self.refused(code, values.as_ref()),
            See::Eventually(all) => {
                for expected in all {
                    self.eventually(expected).await?;
                }
                Ok(())
            }
            See::Exactly(stream, all) => self.exactly(stream, all).await,
            See::Never(all) => self.never(all).await,
            See::Wants(by, all) => self.wants(by, all).await,
            See::NothingMore(by) => self.nothing_more(by).await,
            See::Reads(noun, id, pattern) => match self.world.read(*noun, id).await? {
                None => {
                    self.skipped.push(step.text.clone());
                    Ok(())
                }
                Some(actual) => answers::reads(pattern, &actual),
            },
        }
    }

    async fn history(&mut self) -> (Vec<String>, Vec<String>) {
        let entries = match self.world.entries().await {
            Ok(entries) => entries,
            Err(stuck) => return (vec![], vec![stuck.0]),
        };
        let mut given: Vec<_> = entries.iter().map(told_entry).collect();
        let since = given.split_off(self.given.unwrap_or(given.len()).min(given.len()));
        (given, since)
    }
}
