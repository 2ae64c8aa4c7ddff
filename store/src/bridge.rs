//! Every Daybook aggregate as a `cqrs_es::Aggregate`, for that library's tools.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// An aggregate in the library's clothes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Bridge<A: domain::Aggregate>(pub A);

/// An event in the library's clothes; its JSON is the event's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct BridgedEvent<E: domain::Event>(pub E);

impl<E: domain::Event> DomainEvent for BridgedEvent<E> {
    fn event_type(&self) -> String {
        self.0.event_type().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.event_version().to_owned()
    }
}

impl<A: domain::Aggregate> Aggregate for Bridge<A> {
    const TYPE: &'static str = A::TYPE;
    type Command = A::Command;
    type Event = BridgedEvent<A::Event>;
    type Error = A::Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.0.decide(command)? {
            sink.write(BridgedEvent(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, BridgedEvent(event): Self::Event) {
        self.0 = std::mem::take(&mut self.0).evolve(event);
    }
}
