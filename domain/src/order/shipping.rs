//! Units leave an order: shipped, or cancelled before that.

use super::{
    Book, CancelReason, EditFailure, EditStage, Event, Refusal, STEPS_MAX, Shipment, TRANSITS_MAX, Transit,
    Units,
    entry::{Entry, merged, sum},
};
use crate::value::{CancellationId, ShipmentId, Text};

impl Book {
    pub(super) fn ship(
        &self,
        shipment: ShipmentId,
        shipped_as: (Text, Option<Text>),
        lines: &[Units],
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.shipments.get(&shipment) {
            let same = known.shipped_as == shipped_as && merged(&known.lines) == merged(lines);
            return if same { Ok(vec![]) } else { Err(Refusal::ShipmentExists { shipment }) };
        }
        self.no_edit()?;
        has_room(self.shipments.len())?;
        let lines = self.checked(lines, |line| self.left(line))?;
        let value = self.money(sum(&self.parts(&lines)).saturating_add(self.charges));
        let (carrier, tracking) = shipped_as;
        let (terms, complete) = (self.terms(), self.is_rest(&lines));
        Ok(vec![Event::Shipped { shipment, carrier, tracking, lines, value, terms, complete }])
    }

    pub(super) fn change_tracking(
        &self,
        shipment: ShipmentId,
        carrier: Text,
        tracking: Option<Text>,
    ) -> Result<Vec<Event>, Refusal> {
        match self.shipments.get(&shipment) {
            None => Err(Refusal::NoSuchShipment { shipment }),
            Some(known) if known.carrier == carrier && known.tracking == tracking => Ok(vec![]),
            Some(_) => Ok(vec![Event::TrackingChanged { shipment, carrier, tracking }]),
        }
    }

    pub(super) fn record_transit(
        &self,
        shipment: ShipmentId,
        transit: Transit,
    ) -> Result<Vec<Event>, Refusal> {
        match self.shipments.get(&shipment) {
            None => Err(Refusal::NoSuchShipment { shipment }),
            // Words of carriers overtake each other; what has arrived is under way no more.
            Some(Shipment { delivered: true, .. }) => Ok(vec![]),
            Some(known) if known.transit == Some(transit) || known.transits >= TRANSITS_MAX => Ok(vec![]),
            Some(_) => Ok(vec![Event::TransitNoted { shipment, transit }]),
        }
    }

    pub(super) fn deliver(&self, shipment: ShipmentId) -> Result<Vec<Event>, Refusal> {
        match self.shipments.get(&shipment) {
            None => Err(Refusal::NoSuchShipment { shipment }),
            Some(Shipment { delivered: true, .. }) => Ok(vec![]),
            Some(Shipment { value, lines, .. }) => {
                let (progress, arriving) = (self.progress(), count(lines));
                let delivered = progress.delivered.saturating_add(arriving);
                let complete = progress.left() == 0 && delivered >= progress.shipped;
                Ok(vec![Event::Delivered { shipment, value: *value, terms: self.terms(), complete }])
            }
        }
    }

    /// Calls off all of it.
    pub(super) fn cancel(&self, reason: CancelReason, note: Option<Text>) -> Result<Vec<Event>, Refusal> {
        if !self.shipments.is_empty() {
            return Err(Refusal::AlreadyShipped);
        }
        let left = self.all_left();
        let charges = self.placement().charges.clone();
        let credit = self.invoice.map(|_| {
            let charges = if self.charges == 0 { vec![] } else { charges };
            self.credit(&self.parts(&left), charges)
        });
        let cancelled = Event::Cancelled {
            reason,
            note,
            confirmed: true,
            terms: self.terms(),
            units: self.by_sku(left),
            value: Some(self.value_left()),
            credit,
        };
        Ok(self.edit_closed().into_iter().chain([cancelled]).collect())
    }

    pub(super) fn cancel_lines(
        &self,
        cancellation: CancellationId,
        lines: &[Units],
        note: Option<Text>,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.cancellations.get(&cancellation) {
            let same = merged(known) == merged(lines);
            return if same { Ok(vec![]) } else { Err(Refusal::CancellationExists { cancellation }) };
        }
        if let Some(edit) = self.edit.as_ref().filter(|edit| edit.stage == EditStage::Committed) {
            return Err(Refusal::EditCommitted { edit: edit.id.clone() });
        }
        has_room(self.cancellations.len())?;
        let lines = self.checked(lines, |line| self.left(line))?;
        let (parts, complete) = (self.parts(&lines), self.is_rest(&lines));
        let nothing_remains = complete && self.shipments.is_empty();
        let charges = if nothing_remains { self.charges } else { 0 };
        let listed = if charges == 0 { vec![] } else { self.placement().charges.clone() };
        let mut events = vec![Event::LinesCancelled {
            cancellation,
            note,
            units: self.by_sku(lines.iter().copied()),
            lines,
            value: self.money(sum(&parts).saturating_add(charges)),
            customer: self.placement().customer.clone(),
            terms: self.terms(),
            complete,
            credit: self.invoice.map(|_| self.credit(&parts, listed)),
        }];
        if nothing_remains {
            events.extend(self.edit_closed());
            events.push(Event::Cancelled {
                reason: CancelReason::LinesCancelled,
                note: None,
                confirmed: true,
                terms: self.terms(),
                units: vec![],
                value: Some(self.money(0)),
                credit: None,
            });
        }
        Ok(events)
    }

    /// Whether nothing is left to be shipped without these.
    fn is_rest(&self, lines: &[Units]) -> bool {
        self.progress().left() <= count(lines)
    }

    /// An order that is called off ends its edit.
    fn edit_closed(&self) -> Option<Event> {
        let edit = self.edit.as_ref()?.id.clone();
        Some(Event::EditRejected { edit, reason: EditFailure::OrderClosed })
    }

    pub(super) fn units_shipped(&mut self, shipment: ShipmentId, sent: Shipment) {
        self.each(&sent.lines, Entry::ship);
        // The first shipment takes all charges along.
        self.charges = 0;
        self.shipments.insert(shipment, sent);
    }

    pub(super) fn tracking_changed(&mut self, shipment: &ShipmentId, carrier: Text, tracking: Option<Text>) {
        if let Some(known) = self.shipments.get_mut(shipment) {
            (known.carrier, known.tracking) = (carrier, tracking);
        }
    }

    pub(super) fn transit_noted(&mut self, shipment: &ShipmentId, transit: Transit) {
        if let Some(known) = self.shipments.get_mut(shipment) {
            known.transit = Some(transit);
            known.transits = known.transits.saturating_add(1);
        }
    }

    pub(super) fn units_delivered(&mut self, shipment: &ShipmentId) {
        if let Some(known) = self.shipments.get_mut(shipment).filter(|known| !known.delivered) {
            known.delivered = true;
            let lines = known.lines.clone();
            self.each(&lines, Entry::deliver);
        }
    }

    pub(super) fn units_cancelled(&mut self, cancellation: CancellationId, lines: Vec<Units>) {
        self.each(&lines, Entry::cancel);
        if self.progress().left() == 0 {
            // They went back with the last units, or with a shipment before.
            self.charges = 0;
        }
        self.cancellations.insert(cancellation, lines);
    }
}

/// Every id of a step is kept, so that it is recognised when it comes again.
pub(super) const fn has_room(steps: usize) -> Result<(), Refusal> {
    if steps < STEPS_MAX { Ok(()) } else { Err(Refusal::TooManySteps { max: STEPS_MAX }) }
}

fn count(lines: &[Units]) -> u64 {
    lines.iter().map(|units| u64::from(units.quantity.get())).fold(0, u64::saturating_add)
}
