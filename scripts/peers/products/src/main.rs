//! The product of all units and the samples of a minibatch by two libraries, as peers of `rivalry bench peers`.
//!
//! Called like the Python peers (see `scripts/peers/handover.py`), for the kind `score` and the variants
//! `matrixmultiply` and `gemm`. Each library divides the work among threads by itself; rivalry sets MATMUL_NUM_THREADS
//! and RAYON_NUM_THREADS.

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use rivalry_data::npy;

/// scores [batch × hidden] = examples [batch × inputs] · (weights [hidden × inputs])ᵀ, rows first.
struct Product {
    weights: Vec<f32>,
    examples: Vec<f32>,
    scores: Vec<f32>,
    hidden: usize,
    inputs: usize,
    batch: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given: HashMap<&str, &str> =
        arguments.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let value = |name: &str| given.get(name).copied().ok_or(format!("{name} has no value"));
    let count = |name: &str| Ok::<usize, Box<dyn Error>>(value(name)?.parse()?);

    let mut product = Product::read(value("--dir")?, count("--batch")?)?;
    let (threads, variant) = (count("--threads")?, value("--variant")?);
    let (step, version): (&dyn Fn(&mut Product), _) = match variant {
        "matrixmultiply" => (&|product| product.matrixmultiply(), "matrixmultiply 0.3"),
        "gemm" => (&move |product| product.gemm(threads), "gemm 0.19"),
        other => return Err(format!("--variant {other} is neither matrixmultiply nor gemm").into()),
    };
    for _ in 0..count("--warmup")? {
        step(&mut product);
    }
    let mut samples = Vec::new();
    for _ in 0..count("--minibatches")? {
        let start = Instant::now();
        step(&mut product);
        samples.push(start.elapsed().as_nanos());
    }
    std::fs::write(value("--out")?, npy::write_f32(&[product.batch, product.hidden], &product.scores))?;
    println!("{{\"version\": \"{version}\", \"samples_ns\": {samples:?}}}");
    Ok(())
}

impl Product {
    fn read(folder: &str, batch: usize) -> Result<Product, Box<dyn Error>> {
        let weights = std::fs::read(format!("{folder}/weights.npy"))?;
        let pixels = std::fs::read(format!("{folder}/inputs.npy"))?;
        let (weights, pixels) = (npy::parse(&weights)?, npy::parse(&pixels)?);
        let &[hidden, inputs] = weights.shape() else { return Err("weights.npy is not [hidden, inputs]".into()) };
        let pixels = pixels.as_u8().ok_or(format!("inputs.npy has {}, not bytes", pixels.dtype()))?;
        let examples: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel)).collect();
        if examples.len() < batch * inputs {
            return Err(format!("inputs.npy has {} bytes, fewer than {batch} samples of {inputs}", pixels.len()).into());
        }
        let scores = vec![0.0; batch * hidden];
        Ok(Product { weights: weights.to_f32()?, examples, scores, hidden, inputs, batch })
    }

    fn matrixmultiply(&mut self) {
        let (inputs, hidden) = (self.inputs as isize, self.hidden as isize);
        // SAFETY: examples hold batch · inputs numbers, weights hidden · inputs, scores batch · hidden, as `read` made
        // them, and the strides walk exactly over these.
        unsafe {
            matrixmultiply::sgemm(
                self.batch,
                self.inputs,
                self.hidden,
                1.0,
                self.examples.as_ptr(),
                inputs,
                1,
                self.weights.as_ptr(),
                1,
                inputs,
                0.0,
                self.scores.as_mut_ptr(),
                hidden,
                1,
            );
        }
    }

    fn gemm(&mut self, threads: usize) {
        let (inputs, hidden) = (self.inputs as isize, self.hidden as isize);
        let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
        // SAFETY: as above; this library takes the stride between columns before that between rows.
        unsafe {
            gemm::gemm(
                self.batch,
                self.hidden,
                self.inputs,
                self.scores.as_mut_ptr(),
                1,
                hidden,
                false,
                self.examples.as_ptr(),
                1,
                inputs,
                self.weights.as_ptr(),
                inputs,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}
