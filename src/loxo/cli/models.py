"""`loxo models`: the models that come with the package."""

from __future__ import annotations

__all__ = ["models"]


def models() -> None:
    """List the models that come with the package: input, thresholds, folder and calibration."""
    from loxo.model_folder import load_spec, packaged_models

    for name, folder in packaged_models().items():
        spec = load_spec(folder)
        input_format = f"{spec.front_end.rate} Hz, frames of {spec.front_end.grid.frame_s:g} s"
        thresholds = ", ".join(
            f"{label} {processing.threshold:g}"
            for label, processing in spec.post_processing.items()
        )
        print(f"{name} {spec.version}: {input_format}, thresholds {thresholds}; {folder}")
        if spec.prior:
            print(f"  {spec.prior}")
