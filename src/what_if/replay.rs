//! The log from its beginning, command by command, with everything that was and that would have been.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use domain::{
    Aggregate, AnyCommand, AnyEvent,
    allowance::{self, Allowance},
    inventory_item::InventoryItem,
    value::{OrderId, ReservationId, Time},
};
use store::log::{Answer, Meant, Position, Recorded, Sequence, StreamId};
use uuid::Uuid;

use super::{
    checkouts::Live,
    rules::Rules,
    told::{Again, Difference, Report, Totals},
    twin::Twin,
};

/// What a process manager wanted of a SKU's stock or of an allowance.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub order: OrderId,
    /// Whether the checkout depends on its answer.
    pub first: bool,
    pub was: AnyCommand,
    /// What would have been wanted instead.
    pub then: Option<AnyCommand>,
}

/// A command that was refused, and the version of the stream that it met.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub version: Sequence,
    pub wanted: Wanted,
}

/// The events of one command.
pub(super) struct Group {
    pub stream: StreamId,
    pub position: Position,
    pub sequence: Sequence,
    pub at: Time,
    command_id: Uuid,
    pub events: Vec<(Uuid, AnyEvent)>,
}

/// Everything on the way.
pub(super) struct Replay<'r> {
    pub rules: &'r Rules,
    pub stock: HashMap<Arc<str>, Twin<InventoryItem>>,
    pub allowances: HashMap<Arc<str>, Twin<Allowance>>,
    pub live: HashMap<OrderId, Live>,
    /// Orders that would not have been, or not for so long: what was done for them later would not have been either.
    pub lost: HashSet<Arc<str>>,
    /// Holds by others than checkouts that would not have been.
    pub lost_holds: HashSet<(Arc<str>, ReservationId)>,
    pub wanted: HashMap<Uuid, Wanted>,
    /// By stream, in no order.
    pub refused: HashMap<StreamId, Vec<Refused>>,
    /// When checkouts would be given up that had another time to.
    pub timers: BTreeSet<(Time, OrderId)>,
    pub answers: HashMap<Uuid, Answer>,
    pub report: Report,
    clock: Time,
    group: Option<Group>,
}

impl<'r> Replay<'r> {
    pub fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            stock: HashMap::new(),
            allowances: HashMap::new(),
            live: HashMap::new(),
            lost: HashSet::new(),
            lost_holds: HashSet::new(),
            wanted: HashMap::new(),
            refused: HashMap::new(),
            timers: BTreeSet::new(),
            answers: HashMap::new(),
            report: Report {
                head: 0,
                again: Again::default(),
                was: Totals::default(),
                then: Totals::default(),
                differences: vec![],
                taken_as_it_was: std::collections::BTreeMap::new(),
            },
            clock: Time::MIN,
            group: None,
        }
    }

    /// Takes the next event; `refused` are the answers to first commands of checkouts that were refused.
    pub fn take(&mut self, recorded: Recorded, refused: &HashMap<Uuid, Answer>) {
        for meant in recorded.meant() {
            for (id, ..) in super::checkouts::first_commands(meant) {
                self.answers.extend(refused.get(&id).map(|answer| (id, answer.clone())));
            }
        }
        let events: Vec<_> =
            recorded.meant().map(|meant: Meant<'_>| (meant.id(), meant.event.clone())).collect();
        let command_id = recorded.metadata.command_id;
        match &mut self.group {
            Some(group) if group.command_id == command_id && group.stream == recorded.stream => {
                group.events.extend(events);
            }
            _ => {
                let group = Group {
                    stream: recorded.stream,
                    position: recorded.position,
                    sequence: recorded.sequence,
                    at: recorded.metadata.occurred_at,
                    command_id,
                    events,
                };
                let done = self.group.replace(group);
                self.decide(done);
            }
        }
    }

    /// There is no more.
    pub fn end(mut self, head: Position) -> Report {
        let last = self.group.take();
        self.decide(last);
        Report { head, ..self.report }
    }

    fn decide(&mut self, group: Option<Group>) {
        let Some(group) = group else { return };
        // Books that are brought in later tell of earlier times.
        self.clock = self.clock.max(group.at);
        self.give_up_until(self.clock);
        match group.stream.aggregate_type {
            domain::AggregateType::Checkout => self.checkout(&group),
            domain::AggregateType::InventoryItem => self.stock(&group),
            domain::AggregateType::Allowance => self.allowance(&group),
            _ => {}
        }
    }

    /// What the group's command was, if a checkout wanted it.
    pub fn wanted_by(&mut self, group: &Group) -> Option<Wanted> {
        let wanted = self.wanted.remove(&group.command_id)?;
        if let Some(live) = self.live.get_mut(&wanted.order) {
            live.pending = live.pending.saturating_sub(1);
        }
        Some(wanted)
    }

    /// What would have been refused to somebody, at the version of a stream that it met.
    pub fn refused_before(&mut self, stream: &StreamId, sequence: Sequence) {
        let Some(waiting) = self.refused.get_mut(stream) else { return };
        let due: Vec<Refused> = waiting.extract_if(.., |refused| refused.version < sequence).collect();
        if waiting.is_empty() {
            self.refused.remove(stream);
        }
        for refused in due {
            self.was_refused(stream, refused.wanted);
        }
    }

    /// Decides a command again that was refused to a checkout.
    pub fn was_refused(&mut self, stream: &StreamId, wanted: Wanted) {
        let id = &*stream.id;
        let Wanted { order, was, then, .. } = wanted;
        let exact = match (was, then) {
            (AnyCommand::InventoryItem(was), Some(AnyCommand::InventoryItem(then))) => {
                self.report.again.reservations += 1;
                let mut twin = self.stock.remove(id).unwrap_or_default();
                let refused = twin.was.decide(was.clone()).is_err();
                if refused && self.is_asked(&order) {
                    let same = was == then;
                    let told = again(&mut twin, same, Some(then), &[], was);
                    self.answered(&order, stream, told.err().map(domain::AnyRefusal::from), true);
                }
                self.stock.insert(id.into(), twin);
                refused
            }
            (AnyCommand::Allowance(was), then) => {
                self.report.again.claims += 1;
                let then = match then {
                    Some(AnyCommand::Allowance(then)) => Some(then),
                    _ => None,
                };
                let mut twin = self.allowances.remove(id).unwrap_or_default();
                let refused = twin.was.decide(was.clone()).is_err();
                if refused && self.is_asked(&order) {
                    let same = then.as_ref() == Some(&was);
                    let told = again(&mut twin, same, then, &[], was);
                    self.answered(&order, stream, told.err().map(domain::AnyRefusal::from), true);
                }
                self.allowances.insert(id.into(), twin);
                refused
            }
            _ => false,
        };
        if !exact {
            self.as_it_was("refusals that cannot be told from the log");
            if let Some(live) = self.live.get_mut(&order) {
                live.refuse("unknown");
            }
        }
    }

    /// What an allowance's command comes to.
    fn allowance(&mut self, group: &Group) {
        self.refused_before(&group.stream, group.sequence);
        let events: Vec<allowance::Event> = group
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                AnyEvent::Allowance(event) => Some(event.clone()),
                _ => None,
            })
            .collect();
        let id = &*group.stream.id;
        let mut twin = self.allowances.remove(id).unwrap_or_default();
        let wanted = self.wanted_by(group);
        let (order, first, was, then) = match (wanted, events.first()) {
            (Some(Wanted { order, first, was: AnyCommand::Allowance(was), then }), _) => {
                let then = match then {
                    Some(AnyCommand::Allowance(then)) => Some(then),
                    _ => None,
                };
                (order, first, Some(was), then)
            }
            (_, Some(allowance::Event::GivenBack { order, quantity })) => {
                let was = allowance::Command::GiveBack { order: order.clone(), quantity: Some(*quantity) };
                (order.clone(), false, Some(was.clone()), Some(was))
            }
            (_, Some(allowance::Event::Claimed { order, .. })) => (order.clone(), false, None, None),
            (_, None) => return,
        };
        match was.filter(|was| twin.was.decide(was.clone()).as_deref() == Ok(&events)) {
            None => {
                self.as_it_was("commands on allowances that their events do not tell");
                twin.both(&events);
            }
            Some(was) if first => {
                self.report.again.claims += 1;
                if self.is_asked(&order) {
                    let same = then.as_ref() == Some(&was);
                    let told = again(&mut twin, same, then, &events, was);
                    self.answered(&order, &group.stream, told.err().map(domain::AnyRefusal::from), false);
                } else {
                    twin.either(&events, &[]);
                }
            }
            Some(was) => {
                self.report.again.others += 1;
                if self.follows(&order) {
                    // Giving back is never refused.
                    let _ = again(&mut twin, then.as_ref() == Some(&was), then, &events, was);
                } else {
                    twin.either(&events, &[]);
                }
            }
        }
        self.allowances.insert(id.into(), twin);
        self.let_go(&order);
    }

    /// Notes how many of what could not be decided again.
    pub fn as_it_was(&mut self, what: &'static str) {
        *self.report.taken_as_it_was.entry(what).or_default() += 1;
    }

    pub fn differs(&mut self, difference: Difference) {
        self.report.differences.push(difference);
    }
}

/// Decides what would have been asked on what would have been; what was is as it was. Nothing is decided twice where both
/// are the same.
pub(super) fn again<A: Aggregate>(
    twin: &mut Twin<A>,
    same: bool,
    then: Option<A::Command>,
    was: &[A::Event],
    asked: A::Command,
) -> Result<(), A::Refusal> {
    if same && twin.is_one() && !was.is_empty() {
        twin.both(was);
        return Ok(());
    }
    match then.filter(|_| !same).or_else(|| same.then_some(asked)).map(|command| twin.then().decide(command))
    {
        None => {
            twin.either(was, &[]);
            Ok(())
        }
        Some(Ok(events)) => {
            twin.either(was, &events);
            Ok(())
        }
        Some(Err(refusal)) => {
            twin.either(was, &[]);
            Err(refusal)
        }
    }
}
