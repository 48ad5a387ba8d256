"""The PyTorch implementation of the front end, for training: batches, on any device.

It follows `numpy_front_end` step by step; comments there explain the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from loxo.spectrogram.front_end import FLOOR_CELLS, FLOOR_STEP, Bands, FrontEnd
from loxo.spectrogram.numpy_front_end import (
    HIGHEST_BEL,
    LOWEST_BEL,
    SILENCE,
    SILENCE_BEL,
    band_tables,
    decimation_table,
)
from loxo.timeline import ceil_div

__all__ = ["TorchSpectrogram"]


class TorchSpectrogram(nn.Module):
    """Features of a batch of waveforms, equal to `spectrogram` of each.

    Shape:
        - input: `(batch, sample)` at the front end's rate
        - output: `(batch, band, frame)`, bel above the floor
    """

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.front_end = front_end
        # Buffers move to the model's device. They follow from the settings, so they are not saved
        # with the weights.
        for name in ("long", "short"):
            bands: Bands = getattr(front_end, name)
            taper, bank = band_tables(bands, front_end.rate)
            self.register_buffer(f"{name}_window", torch.from_numpy(taper), persistent=False)
            self.register_buffer(f"{name}_bank", torch.from_numpy(bank), persistent=False)
            if bands.decimation > 1:
                table = torch.from_numpy(decimation_table(bands))
                self.register_buffer(f"{name}_decimation", table, persistent=False)

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        # Mixed precision would round samples and powers to 8 bits: a strong low frequency would
        # then hide a faint one.
        with torch.autocast(waveform.device.type, enabled=False):
            return self.features(waveform.float())

    def features(self, waveform: Tensor) -> Tensor:
        """Bel above the floor `(batch, band, frame)`, in single precision."""
        front_end = self.front_end
        n_frames = front_end.grid.n_frames(waveform.shape[-1])
        missing = n_frames * front_end.hop - waveform.shape[-1]
        padded = functional.pad(waveform, (front_end.margin, front_end.margin + missing))
        power = torch.cat(
            [self.band_power(padded, name, n_frames) for name in ("long", "short")], dim=2
        )
        return self.subtract_floor(torch.log10(power.clamp(min=SILENCE))).transpose(1, 2)

    def band_power(self, padded: Tensor, name: str, n_frames: int) -> Tensor:
        """Power `(batch, frame, band)` of the bands on one length of windows."""
        bands: Bands = getattr(self.front_end, name)
        bank: Tensor = getattr(self, f"{name}_bank")
        taper: Tensor = getattr(self, f"{name}_window")
        samples = padded[:, self.front_end.margin - self.front_end.reach(bands) :]
        if bands.decimation > 1:
            samples = self.decimated(samples, name)
        hop = self.front_end.hop // bands.per_frame // bands.decimation
        windows = samples.unfold(1, len(taper), hop)[:, : n_frames * bands.per_frame]
        spectrum = torch.fft.rfft(windows * taper)[..., : len(bank)]
        power: Tensor = spectrum.abs().square() @ bank
        return power.reshape(len(padded), n_frames, -1)

    def decimated(self, samples: Tensor, name: str) -> Tensor:
        """Low-pass filter `(batch, sample)` and keep every `decimation`-th sample."""
        bands: Bands = getattr(self.front_end, name)
        table: Tensor = getattr(self, f"{name}_decimation")
        step = table.shape[1] * bands.decimation
        n_out = (samples.shape[1] - bands.n_taps) // bands.decimation + 1
        n_rows = ceil_div(n_out, table.shape[1])
        n_used = (n_rows + 1) * step
        padded = functional.pad(samples, (0, max(0, n_used - samples.shape[1])))[:, :n_used]
        rows = torch.unflatten(padded, 1, (n_rows + 1, step))
        out = rows[:, :-1] @ table[:step] + rows[:, 1:, : len(table) - step] @ table[step:]
        return out.flatten(1)[:, :n_out]

    def subtract_floor(self, log_power: Tensor) -> Tensor:
        """Bel above the floor `(batch, frame, band)`."""
        audible = log_power > SILENCE_BEL
        if self.front_end.floor_quantile is None:
            mean = self.running_mean(log_power, audible)
            floor = self.running_mean(torch.minimum(log_power, mean), audible)
        else:
            floor = self.quantile_floor(log_power, audible, self.front_end.floor_quantile)
        rise: Tensor = (log_power - floor).clamp(LOWEST_BEL, HIGHEST_BEL) * audible
        return rise

    def quantile_floor(self, log_power: Tensor, audible: Tensor, quantile: float) -> Tensor:
        """Quantile `(batch, frame, band)` of the mean levels of the cells around each point."""
        cell, step = self.front_end.floor_cell, self.front_end.floor_step
        n_frames = log_power.shape[1]
        filled = (0, 0, 0, -n_frames % cell)
        sums = torch.unflatten(functional.pad(log_power * audible, filled), 1, (-1, cell)).sum(2)
        counts = torch.unflatten(functional.pad(audible.float(), filled), 1, (-1, cell)).sum(2)
        levels = torch.where(counts > 0, sums / counts.clamp(min=1), torch.inf)
        n_points = ceil_div(n_frames, step) + 1
        after = (n_points - 1) * FLOOR_STEP + FLOOR_CELLS - levels.shape[1]
        padded = functional.pad(levels, (0, 0, FLOOR_CELLS, after), value=torch.inf)
        around = padded.unfold(1, 2 * FLOOR_CELLS, FLOOR_STEP)  # (batch, point, band, cell)
        ranked = around.sort(dim=-1).values
        n_known = ranked.isfinite().sum(dim=-1, keepdim=True)
        position = (quantile * (n_known - 1)).clamp(min=0)
        below = position.long()
        above = torch.minimum(below + 1, (n_known - 1).clamp(min=0))
        low, high = ranked.gather(-1, below), ranked.gather(-1, above)
        low, high = (torch.where(n_known > 0, value, 0.0) for value in (low, high))
        points = (low + (high - low) * (position - below))[..., 0]
        weight = (torch.arange(step, device=points.device) / step)[:, None]
        between = points[:, :-1, None] + (points[:, 1:] - points[:, :-1])[:, :, None] * weight
        return between.flatten(1, 2)[:, :n_frames]

    def running_mean(self, values: Tensor, audible: Tensor) -> Tensor:
        """Mean over the audible frames around each frame."""
        total = self.running_sum(values * audible)
        return (total / self.running_sum(audible).clamp(min=1.0)).float()

    def running_sum(self, values: Tensor) -> Tensor:
        """Sum over the frames around each frame, as a difference of cumulative sums.

        In double precision: in single precision the sums of an hour would lose the last digits.
        """
        n_frames, reach = values.shape[1], self.front_end.floor_frames
        cumulative = functional.pad(values.double().cumsum(dim=1), (0, 0, 1, 0))
        frames = torch.arange(n_frames, device=values.device)
        above = cumulative[:, (frames + reach + 1).clamp(max=n_frames)]
        below = cumulative[:, (frames - reach).clamp(min=0)]
        return above - below
