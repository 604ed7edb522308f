//! Spectra as the filters work on them: real and imaginary parts apart, so that neighbouring bins lie side by side and the compiler
//! takes four or more of them at once.

use super::Shape;
use crate::lanes::energy;
use crate::transform::Transform;

/// Spectra of one length in a row. What fills up each of them is zero and stays so.
#[derive(Debug, Clone)]
pub(super) struct Spectra {
    re: Vec<f32>,
    im: Vec<f32>,
    stride: usize,
    transform: Transform,
}

/// One spectrum, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) re: &'a [f32],
    pub(super) im: &'a [f32],
}

impl Spectra {
    pub(super) fn new(shape: Shape, count: usize) -> Spectra {
        Spectra {
            re: vec![0.0; count * shape.stride],
            im: vec![0.0; count * shape.stride],
            stride: shape.stride,
            transform: shape.transform,
        }
    }

    pub(super) fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    pub(super) fn copy_from(&mut self, other: &Spectra) {
        self.re.copy_from_slice(&other.re);
        self.im.copy_from_slice(&other.im);
    }

    /// Spectrum number `index`.
    pub(super) fn view(&self, index: usize) -> View<'_> {
        let range = index * self.stride..(index + 1) * self.stride;
        View {
            re: &self.re[range.clone()],
            im: &self.im[range],
        }
    }

    /// Real and imaginary part of spectrum number `index`, to be written.
    pub(super) fn view_mut(&mut self, index: usize) -> (&mut [f32], &mut [f32]) {
        let range = index * self.stride..(index + 1) * self.stride;
        (&mut self.re[range.clone()], &mut self.im[range])
    }

    /// Replaces spectrum number `index` by that of `signal`, two blocks.
    pub(super) fn transform(&mut self, index: usize, signal: &[f32]) {
        let at = index * self.stride;
        self.transform
            .forward(signal, &mut self.re[at..], &mut self.im[at..]);
    }

    /// The signal of spectrum number `index`, two blocks.
    pub(super) fn signal(&self, index: usize, out: &mut [f32]) {
        let at = index * self.stride;
        self.transform.inverse(&self.re[at..], &self.im[at..], out);
    }
}

impl View<'_> {
    /// Power of each bin.
    pub(super) fn powers(self, out: &mut [f32]) {
        for ((slot, re), im) in out.iter_mut().zip(self.re).zip(self.im) {
            *slot = re * re + im * im;
        }
    }

    /// Power of all bins.
    pub(super) fn power(self) -> f32 {
        energy(self.re) + energy(self.im)
    }
}
