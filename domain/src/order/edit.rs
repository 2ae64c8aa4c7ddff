//! What is on an order changes before anything ships: begun, staged, committed, then applied or rejected.

use super::{
    Book, Change, Edit, EditEnd, EditFailure, EditStage, Event, LINES_MAX, Line, Refusal, SkuUnits, bill,
    entry::tally, shipping::has_room,
};
use crate::value::{EditId, Money, PaymentId, Quantity, Time};

impl Book {
    pub(super) fn no_edit(&self) -> Result<(), Refusal> {
        match &self.edit {
            None => Ok(()),
            Some(Edit { id, stage: EditStage::Open, .. }) => Err(Refusal::EditOpen { edit: id.clone() }),
            Some(Edit { id, stage: EditStage::Committed, .. }) => {
                Err(Refusal::EditCommitted { edit: id.clone() })
            }
        }
    }

    /// The edit of that id while it is not over.
    fn running(&self, edit: &EditId) -> Result<&Edit, Refusal> {
        match &self.edit {
            Some(running) if running.id == *edit => Ok(running),
            _ if self.edits_ended.contains_key(edit) => Err(Refusal::EditEnded { edit: edit.clone() }),
            _ => Err(Refusal::NoSuchEdit { edit: edit.clone() }),
        }
    }

    /// The edit of that id while its changes may still change.
    fn open_edit(&self, edit: &EditId) -> Result<&Edit, Refusal> {
        let running = self.running(edit)?;
        match running.stage {
            EditStage::Open => Ok(running),
            EditStage::Committed => Err(Refusal::EditCommitted { edit: edit.clone() }),
        }
    }

    /// The edit of that id while stock and payment are being asked.
    fn committed_edit(&self, edit: &EditId) -> Result<&Edit, Refusal> {
        let running = self.running(edit)?;
        match running.stage {
            EditStage::Open => Err(Refusal::EditNotCommitted { edit: edit.clone() }),
            EditStage::Committed => Ok(running),
        }
    }

    pub(super) fn begin_edit(&self, edit: EditId) -> Result<Vec<Event>, Refusal> {
        if self.running(&edit).is_ok() || self.edits_ended.contains_key(&edit) {
            return Ok(vec![]);
        }
        if let Some(Edit { id, .. }) = &self.edit {
            return Err(Refusal::EditOpen { edit: id.clone() });
        }
        if !self.shipments.is_empty() {
            return Err(Refusal::AlreadyShipped);
        }
        if self.terms().is_none() {
            return Err(Refusal::NoTerms);
        }
        has_room(self.edits_ended.len())?;
        Ok(vec![Event::EditBegun { edit }])
    }

    pub(super) fn stage_edit(&self, edit: EditId, changes: Vec<Change>) -> Result<Vec<Event>, Refusal> {
        if self.running(&edit).is_ok_and(|running| running.changes == changes) {
            return Ok(vec![]);
        }
        self.open_edit(&edit)?;
        if !changes.is_empty() {
            self.edited(&changes)?;
        }
        Ok(vec![Event::EditStaged { edit, changes }])
    }

    pub(super) fn commit_edit(
        &self,
        edit: EditId,
        payment: Option<PaymentId>,
        pay_by: Option<Time>,
        at: Time,
    ) -> Result<Vec<Event>, Refusal> {
        let took_effect = self.edits_ended.get(&edit) == Some(&EditEnd::Applied);
        if took_effect || self.committed_edit(&edit).is_ok() {
            return Ok(vec![]);
        }
        let (lines, total) = self.edited(&self.open_edit(&edit)?.changes)?;
        if lines == self.lines_left() {
            return Err(Refusal::NothingToEdit);
        }
        let (previous_total, terms) = (self.value_left(), self.terms());
        let dearer = total.amount > previous_total.amount;
        let (payment, pay_by) = if dearer { (payment, pay_by) } else { (None, None) };
        let (add, remove) = self.differences(&lines);
        Ok(vec![Event::EditCommitted {
            edit,
            add,
            remove,
            total,
            previous_total,
            terms,
            payment,
            pay_by,
            at,
        }])
    }

    pub(super) fn abandon_edit(&self, edit: EditId) -> Result<Vec<Event>, Refusal> {
        if self.edits_ended.get(&edit) == Some(&EditEnd::Abandoned) {
            return Ok(vec![]);
        }
        self.open_edit(&edit)?;
        Ok(vec![Event::EditAbandoned { edit }])
    }

    pub(super) fn apply_edit(&self, edit: EditId) -> Result<Vec<Event>, Refusal> {
        if self.edits_ended.get(&edit) == Some(&EditEnd::Applied) {
            return Ok(vec![]);
        }
        // Nothing leaves while an edit is committed, so this is what was committed.
        let (lines, total) = self.edited(&self.committed_edit(&edit)?.changes)?;
        Ok(vec![Event::EditApplied { edit, lines, total }])
    }

    pub(super) fn reject_edit(&self, edit: EditId, reason: EditFailure) -> Result<Vec<Event>, Refusal> {
        if self.edits_ended.get(&edit) == Some(&EditEnd::Rejected) {
            return Ok(vec![]);
        }
        self.committed_edit(&edit)?;
        Ok(vec![Event::EditRejected { edit, reason }])
    }

    /// The lines of units that are left, each with its share of the tax.
    fn lines_left(&self) -> Vec<Line> {
        self.all_left().iter().filter_map(|units| self.line_left(units.line)).collect()
    }

    fn line_left(&self, line: u32) -> Option<Line> {
        let quantity = Quantity::new(self.left(line)).ok()?;
        let known = self.line(line)?;
        let tax = known.tax.map(|tax| Money { amount: self.tax_left(line), ..tax });
        Some(Line { quantity, tax, ..known.clone() })
    }

    /// The lines and their total with all charges, once the changes are made.
    fn edited(&self, changes: &[Change]) -> Result<(Vec<Line>, Money), Refusal> {
        if changes.len() > LINES_MAX {
            return Err(Refusal::TooManyLines { max: LINES_MAX });
        }
        let places = 0..u32::try_from(self.placement().lines.len()).unwrap_or(u32::MAX);
        let mut lines: Vec<Option<Line>> = places.map(|line| self.line_left(line)).collect();
        for change in changes {
            match change {
                Change::SetQuantity { line, quantity } => {
                    let known = place(&mut lines, *line).ok_or(Refusal::NoSuchLine { line: *line })?;
                    if let Some(line) = known {
                        line.tax = line.tax.map(|tax| scaled(tax, line.quantity, *quantity)).transpose()?;
                        line.quantity = *quantity;
                    }
                }
                Change::RemoveLine { line } => {
                    *place(&mut lines, *line).ok_or(Refusal::NoSuchLine { line: *line })? = None;
                }
                Change::AddLine(line) => lines.push(Some(line.clone())),
            }
        }
        let lines: Vec<Line> = lines.into_iter().flatten().collect();
        let placement = self.placement();
        let total = if lines.is_empty() {
            Err(Refusal::Empty)
        } else {
            bill::total(&lines, &placement.charges, placement.prices_include_tax)
        }?;
        if total.currency == self.total().currency { Ok((lines, total)) } else { Err(Refusal::BadTotal) }
    }

    /// Which units of which SKU the new lines have more, and which less, than what is left.
    fn differences(&self, lines: &[Line]) -> (Vec<SkuUnits>, Vec<SkuUnits>) {
        let units = |line: &Line| i128::from(line.quantity.get());
        let left = self.lines_left();
        let mut differences = std::collections::BTreeMap::new();
        for (line, units) in
            (lines.iter().map(|line| (line, units(line)))).chain(left.iter().map(|line| (line, -units(line))))
        {
            *differences.entry(&line.sku).or_insert(0_i128) += units;
        }
        let of_sign = |sign: i128| {
            let units = differences.iter().filter(move |(_, units)| units.signum() == sign);
            tally(units.map(|(sku, units)| (*sku, u64::try_from(units.unsigned_abs()).unwrap_or(u64::MAX))))
        };
        (of_sign(1), of_sign(-1))
    }

    pub(super) fn edit_begun(&mut self, edit: EditId) {
        self.edit = Some(Edit { id: edit, changes: vec![], stage: EditStage::Open });
    }

    pub(super) fn edit_staged(&mut self, edit: &EditId, staged: Vec<Change>) {
        if let Some(Edit { changes, .. }) = self.edit.as_mut().filter(|running| running.id == *edit) {
            *changes = staged;
        }
    }

    pub(super) fn edit_committed(&mut self, edit: &EditId) {
        if let Some(Edit { stage, .. }) = self.edit.as_mut().filter(|running| running.id == *edit) {
            *stage = EditStage::Committed;
        }
    }

    pub(super) fn edit_ended(&mut self, edit: EditId, end: EditEnd) {
        self.edit = self.edit.take().filter(|running| running.id != edit);
        self.edits_ended.insert(edit, end);
    }
}

/// The line that stands there, if one does.
fn place(lines: &mut [Option<Line>], line: u32) -> Option<&mut Option<Line>> {
    usize::try_from(line).ok().and_then(|line| lines.get_mut(line)).filter(|line| line.is_some())
}

/// The tax on another number of units, rounded half up.
fn scaled(tax: Money, units: Quantity, wanted: Quantity) -> Result<Money, Refusal> {
    let (units, wanted) = (i128::from(units.get()), i128::from(wanted.get()));
    let twice = i128::from(tax.amount).saturating_mul(wanted).saturating_mul(2).saturating_add(units);
    let amount = twice.div_euclid(units.saturating_mul(2));
    i64::try_from(amount).map(|amount| Money { amount, ..tax }).map_err(|_| Refusal::BadTotal)
}
