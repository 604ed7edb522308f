//! The picture: line voltage over time with the profile's bands and the events.

use std::fmt::Write as _;

use super::stage::Stage;
use super::story::{Source, Story};
use crate::exit::{FAILURE, Failed};

const WIDTH: f64 = 1400.0;
const HEIGHT: f64 = 640.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 150.0;
const BOTTOM: f64 = 40.0;
const VOLTS: f64 = 13.0;

struct Sample {
    t_s: f64,
    min: f64,
    mean: f64,
    max: f64,
}

fn read_trace(text: &str) -> Vec<Sample> {
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<f64>().ok());
    let row = |line: &str| {
        let mut fields = line.split(',');
        let t_ms = number(fields.next())?;
        let line_number = number(fields.next())?;
        let (min, mean, max) = (
            number(fields.next())?,
            number(fields.next())?,
            number(fields.next())?,
        );
        (line_number == 0.0).then_some(Sample {
            t_s: t_ms / 1000.0,
            min,
            mean,
            max,
        })
    };
    text.lines().filter_map(row).collect()
}

/// Draws `line.svg`.
pub(crate) fn draw(stage: &Stage, story: &Story) -> Result<(), Failed> {
    let path = stage.path("line.csv");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failed::new(FAILURE, format!("{}: {error}", path.display())))?;
    let samples = read_trace(&text);
    let Some(end) = samples.last().map(|sample| sample.t_s.max(0.1)) else {
        return Err(Failed::new(
            FAILURE,
            format!("{} holds no samples", path.display()),
        ));
    };
    let x = |t: f64| LEFT + t / end * (WIDTH - LEFT - RIGHT);
    let y = |volts: f64| TOP + (1.0 - (volts / VOLTS).clamp(0.0, 1.0)) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\" font-weight=\"bold\">Apartment line of a {} panel: volts over time</text>\n",
        stage.brand
    );
    if let Some(profile) = stage.profile() {
        let bands = &profile.bands;
        let shown = [
            (
                "idle",
                0.0,
                f64::from(bands.idle_max_volts.value),
                "#f0f0f0",
            ),
            (
                "on-hook",
                f64::from(bands.on_hook_min_volts.value),
                f64::from(bands.on_hook_max_volts.value),
                "#e3f1e3",
            ),
            (
                "off-hook",
                f64::from(bands.off_hook_min_volts.value),
                f64::from(bands.off_hook_max_volts.value),
                "#e1ecf9",
            ),
            (
                "door / open",
                f64::from(bands.open_min_volts.value),
                VOLTS,
                "#fbe6e0",
            ),
        ];
        for (name, low, high, colour) in shown {
            let (top, bottom) = (y(high), y(low));
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                WIDTH - LEFT - RIGHT,
                bottom - top
            );
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#888\">{name}</text>",
                WIDTH - RIGHT - 4.0,
                top + 14.0
            );
        }
    }
    for volts in (0..=12).step_by(2) {
        let at = y(f64::from(volts));
        let _ = writeln!(
            svg,
            "<line x1=\"{:.1}\" x2=\"{LEFT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#444\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{volts} V</text>",
            LEFT - 4.0,
            LEFT - 7.0,
            at + 4.0
        );
    }
    for t in 0..=end as u32 {
        let at = x(f64::from(t));
        let label = if t % 2 == 0 {
            format!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{t} s</text>",
                HEIGHT - BOTTOM + 18.0
            )
        } else {
            String::new()
        };
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#444\"/>{label}",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 4.0
        );
    }
    envelope(&mut svg, &samples, x, y);
    events(&mut svg, story, x);
    svg.push_str("</svg>\n");
    std::fs::write(stage.path("line.svg"), svg)?;
    Ok(())
}

/// The span between minimum and maximum of each 10 ms, and the mean as a line.
fn envelope(svg: &mut String, samples: &[Sample], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    let upper = samples
        .iter()
        .map(|sample| format!("{:.1},{:.1}", x(sample.t_s), y(sample.max)));
    let lower = samples
        .iter()
        .rev()
        .map(|sample| format!("{:.1},{:.1}", x(sample.t_s), y(sample.min)));
    let points: Vec<String> = upper.chain(lower).collect();
    let _ = writeln!(
        svg,
        "<polygon points=\"{}\" fill=\"#9db8d8\" fill-opacity=\"0.75\"/>",
        points.join(" ")
    );
    let mean: Vec<String> = samples
        .iter()
        .map(|sample| format!("{:.1},{:.1}", x(sample.t_s), y(sample.mean)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#123f7a\" stroke-width=\"1.3\"/>",
        mean.join(" ")
    );
}

/// A mark for each event, its label slanted above the plot so that close ones stay readable.
fn events(svg: &mut String, story: &Story, x: impl Fn(f64) -> f64) {
    // The panel's events carry the simulator's own time, the axis of the picture. Events of the
    // others are placed by the time that passed since.
    let anchor = story.find(Source::Panel, "dialled").and_then(|told| {
        let t = told.event.get("t_ms").and_then(serde_json::Value::as_f64)? / 1000.0;
        Some((told.at, t))
    });
    let Some((instant, zero)) = anchor else {
        return;
    };
    let shown = [
        (Source::Panel, "dialled", "dialled", "#555"),
        (Source::Gateway, "call_placed", "INVITE", "#1b6b1b"),
        (Source::Phone, "answered", "phone answers", "#1b6b1b"),
        (Source::Panel, "answered", "panel connected", "#555"),
        (Source::Phone, "pressed", "key 9", "#1b6b1b"),
        (
            Source::Gateway,
            "door_release_started",
            "load removed",
            "#b3261e",
        ),
        (Source::Panel, "lock_opened", "LOCK OPENS", "#b3261e"),
        (Source::Gateway, "call_ended", "hangs up", "#1b6b1b"),
        (Source::Panel, "call_dropped", "panel ends", "#555"),
        (Source::Gateway, "line_idle", "line free", "#1b6b1b"),
    ];
    let mut last = f64::MIN;
    for told in story.all() {
        let Some((_, _, label, colour)) = shown
            .iter()
            .find(|(source, name, _, _)| told.is(*source, name))
        else {
            continue;
        };
        let own = told
            .event
            .get("t_ms")
            .and_then(serde_json::Value::as_f64)
            .filter(|_| told.source == Source::Panel);
        let since = told.at.saturating_duration_since(instant).as_secs_f64();
        let at = x(own.map_or(zero + since, |t_ms| t_ms / 1000.0));
        let foot = at.max(last + 24.0);
        last = foot;
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1},{:.1} L{at:.1},{TOP} L{foot:.1},{:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"3 3\"/><text transform=\"translate({:.1},{:.1}) rotate(-50)\" fill=\"{colour}\">{label}</text>",
            HEIGHT - BOTTOM,
            TOP - 18.0,
            foot + 2.0,
            TOP - 22.0
        );
    }
}
