//! AMX: the integer product of screening on the matrix unit; everything else is AVX-512.
//!
//! The instructions are written as assembly, since their intrinsics are not stable. The compiler never uses tile registers,
//! so what one block of assembly leaves in them the next one finds.

use super::Kernels;
use super::avx512::{Avx512, table};
use crate::kernels;
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::screen::{Block, Bounds};
use crate::vector::{Levels64, TILE, TILE_GROUPS, TileSums, Tiles};
use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, __get_cpuid_max, _xgetbv};
use std::sync::OnceLock;

/// Proof that this CPU has AMX with 8-bit whole numbers, beside AVX-512, and that the kernel lets this process use it.
#[derive(Clone, Copy)]
pub(super) struct Amx(());

impl Amx {
    pub(super) fn detect() -> Option<Amx> {
        static GRANTED: OnceLock<bool> = OnceLock::new();
        Avx512::detect()?;
        GRANTED.get_or_init(|| supported() && granted()).then_some(Amx(()))
    }

    /// The kernels of this instruction set: only a machine that has it can be given them.
    pub(super) fn kernels(self) -> &'static Kernels {
        &KERNELS
    }
}

/// Whether the CPU has AMX-TILE and AMX-INT8, and the system saves tiles when it switches threads.
fn supported() -> bool {
    const TILE_BIT: u32 = 1 << 24;
    const INT8_BIT: u32 = 1 << 25;
    const XSAVED: u64 = 1 << 17 | 1 << 18;
    if !is_x86_feature_detected!("xsave") || __get_cpuid_max(0).0 < 7 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    // SAFETY: `xsave` being detected means that the system has enabled XGETBV.
    let saved = unsafe { xgetbv() };
    features & TILE_BIT != 0 && features & INT8_BIT != 0 && saved & XSAVED == XSAVED
}

#[target_feature(enable = "xsave")]
fn xgetbv() -> u64 {
    // SAFETY: the feature is enabled for this function; register 0 always exists.
    unsafe { _xgetbv(0) }
}

/// Asks the Linux kernel for the tile registers: a process has to, once, and may be refused.
#[cfg(target_os = "linux")]
fn granted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let refused: i64;
    // SAFETY: this system call reads its two numbers and changes only what this process may use; it writes no memory. The
    // instruction `syscall` overwrites rcx and r11, as is declared.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => refused,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    refused == 0
}

#[cfg(not(target_os = "linux"))]
fn granted() -> bool {
    false
}

/// What LDTILECFG reads: palette 1, eight tiles of 16 rows × 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_per_row: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut configuration =
        Configuration { palette: 1, start_row: 0, reserved: [0; 14], bytes_per_row: [0; 16], rows: [0; 16] };
    let mut tile = 0;
    while tile < 8 {
        configuration.bytes_per_row[tile] = 64;
        configuration.rows[tile] = 16;
        tile += 1;
    }
    configuration
};

impl Tiles for Amx {
    fn begin(self) {
        // SAFETY: the token proves AMX and that the kernel granted it; the operand is 64 readable bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) }
    }

    /// Four sums of 16 × 16 in tiles 0–3, two tiles of pixels and two of digits for each 64 inputs.
    fn product(self, pixels: &[[u8; 4]], panels: [&[Levels64]; 2], sums: &mut TileSums) {
        let groups = panels[0].len();
        assert!(groups > 0 && groups.is_multiple_of(TILE_GROUPS), "{groups} groups of a panel");
        assert!(panels[1].len() == groups, "panels of two sizes");
        assert!(pixels.len() == TILE * groups, "{} groups of pixels for {groups} of a panel", pixels.len());
        let (row, steps) = (groups * 4, groups / TILE_GROUPS);
        // From one example to the next: two panels of sixteen sums.
        let out_row = size_of::<[[i32; 16]; 2]>();
        // SAFETY: the token proves AMX, and `begin` has configured this thread. Each step reads 64 bytes of each of the 32
        // rows of `pixels`, `row` bytes apart, and 16 vectors of each panel: all there, as was asserted. The stores write 16
        // rows of 64 bytes, `out_row` apart, at the four quarters of `sums`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {row}*1]",
                "tileloadd tmm6, [{b0} + {line}*1]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{b1} + {line}*1]",
                "tdpbusd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a2} + {row}*1]",
                "tdpbusd tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                "add {a}, 64",
                "add {a2}, 64",
                "add {b0}, 1024",
                "add {b1}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {out_row}*1], tmm0",
                "tilestored [{out} + {out_row}*1 + 64], tmm1",
                "tilestored [{out2} + {out_row}*1], tmm2",
                "tilestored [{out2} + {out_row}*1 + 64], tmm3",
                a = inout(reg) pixels.as_ptr() => _,
                a2 = inout(reg) pixels[TILE / 2 * groups..].as_ptr() => _,
                b0 = inout(reg) panels[0].as_ptr() => _,
                b1 = inout(reg) panels[1].as_ptr() => _,
                steps = inout(reg) steps => _,
                row = in(reg) row,
                line = in(reg) 64_usize,
                out = in(reg) sums.as_mut_ptr(),
                out2 = in(reg) sums[TILE / 2..].as_mut_ptr(),
                out_row = in(reg) out_row,
                options(nostack),
            );
        }
    }

    fn end(self) {
        // SAFETY: the token proves AMX; this leaves the tiles as they are after a start of the thread.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}

/// The kernels, one entry each.
static KERNELS: Kernels = Kernels {
    name: "amx",
    peak_chains: table::PEAK_CHAINS,
    stage_u8: table::stage_u8,
    stage_f32: table::stage_f32,
    gemm_nt: table::gemm_nt,
    gemm_nt_blocks: table::gemm_nt_blocks,
    power: table::power,
    top_k: table::top_k,
    change_u8: table::change_u8,
    change_f32: table::change_f32,
    apply_u8: table::apply_u8,
    apply_f32: table::apply_f32,
    quantise: table::quantise,
    pack,
    screen,
    top_distinct: table::top_distinct,
    select_ge: table::select_ge,
    prefetch: table::prefetch,
    refine_dot: table::refine_dot,
    gemv_gathered: table::gemv_gathered,
    rectified_power: table::rectified_power,
    power_loss: table::power_loss,
    gemm_tn: table::gemm_tn,
    gemm_tn_adam: table::gemm_tn_adam,
    adam: table::adam,
    peak: table::peak,
};

fn pack(pixels: Pixels<'_>, packed: &mut Packed) {
    kernels::tiles::pack(pixels, packed);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn screen(block: Block<'_>, packed: &Packed, ends: Bounds<'_>) {
    // Tokens out of nothing: this function is reached only through a table that a machine with AMX was given.
    let vectors = Avx512(());
    kernels::tiles::screen(vectors, Amx(()), block, packed, ends);
}

#[cfg(test)]
mod tests;
