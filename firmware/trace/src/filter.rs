//! Which messages are shown.

use crate::Sighting;
use crate::sighting::What;

/// What a message must be to be shown; empty fields do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the Call-ID, or of a URI of From, To or the request.
    pub call: Option<String>,
    /// Methods; of a response, that of its request. Upper and lower case are the same.
    pub methods: Vec<String>,
}

impl Filter {
    /// Whether the message is wanted.
    pub fn wants(&self, sighting: &Sighting) -> bool {
        if self.call.is_none() && self.methods.is_empty() {
            return true;
        }
        let summary = sighting.summary();
        let named = self.call.as_deref().is_none_or(|call| {
            let uri = match &summary.what {
                What::Request { uri, .. } => uri.as_str(),
                _ => "",
            };
            [&summary.call_id, &summary.from, &summary.to, uri]
                .iter()
                .any(|field| field.contains(call))
        });
        let method = |wanted: &String| wanted.eq_ignore_ascii_case(&summary.cseq);
        named && (self.methods.is_empty() || self.methods.iter().any(method))
    }
}
