//! Texts with places for apartment and panel: display names and headers.

/// What the places stand for.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Apartment that the visitor dialled.
    pub apartment: u16,
    /// Name of the panel.
    pub panel: &'a str,
    /// Name of the line.
    pub line: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Apartment,
    Panel,
    Line,
}

/// A text such as `{panel}, apt {apartment}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(Vec<Part>);

/// Longest text that a template gives, in bytes: a header has to fit into a datagram.
const LONGEST: usize = 256;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.chars().any(char::is_control) {
            return Err("holds a control character".into());
        }
        if text.len() > LONGEST {
            return Err(format!("is longer than {LONGEST} bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or("has { without }")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "apartment" => Part::Apartment,
                "panel" => Part::Panel,
                "line" => Part::Line,
                other => return Err(format!("has an unknown place {{{other}}}")),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// The text for a visitor's call. Never holds a control character, and never more than 256
    /// bytes, whatever the names are.
    pub fn render(&self, facts: &Facts<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Apartment => text.push_str(&facts.apartment.to_string()),
                Part::Panel => text.push_str(facts.panel),
                Part::Line => text.push_str(facts.line),
            }
        }
        text.retain(|c| !c.is_control());
        while text.len() > LONGEST {
            text.pop();
        }
        text
    }
}

/// A header of our own in a call: `X-Apartment: {apartment}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Template,
}

/// Headers that are the user agent's own business. `trubka-sip` refuses them as well; a test of
/// the gateway compares the two.
const RESERVED: &[&str] = &[
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Authorization",
    "Proxy-Authorization",
    "Require",
    "Proxy-Require",
    "Supported",
    "Session-Expires",
    "Min-SE",
    "RSeq",
    "RAck",
    "Allow",
];

impl Header {
    /// Reads `Name: template`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Header, String> {
        let (name, value) = text.split_once(':').ok_or("has no colon")?;
        let name = name.trim_end();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
            return Err("has no proper name in front of the colon".into());
        }
        // A single letter is the compact form of some header of SIP.
        if name.len() == 1 || RESERVED.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(format!("sets {name}, which the gateway writes itself"));
        }
        Ok(Header {
            name: name.to_owned(),
            value: Template::parse(value.trim())?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const FACTS: Facts<'_> = Facts {
        apartment: 42,
        panel: "Entrance 2",
        line: "riser",
    };

    #[test]
    fn places_are_filled() {
        let template = Template::parse("{panel}, apt {apartment} ({line})").unwrap();
        assert_eq!(template.render(&FACTS), "Entrance 2, apt 42 (riser)");
        assert_eq!(Template::parse("plain").unwrap().render(&FACTS), "plain");
    }

    #[test]
    fn bad_templates_are_refused() {
        for (text, why) in [
            ("{flat}", "{flat}"),
            ("{apartment", "without }"),
            ("a\r\nVia: x", "control"),
            (&"x".repeat(300), "longer"),
        ] {
            assert!(Template::parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn no_name_breaks_a_line_or_a_datagram() {
        let template = Template::parse("{panel}{panel}").unwrap();
        let panel = format!("a\r\nX-Evil: 1\0{}", "\u{44f}".repeat(200));
        let text = template.render(&Facts {
            panel: &panel,
            ..FACTS
        });
        assert!(!text.chars().any(char::is_control));
        assert!(text.len() <= 256 && text.starts_with("aX-Evil: 1"));
    }

    #[test]
    fn headers_have_a_name_of_their_own() {
        let header = Header::parse("X-Apartment: {apartment}").unwrap();
        assert_eq!(header.name, "X-Apartment");
        assert_eq!(header.value.render(&FACTS), "42");
        for bad in [
            "Via: x",
            "call-id: x",
            "v: x",
            "X Y: z",
            ": x",
            "X-A",
            "X\u{e9}: y",
        ] {
            assert!(Header::parse(bad).is_err(), "{bad}");
        }
    }
}
