//! A table as bars: days stand beside each other, names below each other. Heights are whole numbers; only pixels are not.

use std::io;

use domain::value::Currency;
use plotters::backend::SVGBackend;
use plotters::{
    chart::ChartBuilder,
    coord::combinators::BindKeyPoints as _,
    drawing::{DrawingAreaErrorKind, IntoDrawingArea as _},
    element::Rectangle,
    style::{Color as _, FontFamily, IntoFont as _, RGBColor, TextStyle},
};
use projections::analytics::reports::{Plot, Report, Table, Unit};

use super::{
    along::{self, Group},
    words,
};

type Wrong = DrawingAreaErrorKind<io::Error>;

/// Colours that are told apart in print and by those who see fewer of them (Okabe and Ito, 2008).
const COLOURS: [(u8, u8, u8); 4] = [(0, 114, 178), (213, 94, 0), (0, 158, 115), (148, 148, 148)];

const WIDTH: u32 = 960;
/// So many labels stand beside each other without touching.
const LABELS_MAX: usize = 16;
/// So much room each thing has along the axis, in parts.
const SLOT: i32 = 120;
/// So much of it is left between two things.
const GAP: i32 = 20;
/// There is room for at least so many days: one alone is no wall.
const GROUPS_MIN: i32 = 6;
/// So many characters of a name are shown.
const NAME_MAX: usize = 36;

/// The colour of a bar, for the legend.
pub fn colour(nth: usize) -> String {
    let (red, green, blue) = COLOURS[nth % COLOURS.len()];
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A table as a picture.
pub struct Drawn {
    pub svg: String,
    /// What it shows.
    pub caption: String,
}

/// Draws a table, unless there is nothing to be seen of it.
pub fn drawn(table: &Table, plot: Plot, report: &Report) -> Result<Option<Drawn>, Wrong> {
    let (step, groups) = if plot.by_day {
        let (step, groups) = along::over_time(table, plot, report);
        (Some(step), groups)
    } else {
        (None, along::rows(table, plot))
    };
    if groups.iter().flat_map(|group| &group.bars).all(|bar| *bar == 0) {
        return Ok(None);
    }
    let unit =
        plot.bars.first().and_then(|nth| table.columns.get(*nth)).map_or(Unit::Count, |column| column.unit);
    let (low, high) = reach(&groups);
    let largest = low.unsigned_abs().max(high.unsigned_abs());
    let axis = Axis { unit, currency: report.currency, of: plot.of, largest };
    let mut caption = plot.shows.to_owned();
    if let Some(step) = step {
        caption.push_str(&format!(" by {}", step.as_str()));
    }
    if let (Unit::Money, Some(currency)) = (unit, report.currency) {
        caption.push_str(&format!(", in {currency}"));
    }
    let mut svg = String::new();
    match step {
        Some(_) => upright(&mut svg, &groups, axis)?,
        None => lying(&mut svg, &groups, axis)?,
    }
    Ok(Some(Drawn { svg, caption }))
}

/// What the numbers along an axis are.
#[derive(Clone, Copy)]
struct Axis {
    unit: Unit,
    currency: Option<Currency>,
    of: &'static str,
    /// The largest of them, without its sign.
    largest: u64,
}

/// The lowest and the highest number of the axis.
fn reach(groups: &[Group]) -> (i64, i64) {
    let bars = groups.iter().flat_map(|group| &group.bars).copied();
    let (low, high) = bars.fold((0, 0), |(low, high): (i64, i64), bar| (low.min(bar), high.max(bar)));
    (low.saturating_add(low / 20), high.saturating_add(high / 20).max(1))
}

/// Where the bars of the nth group lie along the axis.
fn slots(nth: usize, bars: usize) -> impl Iterator<Item = (i32, i32)> {
    let (nth, count) =
        (i32::try_from(nth).unwrap_or(i32::MAX / SLOT), i32::try_from(bars).unwrap_or(1).max(1));
    let (from, width) = (nth * SLOT + GAP / 2, (SLOT - GAP) / count);
    (0..count).map(move |bar| (from + bar * width, from + (bar + 1) * width))
}

fn length(groups: &[Group]) -> i32 {
    i32::try_from(groups.len()).unwrap_or(i32::MAX / SLOT) * SLOT
}

fn middles(groups: &[Group], step: usize) -> Vec<i32> {
    (0..length(groups)).skip(SLOT as usize / 2).step_by(SLOT as usize * step).collect()
}

fn label(groups: &[Group], at: i32) -> String {
    let group = usize::try_from(at / SLOT).ok().and_then(|nth| groups.get(nth));
    let Some(group) = group else { return String::new() };
    if group.label.chars().count() <= NAME_MAX {
        return group.label.clone();
    }
    group.label.chars().take(NAME_MAX - 1).chain(['…']).collect()
}

fn text(size: f64) -> TextStyle<'static> {
    (FontFamily::SansSerif, size).into_font().color(&RGBColor(60, 60, 60))
}

impl Axis {
    fn in_words(self) -> String {
        match (self.unit, self.currency) {
            (Unit::Money, Some(currency)) => currency.to_string(),
            _ => self.of.to_owned(),
        }
    }
}

fn upright(svg: &mut String, groups: &[Group], axis: Axis) -> Result<(), Wrong> {
    let (low, high) = reach(groups);
    let area = SVGBackend::with_string(svg, (WIDTH, 300)).into_drawing_area();
    let step = groups.len().div_ceil(LABELS_MAX).max(1);
    let room = length(groups).max(GROUPS_MIN * SLOT);
    let along = (0..room).with_key_points(middles(groups, step));
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(32)
        .y_label_area_size(96)
        .build_cartesian_2d(along, low..high)?;
    // A year stands on the page already where all days are of one.
    let years = |group: &Group| group.label.get(..4).map(str::to_owned);
    let one_year = groups.iter().all(|group| years(group) == groups.first().and_then(years));
    let day = |at: &i32| {
        let label = label(groups, *at);
        if one_year && label.len() == 10 { label.get(5..).unwrap_or_default().to_owned() } else { label }
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(RGBColor(255, 255, 255).mix(0.0))
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(150, 150, 150))
        .y_labels(6)
        .y_desc(axis.in_words())
        .axis_desc_style(text(13.0))
        .label_style(text(13.0))
        .x_label_formatter(&day)
        .y_label_formatter(&|number| words::shortened(*number, axis.unit, axis.currency, axis.largest))
        .draw()?;
    for (nth, group) in groups.iter().enumerate() {
        for (bar, (from, to)) in slots(nth, group.bars.len()).enumerate() {
            let (red, green, blue) = COLOURS[bar % COLOURS.len()];
            let height = group.bars.get(bar).copied().unwrap_or(0);
            let shape = Rectangle::new([(from, 0), (to, height)], RGBColor(red, green, blue).filled());
            chart.draw_series([shape])?;
        }
    }
    area.present()?;
    drop(chart);
    Ok(())
}

fn lying(svg: &mut String, groups: &[Group], axis: Axis) -> Result<(), Wrong> {
    let (low, high) = reach(groups);
    let rows = u32::try_from(groups.len()).unwrap_or(u32::MAX / 40);
    let area =
        SVGBackend::with_string(svg, (WIDTH, rows.saturating_mul(24).saturating_add(64))).into_drawing_area();
    let longest = groups.iter().map(|group| group.label.chars().count().min(NAME_MAX)).max().unwrap_or(0);
    // The first stands at the top.
    let across = (-length(groups)..0).with_key_points(middles(groups, 1).into_iter().map(|at| -at).collect());
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(48)
        .x_label_area_size(44)
        .y_label_area_size(u32::try_from(longest).unwrap_or(0) * 7 + 24)
        .build_cartesian_2d(low..high, across)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(RGBColor(255, 255, 255).mix(0.0))
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(150, 150, 150))
        .x_labels(7)
        .x_desc(axis.in_words())
        .axis_desc_style(text(13.0))
        .label_style(text(13.0))
        .x_label_formatter(&|number| words::shortened(*number, axis.unit, axis.currency, axis.largest))
        .y_label_formatter(&|at| label(groups, -*at))
        .draw()?;
    for (nth, group) in groups.iter().enumerate() {
        for (bar, (from, to)) in slots(nth, group.bars.len()).enumerate() {
            let (red, green, blue) = COLOURS[bar % COLOURS.len()];
            let length = group.bars.get(bar).copied().unwrap_or(0);
            let shape = Rectangle::new([(0, -from), (length, -to)], RGBColor(red, green, blue).filled());
            chart.draw_series([shape])?;
        }
    }
    area.present()?;
    drop(chart);
    Ok(())
}
