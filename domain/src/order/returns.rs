//! Units come back: asked for, approved, received, refunded.

use super::{
    Book, Count, Disposition, Event, ReceivedUnits, Refusal, Return, ReturnStage, Units,
    entry::{Entry, Part, merged, sum},
    shipping::has_room,
};
use crate::value::{Money, Quantity, ReturnId, Text, Time, part};

impl Book {
    fn known_return(&self, id: &ReturnId) -> Result<&Return, Refusal> {
        self.returns.get(id).ok_or_else(|| Refusal::NoSuchReturn { return_id: id.clone() })
    }

    /// Units of a line that could be asked back.
    fn returnable(&self, line: u32) -> u32 {
        let open = self.returns.values().filter(|asked| asked.is_open()).flat_map(|asked| &asked.lines);
        let asked = open.filter(|units| units.line == line).map(|units| units.quantity.get());
        asked.fold(self.out(line), u32::saturating_sub)
    }

    pub(super) fn request_return(
        &self,
        return_id: ReturnId,
        lines: &[Units],
        reason: Text,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.returns.get(&return_id) {
            let same = known.reason == reason && merged(&known.lines) == merged(lines);
            return if same { Ok(vec![]) } else { Err(Refusal::ReturnExists { return_id }) };
        }
        has_room(self.returns.len())?;
        let lines = self.checked(lines, |line| self.returnable(line))?;
        Ok(vec![Event::ReturnRequested { return_id, lines, reason }])
    }

    pub(super) fn approve_return(&self, return_id: ReturnId) -> Result<Vec<Event>, Refusal> {
        match self.known_return(&return_id)?.stage {
            ReturnStage::Requested => Ok(vec![Event::ReturnApproved { return_id }]),
            ReturnStage::Approved | ReturnStage::Received { .. } => Ok(vec![]),
            ReturnStage::Rejected => Err(Refusal::ReturnRejected { return_id }),
        }
    }

    pub(super) fn reject_return(
        &self,
        return_id: ReturnId,
        note: Option<Text>,
    ) -> Result<Vec<Event>, Refusal> {
        match self.known_return(&return_id)?.stage {
            // One that was approved and never came would keep its units from being asked for again.
            ReturnStage::Requested | ReturnStage::Approved => {
                Ok(vec![Event::ReturnRejected { return_id, note }])
            }
            ReturnStage::Rejected => Ok(vec![]),
            ReturnStage::Received { .. } => Err(Refusal::ReturnReceived { return_id }),
        }
    }

    pub(super) fn receive_return(
        &self,
        return_id: ReturnId,
        lines: Vec<ReceivedUnits>,
        issued_at: Time,
    ) -> Result<Vec<Event>, Refusal> {
        let asked = self.known_return(&return_id)?;
        match &asked.stage {
            ReturnStage::Requested => return Err(Refusal::ReturnNotApproved { return_id }),
            ReturnStage::Rejected => return Err(Refusal::ReturnRejected { return_id }),
            ReturnStage::Received { lines: known, .. } if *known == lines => return Ok(vec![]),
            ReturnStage::Received { .. } => return Err(Refusal::ReturnReceived { return_id }),
            ReturnStage::Approved => {}
        }
        let approved = |line: u32| {
            let units = asked.lines.iter().find(|units| units.line == line);
            units.map_or(0, |units| units.quantity.get().min(self.out(line)))
        };
        let parts = self.parts_back(&self.checked(&units_of(&lines), approved)?);
        let kept = lines.iter().filter(|units| units.disposition == Disposition::Restock);
        Ok(vec![Event::ReturnReceived {
            return_id,
            restock: self.by_sku(kept.map(ReceivedUnits::units)),
            value: self.money(sum(&parts)),
            delivered: self.money(parts.iter().fold(0, |sum, part| sum.saturating_add(self.arrived(part)))),
            terms: self.terms(),
            credit: self.credit(&parts, vec![]),
            lines,
            issued_at,
        }])
    }

    /// What those units of a part are worth that had arrived; those that never did are the first to come back.
    fn arrived(&self, Part { units, share }: &Part) -> i64 {
        let count = usize::try_from(units.line).ok().and_then(|line| self.counts().nth(line));
        let on_the_way = count.map_or(0, |Count { shipped, delivered, returned, .. }| {
            shipped.saturating_sub(returned).saturating_sub(delivered)
        });
        let quantity = units.quantity.get();
        part(share.value, quantity, on_the_way.min(quantity), quantity)
    }

    pub(super) fn record_refund(&self, return_id: ReturnId, amount: Money) -> Result<Vec<Event>, Refusal> {
        match self.known_return(&return_id)?.stage {
            ReturnStage::Received { refunded: None, .. } => {
                Ok(vec![Event::ReturnRefunded { return_id, amount }])
            }
            ReturnStage::Received { refunded: Some(known), .. } if known == amount => Ok(vec![]),
            ReturnStage::Received { .. } => Err(Refusal::ReturnRefunded { return_id }),
            ReturnStage::Requested | ReturnStage::Approved | ReturnStage::Rejected => {
                Err(Refusal::ReturnNotReceived { return_id })
            }
        }
    }

    pub(super) fn return_requested(&mut self, id: ReturnId, lines: Vec<Units>, reason: Text) {
        self.returns.insert(id, Return { lines, reason, stage: ReturnStage::Requested });
    }

    pub(super) fn return_is(&mut self, id: &ReturnId, stage: ReturnStage) {
        if let Some(known) = self.returns.get_mut(id) {
            known.stage = stage;
        }
    }

    pub(super) fn units_returned(&mut self, id: &ReturnId, lines: Vec<ReceivedUnits>, value: Money) {
        if self.returns.get(id).is_some_and(Return::is_open) {
            // A line at a time, as they were valued.
            for (line, units) in merged(&units_of(&lines)) {
                let quantity = u32::try_from(units).ok().and_then(|units| Quantity::new(units).ok());
                self.each(quantity.map(|quantity| Units { line, quantity }).as_slice(), Entry::take_back);
            }
            self.return_is(id, ReturnStage::Received { lines, value, refunded: None });
        }
    }

    pub(super) fn return_refunded(&mut self, id: &ReturnId, amount: Money) {
        if let Some(Return { stage: ReturnStage::Received { refunded, .. }, .. }) = self.returns.get_mut(id) {
            *refunded = Some(amount);
        }
    }
}

impl ReceivedUnits {
    /// The same, whatever becomes of them.
    #[must_use]
    pub const fn units(&self) -> Units {
        Units { line: self.line, quantity: self.quantity }
    }
}

fn units_of(lines: &[ReceivedUnits]) -> Vec<Units> {
    lines.iter().map(ReceivedUnits::units).collect()
}
