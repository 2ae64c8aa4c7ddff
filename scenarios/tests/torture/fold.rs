//! Stock, carts and orders worked out from the JSON of events alone, without any code of the domain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// A SKU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    pub on_hand: i64,
    pub reserved: i64,
    /// Units and end of each hold.
    pub holds: BTreeMap<String, (i64, Option<i64>)>,
    pub places: BTreeMap<String, i64>,
    pub version: i64,
}

/// A cart: how far it has come, and its lines in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cart {
    pub status: &'static str,
    pub lines: Vec<(String, i64)>,
    pub version: i64,
}

/// Everything that is folded.
#[derive(Debug, Default)]
pub struct Fold {
    pub stock: BTreeMap<String, Stock>,
    pub carts: BTreeMap<String, Cart>,
    /// Orders that carts became.
    pub checked_out: BTreeSet<String>,
    /// Orders that were placed.
    pub placed: BTreeSet<String>,
}

fn units(event: &Json) -> i64 {
    event["quantity"].as_i64().unwrap()
}

fn name(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

impl Fold {
    /// Takes in an event; says what cannot be after it.
    pub fn take(
        &mut self,
        (aggregate_type, id): (&str, &str),
        event_type: &str,
        payload: &Json,
    ) -> Result<(), String> {
        let event = &payload[event_type];
        match aggregate_type {
            "inventory_item" => self.stock.entry(id.to_owned()).or_default().take(event_type, event),
            "cart" => {
                if event_type == "CheckedOut" {
                    self.checked_out.insert(name(&event["order"]));
                }
                self.carts.entry(id.to_owned()).or_default().take(event_type, event)
            }
            "order" => {
                if event_type == "Placed" {
                    self.placed.insert(id.to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Stock {
    fn take(&mut self, event_type: &str, event: &Json) -> Result<(), String> {
        self.version += 1;
        let hold = || name(&event["reservation"]);
        match event_type {
            "Received" => self.put(&event["location"], units(event)),
            "Adjusted" => self.put(&event["location"], event["delta"].as_i64().unwrap()),
            "Counted" => {
                let there = self.places.get(&name(&event["location"])).copied().unwrap_or(0);
                if event["was"] != there {
                    return Err(format!(
                        "a count of {there} units believed that there were {}",
                        event["was"]
                    ));
                }
                self.put(&event["location"], event["counted"].as_i64().unwrap() - there);
            }
            "Transferred" => {
                self.put(&event["from"], -units(event));
                self.put(&event["to"], units(event));
            }
            "Reserved" => {
                let held = (units(event), event["expires_at"].as_i64());
                self.reserved += held.0;
                if self.holds.insert(hold(), held).is_some() {
                    return Err(format!("{} is held twice", hold()));
                }
            }
            "Released" | "Expired" => {
                let Some((held, until)) = self.holds.remove(&hold()) else {
                    return Err(format!("{} ended without being held", hold()));
                };
                self.reserved -= units(event);
                if held > units(event) {
                    self.holds.insert(hold(), (held - units(event), until));
                }
            }
            "Allocated" => {
                let from = event["from"].as_array().unwrap();
                let taken: i64 = from.iter().map(units).sum();
                let held = self.holds.remove(&hold());
                if held.map(|(held, _)| held) != Some(units(event)) || taken != units(event) {
                    return Err(format!("{held:?} were held, {taken} taken for {event}"));
                }
                self.reserved -= taken;
                for at in from {
                    self.put(&at["location"], -units(at));
                }
            }
            other => return Err(format!("nobody asked for {other}")),
        }
        self.holds_true()
    }

    fn put(&mut self, location: &Json, delta: i64) {
        self.on_hand += delta;
        let there = self.places.entry(name(location)).or_default();
        *there += delta;
        if *there == 0 {
            self.places.remove(&name(location));
        }
    }

    fn holds_true(&self) -> Result<(), String> {
        let Self { on_hand, reserved, places, .. } = self;
        if *reserved < 0 || *on_hand < *reserved || places.values().any(|there| *there < 0) {
            return Err(format!("{on_hand} on hand at {places:?} and {reserved} reserved"));
        }
        Ok(())
    }
}

impl Cart {
    fn take(&mut self, event_type: &str, event: &Json) -> Result<(), String> {
        self.version += 1;
        let sku = || name(if event_type == "LineAdded" { &event["line"]["sku"] } else { &event["sku"] });
        let there = |lines: &[(String, i64)]| lines.iter().position(|(of, _)| *of == sku());
        match event_type {
            "Opened" if self.status.is_empty() => self.status = "open",
            _ if self.status != "open" => return Err(format!("{event_type} in a cart that is not open")),
            "LineAdded" => {
                let added = units(&event["line"]);
                match there(&self.lines) {
                    Some(index) => self.lines[index].1 += added,
                    None => self.lines.push((sku(), added)),
                }
            }
            "QuantitySet" | "LineRemoved" => {
                let index = there(&self.lines).ok_or_else(|| format!("{event_type} without a line"))?;
                if event_type == "QuantitySet" {
                    self.lines[index].1 = units(event);
                } else {
                    self.lines.remove(index);
                }
            }
            "CheckedOut" => self.status = "checked_out",
            other => return Err(format!("nobody asked for {other}")),
        }
        Ok(())
    }
}
