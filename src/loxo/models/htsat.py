"""HTS-AT, a hierarchical audio transformer with a token-semantic head (Chen et al. 2022), on a front end made for rumbles.

The trunk is `ClapAudioModel` of the package transformers. It takes 64 bands by 1,024 columns, folds them into a picture of 256 x 256, and
looks at patches of 4 x 4 in windows of 8 x 8 patches, shifted in every second layer; three times it joins four patches into one. What
comes out is `(batch, feature, 2, 32)`: two rows of bands, 32 tokens of 0.31 s in a window of 10 s, which is the true resolution. The head
that makes an event of each token is not part of the trunk: a convolution of 2 x 3 over it gives a logit for each class and token, and
each is held for 32 steps: 1,024 steps a window.

Trunks were trained on mel bands from 50 Hz to 14 kHz, where no rumble is seen, and at 4 kHz half of those bands would be empty. The front
end here has 64 bands in one rising row: 48 on long windows, from 5 to 252 Hz, where rumbles and their harmonics are, and 16 on short ones
up to 1.9 kHz, where the edges of shots are, a frame every 10 ms. The trunk interpolates the 1,000 frames of a window to its 1,024 columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.spectrogram import Bands, FrontEnd

if TYPE_CHECKING:
    from transformers import ClapAudioModel

__all__ = ["HTSAT", "HTSATSettings", "load_trunk"]

COLUMNS = 1024
"""Columns of the picture that the trunk takes; the head answers as many steps."""
BANDS = 64
WINDOW_S = 10.0
ENCODER = "audio_encoder."
"""How the names of a trunk's weights begin, behind what a whole CLAP model puts before them."""


@dataclass(frozen=True, slots=True)
class HTSATSettings:
    """Sizes of the trunk, stage by stage; the defaults are those of the published trunks.

    Args:
        embed_dim: features of a patch; each stage after the first has twice as many.
        depths, heads: layers of each of the four stages, and heads of their attention.
        context_s: seconds at either side of a window whose scores detection takes from its neighbours.
        pretrained: a trunk to begin with: a folder, or a name on the Hugging Face Hub, for example `laion/clap-htsat-unfused`. Its sizes
            must be these, its weights in safetensors. The statistics of its bands are left out: they are of another front end.
        local_files_only: never ask the hub; a name must then have been downloaded before.

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
        if len(self.depths) != 4 or len(self.heads) != 4 or min(*self.depths, *self.heads, self.embed_dim) < 1:
            raise ValueError(f"embed_dim {self.embed_dim} must be positive, and so four depths {self.depths} and four heads {self.heads}")
        if any(self.embed_dim * 2**stage % heads for stage, heads in enumerate(self.heads)):
            raise ValueError(f"heads {self.heads} must divide the features of their stages: embed_dim {self.embed_dim} times 1, 2, 4, 8")
        if not (0 <= self.dropout < 1 and 0 <= self.context_s < WINDOW_S / 2):
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1) and context {self.context_s} s in [0, {WINDOW_S / 2:g})")


class HTSAT(AbstractModel):
    """Scores `(batch, class, step)` of waveforms `(batch, sample)`, 1,024 steps in 10 s."""

    FRONT_END: ClassVar[FrontEnd] = FrontEnd(
        hop=40,
        long=Bands(window=1600, per_frame=1, low_hz=5.0, high_hz=255.0, step_hz=2.5, knee_hz=40.0, ratio=1.0575),
        short=Bands(window=320, per_frame=1, low_hz=270.0, high_hz=1900.0, step_hz=13.0, knee_hz=0.0, ratio=1.138),
    )

    def __init__(
        self, settings: HTSATSettings | None = None, front_end: FrontEnd | None = None, optimiser: OptimiserSettings | None = None
    ) -> None:
        super().__init__(front_end, optimiser)
        settings = HTSATSettings() if settings is None else settings
        grid = self.front_end.grid
        if self.front_end.n_bands != BANDS or not COLUMNS // 2 <= grid.frames(WINDOW_S) <= COLUMNS:
            raise ValueError(
                f"htsat takes {BANDS} bands and up to {COLUMNS:,} frames in {WINDOW_S:g} s, not {self.front_end.n_bands} bands and"
                f" {grid.frames(WINDOW_S):,} frames; set front_end as in configs/htsat.yaml"
            )
        self.window_frames, self.context_frames = grid.frames(WINDOW_S), grid.frames(settings.context_s)
        self.trunk = load_trunk(settings)
        features = self.trunk.config.hidden_size
        self.head = nn.Conv2d(features, len(EVENT_LABELS), (2, 3), padding=(0, 1))

    def network(self, features: Tensor) -> Tensor:
        # Contiguous: of a transposed picture, torch 2.13 gives the trunk's batch norm wrong gradients on a processor.
        tokens = self.trunk(features.transpose(1, 2)[:, None].contiguous()).last_hidden_state
        logits: Tensor = self.head(tokens).squeeze(2)
        return logits.repeat_interleave(COLUMNS // logits.shape[-1], dim=2)


def load_trunk(settings: HTSATSettings) -> ClapAudioModel:
    """The trunk, with weights by chance or the pretrained ones that are asked for.

    Raises:
        OSError: if there are none of that name, they are not safetensors, or of another size.
    """
    # Here, since it takes seconds that the other architectures need not wait.
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
        weights = _pretrained(settings)
        own = {name: parameter for name, parameter in trunk.named_parameters() if "batch_norm" not in name}
        differing = [name for name, parameter in own.items() if name not in weights or weights[name].shape != parameter.shape]
        if differing:
            raise OSError(
                f"{settings.pretrained}: not a trunk of these sizes, {len(differing)} of {len(own)} weights are missing or differ"
                f" ({differing[0]}); set embed_dim, depths and heads to its own"
            )
        trunk.load_state_dict({name: weights[name] for name in own}, strict=False)
    _keep_places(trunk)
    return trunk


def _keep_places(trunk: nn.Module) -> None:
    """Make the table of relative places in a window a plain attribute: as a buffer it would be averaged with the weights, and rounded."""
    for module in trunk.modules():
        if "relative_position_index" in module._buffers:  # noqa: SLF001  # nothing public tells a module's own buffers by name
            places = module.get_buffer("relative_position_index").clone()
            del module.relative_position_index
            module.relative_position_index = places


def _pretrained(settings: HTSATSettings) -> dict[str, Tensor]:
    """Weights by their names in the trunk; what surrounds a trunk in its file is left out.

    `from_pretrained` is of no use here: given a whole CLAP model, as the published ones are, it leaves every weight of the trunk at chance
    with no more than a warning.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers.utils.hub import cached_file

    name = settings.pretrained
    try:
        weights = load_file(str(cached_file(name, "model.safetensors", local_files_only=settings.local_files_only)))
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise OSError(
            f"{name}: no pretrained trunk: give a folder with model.safetensors, or go online for a name of the hub ({reason})"
        ) from error
    return {key[key.index(ENCODER) :]: tensor.float() for key, tensor in weights.items() if ENCODER in key}
