//! The real Fourier transform of the echo canceller: eight interleaved parts at once, so that nearly every instruction does the
//! work of four, on any processor.
//!
//! A signal of 8 `M` samples is eight signals of every eighth sample. Two times four lanes hold them; as the real and imaginary part of one
//! complex signal they take one transform of length `M` (four times over), which is then taken apart, turned and joined by a
//! transform of length eight across the lanes (Cooley and Tukey 1965). Spectra lie as real and imaginary parts apart.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use crate::lanes::{Lanes, transposed};

/// A complex value in each lane.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    re: Lanes,
    im: Lanes,
}

impl Pair {
    const ZERO: Pair = Pair {
        re: Lanes::ZERO,
        im: Lanes::ZERO,
    };

    #[inline(always)]
    fn plus(self, other: Pair) -> Pair {
        Pair {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }

    #[inline(always)]
    fn minus(self, other: Pair) -> Pair {
        Pair {
            re: self.re - other.re,
            im: self.im - other.im,
        }
    }

    #[inline(always)]
    fn times(self, other: Pair) -> Pair {
        Pair {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }

    /// Times a factor that all lanes share.
    #[inline(always)]
    fn turned(self, (cos, sin): (f32, f32)) -> Pair {
        Pair {
            re: self.re * cos - self.im * sin,
            im: self.re * sin + self.im * cos,
        }
    }

    #[inline(always)]
    fn scaled(self, factor: f32) -> Pair {
        Pair {
            re: self.re * factor,
            im: self.im * factor,
        }
    }

    /// Times -i.
    #[inline(always)]
    fn back(self) -> Pair {
        Pair {
            re: self.im,
            im: -self.re,
        }
    }

    #[inline(always)]
    fn swapped(self) -> Pair {
        Pair {
            re: self.im,
            im: self.re,
        }
    }
}

#[inline(always)]
fn four([a, b, c, d]: [Pair; 4]) -> [Pair; 4] {
    let (s, t) = (a.plus(c), a.minus(c));
    let (u, v) = (b.plus(d), b.minus(d).back());
    [s.plus(u), t.plus(v), s.minus(u), t.minus(v)]
}

#[inline(always)]
fn eight([a, b, c, d, e, f, g, h]: [Pair; 8]) -> [Pair; 8] {
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let even = four([a, c, e, g]);
    let odd = four([b, d, f, h]);
    let turned = [
        odd[0],
        odd[1].turned((HALF, -HALF)),
        odd[2].back(),
        odd[3].turned((-HALF, -HALF)),
    ];
    [
        even[0].plus(turned[0]),
        even[1].plus(turned[1]),
        even[2].plus(turned[2]),
        even[3].plus(turned[3]),
        even[0].minus(turned[0]),
        even[1].minus(turned[1]),
        even[2].minus(turned[2]),
        even[3].minus(turned[3]),
    ]
}

#[inline(always)]
fn five([a, b, c, d, e]: [Pair; 5]) -> [Pair; 5] {
    // Cosine and sine of a fifth and of two fifths of a turn.
    const C1: f32 = 0.309_017;
    const C2: f32 = -0.809_017;
    const S1: f32 = 0.951_056_5;
    const S2: f32 = 0.587_785_24;
    let (s, t) = (b.plus(e), b.minus(e).back());
    let (u, v) = (c.plus(d), c.minus(d).back());
    let first = a.plus(s.scaled(C1)).plus(u.scaled(C2));
    let second = a.plus(s.scaled(C2)).plus(u.scaled(C1));
    let near = t.scaled(S1).plus(v.scaled(S2));
    let far = t.scaled(S2).minus(v.scaled(S1));
    [
        a.plus(s).plus(u),
        first.plus(near),
        second.plus(far),
        second.minus(far),
        first.minus(near),
    ]
}

/// What a length needs; `M` is an eighth of it: 20 or 40.
#[derive(Debug)]
struct Plan<const M: usize> {
    /// Factors between the two steps of the inner transform.
    inner: [(f32, f32); M],
    /// Factors of the lanes of both halves, forward with the half of taking apart.
    apart: [[Pair; 2]; 24],
    /// The same, back, with one over the length.
    joined: [[Pair; 2]; 24],
    /// An eighth of a turn back in each lane.
    eighth: Pair,
}

fn turn(part: f64) -> (f32, f32) {
    let angle = -TAU * part;
    (angle.cos() as f32, angle.sin() as f32)
}

fn lanes(of: impl Fn(usize) -> (f32, f32)) -> Pair {
    let all: [(f32, f32); 4] = std::array::from_fn(of);
    Pair {
        re: Lanes(all.map(|value| value.0)),
        im: Lanes(all.map(|value| value.1)),
    }
}

impl<const M: usize> Plan<M> {
    fn new() -> Plan<M> {
        let length = 8.0 * M as f64;
        let rows = M / 5;
        let outer = |scale: f32, sign: f64| {
            std::array::from_fn(|k| {
                [0, 4].map(|half| {
                    lanes(|lane| {
                        let (cos, sin) = turn(sign * ((lane + half) * k) as f64 / length);
                        (scale * cos, scale * sin)
                    })
                })
            })
        };
        Plan {
            inner: std::array::from_fn(|i| turn(((i / rows) * (i % rows)) as f64 / M as f64)),
            apart: outer(0.5, 1.0),
            joined: outer(1.0 / length as f32, -1.0),
            eighth: lanes(|lane| turn(lane as f64 / 8.0)),
        }
    }

    /// The inner transform, in place of `z`.
    #[inline(always)]
    fn inner(&self, z: &mut [Pair; M]) {
        let rows = M / 5;
        let mut between = [Pair::ZERO; M];
        for b in 0..rows {
            let column = five(std::array::from_fn(|a| z[rows * a + b]));
            for (k, value) in column.into_iter().enumerate() {
                between[rows * k + b] = if k * b == 0 {
                    value
                } else {
                    value.turned(self.inner[rows * k + b])
                };
            }
        }
        for k in 0..5 {
            if rows == 4 {
                let row = four(std::array::from_fn(|b| between[4 * k + b]));
                for (i, value) in row.into_iter().enumerate() {
                    z[k + 5 * i] = value;
                }
            } else {
                let row = eight(std::array::from_fn(|b| between[8 * k + b]));
                for (i, value) in row.into_iter().enumerate() {
                    z[k + 5 * i] = value;
                }
            }
        }
    }

    fn forward(&self, input: &[f32], re: &mut [f32], im: &mut [f32]) {
        let (input, re, im) = (&input[..8 * M], &mut re[..4 * M + 1], &mut im[..4 * M + 1]);
        let mut z = [Pair::ZERO; M];
        for (z, x) in z.iter_mut().zip(input.as_chunks::<8>().0) {
            *z = Pair {
                re: Lanes([x[0], x[1], x[2], x[3]]),
                im: Lanes([x[4], x[5], x[6], x[7]]),
            };
        }
        self.inner(&mut z);
        for group in 0..(M / 2 + 4) / 4 {
            let mut sums = [Pair::ZERO; 4];
            let mut differences = [Pair::ZERO; 4];
            for i in 0..4 {
                let k = 4 * group + i;
                let (a, b) = (z[k], z[(M - k) % M]);
                let low = Pair {
                    re: a.re + b.re,
                    im: a.im - b.im,
                };
                // Minus i times the difference.
                let high = Pair {
                    re: a.im + b.im,
                    im: b.re - a.re,
                };
                let (low, high) = (low.times(self.apart[k][0]), high.times(self.apart[k][1]));
                sums[i] = low.plus(high);
                differences[i] = low.minus(high).times(self.eighth);
            }
            let even = four(across(sums));
            let odd = four(across(differences));
            let k = 4 * group;
            for j in 0..4 {
                let x = if j % 2 == 0 { even[j / 2] } else { odd[j / 2] };
                let at = j * M + k;
                re[at..at + 4].copy_from_slice(&x.re.0);
                im[at..at + 4].copy_from_slice(&x.im.0);
            }
            for j in 4..8 {
                let x = if j % 2 == 0 { even[j / 2] } else { odd[j / 2] };
                let at = (8 - j) * M - k - 3;
                re[at..at + 4].copy_from_slice(&x.re.reversed().0);
                im[at..at + 4].copy_from_slice(&(-x.im).reversed().0);
            }
        }
    }

    fn inverse(&self, re: &[f32], im: &[f32], output: &mut [f32]) {
        let (re, im, output) = (&re[..4 * M + 1], &im[..4 * M + 1], &mut output[..8 * M]);
        let mut z = [Pair::ZERO; M];
        for group in 0..(M / 2 + 4) / 4 {
            let k = 4 * group;
            // Backwards is forwards with the parts swapped.
            let even = four([
                ahead(re, im, k),
                ahead(re, im, 2 * M + k),
                behind(re, im, 4 * M - k),
                behind(re, im, 2 * M - k),
            ]);
            let odd = four([
                ahead(re, im, M + k),
                ahead(re, im, 3 * M + k),
                behind(re, im, 3 * M - k),
                behind(re, im, M - k),
            ]);
            let (even, odd) = (across(even), across(odd));
            for i in 0..4 {
                let k = k + i;
                let turned = odd[i].times(self.eighth);
                let sum = even[i].plus(turned).swapped();
                let difference = even[i].minus(turned).swapped();
                let low = sum.times(self.joined[k][0]);
                let high = difference.times(self.joined[k][1]);
                // The inner transform goes back as well: its parts are stored swapped.
                z[k] = Pair {
                    re: low.im + high.re,
                    im: low.re - high.im,
                };
                if k > 0 {
                    z[M - k] = Pair {
                        re: high.re - low.im,
                        im: low.re + high.im,
                    };
                }
            }
        }
        self.inner(&mut z);
        for (z, x) in z.iter().zip(output.as_chunks_mut::<8>().0) {
            let (a, b) = (z.im.0, z.re.0);
            *x = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        }
    }
}

/// Four bins from `at` on, their parts swapped.
#[inline(always)]
fn ahead(re: &[f32], im: &[f32], at: usize) -> Pair {
    let (re, im) = (&re[at..at + 4], &im[at..at + 4]);
    Pair {
        re: Lanes([im[0], im[1], im[2], im[3]]),
        im: Lanes([re[0], re[1], re[2], re[3]]),
    }
}

/// The conjugates of four bins from `at` back, their parts swapped.
#[inline(always)]
fn behind(re: &[f32], im: &[f32], at: usize) -> Pair {
    let (re, im) = (&re[at - 3..at + 1], &im[at - 3..at + 1]);
    Pair {
        re: -Lanes([im[3], im[2], im[1], im[0]]),
        im: Lanes([re[3], re[2], re[1], re[0]]),
    }
}

#[inline(always)]
fn across(rows: [Pair; 4]) -> [Pair; 4] {
    let re = transposed(rows.map(|row| row.re));
    let im = transposed(rows.map(|row| row.im));
    std::array::from_fn(|i| Pair {
        re: re[i],
        im: im[i],
    })
}

static SHORT: LazyLock<Plan<20>> = LazyLock::new(Plan::new);
static LONG: LazyLock<Plan<40>> = LazyLock::new(Plan::new);

/// A real transform of two blocks, both ways; the tables are the process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    /// 160 samples, 81 bins.
    Short,
    /// 320 samples, 161 bins.
    Long,
}

impl Transform {
    /// The spectrum of `input`, real and imaginary parts.
    pub(crate) fn forward(self, input: &[f32], re: &mut [f32], im: &mut [f32]) {
        match self {
            Transform::Short => SHORT.forward(input, re, im),
            Transform::Long => LONG.forward(input, re, im),
        }
    }

    /// The signal of a spectrum whose first and last bin are real; it undoes [`Transform::forward`].
    pub(crate) fn inverse(self, re: &[f32], im: &[f32], output: &mut [f32]) {
        match self {
            Transform::Short => SHORT.inverse(re, im, output),
            Transform::Long => LONG.inverse(re, im, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_transform_of_the_definition_and_back_again() {
        for (transform, length) in [(Transform::Short, 160), (Transform::Long, 320)] {
            let input: Vec<f32> = (0..length).map(|n| ((n * n) as f32 * 0.37).sin()).collect();
            let bins = length / 2 + 1;
            let (mut re, mut im) = (vec![0.0; bins], vec![0.0; bins]);
            transform.forward(&input, &mut re, &mut im);
            for k in 0..bins {
                let (mut wanted_re, mut wanted_im) = (0.0, 0.0);
                for (n, x) in input.iter().enumerate() {
                    let angle = -TAU * (k * n % length) as f64 / length as f64;
                    wanted_re += f64::from(*x) * angle.cos();
                    wanted_im += f64::from(*x) * angle.sin();
                }
                assert!((wanted_re - f64::from(re[k])).abs() < 2e-5, "{length} {k}");
                assert!((wanted_im - f64::from(im[k])).abs() < 2e-5, "{length} {k}");
            }
            assert_eq!((im[0], im[bins - 1]), (0.0, 0.0));
            let mut back = vec![0.0; length];
            transform.inverse(&re, &im, &mut back);
            assert!(input.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
