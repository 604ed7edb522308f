use crate::{arguments::Globals, exit::Failed};
pub(crate) fn run(_: &Globals, _: &clap::ArgMatches) -> Result<(), Failed> {
    Ok(())
}
