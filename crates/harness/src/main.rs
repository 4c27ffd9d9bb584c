//! The `rivalry` program; everything is in the library.

fn main() -> std::process::ExitCode {
    rivalry::main()
}
