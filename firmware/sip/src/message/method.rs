//! Request methods: `rsip`'s closed set plus whatever a peer invents.

use std::fmt;

/// A request method. Methods are case-sensitive (RFC 3261 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// One of the methods `rsip` names.
    Known(rsip::Method),
    /// Any other token.
    Other(String),
}

/// Longest method token taken from the network.
const MAX_METHOD_BYTES: usize = 64;

macro_rules! known {
    ($($name:ident => $variant:ident),*) => {
        impl Method {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: Self = Self::Known(rsip::Method::$variant);
            )*

            fn known(token: &str) -> Option<Self> {
                match token {
                    $( stringify!($name) => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// The token as written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::Known(rsip::Method::$variant) => stringify!($name), )*
                    Self::Other(token) => token,
                }
            }
        }
    };
}

known!(ACK => Ack, BYE => Bye, CANCEL => Cancel, INFO => Info, INVITE => Invite,
    MESSAGE => Message, NOTIFY => Notify, OPTIONS => Options, PRACK => PRack,
    PUBLISH => Publish, REFER => Refer, REGISTER => Register, SUBSCRIBE => Subscribe,
    UPDATE => Update);

impl Method {
    /// Reads a token; `None` if it is none or too long.
    pub fn parse(token: &str) -> Option<Self> {
        if let Some(known) = Self::known(token) {
            return Some(known);
        }
        let is_token = !token.is_empty()
            && token.len() <= MAX_METHOD_BYTES
            && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b));
        is_token.then(|| Self::Other(token.to_owned()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_rsip_is_known_under_its_own_name() {
        for method in rsip::Method::all() {
            assert_eq!(Method::parse(&method.to_string()), Some(Method::Known(method)));
        }
    }

    #[test]
    fn methods_are_case_sensitive_tokens() {
        assert_eq!(Method::parse("invite"), Some(Method::Other("invite".into())));
        assert_eq!(Method::parse("FOO"), Some(Method::Other("FOO".into())));
        assert_eq!(Method::parse("A@B"), None);
        assert_eq!(Method::parse(""), None);
    }
}
