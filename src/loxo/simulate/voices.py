"""Calls of animals and people that are confused with rumbles or gunshots.

- Roars: 0.5-4 s, harmonics of 60-500 Hz that break into noise and subharmonics (deterministic
  chaos) from one part to the next, with an abrupt start and end, after Stoeger et al. 2011.
- Blows: an elephant's breath, 0.3-2.5 s of noise without a pitch that starts abruptly and holds,
  with a few resonances of the tract.
- Trumpets: 0.2-2.5 s, fundamental 300-700 Hz, bright harmonics, often in a staccato.
- Barks: dogs 0.05-0.3 s, fundamental 200-900 Hz in an arch, tonal or hoarse, in series or alone,
  of one dog or several, after Yin and McCowan 2004; baboons and bushbuck are similar.
- Frogs: trains of tonal pulses; choruses that begin at once. Insects: trills in a narrow band above
  1 kHz. Birds: hoots and whistles.
- Speech: fundamental 90-250 Hz in syllables, four a second. A distant radio: constant notes.
- Music: bass notes of 40-120 Hz on a beat of 60-150 a minute, drums, little else from afar.
"""

from __future__ import annotations

import numpy as np

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.beds import frogs
from loxo.simulate.propagation import propagate
from loxo.simulate.rumbles import pitch_contour
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    formants_db,
    harmonics,
    high_pass_db,
    low_pass_db,
    ramped_envelope,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = [
    "bark",
    "bird",
    "blow",
    "frog",
    "frog_chorus",
    "insects",
    "music",
    "people",
    "roar",
    "trumpet",
]


def _call(rng: Rng, f0: Array, rate: int, *, noise: float, tract: tuple[float, float]) -> Array:
    """Make harmonics and noise `(sample,)`, filtered by a tract of three formants.

    Args:
        f0: fundamental frequency in Hz `(sample,)`.
        noise: amplitude of the noise relative to the harmonics.
        tract: corners of the tract's high-pass and low-pass in Hz.
    """
    voice = unit_variance(harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 1500, 10000)))
    source = voice + noise * rng.standard_normal(len(f0))
    formants = [
        (log_uniform(rng, 150, 2000), rng.uniform(60, 300), rng.uniform(3, 18)) for _ in range(3)
    ]
    # The tract passes little below its opening, hence the steep high-pass.
    slopes = rng.uniform(6, 36), rng.uniform(3, 12)  # dB per octave
    return filtered(
        source,
        rate,
        lambda f: (
            formants_db(f, formants)
            + high_pass_db(f, tract[0], slopes[0])
            + low_pass_db(f, tract[1], slopes[1])
        ),
    )


def _received(rng: Rng, call: Array, rate: int, farthest_km: float = 1.0) -> Array:
    """Propagate a call over 10 m to `farthest_km`."""
    distance_km = log_uniform(rng, 0.01, farthest_km)
    return propagate(rng, call, rate, distance_km, echo_db=rng.uniform(-25, -4))


def roar(rng: Rng, rate: int) -> Array:
    """Make an elephant's roar: harmonic, subharmonic and noisy parts in one loud, abrupt call."""
    n = samples_at(log_uniform(rng, 0.5, 4), rate)
    f0 = _roar_fundamental(rng, n, rate)
    tract = log_uniform(rng, 60, 350), log_uniform(rng, 500, 2500)
    voiced = unit_variance(_call(rng, f0, rate, noise=rng.uniform(0.05, 1.0), tract=tract))
    # Chaos has subharmonics of a half or a third of the fundamental, and more noise.
    subharmonic = f0 / rng.integers(2, 4)
    chaotic = unit_variance(_call(rng, subharmonic, rate, noise=rng.uniform(1, 6), tract=tract))
    # Parts last a tenth of a second or more; each is nearer to one of the two.
    knots = max(2, samples_at(seconds_at(n, rate), 5))
    share = np.clip(random_curve(rng, n, knots, -0.7, 1.7) + rng.uniform(-0.6, 0.6), 0, 1)
    # Two sources that beat against each other make a voice rough.
    roughness, beat_hz = rng.uniform(0, 0.6), rng.uniform(15, 70)
    rough = 1 + roughness * np.sin(2 * np.pi * beat_hz * times_s(n, rate))
    call = (share * chaotic + (1 - share) * voiced) * rough
    if rng.random() < 0.4:
        envelope = wavering_envelope(rng, n, rate, 0.1, 0.2)
    else:
        envelope = ramped_envelope(n, rate, log_uniform(rng, 0.01, 0.15))
    return _received(rng, call * envelope, rate)


def _roar_fundamental(rng: Rng, n: int, rate: int) -> Array:
    """Draw the fundamental of a roar `(sample,)` in Hz: a contour that wobbles quickly."""
    pitch_hz = log_uniform(rng, 60, 500)
    depth = rng.uniform(0.03, 0.25)
    knots = max(3, samples_at(seconds_at(n, rate), 12))  # twelve a second
    wobble = random_curve(rng, n, knots, -depth, depth) * rng.uniform(0, 1)
    bend = rng.uniform(0, 0.5)
    course = bend * pitch_contour(rng, n, str(rng.choice(["arched", "flat", "falling"])))
    f0: Array = pitch_hz * (1 + course) * (1 + wobble)
    return f0


def blow(rng: Rng, rate: int) -> Array:
    """Make the breath that an elephant blows through its trunk.

    It is noise that starts as abruptly as a gunshot, but then holds.
    """
    n = samples_at(log_uniform(rng, 0.3, 2.5), rate)
    tract = log_uniform(rng, 40, 400), log_uniform(rng, 300, 2500)
    formants = [
        (log_uniform(rng, 80, 1500), rng.uniform(60, 400), rng.uniform(0, 15)) for _ in range(3)
    ]
    slopes = rng.uniform(6, 24), rng.uniform(3, 15)  # dB per octave
    breath = coloured_noise(
        rng,
        n,
        rate,
        lambda f: (
            formants_db(f, formants)
            + high_pass_db(f, tract[0], slopes[0])
            + low_pass_db(f, tract[1], slopes[1])
        ),
    )
    wavering_db = random_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 4)), -6, 0)
    envelope = ramped_envelope(n, rate, log_uniform(rng, 0.005, 0.08))
    return _received(rng, breath * envelope * amplitude_factor(wavering_db), rate, farthest_km=0.5)


def trumpet(rng: Rng, rate: int) -> Array:
    """Make an elephant's trumpet: bright harmonics, in one piece or in a staccato."""
    count = int(rng.integers(2, 5)) if rng.random() < 0.35 else 1
    seconds = (0.12, 0.5) if count > 1 else (0.2, 2.5)
    pitch_hz, noise = log_uniform(rng, 300, 700), log_uniform(rng, 0.03, 1.5)
    parts = []
    for _ in range(count):
        n = samples_at(log_uniform(rng, *seconds), rate)
        course = 0.75 + 0.35 * pitch_contour(rng, n, "arched")
        f0 = pitch_hz * course * (1 + random_curve(rng, n, 6, -0.03, 0.03))
        call = _call(rng, f0, rate, noise=noise, tract=(0.8 * pitch_hz, 3000))
        part = call * ramped_envelope(n, rate, rng.uniform(0.01, 0.1))
        gap_n = samples_at(rng.uniform(0.03, 0.3), rate) if count > 1 else 0
        parts.append(np.pad(part, (0, gap_n)))
    return _received(rng, np.concatenate(parts), rate)


def bark(rng: Rng, rate: int) -> Array:
    """Make barks of one to three dogs, baboons or bushbuck: single, in pairs or in long series."""
    # Most come from one animal. Several bark across one another.
    dogs = [_barks(rng, rate) for _ in range(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))]
    together = np.zeros(max(map(len, dogs)))
    for dog in dogs:
        start = rng.integers(0, len(together) - len(dog) + 1)
        together[start : start + len(dog)] += dog
    return _received(rng, together, rate, farthest_km=0.8)


def _barks(rng: Rng, rate: int) -> Array:
    """Make the barks of one animal, of similar pitch."""
    pitch_hz = log_uniform(rng, 160, 900)
    seconds, gap_s = log_uniform(rng, 0.05, 0.3), log_uniform(rng, 0.1, 1.2)
    # From clear tones to barks so hoarse that they have no pitch.
    noise, attack_s = log_uniform(rng, 0.05, 4), log_uniform(rng, 0.003, 0.05)
    tract = log_uniform(rng, 0.4, 1) * pitch_hz, log_uniform(rng, 800, 4000)
    in_pairs = rng.random() < 0.25
    parts = []
    for index in range(int(log_uniform(rng, 1, 15))):
        n = samples_at(seconds * rng.uniform(0.8, 1.2), rate)
        f0 = pitch_hz * rng.uniform(0.9, 1.1) * (0.7 + 0.4 * pitch_contour(rng, n, "arched"))
        call = unit_variance(_call(rng, f0, rate, noise=noise, tract=tract))
        part = call * ramped_envelope(n, rate, attack_s) * np.linspace(1, rng.uniform(0.1, 1), n)
        pause_s = gap_s * rng.uniform(0.7, 1.3) * (0.3 if in_pairs and index % 2 == 0 else 1)
        parts.append(np.pad(rng.uniform(0.5, 1) * part, (0, samples_at(pause_s, rate))))
    return np.concatenate(parts)


def bird(rng: Rng, rate: int) -> Array:
    """Make hoots or whistles, single or repeated."""
    n = samples_at(rng.uniform(0.1, 0.9), rate)
    f0 = log_uniform(rng, 180, 1700) * (1 + rng.uniform(-0.3, 0.3) * np.linspace(0, 1, n))
    tone = np.sin(2 * np.pi * np.cumsum(f0) / rate)
    note = tone * wavering_envelope(rng, n, rate, 0.2, 0.3)
    gap_n = samples_at(rng.uniform(0.1, 0.8), rate)
    return np.tile(np.pad(note, (0, gap_n)), rng.integers(1, 6))


def frog(rng: Rng, rate: int) -> Array:
    """Make croaks: trains of short tonal pulses."""
    n = samples_at(rng.uniform(0.01, 0.06), rate)
    tone = np.sin(2 * np.pi * log_uniform(rng, 150, 1600) * times_s(n, rate))
    pulse = np.exp(-np.linspace(0, 5, n)) * tone
    gap_n = samples_at(rng.uniform(0.02, 0.3), rate)
    return np.tile(np.pad(pulse, (0, gap_n)), rng.integers(4, 25))


def frog_chorus(rng: Rng, rate: int) -> Array:
    """Make a chorus of frogs that begins within a second, and ends almost as soon."""
    n = samples_at(rng.uniform(5, 20), rate)
    chorus = frogs(rng, rate)(rng, n)
    # One frog begins, and at once all do.
    edges = ramped_envelope(n, rate, log_uniform(rng, 0.02, 1.0))
    change_db = random_curve(rng, n, max(2, samples_at(seconds_at(n, rate), 1)), -6, 0)
    return _received(rng, chorus * edges * amplitude_factor(change_db), rate)


def insects(rng: Rng, rate: int) -> Array:
    """Make a cicada or a cricket: a narrow band, trilled at 5-60 Hz."""
    n = samples_at(rng.uniform(0.5, 8), rate)
    centre_hz, width_hz = rng.uniform(0.25, 0.46) * rate, rng.uniform(15, 150)
    # The limit keeps a floor 120 dB below the band, so that levels stay above the rounding.
    band = coloured_noise(
        rng, n, rate, lambda f: -3 * np.minimum(((f - centre_hz) / width_hz) ** 2, 40)
    )
    trill = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(5, 60) * times_s(n, rate))
    return band * trill ** rng.uniform(0.3, 4) * wavering_envelope(rng, n, rate, 0.1, 0.1)


def people(rng: Rng, rate: int) -> Array:
    """Make distant voices, or the music of a radio: a series of syllables or notes."""
    music = rng.random() < 0.4
    pitch_hz = log_uniform(rng, 60, 400) if music else log_uniform(rng, 90, 250)
    parts = []
    for _ in range(rng.integers(3, 14)):
        n = samples_at(rng.uniform(0.2, 0.5) if music else rng.uniform(0.08, 0.3), rate)
        glide = np.ones(n) if music else 1 + rng.uniform(-0.2, 0.2) * np.linspace(0, 1, n)
        f0 = pitch_hz * 2 ** (rng.integers(-5, 6) / 12) * glide  # in semitones
        call = _call(rng, f0, rate, noise=rng.uniform(0, 0.3), tract=(0.8 * pitch_hz, 1500))
        note = call * ramped_envelope(n, rate, 0.03)
        # Notes follow one another without a gap, syllables do not.
        gap_n = 0 if music else samples_at(rng.uniform(0.02, 0.2), rate)
        parts.append(np.pad(note, (0, gap_n)))
    return _received(rng, np.concatenate(parts), rate)


def music(rng: Rng, rate: int) -> Array:
    """Make music from afar: a bass line, drums on the beat, perhaps a tune.

    Walls and forest take the highs; what carries far is bass.
    """
    beat_s, count = 60 / rng.uniform(60, 150), int(rng.integers(8, 33))
    # Not longer than 20 s; the last note has its time.
    count = min(count, int(20 / beat_s))
    out = np.zeros(samples_at(beat_s * (count + 1), rate))
    root_hz = log_uniform(rng, 40, 100)
    # A pattern of four or eight beats is repeated, as in most music.
    bar = int(rng.choice([4, 8]))
    steps = rng.choice([0, 0, 3, 5, 7, 10, -2], size=bar)
    held, struck = rng.uniform(0.3, 1.0), rng.uniform(0, 1.5) * (rng.random(bar) < 0.7)
    harmonics_db = rng.uniform(-25, 0)
    for beat in range(count):
        start, n = samples_at(beat * beat_s, rate), samples_at(beat_s * held, rate)
        note = _bass_note(root_hz * 2 ** (steps[beat % bar] / 12), n, rate, harmonics_db)
        out[start : start + n] += note
        if struck[beat % bar]:
            drum = struck[beat % bar] * _drum(rng, rate)
            out[start : start + len(drum)] += drum[: len(out) - start]
    if rng.random() < 0.4:
        # The tune is repeated as well.
        out += rng.uniform(0.1, 1) * np.resize(unit_variance(people(rng, rate)), len(out))
    top_hz, slope_db = log_uniform(rng, 100, 2000), rng.uniform(6, 18)
    muffled = filtered(out, rate, lambda f: low_pass_db(f, top_hz, slope_db))
    return _received(rng, muffled, rate, farthest_km=1.5)


def _bass_note(pitch_hz: float, n: int, rate: int, harmonics_db: float) -> Array:
    """Make a note of a bass `(sample,)`: three harmonics that fade."""
    phase = 2 * np.pi * pitch_hz * times_s(n, rate)
    factor = amplitude_factor(harmonics_db)
    note = np.sin(phase) + factor * np.sin(2 * phase) + 0.5 * factor * np.sin(3 * phase)
    return note * np.exp(-1.5 * np.linspace(0, 1, n)) * ramped_envelope(n, rate, 0.02)


def _drum(rng: Rng, rate: int) -> Array:
    """Make a stroke of a drum `(sample,)`: a tone that falls to 40-120 Hz, and noise."""
    time_s = times_s(samples_at(0.4, rate), rate)
    lowest_hz, decay_s = rng.uniform(40, 120), rng.uniform(0.03, 0.12)
    cycles = lowest_hz * (time_s - 0.02 * rng.uniform(0, 3) * np.exp(-time_s / 0.02))
    stroke = np.sin(2 * np.pi * cycles) + rng.uniform(0, 0.7) * rng.standard_normal(len(time_s))
    return stroke * np.exp(-time_s / decay_s)
