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

    backbone: Literal['resnet', 'lite', 'packnet'] = 'resnet'
    """The encoder: ResNet, a light one with dilated depthwise convolutions and attention between
    channels (Zhang et al., "Lite-Mono", 2023), or packing (Guizilini et al., "PackNet", 2020)."""
    layers: Literal[18, 34] = 18
    """Depth of the ResNet encoder (He et al. 2016)."""
    encoder: tuple[int, int, int, int, int] = knob((16, 32, 48, 96, 192), low=1, high=4096)
    """Channels of the encoder at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input size. Multiples of 16
    fill the vectors of a processor: 24 channels take as long as 32."""
    upsampling: Literal['nearest', 'subpixel', 'unpack'] = 'nearest'
    """How the decoder doubles its size: 'nearest' repeats pixels, 'subpixel' has channels for each
    of the four finer ones (Pillai et al., "SuperDepth", 2019), 'unpack' sorts these first."""
    pack_features: Literal[1, 2, 4, 8] = 8
    """Features of the 3D convolutions of packing and unpacking."""
    pack_blocks: tuple[int, int, int, int] = knob((2, 2, 3, 3), low=0, high=100)
    """Residual blocks of the encoder 'packnet' at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    scales: int = knob(1, low=1, high=4)
    """Sizes at which the decoder says a depth while it is trained: 1/2 of the input size, 1/4 and
    so on (Godard et al. 2017). The coarser ones are learned from and then thrown away."""
    pose_width: int = knob(16, low=8, high=64)
    """Channels of the first stage of the ego motion network, used where odometry is missing."""
    refinements: int = knob(0, low=0, high=10)
    """Gauss-Newton steps on features that refine what the ego motion network says, or odometry
    (data.with_odometry), and that gradients pass (Tang and Tan, "BA-Net", 2019); 0: none."""
    decoder: tuple[int, int, int, int] = knob((16, 32, 64, 128), low=1, high=4096)
    """Channels of the decoder at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    head: Literal['histogram', 'sigmoid', 'laplace'] = 'histogram'
    """How the last layer says a depth: 'histogram' has a likelihood for each of some intervals of
    log depth, so that outlines are sharper and it knows how sure it is; 'sigmoid' one number;
    'laplace' one number and how far off it may be, which hints teach."""
    confidence: bool = False
    """Whether one number ('sigmoid') also learns how sure it is, in layers of its own that leave
    the depth as it is (training/sureness.py); a histogram always knows. Without hints the images
    are warped nine more times in each step, without gradient and at half of their size."""
    intervals: int = knob(32, low=8, high=256)
    """Intervals of log depth that the histogram has."""
    min_depth_m: float = knob(0.5, unit='m', low=0.01, high=10.0)
    """Nearest depth the network can say, for a camera of the reference focal length."""
    max_depth_m: float = knob(100.0, unit='m', low=10.0, high=1000.0)
    """Farthest depth the network can say, for a camera of the reference focal length."""
    initial_depth_m: float = knob(12.0, unit='m', low=0.1, high=100.0)
    """What an untrained network says everywhere: near the median depth of a street ('sigmoid')."""

    def __post_init__(self) -> None:
        near, far, first = self.min_depth_m, self.max_depth_m, self.initial_depth_m
        if not near < far or self.head != 'histogram' and not near < first < far:
            raise ConfigError(
                f'min_depth_m, initial_depth_m, max_depth_m: found {near}, {first} and {far}, '
                'expected them to grow. Set initial_depth_m to a usual depth, such as '
                f'{(near * far) ** 0.5:.1f}.'
            )


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
    """Share of each recording's frames, its last, not learned from: what `tune` judges on."""
    max_offset: int = knob(3, unit='frames', low=1, high=20)
    """Temporal neighbours are at most this many frames away. Where most frames have none there,
    since the robot is slow for its frame rate, they are at most this many steps away, each to the
    nearest frame that is min_motion_m farther."""
    max_seconds: float = knob(2.0, unit='s', low=0.1, high=60.0)
    """Such steps end here: what moves by itself has gone far, and odometry drifts."""
    without_odometry: Literal['visual', 'learned', 'still'] = 'visual'
    """How the robot moved where the recording does not say: 'visual' tracks corners before the
    training, with metres from the overlaps; 'learned' trains an ego motion network with it;
    'still' is for recipes that compare images of one moment, or none."""
    with_odometry: Literal['known', 'refined', 'learned'] = 'known'
    """What becomes of odometry, or of motion that was estimated before: 'known' takes it for true;
    'refined' only its distances, and network.refinements correct the rest in each step; 'learned'
    trains an ego motion network all the same, which loss.velocity may hold to these distances."""
    witnesses: int = knob(0, low=0, high=4)
    """Views of the frames around that must agree with a sweep's hint. In dense traffic most chance
    matches have none; on streets that mostly stand it drops more right hints than wrong."""
    sky: bool = True
    """Whether 'sweep' and 'sgm' look for a sky; indoors a plain ceiling may pass for one."""
    body_masks: bool = True
    """Measure where each camera sees the robot itself, which never changes, and learn nothing from
    there. Without, only masks that the rig has already count."""
    labels: Literal['sweep', 'sgm', 'lidar', 'topic', 'onnx'] = 'sweep'
    """Where the hints come from: 'sweep' (of planes from 1.2 m on, whatever network.min_depth_m)
    and 'sgm' (semi-global matching, OpenCV's) compare the images; 'lidar' projects the LiDAR;
    'topic' takes depth images (data.label_topic) of a depth camera or another network; 'onnx'
    asks a network (data.label_model)."""
    label_model: str = ''
    """Model of 'onnx': a folder or file as `selfdepth export` writes them."""
    label_topic: str = '/{camera}/depth'
    """Topics of the depth images of 'topic': 32FC1 or 16UC1, z-depth, with the field of view and
    the stamps of each camera's pictures; {camera} stands for its name."""
    matching: Literal['fixed', 'random'] = 'fixed'
    """Settings of 'sgm': 'fixed' takes, of two, what reprojects best, pixel by pixel; 'random'
    draws one for each frame, which is worse and takes less time (Watson et al. 2019)."""
    left_right_px: float = knob(0.0, unit='px', low=0.0, high=10.0)
    """Largest difference that 'sgm' bears between a disparity and that of its match, matched the
    other way round (Tosi et al. 2019); 0: it does not look, which takes half of the time."""
    align_intensity: bool = False
    """Measure each camera's gain and offset in the overlaps before the training, and compare only
    after them: in the loss, 'sweep' and 'sgm', and in nothing else."""
    flip: bool = True
    """Flip the network's input (and its output back) at random; the geometry stays as it is."""
    flip_fusion: bool = False
    """Train what the network says of an image and its mirror image together (Pillai et al. 2019);
    not for steps on hints alone. Steps take up to twice as long."""
    jitter: float = knob(0.05, low=0.0, high=0.5)
    """Strength of the random brightness, contrast and colour of the network's input."""

    def learns_motion(self, odometry: Iterable[bool]) -> bool:
        """Whether a network says how the robot moved; `odometry`: which recordings have some."""
        missing = not all(odometry) and self.without_odometry == 'learned'
        return self.with_odometry == 'learned' or missing

    def __post_init__(self) -> None:
        sides = self.width, self.height
        if any(side % 32 for side in sides):
            near = ' and '.join(str(max(64, round(side / 32) * 32)) for side in sides)
            raise ConfigError(
                f'width, height: found {self.width} and {self.height}, expected '
                f'multiples of 32, since the network halves images five times. Take {near}.'
            )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms, and the fraction of the training at which each begins."""

    ssim: float = knob(0.85, low=0.0, high=1.0)
    """Share of SSIM in the photometric error; the rest is L1 (Godard et al. 2017)."""
    smoothness: float = knob(1e-3, low=0.0, high=1.0)
    """Weight of the edge-aware smoothness of the mean-normalised inverse depth."""
    temporal: float = knob(1.0, low=0.0, high=10.0)
    """Weight of each camera's error against itself before and after."""
    feature_metric: float = knob(0.0, low=0.0, high=10.0)
    """Weight of the same comparison with features instead of colours (Shu et al. 2020)."""
    features: Literal['learned', 'encoder'] = 'learned'
    """Which features: 'learned' by an autoencoder beside the depth network; 'encoder' are those of
    the depth network as they are, which nothing is learned for (after Zhan et al. 2018)."""
    feature_channels: int = knob(16, low=4, high=128)
    """Channels of the autoencoder's features, at half of the image's size."""
    discriminative: float = knob(1.0, low=0.0, high=10.0)
    """Weight, in the autoencoder's loss, of how steep features are where the image is plain. Shu
    et al. have 1e-3, for features without bounds; these lie in -1..1, and 1e-3 changes nothing."""
    convergent: float = knob(1.0, low=0.0, high=10.0)
    """Weight, in the autoencoder's loss, of how much features bend; see `discriminative`."""
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
    velocity_from: float = knob(0.1, low=0.0, high=1.0)
    """Fraction of the training before the distance counts: it says nothing of the direction, and
    would lengthen whatever an untrained network says, which is mostly straight up or down."""
    agreement: float = knob(0.0, low=0.0, high=10.0)
    """Weight of the distance between what the networks say and what network.refinements make of
    it: metres and radians of the motion, logarithms of each camera's depth."""
    motion_from: float = knob(0.1, low=0.0, high=1.0)
    """Fraction of the training before learned motion may teach depth, and odometry is refined."""
    hint: float = knob(1.0, low=0.0, high=10.0)
    """Weight of the distance to the hint (data.labels), which loss.hint_error measures."""
    hint_error: Literal['head', 'log_l1', 'log1p', 'silog', 'berhu'] = 'head'
    """'head': as the network's head measures it; of log depths the absolute, scale-invariant
    (Eigen et al.) or reverse Huber (Laina et al.) error; 'log1p': of metres (Watson et al.)."""
    hint_outlines: float = knob(0.0, low=0.0, high=10.0)
    """What 'head' adds to the weight of one that pixels at outlines of the hints have."""
    hint_where: Literal['everywhere', 'better'] = 'everywhere'
    """Which hints count: all, or those that reproject better than the network's depth and than an
    image that did not move (Watson et al. 2019), in the images that the recipe compares."""
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
    automask: Literal['pixel', 'votes'] = 'pixel'
    """Who says which: each 'pixel' by itself, against the best unwarped source (Godard et al.
    2019), or the 'votes' of the pixels around it on each source, which drop next to nothing that
    stands but learn worse depth from scratch (losses/automask.py)."""
    rigidity: float = knob(0.0, low=0.0, high=100.0)
    """How strongly pixels whose depth disagrees with those before and after, as what moves by
    itself does, count less in the temporal term (losses/rigidity.py): their weight is 1 less so
    many times `difference / sum` of the depths; 1: as Bian et al. 2019, 20: with a tenth of
    difference nothing is left, 0: off. From automask_from on. The network then looks at both
    neighbouring frames as well, without gradient, in each step on images: three images for one."""
    coarse_until: tuple[float, float, float] = (0.02, 0.08, 0.88)
    """Fractions of the training seen at 1/8, 1/4 and 1/2 of the image size: coarse images have a
    wide basin of convergence, full ones the accuracy."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Muon for the hidden layers, AdamW for the rest; the rates of both rise, stay and fall."""

    learning_rate: float = knob(1e-3, low=1e-6, high=1.0)
    """Peak learning rate of AdamW."""
    head_rate: float = knob(1e-2, low=1e-6, high=1.0)
    """Peak learning rate of AdamW for the weights of the head, whose logits must go far; a head of
    one number takes three tenths of it."""
    muon_rate: float = knob(0.04, low=0.0, high=1.0)
    """Peak learning rate of Muon (Jordan et al. 2024); 0 leaves every layer to AdamW."""
    weight_decay: float = knob(1e-2, low=0.0, high=1.0)
    """Decoupled weight decay (Loshchilov and Hutter 2019), of what AdamW moves."""
    warmup: float = knob(0.02, low=0.0, high=0.5)
    """Fraction of the steps in which the learning rates rise."""
    decay: float = knob(0.4, low=0.0, high=1.0)
    """Fraction of the steps, the last, in which they fall linearly."""
    clip: float = knob(10.0, low=0.0, high=1000.0)
    """Largest norm of the gradient of what AdamW learns, and of network.confidence's layers, which
    are clipped apart; 0: no limit. Muon's steps have one length whatever the gradient's."""


@dataclass(frozen=True)
class TrainConfig:
    """A recipe: what `selfdepth train --recipe NAME` runs."""

    name: str = 'fsm'
    """Name of the recipe."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    init: str = ''
    """Weights to begin with: a training, or a state dict (.pt, .pth, .safetensors) of a ResNet
    with torchvision's names (training/initial.py); empty: random ones."""
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
        data, loss, network = self.data, self.loss, self.network
        over_time = loss.temporal or loss.feature_metric
        if network.upsampling == 'unpack' and any(
            4 * width % network.pack_features for width in network.decoder
        ):
            raise ConfigError(
                f'network.decoder: found {network.decoder} with {network.pack_features} features '
                'of unpacking, expected four times each to be a multiple of them. Change either.'
            )
        if loss.explainability and (data.with_odometry, data.without_odometry) != _BOTH_LEARNED:
            raise ConfigError(
                'loss.explainability: found a mask, which the network of a learned motion says, '
                'expected data.with_odometry and data.without_odometry to be learned.'
            )
        refined = data.with_odometry == 'refined'
        learned = 'learned' in (data.with_odometry, data.without_odometry)
        if not refined <= bool(network.refinements) <= (refined or learned):
            raise ConfigError(
                f'network.refinements: found {network.refinements} with data.with_odometry '
                f"{data.with_odometry!r}, expected steps with 'refined', none with 'known' motion."
            )
        if (loss.feature_metric or refined) and loss.hint and loss.images_from:
            raise ConfigError(
                'loss.images_from: found steps on hints alone, beside loss.feature_metric or '
                'refined motion, which compare images, expected loss.images_from 0 or loss.hint 0.'
            )
        if loss.hint_where == 'better' and (
            loss.images_from or not (loss.temporal or loss.spatial)
        ):
            raise ConfigError(
                "loss.hint_where: found 'better' in steps that compare no images, expected "
                'loss.images_from 0 and loss.temporal or loss.spatial above 0.'
            )
        if (data.labels == 'onnx') != bool(data.label_model):
            raise ConfigError(
                f'data.label_model: found {data.label_model!r} with data.labels {data.labels!r}, '
                "expected a model with 'onnx' and none without."
            )
        if self.network.head == 'laplace' and not (loss.hint and loss.hint_error == 'head'):
            raise ConfigError(
                "network.head: found 'laplace' where nothing teaches how far off it may be, "
                "expected loss.hint above 0 and loss.hint_error 'head'."
            )
        if data.without_odometry == 'still' and (over_time or loss.spatial_times != 'now'):
            raise ConfigError(
                "data.without_odometry: found 'still' with terms that compare images of different "
                'times, expected loss.temporal and loss.feature_metric 0 and loss.spatial_times '
                "'now'."
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
