//! A configuration with mistakes starts nothing: every mistake is told with file, line, key and hint, no
//! socket is opened, and the exit code says what it is.

use std::time::Duration;
use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::program;
use trubka_tests::process::Process;

#[test]
fn bad_configuration() -> Outcome {
    let folder = Folder::new("bad")?;
    let control = folder.join("control.sock");
    let text = format!(
        "[[account]]\nname = \"pbx\"\nextension = \"100\"\ndomain = \"127.0.0.1\"\npasword = \"hush-hush\"\n\
         [[card]]\nname = \"c\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
         [[line]]\nname = \"a\"\ncard = \"c\"\nprofile = \"vizit\"\napartment = 42\n\
         [[route]]\napartment = 42\ntargets = [\"tel:400\"]\n\
         [call]\ntalk_limit_s = 90000\n[control]\nsocket = \"{}\"\n",
        control.display()
    );
    let file = folder.write("box.toml", &text)?;
    for words in [vec![], vec!["--check"]] {
        let mut command = program("trubkad")?;
        command.arg("--config").arg(&file).args(&words);
        let mut daemon = Process::start("trubkad", &mut command, folder.path())?;
        let status = daemon.wait(Duration::from_secs(5))?;
        let errors = daemon.errors();
        ensure(status.code() == Some(3), || {
            format!("exit code {status}: {errors}")
        })?;
        for told in [
            "box.toml:5: account.pasword",
            "did you mean \"password\"",
            "nothing was started",
            "talk_limit_s = 90",
        ] {
            ensure(errors.contains(told), || {
                format!("{told:?} is not in:\n{errors}")
            })?;
        }
        ensure(!errors.contains("hush-hush"), || {
            "the password was printed".into()
        })?;
        ensure(!control.exists(), || "a socket was opened".into())?;
    }
    Ok(())
}
