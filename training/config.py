# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every knob of training, once, with its unit and range. A recipe is a YAML file of these keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from selfdepth_ros.core.config import knob, load_config
from selfdepth_ros.core.errors import ConfigError

RECIPES = Path(__file__).parent / 'recipes'
_BOTH_LEARNED = 'learned', 'learned'


@dataclass(frozen=True)
class NetworkConfig:
    """The depth network, and the ego motion network."""

    backbone: Literal['resnet', 'lite'] = 'resnet'
    """The encoder: ResNet, or a light one with dilated depthwise convolutions
    and attention between channels (Zhang et al., "Lite-Mono", 2023)."""
    layers: Literal[18, 34] = 18
    """Depth of the ResNet encoder (He et al. 2016)."""
    encoder: tuple[int, int, int, int, int] = (16, 32, 48, 96, 192)
    """Channels of the encoder at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input size. Multiples of 16
    fill the vectors of a processor: 24 channels take as long as 32."""
    upsampling: Literal['nearest', 'subpixel'] = 'nearest'
    """How the decoder doubles its size: 'nearest' repeats pixels, 'subpixel' has channels for each
    of the four finer ones (Pillai et al., "SuperDepth", 2019)."""
    scales: int = knob(1, low=1, high=4)
    """Sizes at which the decoder says a depth while it is trained: 1/2 of the input size, 1/4 and
    so on (Godard et al. 2017). The coarser ones are learned from and then thrown away."""
    pose_width: int = knob(16, low=8, high=64)
    """Channels of the first stage of the ego motion network, used where odometry is missing."""
    decoder: tuple[int, int, int, int] = (16, 32, 64, 128)
    """Channels of the decoder at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    head: Literal['histogram', 'sigmoid'] = 'histogram'
    """How the last layer says a depth: 'histogram' has a likelihood for each of some intervals of
    log depth, so that outlines are sharper and it knows how sure it is; 'sigmoid' one number."""
    intervals: int = knob(32, low=8, high=256)
    """Intervals of log depth that the histogram has."""
    min_depth_m: float = knob(0.5, unit='m', low=0.01, high=10.0)
    """Nearest depth the network can say, for a camera of the reference focal length."""
    max_depth_m: float = knob(100.0, unit='m', low=10.0, high=1000.0)
    """Farthest depth the network can say, for a camera of the reference focal length."""
    initial_depth_m: float = knob(12.0, unit='m', low=0.1, high=100.0)
    """What an untrained network says everywhere: near the median depth of a street ('sigmoid')."""


@dataclass(frozen=True)
class DataConfig:
    """Which frames are shown, and how."""

    width: int = knob(320, unit='px', low=64, high=2048)
    """Training width; a multiple of 32."""
    height: int = knob(192, unit='px', low=64, high=2048)
    """Training height; a multiple of 32."""
    rigs_per_step: int = knob(1, low=1, high=64)
    """Surround frames in a step on each device; every one brings all of its cameras. Steps on
    hints alone take as many single images instead, of any frames."""
    min_motion_m: float = knob(0.25, unit='m', low=0.0, high=10.0)
    """A temporal neighbour nearer than this is not used: it has no parallax."""
    max_motion_m: float = knob(1.8, unit='m', low=0.1, high=20.0)
    """A temporal neighbour farther than this is not used: it shares too little."""
    frames: int = knob(600, unit='frames', low=1, high=10_000_000)
    """Surround frames that are learned from, spread evenly over the recordings; all frames serve
    as their neighbours. Each costs a plane sweep, and frames half a metre apart are much alike."""
    held_out: float = knob(0.0, low=0.0, high=0.5)
    """Share of each recording's usable frames, the last of it, that is not learned from: what
    `selfdepth tune` judges on."""
    max_offset: int = knob(3, unit='frames', low=1, high=20)
    """Temporal neighbours are at most this many frames away."""
    without_odometry: Literal['visual', 'learned', 'still'] = 'visual'
    """How the robot moved where the recording does not say: 'visual' tracks corners before the
    training, with metres from the overlaps; 'learned' trains an ego motion network with it;
    'still' is for recipes that compare images of one moment, or none."""
    with_odometry: Literal['known', 'learned'] = 'known'
    """What becomes of the recording's odometry: 'known' takes its poses for true; 'learned' trains
    an ego motion network all the same, which loss.velocity may hold to odometry's distances."""
    labels: Literal['sweep', 'lidar'] = 'sweep'
    """Where the hints come from: 'sweep' compares the images themselves, 'lidar' projects the
    recording's LiDAR."""
    align_intensity: bool = False
    """Measure gain and offset of each camera's colours in the overlaps before the training, and
    compare cameras with each other only after them: for cameras with exposures or white balances
    of their own. Nothing else sees the corrected colours."""
    flip: bool = True
    """Flip the network's input (and its output back) at random; the geometry stays as it is."""
    flip_fusion: bool = False
    """Show the network every image and its mirror image, and train what both say together (Pillai
    et al. 2019); not for steps on hints alone. Steps take up to twice as long."""
    jitter: float = knob(0.05, low=0.0, high=0.5)
    """Strength of the random brightness, contrast and colour of the network's input."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms, and the fraction of the training at which each begins."""

    ssim: float = knob(0.85, low=0.0, high=1.0)
    """Share of SSIM in the photometric error; the rest is L1 (Godard et al. 2017)."""
    smoothness: float = knob(1e-3, low=0.0, high=1.0)
    """Weight of the edge-aware smoothness of the mean-normalised inverse depth."""
    temporal: float = knob(1.0, low=0.0, high=10.0)
    """Weight of each camera's error against itself before and after."""
    spatial: float = knob(0.1, low=0.0, high=10.0)
    """Weight of the spatial and spatio-temporal terms (Guizilini et al. 2022)."""
    spatial_times: Literal['both', 'now'] = 'both'
    """When neighbours are looked at: 'now' alone, or now and before or after ('both')."""
    sources: Literal['minimum', 'mean'] = 'minimum'
    """What counts of a pixel's errors against several images: the least (Godard et al. 2019), or
    their mean."""
    pyramid: Literal['full', 'own'] = 'full'
    """Size of the images that the coarser depths of network.scales are judged on: 'full', as the
    finest (Godard et al. 2019), or their own (Zhou et al. 2017)."""
    explainability: float = knob(0.0, low=0.0, high=10.0)
    """Weight that keeps the explainability mask (Zhou et al. 2017) from explaining nothing; 0: no
    mask. The network of a learned motion says it."""
    velocity: float = knob(0.0, low=0.0, high=10.0)
    """Weight of the difference, in metres, between the distance that a learned motion and that
    odometry moved (Guizilini et al., "3D packing", 2020), which makes it metric."""
    motion_from: float = knob(0.1, low=0.0, high=1.0)
    """Fraction of the training before learned motion may teach depth (without odometry)."""
    hint: float = knob(1.0, low=0.0, high=10.0)
    """Weight of the distance to the hint (data.labels): for the head a cross-entropy of the
    histogram, a difference of log depths of one number."""
    hint_error: Literal['head', 'log_l1', 'silog', 'berhu'] = 'head'
    """How the distance to a hint is measured: 'head' as the network's head does it; differences of
    log depths: absolute, scale-invariant (Eigen et al. 2014), reverse Huber (Laina et al.)."""
    hint_fades: bool = True
    """Whether hints count less and less until loss.hint_until, or alike until then."""
    images_from: float = knob(1.0, low=0.0, high=1.0)
    """Fraction of the training that learns from hints alone, where the motion of every recording
    is known: such a step takes a third of the time. Learned motion needs the images at once. All
    terms but `hint` belong to the steps on images."""
    hint_until: float = knob(1.0, low=0.01, high=1.0)
    """Fraction of the training at which the hints have faded out."""
    spatial_from: float = knob(0.1, low=0.0, high=1.0)
    """Fraction of the training before the spatial terms begin."""
    automask_from: float = knob(0.5, low=0.0, high=1.0)
    """Fraction of the training before pixels that the unwarped source fits better are dropped."""
    coarse_until: tuple[float, float, float] = (0.02, 0.08, 0.88)
    """Fractions of the training seen at 1/8, 1/4 and 1/2 of the image size: coarse images have a
    wide basin of convergence, full ones the accuracy."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Muon for the hidden layers, AdamW for the rest; the rates of both rise, stay and fall."""

    learning_rate: float = knob(1e-3, low=1e-6, high=1.0)
    """Peak learning rate of AdamW."""
    head_rate: float = knob(1e-2, low=1e-6, high=1.0)
    """Peak learning rate of AdamW for the weights of a histogram: its logits must go far."""
    muon_rate: float = knob(0.04, low=0.0, high=1.0)
    """Peak learning rate of Muon (Jordan et al. 2024); 0 leaves every layer to AdamW."""
    weight_decay: float = knob(1e-2, low=0.0, high=1.0)
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    warmup: float = knob(0.02, low=0.0, high=0.5)
    """Fraction of the steps in which the learning rates rise."""
    decay: float = knob(0.4, low=0.0, high=1.0)
    """Fraction of the steps, the last, in which they fall linearly."""
    clip: float = knob(10.0, low=0.0, high=1000.0)
    """Largest norm of the gradient."""


@dataclass(frozen=True)
class TrainConfig:
    """A recipe: what `selfdepth train --recipe NAME` runs."""

    name: str = 'fsm'
    """Name of the recipe."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    steps: int = knob(4000, low=1, high=10_000_000)
    """Steps of the whole training; `--minutes` replaces it by what fits into that time."""
    seed: int = knob(0, low=0, high=2**31 - 1)
    """Seed of the weights and of the order of the samples."""
    checkpoint_seconds: float = knob(60.0, unit='s', low=0.0, high=3600.0)
    """Time between two checkpoints: what a killed training loses at most."""
    precision: Literal['auto', '32-true', 'bf16-mixed'] = 'auto'
    """'auto' takes bfloat16 where the processor has it; losses are float32 always."""
    scale: Literal['metric', 'any'] = 'metric'
    """What depths may come out: 'metric' refuses a recording in which nothing tells metres, 'any'
    learns from it, and the result is marked as relative."""

    def __post_init__(self) -> None:
        data, loss = self.data, self.loss
        if loss.explainability and (data.with_odometry, data.without_odometry) != _BOTH_LEARNED:
            raise ConfigError(
                'loss.explainability: found a mask, which the network of a learned motion says, '
                'expected data.with_odometry and data.without_odometry to be learned.'
            )
        if data.without_odometry == 'still' and (loss.temporal or loss.spatial_times != 'now'):
            raise ConfigError(
                "data.without_odometry: found 'still' with terms that compare images of different "
                "times, expected loss.temporal 0 and loss.spatial_times 'now'."
            )


def load_recipe(name: str, overrides: Mapping[str, Any] | Iterable[str] = ()) -> TrainConfig:
    """Load a recipe by the name of a built-in one, or from a YAML file.

    Raises ConfigError for an unknown name, an unknown key, a wrong type or a value out of range.
    """
    path = Path(name) if name.endswith(('.yaml', '.yml')) else RECIPES / f'{name}.yaml'
    if not path.is_file():
        known = ', '.join(sorted(p.stem for p in RECIPES.glob('*.yaml')))
        raise ConfigError(
            f'Found no recipe {name!r}, expected one of {known} or the path of a YAML file.'
        )
    return load_config(TrainConfig, path, overrides)
