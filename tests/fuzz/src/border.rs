//! What comes over the other borders: line card, files, local socket, serial console.

use control::{Request, Response, render};
use line_interface::virtual_card::{Frame, FrameReader};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Frames of a card in any cut; what is read can be written and read again.
pub(crate) fn card_frames(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let mut reader = FrameReader::default();
    for piece in bytes.chunks(usize::from(*cut) + 1) {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    let mut out = Vec::new();
                    frame.encode(&mut out);
                    match Frame::decode(&out) {
                        Ok(Some((_, used))) => assert_eq!(used, out.len()),
                        other => panic!("what was read cannot be read again: {other:?}"),
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return;
                }
            }
        }
    }
}

/// A configuration file: typed or refused with places and hints, shown without its secrets.
pub(crate) fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::Config::parse(&text, "fuzz.toml") {
        Ok(_) => {
            let _ = config::redacted(&text);
            let _ = config::effective(&text, "fuzz.toml");
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.to_string().is_empty());
            }
        }
    }
}

/// A line of the local socket, as a request, as a response, and as every answer that can be shown.
pub(crate) fn control(data: &[u8]) {
    let _ = serde_json::from_slice::<Request>(data);
    let _ = serde_json::from_slice::<Response>(data);
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    for command in control::table::COMMANDS {
        let _ = render::answer(command.name, &value);
    }
    if let Some(fields) = value.as_object() {
        let _ = render::event_fields(fields);
    }
    let _ = serde_json::from_value::<trace::Sighting>(value);
}

/// Keys typed at the console, until the line falls silent.
pub(crate) fn console(data: &[u8]) {
    struct Typed<'a>(&'a [u8], usize);
    impl Read for Typed<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Write for Typed<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += bytes.len();
            assert!(self.1 < 4 << 20, "megabytes on a serial line");
            // Nothing that moves the cursor of the technician's terminal comes from what was typed.
            assert!(!bytes.contains(&0x1b));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let nowhere = PathBuf::from("/nonexistent/trubka");
    let setup = console::Setup {
        config_file: nowhere.join("trubka.toml"),
        socket: nowhere.join("control.sock"),
        password_file: nowhere.join("password"),
        idle_logout: Duration::from_secs(600),
    };
    console::serve(Typed(data, 0), &setup, || true);
}

/// A sound file, through the reader that the tools use.
pub(crate) fn wav(data: &[u8]) {
    let Ok(reader) = dsp::wav::WavReader::new(data) else {
        return;
    };
    let channels = usize::from(reader.spec().channels);
    let (promised, mut frames) = (reader.frames(), 0);
    let done = reader.each_frame(|frame| {
        assert_eq!(frame.len(), channels);
        assert!(frame.iter().all(|sample| sample.is_finite()));
        frames += 1;
        true
    });
    match (done, promised) {
        (Ok(done), Some(promised)) => assert_eq!((done, done), (frames, promised)),
        (Ok(done), None) => assert_eq!(done, frames),
        (Err(dsp::wav::WavError::Truncated(done)), _) => assert_eq!(done, frames),
        (Err(error), _) => panic!("reading from memory fails: {error}"),
    }
}

/// A capture file, shown in every form.
pub(crate) fn capture(data: &[u8]) {
    let Ok(mut capture) = trace::Capture::new(data) else {
        return;
    };
    let mut ladder = trace::Ladder::new();
    while let Ok(Some(seen)) = capture.next_message() {
        for text in [ladder.lines(&seen), trace::raw(&seen)] {
            for line in text.lines() {
                assert!(line.chars().count() <= trace::WIDTH, "{line}");
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
        }
        serde_json::to_string(&seen).expect("a sighting is JSON");
    }
}
