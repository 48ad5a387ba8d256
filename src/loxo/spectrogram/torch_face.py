"""The torch face of the front end, for training: the same numbers as the NumPy face, a batch at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from loxo.spectrogram import SILENCE, Bands, FrontEnd, band_tables, decimation_table
from loxo.timeline import ceil_div

__all__ = ["TorchSpectrogram"]


class TorchSpectrogram(nn.Module):
    """Bel above the floor `(batch, band, frame)` of waveforms `(batch, sample)`; the same as `spectrogram` of each."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.front_end = front_end
        for name in ("long", "short"):
            bands: Bands = getattr(front_end, name)
            taper, bank = band_tables(bands, front_end.rate)
            self.register_buffer(f"{name}_window", torch.from_numpy(taper), persistent=False)
            self.register_buffer(f"{name}_bank", torch.from_numpy(bank), persistent=False)
            if bands.every > 1:
                self.register_buffer(f"{name}_decimation", torch.from_numpy(decimation_table(bands)), persistent=False)

    @torch.no_grad()
    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        front_end = self.front_end
        n_frames = front_end.grid.n_frames(waveform.shape[-1])
        missing = n_frames * front_end.hop - waveform.shape[-1]
        padded = functional.pad(waveform, (front_end.margin, front_end.margin + missing))
        power = torch.cat([self.band_power(padded, name, n_frames) for name in ("long", "short")], dim=2)
        return self.subtract_floor(torch.log10(power.clamp(min=SILENCE))).transpose(1, 2)

    def band_power(self, padded: torch.Tensor, name: str, n_frames: int) -> torch.Tensor:
        """Power `(batch, frame, band)`."""
        bands: Bands = getattr(self.front_end, name)
        bank: torch.Tensor = getattr(self, f"{name}_bank")
        samples = padded[:, self.front_end.margin - self.front_end.reach(bands) :]
        if bands.every > 1:
            samples = self.decimated(samples, name)
        taper: torch.Tensor = getattr(self, f"{name}_window")
        hop = self.front_end.hop // bands.per_frame // bands.every
        windows = samples.unfold(1, len(taper), hop)[:, : n_frames * bands.per_frame]
        spectrum = torch.fft.rfft(windows * taper)[..., : len(bank)]
        power: torch.Tensor = spectrum.abs().square() @ bank
        return power.reshape(len(padded), n_frames, -1)

    def decimated(self, samples: torch.Tensor, name: str) -> torch.Tensor:
        """Every `bands.every`-th sample `(batch, sample)` behind the low-pass filter, as far as it lies wholly in `samples`."""
        bands: Bands = getattr(self.front_end, name)
        table: torch.Tensor = getattr(self, f"{name}_decimation")
        step = table.shape[1] * bands.every
        n_out = (samples.shape[1] - bands.n_taps) // bands.every + 1
        n_rows = ceil_div(n_out, table.shape[1])
        missing = (n_rows + 1) * step - samples.shape[1]
        padded = functional.pad(samples, (0, max(0, missing)))[:, : (n_rows + 1) * step]
        rows = torch.unflatten(padded, 1, (n_rows + 1, step))
        out = rows[:, :-1] @ table[:step] + rows[:, 1:, : len(table) - step] @ table[step:]
        return out.flatten(1)[:, :n_out]

    def subtract_floor(self, log_power: torch.Tensor) -> torch.Tensor:
        heard = log_power > np.log10(SILENCE) + 0.01
        floor = self.running_mean(log_power, heard)
        floor = self.running_mean(torch.minimum(log_power, floor), heard)
        rise: torch.Tensor = (log_power - floor).clamp(-2.0, 5.0) * heard
        return rise

    def running_mean(self, values: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        total = self.running_sum(values * heard)
        return (total / self.running_sum(heard).clamp(min=1.0)).float()

    def running_sum(self, values: torch.Tensor) -> torch.Tensor:
        n_frames, reach = values.shape[1], self.front_end.floor_frames
        cumulative = functional.pad(values.double().cumsum(dim=1), (0, 0, 1, 0))
        frames = torch.arange(n_frames, device=values.device)
        return cumulative[:, (frames + reach + 1).clamp(max=n_frames)] - cumulative[:, (frames - reach).clamp(min=0)]
