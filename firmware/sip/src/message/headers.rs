//! Header fields: an ordered list with case-insensitive names.

use super::address::split_list;
use std::borrow::Cow;

/// One header field. Compact names are expanded by the reader.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderField {
    /// Name as written, or the full name of a compact form.
    pub name: Cow<'static, str>,
    /// Value, unfolded and trimmed.
    pub value: String,
}

impl From<rsip::Header> for HeaderField {
    /// Takes an `rsip` header built by hand; name and value are what it prints.
    fn from(header: rsip::Header) -> Self {
        let text = header.to_string();
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        Self { name: Cow::Owned(name.to_owned()), value: clean(value) }
    }
}

/// Ordered header fields. No `Debug`: values may hold credentials.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<HeaderField>);

/// Line breaks in a value would let a caller of the API write headers of his own.
fn clean(value: &str) -> String {
    if value.bytes().any(|b| b == b'\r' || b == b'\n' || b == 0) {
        return value.replace(['\r', '\n', '\0'], " ").trim().to_owned();
    }
    value.trim().to_owned()
}

impl Headers {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderField> {
        self.0.iter()
    }

    /// First value under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value.as_str())
    }

    /// Every field value under `name`, not split.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value.as_str())
    }

    /// Every element under `name`, comma lists taken apart.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(split_list)
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<str>) {
        self.0.push(HeaderField { name: name.into(), value: clean(value.as_ref()) });
    }

    /// Puts a field before all others (Via).
    pub fn prepend(&mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<str>) {
        self.0.insert(0, HeaderField { name: name.into(), value: clean(value.as_ref()) });
    }

    /// Appends a header built with `rsip`.
    pub fn push_header(&mut self, header: impl Into<rsip::Header>) {
        self.0.push(header.into().into());
    }

    /// Replaces all fields of that name by one, in the place of the first.
    pub fn set(&mut self, name: &'static str, value: impl AsRef<str>) {
        let value = clean(value.as_ref());
        match self.0.iter().position(|f| f.name.eq_ignore_ascii_case(name)) {
            Some(first) => {
                let mut index = 0;
                self.0.retain(|f| {
                    index += 1;
                    index - 1 <= first || !f.name.eq_ignore_ascii_case(name)
                });
                if let Some(field) = self.0.get_mut(first) {
                    field.value = value;
                }
            }
            None => self.0.push(HeaderField { name: Cow::Borrowed(name), value }),
        }
    }

    /// Removes all fields of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|f| !f.name.eq_ignore_ascii_case(name));
    }

    /// Replaces the first element of the first Via.
    pub(crate) fn replace_top_via(&mut self, via: &str) {
        if let Some(field) = self.0.iter_mut().find(|f| f.name.eq_ignore_ascii_case("Via")) {
            let mut elements = split_list(&field.value);
            elements.next();
            let rest: Vec<&str> = elements.collect();
            let mut value = via.to_owned();
            for element in rest {
                value.push_str(", ");
                value.push_str(element);
            }
            field.value = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_keeps_the_place_and_removes_duplicates() {
        let mut headers = Headers::default();
        headers.push("A", "1");
        headers.push("B", "2");
        headers.push("a", "3");
        headers.set("A", "9");
        let all: Vec<_> = headers.iter().map(|f| (f.name.to_string(), f.value.clone())).collect();
        assert_eq!(all, [("A".into(), "9".into()), ("B".to_string(), "2".to_string())]);
    }

    #[test]
    fn a_value_cannot_smuggle_a_header() {
        let mut headers = Headers::default();
        headers.push("Subject", "x\r\nRoute: <sip:evil>");
        assert_eq!(headers.get("Subject"), Some("x  Route: <sip:evil>"));
    }

    #[test]
    fn rsip_headers_fit_in() {
        let mut headers = Headers::default();
        headers.push_header(rsip::headers::MaxForwards::from(70));
        headers.push_header(rsip::headers::CallId::from("a:b@c"));
        assert_eq!(headers.get("max-forwards"), Some("70"));
        assert_eq!(headers.get("Call-ID"), Some("a:b@c"));
    }
}
