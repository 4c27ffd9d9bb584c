//! Trained tensors by name: what a layer is called in a state, and `weights.safetensors`.

use std::collections::BTreeMap;

use anyhow::Context;
use rivalry_core::Layer;
use rivalry_data::{Order, Shape};
use rivalry_nets::{State, Tensor};
use safetensors::SafeTensors;

use super::checkpoint::{Checkpoint, serialize, tensors};

/// The metadata of `weights.safetensors` that says how inputs form an image.
const IMAGE: &str = "image";

/// The hidden layer that sees the samples, or patches of them.
///
/// # Errors
/// The state is not one of this version.
pub fn first_layer(state: &State) -> anyhow::Result<Option<Layer>> {
    if let Ok([units, columns]) = shape_of(state, "up.1") {
        // The last column is that of the constant input.
        let rows = state.f32("up.1", &[units, columns])?.chunks_exact(columns);
        let weights: Vec<f32> = rows.flat_map(|row| &row[..columns - 1]).copied().collect();
        return Ok(Some(Layer::from_rows(units, columns - 1, &weights)?));
    }
    let name = ["weights", "weights.1", "weight.1"].into_iter().find(|name| state.tensors.contains_key(*name));
    name.map(|name| layer_of(state, name)).transpose()
}

/// The inputs of a sample, from trained tensors.
///
/// # Errors
/// There are no weights.
pub fn inputs_of(trained: &State) -> anyhow::Result<usize> {
    if let Ok(shape) = trained.u32("image_shape", &[4]) {
        return Ok(shape[..3].iter().map(|&axis| axis as usize).product());
    }
    match first_layer(trained)? {
        Some(layer) => Ok(layer.inputs()),
        None => shape_of(trained, "readout").map(|[_, inputs]| inputs).context("it has no weights"),
    }
}

/// The layer whose weights have this name.
///
/// # Errors
/// The state does not have it.
pub fn layer_of(state: &State, name: &str) -> anyhow::Result<Layer> {
    let [hidden, inputs] = shape_of(state, name)?;
    Ok(Layer::from_rows(hidden, inputs, state.f32(name, &[hidden, inputs])?)?)
}

/// A tensor of one f64 number, if it is there.
pub fn number_of(trained: &State, name: &str) -> Option<f64> {
    match trained.tensors.get(name) {
        Some(Tensor { values: rivalry_nets::Values::F64(numbers), .. }) => numbers.first().copied(),
        _ => None,
    }
}

/// The shape of a matrix among trained tensors.
///
/// # Errors
/// It is not there.
pub fn shape_of(trained: &State, name: &str) -> anyhow::Result<[usize; 2]> {
    let shape = trained.tensors.get(name).and_then(|tensor| tensor.shape[..].try_into().ok());
    shape.with_context(|| format!("it has no matrix `{name}`"))
}

/// Trained tensors with what training needs beside them: the moments of Adam as 0 where they were not kept.
#[must_use]
pub fn with_moments(trained: &State) -> State {
    let mut state = trained.clone();
    let learned = |name: &str| name.starts_with("weights") || name == "readout";
    for (name, tensor) in trained.tensors.iter().filter(|(name, _)| learned(name)) {
        for moment in ["_first_moment", "_second_moment"] {
            let zeros = || Tensor::new(tensor.shape.clone(), vec![0.0_f32; tensor.shape.iter().product()]);
            state.tensors.entry(format!("{name}{moment}")).or_insert_with(zeros);
        }
    }
    state.counters.entry("readout_steps".to_owned()).or_insert(0);
    state
}

/// `weights.safetensors`: every layer by name, what a readout needs beside them (`units`: the hidden units that take part;
/// `current_scale`), and in the metadata how the inputs of the first layer form an image.
pub(super) fn trained(checkpoint: &Checkpoint, shape: Shape) -> Vec<u8> {
    let learning = |name: &str| {
        name.ends_with("_moment") || ["wins", "balance", "state."].iter().any(|start| name.starts_with(start))
    };
    let tensors = checkpoint.state.tensors.iter().filter(|(name, _)| !learning(name));
    let order = if shape.order == Order::Pixels { "pixels" } else { "planes" };
    let image = format!("{} {} {} {order}", shape.height, shape.width, shape.channels);
    serialize(tensors.map(|(name, tensor)| (name.as_str(), tensor)), BTreeMap::from([(IMAGE.to_owned(), image)]))
}

/// The tensors of a `weights.safetensors`, and the shape of the images.
///
/// # Errors
/// It is not such a file.
pub(crate) fn read_trained(bytes: &[u8]) -> anyhow::Result<(BTreeMap<String, Tensor>, Option<Shape>)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let shape = header.metadata().as_ref().and_then(|metadata| metadata.get(IMAGE)).and_then(|image| {
        let words: Vec<&str> = image.split(' ').collect();
        let [height, width, channels, order] = words[..] else { return None };
        let order = if order == "pixels" { Order::Pixels } else { Order::Planes };
        Some(Shape {
            height: height.parse().ok()?,
            width: width.parse().ok()?,
            channels: channels.parse().ok()?,
            order,
        })
    });
    let tensors = tensors(&SafeTensors::deserialize(bytes)?).map_err(anyhow::Error::msg)?;
    Ok((tensors, shape))
}
