"""HTS-AT: a hierarchical audio transformer with a token-semantic head (Chen et al. 2022).

The trunk is `ClapAudioModel` of the package transformers. It takes an input of 1,024 columns by 64
bands and folds it into an image of 256 x 256. Attention works on patches of 4 x 4 in windows of
8 x 8 patches, which are shifted in every second layer (Swin transformer, Liu et al. 2021). Three
times, four patches become one. The result is `(batch, feature, 2, 32)`: two rows of bands, and 32
tokens of 0.31 s in a window of 10 s. This is the true resolution.

The token-semantic head is not part of the trunk: a convolution of 2 x 3 gives a logit for each
label and token. Each is repeated for 32 steps, which makes 1,024 steps in a window.

Published trunks were trained on mel bands from 50 Hz to 14 kHz, in which no rumble is visible. At a
rate of 4 kHz half of those bands would be empty. The front end here has 64 bands in rising order
instead: 48 on long windows, 5-252 Hz, for rumbles and their harmonics, and 16 on short ones, up to
1.9 kHz, for the edges of gunshots. It has a frame every 10 ms; the trunk interpolates the 1,000
frames of a window to its 1,024 columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from loxo.augment import AugmentSettings
from loxo.events import EVENT_LABELS
from loxo.messages import one_line
from loxo.models.abstract_model import AbstractModel
from loxo.models.optimiser import OptimiserSettings
from loxo.spectrogram import Bands, FrontEnd

if TYPE_CHECKING:
    from transformers import ClapAudioModel

__all__ = ["HTSAT", "HTSATSettings", "load_trunk"]

COLUMNS = 1024
"""Columns of the trunk's input, and steps of the head's answer."""
BANDS = 64
"""Bands of the trunk's input."""
WINDOW_S = 10.0
"""Seconds of a window, as in the published trunks."""
ENCODER = "audio_encoder."
"""Beginning of the names of a trunk's weights, after the prefix of a whole CLAP model."""


@dataclass(frozen=True, slots=True)
class HTSATSettings:
    """Sizes of the trunk; the defaults are those of the published trunks.

    Args:
        embed_dim: features of a patch in the first stage; each further stage has twice as many.
        depths: attention layers of each of the four stages.
        heads: attention heads of each of the four stages.
        dropout: share of the values that are set to zero in training.
        context_s: seconds at either side of a window whose scores detection takes from the
            neighbouring windows.
        pretrained: weights of a trunk to start from: a folder with model.safetensors, or a name on
            the Hugging Face Hub such as `laion/clap-htsat-unfused`; empty for random weights. Its
            sizes must be those above. The statistics of its bands are not taken, since they belong
            to another front end.
        local_files_only: never contact the Hub; a name must have been downloaded before.

    Raises:
        ValueError: if a size is impossible.
    """

    embed_dim: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    dropout: float = 0.1
    context_s: float = 1.5
    pretrained: str = ""
    local_files_only: bool = False

    def __post_init__(self) -> None:
        four_stages = len(self.depths) == len(self.heads) == 4
        if not four_stages or min(*self.depths, *self.heads, self.embed_dim) < 1:
            raise ValueError(
                f"embed_dim {self.embed_dim} must be positive, and so must four depths"
                f" {self.depths} and four heads {self.heads}"
            )
        if any(self.embed_dim * 2**stage % heads for stage, heads in enumerate(self.heads)):
            raise ValueError(
                f"heads {self.heads} must divide the features of their stages:"
                f" embed_dim {self.embed_dim} times 1, 2, 4, 8"
            )
        if not (0 <= self.dropout < 1 and 0 <= self.context_s < WINDOW_S / 2):
            raise ValueError(
                f"dropout {self.dropout} must lie in [0, 1)"
                f" and context {self.context_s} s in [0, {WINDOW_S / 2:g})"
            )


class HTSAT(AbstractModel):
    """Hierarchical audio transformer; 1,024 scores per label in 10 s.

    Shape:
        - input: waveforms `(batch, sample)`
        - output: scores `(batch, label, step)`
    """

    FRONT_END: ClassVar[FrontEnd] = FrontEnd(
        hop=40,
        long=Bands(
            window=1600,
            per_frame=1,
            low_hz=5.0,
            high_hz=255.0,
            step_hz=2.5,
            knee_hz=40.0,
            ratio=1.0575,
        ),
        short=Bands(
            window=320,
            per_frame=1,
            low_hz=270.0,
            high_hz=1900.0,
            step_hz=13.0,
            knee_hz=0.0,
            ratio=1.138,
        ),
    )

    def __init__(
        self,
        settings: HTSATSettings | None = None,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(front_end, optimiser, labels, augment, seed)
        settings = HTSATSettings() if settings is None else settings
        grid, n_bands = self.front_end.grid, self.front_end.n_bands
        n_frames = grid.frames(WINDOW_S)
        # The trunk rejects more frames than it has columns, and interpolates fewer to its columns.
        # With less than half as many, most columns would be interpolated.
        if n_bands != BANDS or not COLUMNS // 2 <= n_frames <= COLUMNS:
            raise ValueError(
                f"htsat takes {BANDS} bands and up to {COLUMNS:,} frames in {WINDOW_S:g} s,"
                f" not {n_bands} bands and {n_frames:,} frames;"
                " set front_end as in configs/htsat.yaml"
            )
        self.window_frames, self.context_frames = n_frames, grid.frames(settings.context_s)
        self.trunk = load_trunk(settings)
        # Two rows of bands become one answer; three tokens see each other over time.
        self.head = nn.Conv2d(self.trunk.config.hidden_size, len(labels), (2, 3), padding=(0, 1))

    def network(self, features: Tensor) -> Tensor:
        # (batch, band, frame) -> (batch, 1, frame, band). Contiguous: of a transposed input, torch
        # 2.13 gives the trunk's batch norm wrong gradients on a processor.
        image = features.transpose(1, 2)[:, None].contiguous()
        tokens = self.trunk(image).last_hidden_state  # (batch, feature, 2, 32)
        logits: Tensor = self.head(tokens).squeeze(2)
        return logits.repeat_interleave(COLUMNS // logits.shape[-1], dim=2)


def load_trunk(settings: HTSATSettings) -> ClapAudioModel:
    """Build the trunk, with random weights or the pretrained ones of the settings.

    Raises:
        OSError: if there are none of that name, they are not safetensors, or of another size.
    """
    # Imported here: it takes seconds, which other architectures need not wait for.
    from transformers import ClapAudioConfig, ClapAudioModel

    trunk = ClapAudioModel(
        ClapAudioConfig(
            patch_embeds_hidden_size=settings.embed_dim,
            hidden_size=8 * settings.embed_dim,
            depths=settings.depths,
            num_attention_heads=settings.heads,
            hidden_dropout_prob=settings.dropout,
        )
    )
    if settings.pretrained:
        _fill(trunk, _pretrained(settings), settings.pretrained)
    _keep_position_index(trunk)
    return trunk


def _fill(trunk: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    """Set the weights of a trunk, except the statistics of its bands."""
    # The batch norm over the bands belongs to another front end, so it is initialised again.
    own = {key: parameter for key, parameter in trunk.named_parameters() if "batch_norm" not in key}
    differing = [
        key
        for key, parameter in own.items()
        if key not in weights or weights[key].shape != parameter.shape
    ]
    if differing:
        raise OSError(
            f"{name}: not a trunk of these sizes, {len(differing)} of {len(own)} weights are"
            f" missing or differ ({differing[0]}); set embed_dim, depths and heads to its own"
        )
    trunk.load_state_dict({key: weights[key] for key in own}, strict=False)


def _keep_position_index(trunk: nn.Module) -> None:
    """Make the tables of relative positions plain attributes instead of buffers.

    The weights that training keeps are a moving average that includes buffers, and an average of
    these integers would be rounded to wrong ones.
    """
    for module in trunk.modules():
        # Nothing public tells a module's own buffers by name.
        if "relative_position_index" in module._buffers:  # noqa: SLF001
            index = module.get_buffer("relative_position_index").clone()
            del module.relative_position_index
            module.relative_position_index = index


def _pretrained(settings: HTSATSettings) -> dict[str, Tensor]:
    """Read pretrained weights, by their names in the trunk.

    `from_pretrained` is of no use here: given a whole CLAP model, as the published ones are, it
    leaves every weight of the trunk random and only warns.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers.utils.hub import cached_file

    name = settings.pretrained
    try:
        path = cached_file(name, "model.safetensors", local_files_only=settings.local_files_only)
        weights = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"{name}: no pretrained trunk: give a folder with model.safetensors, or go online for"
            f" a name on the Hugging Face Hub ({one_line(error)[:120]})"
        ) from error
    # Published weights may be of half precision; other parts of a CLAP model have other names.
    return {
        key[key.index(ENCODER) :]: tensor.float()
        for key, tensor in weights.items()
        if ENCODER in key
    }
