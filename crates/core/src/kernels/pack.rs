//! Pixels made ready for the integer product: groups of four, those without ink left out.
//!
//! Plainly: for each example, the groups of four pixels that are not all 0, with their numbers, in increasing order. A group
//! left out adds nothing to any score, and 72 % of those of MNIST are.
//!
//! Where nearly every group has ink, leaving out pays nothing, and examples share one list of all groups instead, so that
//! each vector of weights that is loaded serves all of them.

use crate::vector::{Integers, LANES, Pixels64, TILE_GROUPS};

/// The most examples that share a list on any instruction set.
pub(crate) const MAX_EXAMPLES_PER_LIST: usize = 32;

/// Four pixels.
pub(crate) type Group = [u8; 4];

/// The number of groups of four pixels in an example.
pub(crate) fn groups_of(inputs: usize) -> usize {
    inputs.div_ceil(4)
}

/// The groups of an example whose row is filled up to whole steps of a matrix unit.
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

/// Packed examples. The buffers are made once, for the most examples of the fullest kind.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// How many examples share a list.
    pub(crate) together: usize,
    /// The numbers of the groups of all lists, one list after another.
    pub(crate) groups: Vec<u32>,
    /// For each of them, the pixels of each example of the list.
    pub(crate) pixels: Vec<Group>,
    /// Where each list ends.
    pub(crate) ends: Vec<u32>,
    /// What the intervals of each example need.
    pub(crate) stats: Vec<ImageStats>,
}

/// What is known of the pixels x of an example.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ImageStats {
    /// X = Σ x_i; 1 for a blank example, so that what is infinite stays so when multiplied.
    pub(crate) sum: f32,
    /// Where the second of these bounds is the narrower one. Errors e of the weights move a score by at most max |e_i| X,
    /// and by at most ‖e‖ ‖x − M‖ from M Σ e_i, whatever M is (point 7 of the proof in `screen.rs`).
    pub(crate) contrast: Option<Contrast>,
}

/// How far pixels are from a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contrast {
    /// M: the whole number nearest to the mean.
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
        // A last list that is not full, and one vector more, since whole vectors are written.
        let places = (examples + MAX_EXAMPLES_PER_LIST) * padded_groups(inputs) + LANES;
        Packed {
            together: 1,
            groups: vec![0; places],
            pixels: vec![[0; 4]; places],
            ends: vec![0; examples],
            stats: vec![ImageStats::default(); examples],
        }
    }

    /// The lists of the first `examples`.
    #[inline(always)]
    pub(crate) fn list(&self, list: usize) -> List<'_> {
        let from = if list == 0 { 0 } else { self.ends[list - 1] as usize };
        let to = self.ends[list] as usize;
        let pixels = &self.pixels[from * self.together..to * self.together];
        List { first: list * self.together, groups: &self.groups[from..to], pixels }
    }

    /// The number of groups of the first `examples`, each of which is multiplied.
    pub(crate) fn groups(&self, examples: usize) -> usize {
        if self.together == 1 { self.ends[examples - 1] as usize } else { examples * self.ends[0] as usize }
    }
}

/// Packs examples one by one, or `TOGETHER` in a list if more than `SHARED` of a hundred groups have ink.
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
        packed.ends[example] = places as u32;
    }
    packed.together = 1;
    if places * 100 > SHARED * from.samples.len() * groups_of(from.inputs) {
        share::<TOGETHER>(from, packed);
    }
}

/// Appends one vector of groups at `place` and returns how many have ink.
#[inline(always)]
fn append<S: Integers>(simd: S, vector: &Pixels64, first: u32, place: usize, packed: &mut Packed) -> usize {
    let groups = packed.groups[place..].first_chunk_mut().expect("room for a vector behind the last group");
    let pixels = packed.pixels[place..].first_chunk_mut().expect("room for a vector behind the last group");
    simd.compress_nonzero_u8x4(vector, first, groups, pixels)
}

/// Packs `TOGETHER` examples in a list, all groups of them. QuantiseBuffers behind the last example are blank.
#[inline(always)]
fn share<const TOGETHER: usize>(from: Pixels<'_>, packed: &mut Packed) {
    let width = groups_of(from.inputs);
    let examples = from.samples.len();
    let lists = examples.div_ceil(TOGETHER);
    for list in 0..lists {
        for (group, place) in packed.groups[list * width..][..width].iter_mut().enumerate() {
            *place = group as u32;
        }
        packed.ends[list] = ((list + 1) * width) as u32;
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
    packed.together = TOGETHER;
}

/// Both sums over the pixels are exact: there are at most 65 536, and 65 536 · 255² < 2³².
///
/// For errors spread evenly over −max |e_i| … max |e_i|, ‖e‖ is (n / 3)^½ max |e_i|: so bounds are compared.
#[inline(always)]
pub(super) fn image_stats(pixels: &[u8]) -> ImageStats {
    let (mut sum, mut squares) = (0_u32, 0_u32);
    for &pixel in pixels {
        sum += u32::from(pixel);
        squares += u32::from(pixel) * u32::from(pixel);
    }
    let (inputs, all, squares) = (pixels.len() as u64, u64::from(sum), u64::from(squares));
    let level = (all + inputs / 2) / inputs;
    // ‖x − M‖², whose parts are far from filling 64 bits.
    let spread = squares + inputs * level * level - 2 * level * all;
    let contrast = (inputs * spread < 3 * all * all)
        .then(|| Contrast { level: level as f32, norm: ((spread as f64).sqrt() as f32).next_up() });
    ImageStats { sum: sum.max(1) as f32, contrast }
}

/// [`Integers::compress_nonzero_u8x4`] for instruction sets that cannot compress: no branch, since which groups have ink is hard to guess.
#[inline(always)]
pub(crate) fn compress_nonzero(
    pixels: &Pixels64,
    first: u32,
    groups: &mut [u32; LANES],
    inked: &mut Pixels64,
) -> usize {
    let mut count = 0;
    for (i, group) in pixels.iter().enumerate() {
        // `count` is at most i here.
        groups[count.min(LANES - 1)] = first + i as u32;
        inked[count.min(LANES - 1)] = *group;
        count += usize::from(*group != [0; 4]);
    }
    count
}
