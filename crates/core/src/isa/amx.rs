//! AMX: the int8 product of screening on the matrix unit; every other kernel is that of AVX-512.
//!
//! 1. `detect` asks the CPU, then Linux, which has to allow the tile registers once per process.
//! 2. `configure` sets the shape of the tiles of this thread and returns a `Configured`, which releases them when dropped.
//! 3. `product` is a method of `Configured`: no product without a configuration.
//!
//! The instructions are written as assembly, since their intrinsics are not stable. The shape of the tiles stays in force from
//! one block of assembly to the next: no other instruction changes it, and Linux saves it when it switches threads. The data
//! in the tiles does not have to stay: each block declares all eight registers as overwritten.

use super::avx512::{self, Avx512};
use super::*;
use crate::vector::{Levels64, TILE, TILE_GROUPS, TileProduct, TileSums, Tiles};
use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, __get_cpuid_max, _xgetbv};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// Proof that this CPU has AMX with int8 products, beside AVX-512, and that Linux lets this process use it.
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
        &TABLE
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

/// Requests the tile registers from Linux. Every process has to, once, and may be refused.
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

/// A thread whose tiles are configured. There is at most one per thread, and it cannot leave its thread.
pub(super) struct Configured {
    /// Raw pointers are neither `Send` nor `Sync`.
    this_thread: PhantomData<*const ()>,
}

thread_local! {
    /// Whether this thread has a [`Configured`]: with two of them, the first one dropped would release the tiles of the other.
    static IS_CONFIGURED: Cell<bool> = const { Cell::new(false) };
}

impl Tiles for Amx {
    type Configured = Configured;

    fn configure(self) -> Configured {
        assert!(!IS_CONFIGURED.replace(true), "the tiles of this thread are configured twice");
        // SAFETY: the token proves AMX and that Linux allows it. The operand is 64 readable bytes in the format of palette 1.
        // LDTILECFG zeroes all tiles, as is declared.
        unsafe {
            asm!(
                "ldtilecfg [{}]",
                in(reg) &raw const CONFIGURATION,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly, preserves_flags),
            );
        }
        Configured { this_thread: PhantomData }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let Configured { this_thread: PhantomData } = self;
        // SAFETY: only a token makes a `Configured`, and it is dropped on the thread that made it. TILERELEASE leaves the tiles
        // as they are when a thread starts.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, nomem, preserves_flags),
            );
        }
        IS_CONFIGURED.set(false);
    }
}

impl TileProduct for Configured {
    /// Accumulates four products of 16 × 16 in tiles 0–3: per 64 inputs, two tiles of pixels and two of int8 levels.
    fn product(&mut self, pixels: &[[u8; 4]], panels: [&[Levels64]; 2], sums: &mut TileSums) {
        let groups = panels[0].len();
        assert!(groups > 0 && groups.is_multiple_of(TILE_GROUPS), "{groups} groups of a panel");
        assert!(panels[1].len() == groups, "panels of two sizes");
        assert!(pixels.len() == TILE * groups, "{} groups of pixels for {groups} of a panel", pixels.len());
        let (row, steps) = (groups * 4, groups / TILE_GROUPS);
        // From one example to the next: two panels of sixteen sums.
        let out_row = size_of::<[[i32; 16]; 2]>();
        // Both halves of the sums from one pointer: a second borrow would end the life of the first.
        let out = sums.as_mut_ptr();
        let out2 = out.wrapping_add(TILE / 2);
        // SAFETY: the tiles of this thread are configured as long as `self` lives, 16 rows of 64 bytes each. Each step reads 64
        // bytes of each of the 32 rows of `pixels`, `row` bytes apart, and 16 vectors of each panel: all there, as was asserted.
        // The stores write 16 rows of 64 bytes, `out_row` apart, at the four quarters of `sums`, which is borrowed mutably;
        // both pointers stem from one borrow of all of it. The tiles and the flags are overwritten, as is declared.
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
                a2 = inout(reg) pixels.as_ptr().wrapping_add(TILE / 2 * groups) => _,
                b0 = inout(reg) panels[0].as_ptr() => _,
                b1 = inout(reg) panels[1].as_ptr() => _,
                steps = inout(reg) steps => _,
                row = in(reg) row,
                line = in(reg) 64_usize,
                out = in(reg) out,
                out2 = in(reg) out2,
                out_row = in(reg) out_row,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// The kernels of AVX-512, but for two that take the matrix unit.
static TABLE: Kernels = Kernels { name: "amx", pack, screen, ..avx512::KERNELS };

fn pack(pixels: Pixels<'_>, packed: &mut Packed) {
    kernels::pack::pack_tiles(pixels, packed);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn screen(block: WeightPanels<'_>, packed: &Packed, bounds: Bounds<'_>) {
    // These tokens were not detected here: this function is reached only through a table that a machine with AMX was given.
    kernels::screen::screen_tiles(Avx512(()), Amx(()), block, packed, bounds);
}

#[cfg(test)]
mod tests;
