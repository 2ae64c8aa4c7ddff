//! What every aggregate has to keep, checked along a history of commands; and small values that collide often.

use std::{fmt::Debug, str::FromStr};

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Aggregate, AggregateType, AnyCommand, AnyEvent, AnyRefusal, Event as _, Refusal,
    value::{Currency, Money, Quantity, Sealed, Sku, Text, Time},
};

/// What a command may cause when it comes again after it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No events.
    Nothing,
    /// No events, or a refusal.
    NothingOrRefused,
    /// It is another wish of the same kind; only its id tells a repeat.
    Anything,
}

/// Plays commands from the initial state and checks, at every step, that commands, events, refusals and states survive
/// JSON, that `holds` is satisfied, and that a command given `again` causes no more than it may.
pub fn play<A: Aggregate>(
    commands: Vec<A::Command>,
    again: impl Fn(&A::Command) -> Again,
    holds: impl Fn(&A, &[A::Event]),
) -> Vec<A::Event>
where
    AnyCommand: From<A::Command>,
    AnyEvent: From<A::Event>,
    AnyRefusal: From<A::Refusal>,
{
    let (mut state, mut history) = (A::default(), vec![]);
    for command in commands {
        survives_json(&AnyCommand::from(command.clone()));
        let events = match state.decide(command.clone()) {
            Ok(events) => events,
            Err(refusal) => {
                check_refusal::<A>(&refusal);
                continue;
            }
        };
        for event in events {
            check_event::<A>(&event);
            state = state.evolve(event.clone());
            history.push(event);
        }
        survives_json(&state);
        holds(&state, &history);
        match (again(&command), state.decide(command.clone())) {
            (Again::Anything, _) | (Again::NothingOrRefused, Err(_)) => {}
            (may, repeated) => {
                assert_eq!(
                    repeated,
                    Ok(vec![]),
                    "{command:?} came again in {state:?}, where it may cause {may:?}"
                );
            }
        }
    }
    history
}

/// The events that commands cause.
pub fn caused<A: Aggregate>(commands: Vec<A::Command>) -> Vec<A::Event>
where
    AnyCommand: From<A::Command>,
    AnyEvent: From<A::Event>,
    AnyRefusal: From<A::Refusal>,
{
    play::<A>(commands, |_| Again::Anything, |_, _| {})
}

/// Folds events in whatever order they come.
pub fn fold<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> A {
    events.into_iter().fold(A::default(), A::evolve)
}

#[track_caller]
pub fn survives_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{text}");
}

#[track_caller]
pub fn check_event<A: Aggregate>(event: &A::Event)
where
    AnyEvent: From<A::Event>,
{
    survives_json(event);
    let any = AnyEvent::from(event.clone());
    let payload = serde_json::to_value(&any).unwrap();
    let tag = payload.as_object().and_then(|object| object.keys().next());
    assert_eq!(tag.map(String::as_str), Some(event.event_type()));
    assert_eq!(payload, serde_json::to_value(event).unwrap());
    let aggregate_type = AggregateType::from_str(A::TYPE).unwrap();
    assert_eq!(AnyEvent::deserialize(aggregate_type, payload).unwrap(), any);
}

#[track_caller]
pub fn check_refusal<A: Aggregate>(refusal: &A::Refusal)
where
    AnyRefusal: From<A::Refusal>,
{
    survives_json(refusal);
    let any = AnyRefusal::from(refusal.clone());
    survives_json(&any);
    let json = serde_json::to_value(&any).unwrap();
    assert_eq!(json.get("code").and_then(Value::as_str), Some(refusal.code()));
    assert_eq!(any.code(), refusal.code());
    assert!(A::Refusal::CODES.contains(&refusal.code()), "CODES lacks {}", refusal.code());
    let prefix = A::TYPE.split('_').next().unwrap();
    assert!(refusal.code().starts_with(&format!("{prefix}.")), "{} of {}", refusal.code(), A::TYPE);
}

pub fn id<T: FromStr<Err: Debug> + Debug>(names: &'static [&'static str]) -> impl Strategy<Value = T> {
    prop::sample::select(names).prop_map(|name| name.parse().unwrap())
}

pub fn sku() -> impl Strategy<Value = Sku> {
    id(&["MUG", "85123A", "Größe 1.5/L"])
}

pub fn text() -> impl Strategy<Value = Text> {
    id(&["a", "Zwei Wörter", "\" \\ \u{1f9fe}"])
}

pub fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![9 => 1..6_u32, 1 => 1..=u32::MAX].prop_map(|units| Quantity::new(units).unwrap())
}

pub fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![9 => Just(Currency::GBP), 1 => id(&["EUR"])]
}

pub fn money() -> impl Strategy<Value = Money> {
    let amount = prop_oneof![9 => 0..1_000_i64, 1 => any::<i64>()];
    (amount, currency()).prop_map(|(amount, currency)| Money::new(amount, currency))
}

pub fn time() -> impl Strategy<Value = Time> {
    (0..100_i64).prop_map(Time::from_millis)
}

pub fn pounds(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

pub fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

pub fn named<T: FromStr<Err: Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

pub fn delivery() -> crate::cart::Delivery {
    let sealed = |text: &str| Sealed { subject: "customer".into(), sealed: text.into() };
    crate::cart::Delivery { contact: sealed("bmFtZQ=="), address: sealed("c3RyZWV0"), country: named("GB") }
}
