//! A phone whose CSeq jumps ahead is obeyed, and refused when it falls back: the key with the old number opens nothing.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn cseq_gap() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_cseq_gap", 1_500, settings)?.must_open_once()
}
