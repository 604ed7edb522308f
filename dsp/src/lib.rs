//! Signal processing on blocks of samples: tones, levels, concealment, resampling, echo.
