//! The conformance suite's guest as a core module. Its exports have numbers only, so texts go by its standard streams:
//! the behaviour is the first line of stdin and the input what follows; the answer is stdout.

use std::io::Read;

fn answer() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let (behaviour, input) = text.split_once('\n').ok_or("two lines are needed")?;
    conformance_common::run(&conformance_common::Bare, behaviour, input)
}

/// 0, or 1 when the answer is an error of the guest's own.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> i32 {
    let answer = answer();
    let status = i32::from(answer.is_err());
    print!("{}", answer.unwrap_or_else(|error| error));
    let _ = std::io::Write::flush(&mut std::io::stdout());
    status
}
