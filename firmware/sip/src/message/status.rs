//! Reason phrases.

/// The usual phrase of a status. `rsip` names the codes in one word, which is taken apart.
pub fn reason_phrase(status: u16) -> String {
    if status == 422 {
        // RFC 4028 6; rsip does not know it.
        return "Session Interval Too Small".to_owned();
    }
    if status == 202 {
        // RFC 3515 2.4.2; rsip gives the name to 201.
        return "Accepted".to_owned();
    }
    let text = rsip::StatusCode::from(status).to_string();
    let word = text.split_once(' ').map_or("", |(_, word)| word);
    if word == "OK" {
        return word.to_owned();
    }
    let mut phrase = String::with_capacity(word.len() + 4);
    for c in word.chars() {
        if c.is_ascii_uppercase() && !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push(c);
    }
    phrase
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_those_of_the_rfc() {
        assert_eq!(reason_phrase(200), "OK");
        assert_eq!(reason_phrase(180), "Ringing");
        assert_eq!(reason_phrase(202), "Accepted");
        assert_eq!(reason_phrase(486), "Busy Here");
        assert_eq!(reason_phrase(487), "Request Terminated");
        assert_eq!(reason_phrase(699), "Other");
    }
}
