//! Pixels packed for the int8 product: groups of four, without the groups that are all zero.
//!
//! Per example, the groups of four pixels that are not all zero stand in a list, in increasing order, each with its number. A
//! group that is left out adds nothing to any score. 72 % of the groups of MNIST are zero.
//!
//! Where nearly every group has a non-zero, leaving out does not pay. Then several examples share one list of all groups, so
//! that each vector of weights that is loaded serves all of them.

#[cfg(target_arch = "x86_64")]
use crate::vector::TILE;
use crate::vector::{Integers, LANES, Pixels64, TILE_GROUPS};

/// The most examples that share a list on any instruction set.
pub(crate) const MAX_EXAMPLES_PER_LIST: usize = 32;

/// Four pixels.
pub(crate) type Group = [u8; 4];

/// The number of groups of four pixels in an example.
pub(crate) fn groups_of(inputs: usize) -> usize {
    inputs.div_ceil(4)
}

/// The groups of an example whose row is padded to whole steps of a matrix unit.
pub(crate) fn padded_groups(inputs: usize) -> usize {
    groups_of(inputs).next_multiple_of(TILE_GROUPS)
}

/// Examples of which some are to be packed: [samples × inputs].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pixels<'a> {
    /// The pixels of all examples.
    pub(crate) all: &'a [u8],
    /// The length of an example.
    pub(crate) inputs: usize,
    /// The examples to be packed.
    pub(crate) samples: &'a [u32],
}

impl<'a> Pixels<'a> {
    /// One of the examples to be packed.
    #[inline(always)]
    pub(crate) fn example(self, example: usize) -> &'a [u8] {
        &self.all[self.samples[example] as usize * self.inputs..][..self.inputs]
    }
}

/// Packed examples. The buffers are allocated once, for the largest minibatch without any zeros.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// How many examples share a list.
    pub(crate) per_list: usize,
    /// The numbers of the groups of all lists, one list after another.
    pub(crate) groups: Vec<u32>,
    /// For each of them, the pixels of each example of the list.
    pub(crate) pixels: Vec<Group>,
    /// Where each list ends.
    pub(crate) list_ends: Vec<u32>,
    /// What the error bounds of each example need.
    pub(crate) stats: Vec<ImageStats>,
}

/// Statistics of the pixels x of an example.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ImageStats {
    /// X = Σ x_i; 1 for a blank example, so that an infinite bound per X stays infinite.
    pub(crate) sum: f32,
    /// Present where it gives the tighter bound. Errors e of the weights move a score by at most max |e_i| X. They also move
    /// it by M Σ e_i to within ‖e‖ ‖x − M‖, for any M (point 7 of the proof in `screen.rs`).
    pub(crate) contrast: Option<Contrast>,
}

/// How far pixels are from their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contrast {
    /// M: the integer nearest to the mean.
    pub(crate) level: f32,
    /// ‖x − M‖, rounded up.
    pub(crate) norm: f32,
}

/// One list: the examples from `first` on, and their groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    pub(crate) first: usize,
    pub(crate) groups: &'a [u32],
    pub(crate) pixels: &'a [Group],
}

impl Packed {
    /// Makes room for `examples` of `inputs` pixels.
    pub(crate) fn new(examples: usize, inputs: usize) -> Packed {
        // Room for a last list that is not full, and one vector more, since whole vectors are written.
        let places = (examples + MAX_EXAMPLES_PER_LIST) * padded_groups(inputs) + LANES;
        Packed {
            per_list: 1,
            groups: vec![0; places],
            pixels: vec![[0; 4]; places],
            list_ends: vec![0; examples],
            stats: vec![ImageStats::default(); examples],
        }
    }

    /// One list.
    #[inline(always)]
    pub(crate) fn list(&self, list: usize) -> List<'_> {
        let from = if list == 0 { 0 } else { self.list_ends[list - 1] as usize };
        let to = self.list_ends[list] as usize;
        let pixels = &self.pixels[from * self.per_list..to * self.per_list];
        List { first: list * self.per_list, groups: &self.groups[from..to], pixels }
    }

    /// The number of groups that are multiplied for the first `examples`.
    pub(crate) fn groups(&self, examples: usize) -> usize {
        if self.per_list == 1 { self.list_ends[examples - 1] as usize } else { examples * self.list_ends[0] as usize }
    }
}

/// Packs examples one by one, or `TOGETHER` in a list if more than `SHARED` percent of the groups have a non-zero.
#[inline(always)]
pub(crate) fn pack<S: Integers, const TOGETHER: usize, const SHARED: usize>(
    simd: S,
    from: Pixels<'_>,
    packed: &mut Packed,
) {
    let mut places = 0;
    for example in 0..from.samples.len() {
        let pixels = from.example(example);
        packed.stats[example] = image_stats(pixels);
        let (groups, rest) = pixels.as_chunks::<4>();
        let (vectors, tail) = groups.as_chunks::<LANES>();
        let mut first = 0;
        for vector in vectors {
            places += append(simd, vector, first, places, packed);
            first += LANES as u32;
        }
        if !tail.is_empty() || !rest.is_empty() {
            let mut padded = [[0; 4]; LANES];
            padded[..tail.len()].copy_from_slice(tail);
            padded[tail.len()][..rest.len()].copy_from_slice(rest);
            places += append(simd, &padded, first, places, packed);
        }
        packed.list_ends[example] = places as u32;
    }
    packed.per_list = 1;
    if places * 100 > SHARED * from.samples.len() * groups_of(from.inputs) {
        share::<TOGETHER>(from, packed);
    }
}

/// Appends one vector of groups at `place` and returns how many have a non-zero.
#[inline(always)]
fn append<S: Integers>(simd: S, vector: &Pixels64, first: u32, place: usize, packed: &mut Packed) -> usize {
    let groups = packed.groups[place..].first_chunk_mut().expect("room for a vector behind the last group");
    let pixels = packed.pixels[place..].first_chunk_mut().expect("room for a vector behind the last group");
    simd.compress_nonzero_u8x4(vector, first, groups, pixels)
}

/// Packs all groups of `TOGETHER` examples in a list. Places behind the last example are zero.
#[inline(always)]
fn share<const TOGETHER: usize>(from: Pixels<'_>, packed: &mut Packed) {
    let width = groups_of(from.inputs);
    let examples = from.samples.len();
    let lists = examples.div_ceil(TOGETHER);
    for list in 0..lists {
        for (group, place) in packed.groups[list * width..][..width].iter_mut().enumerate() {
            *place = group as u32;
        }
        packed.list_ends[list] = ((list + 1) * width) as u32;
        let pixels = packed.pixels[list * width * TOGETHER..][..width * TOGETHER].as_chunks_mut::<TOGETHER>().0;
        for place in 0..TOGETHER {
            if list * TOGETHER + place < examples {
                let (groups, rest) = from.example(list * TOGETHER + place).as_chunks::<4>();
                for (to, group) in pixels.iter_mut().zip(groups) {
                    to[place] = *group;
                }
                if !rest.is_empty() {
                    let mut group = [0; 4];
                    group[..rest.len()].copy_from_slice(rest);
                    pixels[width - 1][place] = group;
                }
            } else {
                for to in pixels.iter_mut() {
                    to[place] = [0; 4];
                }
            }
        }
    }
    packed.per_list = TOGETHER;
}

/// Computes the statistics of an example. Both sums are exact: there are at most 65 536 pixels, and 65 536 · 255² < 2³².
///
/// If errors are uniform in −max |e_i| … max |e_i|, ‖e‖ is (n / 3)^½ max |e_i|. That decides which bound is the tighter one.
#[inline(always)]
pub(super) fn image_stats(pixels: &[u8]) -> ImageStats {
    let (mut sum, mut squares) = (0_u32, 0_u32);
    for &pixel in pixels {
        sum += u32::from(pixel);
        squares += u32::from(pixel) * u32::from(pixel);
    }
    let (inputs, all, squares) = (pixels.len() as u64, u64::from(sum), u64::from(squares));
    let level = (all + inputs / 2) / inputs;
    // ‖x − M‖², whose terms are far below 2⁶⁴.
    let squares_around_mean = squares + inputs * level * level - 2 * level * all;
    let contrast = (inputs * squares_around_mean < 3 * all * all)
        .then(|| Contrast { level: level as f32, norm: ((squares_around_mean as f64).sqrt() as f32).next_up() });
    ImageStats { sum: sum.max(1) as f32, contrast }
}

/// [`Integers::compress_nonzero_u8x4`] for instruction sets without a compress instruction. It has no branch, since which groups
/// have a non-zero is hard to predict.
#[inline(always)]
pub(crate) fn compress_nonzero(
    pixels: &Pixels64,
    first: u32,
    groups: &mut [u32; LANES],
    nonzero: &mut Pixels64,
) -> usize {
    let mut count = 0;
    for (i, group) in pixels.iter().enumerate() {
        // `count` is at most i here.
        groups[count.min(LANES - 1)] = first + i as u32;
        nonzero[count.min(LANES - 1)] = *group;
        count += usize::from(*group != [0; 4]);
    }
    count
}

/// Packs examples for a matrix unit: as rows of [`padded_groups`] each, with blank rows up to a multiple of [`TILE`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn pack_tiles(from: Pixels<'_>, packed: &mut Packed) {
    let width = padded_groups(from.inputs);
    let rows = packed.pixels.chunks_exact_mut(width).take(from.samples.len().next_multiple_of(TILE));
    for (example, row) in rows.enumerate() {
        let row = row.as_flattened_mut();
        row.fill(0);
        if example < from.samples.len() {
            let pixels = from.example(example);
            row[..from.inputs].copy_from_slice(pixels);
            packed.stats[example] = image_stats(pixels);
        }
    }
    packed.list_ends[0] = width as u32;
    packed.per_list = TILE;
}
