//! A fixed amount of learning, for counting instructions: `counted dense|screened MINIBATCHES`.
//!
//! One thread and the AVX2 kernels, which every tool that counts can follow. `scripts/counted.sh` runs it.

use rivalry_core::{Compute, Engine, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};
use std::process::ExitCode;

const HIDDEN: usize = 400;
const INPUTS: usize = 28 * 28;
const BATCH: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let engine = match arguments.first().map(String::as_str) {
        Some("dense") => Engine::Dense,
        Some("screened") => Engine::Screened,
        _ => return usage(),
    };
    let Some(minibatches) = arguments.get(1).and_then(|count| count.parse().ok()) else { return usage() };
    match learn(engine, minibatches) {
        Ok(wins) => {
            println!("{wins}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\nhint: {}", error.hint().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("error: arguments, expected dense or screened and a number of minibatches\nhint: counted screened 10");
    ExitCode::from(2)
}

fn learn(engine: Engine, minibatches: usize) -> rivalry_core::Result<u32> {
    let pixels = strokes(minibatches * BATCH);
    let inputs = Inputs::u8(&pixels, INPUTS)?;
    let compute = Compute::new(Some(1), Kernels::named("avx2")?)?;
    let layer = Layer::normal(HIDDEN, INPUTS, 1.0, &mut Random::keyed(1, "weights", 0))?;
    let rule = Rule::new(3.0, 7, 0.4)?;
    let mut learner = Learner::new(layer, rule, BATCH, &compute)?.with_engine(engine);
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    learner.learn(&compute, &inputs, &order, Rates::Constant(0.02))?;
    Ok(learner.wins().iter().sum())
}

/// Images with about as many non-zero pixels as handwriting: six short thick strokes each.
fn strokes(images: usize) -> Vec<u8> {
    let mut random = Random::keyed(1, "synthetic", 0);
    let mut pixels = vec![0; images * INPUTS];
    for image in pixels.chunks_exact_mut(INPUTS) {
        for _ in 0..6 {
            let bits = random.next_u64();
            let (row, column, value) = (4 + bits % 18, 4 + bits / 32 % 14, 128 + bits / 1024 % 128);
            for place in 0..12 {
                image[((row + place / 6) * 28 + column + place % 6) as usize] = value as u8;
            }
        }
    }
    pixels
}
