//! The `rivalry` program under the name that the tests of this package may start.

fn main() -> std::process::ExitCode {
    rivalry::main()
}
