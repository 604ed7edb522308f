//! Messages as text that a terminal bears.

use crate::Sighting;

/// Width that no line passes, in characters.
pub const WIDTH: usize = 80;

/// The text without characters that a terminal would obey: a stranger may have written it.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            // Control characters, and those that turn the direction of writing or hide what follows.
            c if c.is_control() => '.',
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => '.',
            '\u{feff}' => '.',
            c => c,
        })
        .collect()
}

/// At most so many characters; a cut is marked with `~`.
pub(crate) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('~');
    short
}

/// The whole message under a line that says when, where and how. Longer lines are broken at 80 columns,
/// with a `\` where they are.
pub fn raw(sighting: &Sighting) -> String {
    let time = sighting.time();
    let mut out = format!(
        "== {} {} {} bytes\n",
        time.get(11..26).unwrap_or(&time),
        sighting.carrier.name(),
        sighting.bytes().len(),
    );
    let (from, to) = (sighting.from.to_string(), sighting.to.to_string());
    // Two whole IPv6 addresses need a line each.
    let between = if from.len() + to.len() + 7 > WIDTH {
        "\n   "
    } else {
        " "
    };
    out += &format!("   {from}{between}-> {to}\n");
    for line in sighting.text().lines() {
        let mut rest: Vec<char> = harmless(line).chars().collect();
        while rest.len() > WIDTH {
            let tail = rest.split_off(WIDTH - 1);
            out.extend(rest);
            out.push_str("\\\n");
            rest = tail;
        }
        out.extend(rest);
        out.push('\n');
    }
    out.push('\n');
    out
}
