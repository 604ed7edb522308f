//! Four samples or bins at a time: what one instruction of SSE2 or NEON takes. Plain arrays that the compiler turns into those
//! instructions, so that there is one code for every processor and nothing unsafe.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// Four values that go the same way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(align(16))]
pub(crate) struct Lanes(pub(crate) [f32; 4]);

impl Lanes {
    pub(crate) const ZERO: Lanes = Lanes([0.0; 4]);

    #[inline(always)]
    pub(crate) const fn splat(value: f32) -> Lanes {
        Lanes([value; 4])
    }

    #[inline(always)]
    pub(crate) fn with(self, other: Lanes, op: impl Fn(f32, f32) -> f32) -> Lanes {
        let (a, b) = (self.0, other.0);
        Lanes([
            op(a[0], b[0]),
            op(a[1], b[1]),
            op(a[2], b[2]),
            op(a[3], b[3]),
        ])
    }

    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }

    #[inline(always)]
    pub(crate) fn reversed(self) -> Lanes {
        Lanes([self.0[3], self.0[2], self.0[1], self.0[0]])
    }
}

impl Add for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn add(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn sub(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a - b)
    }
}

impl Mul for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, other: Lanes) -> Lanes {
        self.with(other, |a, b| a * b)
    }
}

impl Mul<f32> for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, factor: f32) -> Lanes {
        self * Lanes::splat(factor)
    }
}

impl Neg for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn neg(self) -> Lanes {
        Lanes([-self.0[0], -self.0[1], -self.0[2], -self.0[3]])
    }
}

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Lanes) {
        *self = *self + other;
    }
}

/// Rows become columns.
#[inline(always)]
pub(crate) fn transposed([a, b, c, d]: [Lanes; 4]) -> [Lanes; 4] {
    let column = |i: usize| Lanes([a.0[i], b.0[i], c.0[i], d.0[i]]);
    [column(0), column(1), column(2), column(3)]
}

/// Sum of the squares, in four sums at once.
pub(crate) fn energy(samples: &[f32]) -> f32 {
    let (fours, rest) = samples.as_chunks();
    let mut sum = Lanes::ZERO;
    for four in fours {
        sum += Lanes(*four) * Lanes(*four);
    }
    sum.sum() + rest.iter().map(|s| s * s).sum::<f32>()
}

/// Sum of the products of two blocks of whole groups of four.
pub(crate) fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = Lanes::ZERO;
    for (a, b) in a.as_chunks().0.iter().zip(b.as_chunks().0) {
        sum += Lanes(*a) * Lanes(*b);
    }
    sum.sum()
}
