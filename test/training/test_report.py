# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The report: what stands in it, that it needs nothing else, and how a browser shows it."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.tensorboard import SummaryWriter

from selfdepth_ros.cli.main import main
from selfdepth_ros.shipped import shipped
from selfdepth_training.report.charts import curves_chart
from selfdepth_training.report.curves import Curve, smoothed, training_curves

MODEL = str(shipped('model.onnx').parent)
CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
STEPS = (0, 20, 40, 60)


class Page(HTMLParser):
    """What of a page matters here: tags that are closed in order, references, texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text('utf-8')
        self.open: list[str] = []
        self.references: list[str] = []
        self.alternatives: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.references += [
            given[name] for name in ('src', 'href', 'xlink:href', 'srcset') if given.get(name)
        ]
        self.alternatives += [given['alt']] if given.get('alt') else []
        if tag not in ('meta', 'img', 'br', 'link'):
            self.open.append(tag)
        if tag == 'tr':
            self.rows.append([])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            assert tag == 'img', f'</{tag}> while {self.open[-3:]} are open'

    def handle_data(self, data):
        if self.open and self.open[-1] in ('td', 'th') and data.strip():
            self.rows[-1].append(data.strip())


@pytest.fixture(scope='module')
def made(street, tmp_path_factory) -> Path:
    """The report on the shipped model, with a setting that is not the protocol's."""
    out = tmp_path_factory.mktemp('report') / 'folder' / 'report.html'
    options = ['--every', '10', '--worst', '2', '--max-depth', '50', '--out', str(out)]
    assert main(['report', MODEL, str(street.bag), *options]) == 0
    return out


@pytest.fixture(scope='module')
def page(made) -> Page:
    return Page(made)


@pytest.fixture(scope='module')
def run(street, tmp_path_factory) -> Path:
    """A training of one step, whose log is longer."""
    out = tmp_path_factory.mktemp('run') / 'run'
    settings = (
        'network.encoder=[8, 8, 16, 32, 64]', 'network.decoder=[8, 8, 8, 8]',
        'network.pose_width=8', 'data.width=96', 'data.height=64', 'data.frames=2',
        'loss.images_from=0.0', 'precision=32-true', 'network.head=sigmoid',
    )  # fmt: skip
    given = ['--out', str(out), '--steps', '1', *(f'--set={text}' for text in settings)]
    assert main(['train', str(street.bag), *given]) == 0
    with SummaryWriter(str(out)) as board:
        for step in STEPS:
            board.add_scalar('loss/made <up>', 2.0 - step / 60, step)
    return out


def test_one_file_that_needs_no_other_and_is_small(made, page):
    assert made.stat().st_size < 10e6
    assert [path.name for path in made.parent.iterdir()] == ['report.html']
    assert page.open == []
    assert len(page.references) > 50
    assert all(
        reference.startswith(('data:image/webp;base64,', '#')) for reference in page.references
    )
    # Names of XML are no addresses; nothing else looks like one, styles and script included.
    rest = re.sub(r'xmlns(:xlink)?="[^"]*"', '', page.source)
    assert not re.search(r'https?:|url\((?!#)|@import|fetch\(', rest)


def test_its_figures_are_those_of_evaluate(page, street, tmp_path):
    out = tmp_path / 'scores.json'
    options = ['--every', '10', '--max-depth', '50', '--json', str(out)]
    assert main(['evaluate', MODEL, str(street.bag), *options]) == 0
    scores = json.loads(out.read_text())['model']['cameras']
    for which in ('metric', 'median_scaled'):
        for name, row in scores.items():
            told = [*row[which].values(), row['scale']]
            assert [name, *(f'{value:.3f}' for value in told), str(row['images'])] in page.rows
    bands = {band['from_m']: band for band in scores['camera_back']['bands']}
    assert list(bands) == [0, 5, 10, 20, 40]
    assert ['camera_back', *(f'{band["abs_rel"]:.3f}' for band in bands.values())] in page.rows


def test_protocol_and_its_change_stand_in_it(page):
    assert 'street/2' in page.source
    assert '1 to 50 m, native size, no crop' in page.source
    assert 'not comparable with its published figures' in page.source
    assert '<code>max_depth_m</code> 50.0 instead of 60.0' in page.source
    assert '40 – 50 m' in page.source
    assert 'calibration of the bag, masks of the robot itself: 0 of 6 cameras' in page.source


def test_worst_frames_come_first_with_every_panel(page):
    errors = re.findall(r'<h3>(Worst frame|A typical).*?abs rel ([\d.]+)', page.source)
    worst = [float(error) for title, error in errors if title == 'Worst frame']
    assert worst == sorted(worst, reverse=True)
    assert len(worst) == 2
    for kind in ('image', 'depth', 'error', 'confidence'):
        assert page.alternatives.count(f'camera_back: {kind}') == len(errors)
    assert page.alternatives.count('cloud from above') == len(errors)


def test_a_model_has_no_curves_and_it_says_so(page):
    assert 'has no TensorBoard events beside it' in page.source
    assert 'loss/' not in page.source
    assert 'then the confidence from black (none) to white' in page.source
    assert 'selfdepth train' in page.source  # how it came to be


def test_a_training_has_its_curves(run, street, tmp_path):
    out = tmp_path / 'report.html'
    options = ['--every', '20', '--worst', '1', '--rig', str(run / 'rig.yaml'), '--out', str(out)]
    assert main(['report', str(run), str(street.bag), *options]) == 0
    page = Page(out)
    assert 'loss/made &lt;up&gt;' in page.source
    assert 'loss/temporal' in page.source
    assert 'this model has no confidence' in page.source
    told = f'calibration of {run / "rig.yaml"}, masks of the robot itself: 6 of 6 cameras'
    assert told in page.source
    assert 'No curves' not in page.source


def test_curves_are_what_was_logged(run):
    curves = {curve.name: curve for curve in training_curves(run / 'checkpoint.pt')}
    assert curves['loss/made <up>'].steps.tolist() == list(STEPS)
    assert curves['loss/made <up>'].values == pytest.approx([2, 5 / 3, 4 / 3, 1])
    assert curves['share_of_peak_learning_rate'].steps.tolist() == [0]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=200).map(np.array))
def test_smoothing_stays_within_the_curve_and_keeps_a_constant(values):
    found = smoothed(values)
    assert len(found) == len(values)
    assert (found >= values.min() - 1e-9).all()
    assert (found <= values.max() + 1e-9).all()
    assert smoothed(np.full(len(values), 3.0)) == pytest.approx(3.0)


def test_a_chart_takes_its_colours_and_its_font_from_the_page():
    chart = curves_chart([Curve('a "b"', np.arange(50), np.random.default_rng(0).random(50))])
    assert 'aria-label="Training curves: a &quot;b&quot;"' in chart
    assert 'var(--accent)' in chart
    assert 'var(--font)' in chart
    assert set(re.findall(r'#[0-9a-f]{6}\b', chart)) <= {'#ffffff'}
    assert 'DejaVu' not in chart


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--worst', '0'], '--worst: found 0, expected 1 to 12'),
        (['--min-depth', '70'], 'expected min_depth_m < max_depth_m'),
        (['--out', '{folder}'], 'expected the name of a file in --out'),
        (
            ['--min-depth', '100', '--max-depth', '100.00001', '--out', '{folder}/no.html'],
            'Found no truth in',
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    options, message, street, tmp_path, capsys
):
    given = [option.format(folder=tmp_path) for option in options]
    assert main(['report', MODEL, str(street.bag), '--every', '40', *given]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_one_clear_error(street, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    out = tmp_path / 'file' / 'report.html'
    given = ['--every', '40', '--worst', '1', '--out', str(out)]
    assert main(['report', MODEL, str(street.bag), *given]) == 2
    assert 'report.html cannot be written' in capsys.readouterr().err


def screenshot(page: Path, width: int, height: int, *options: str) -> np.ndarray:
    """RGB picture of the upper part of a page, as a browser shows it."""
    picture = page.parent / f'{width}{"".join(options)}.png'
    command = [
        CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
        f'--user-data-dir={page.parent / "profile"}', '--virtual-time-budget=4000',
        f'--window-size={width},{height}', f'--screenshot={picture}', *options, page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return cv2.imread(str(picture))[..., ::-1]


@pytest.mark.skipif(CHROMIUM is None, reason='chromium is not installed')
def test_a_browser_shows_it_light_and_dark_wide_and_narrow(made, tmp_path):
    page = Path(shutil.copy(made, tmp_path))
    light = screenshot(page, 1280, 3600)
    dark = screenshot(page, 1280, 900, '--blink-settings=preferredColorScheme=0')
    narrow = screenshot(page, 500, 900)
    for picture, paper in ((light, (251, 251, 249)), (dark, (17, 20, 24)), (narrow, light[0, 0])):
        assert tuple(picture[0, 0]) == tuple(paper)
        # Nothing is wider than the window: both borders are empty.
        assert (picture[:, :12] == picture[0, 0]).all()
        assert (picture[:, -12:] == picture[0, 0]).all()
        # Text and figures: some of the page is neither paper nor card.
        assert 0.01 < (np.abs(picture.astype(int) - picture[0, 0]).max(-1) > 100).mean() < 0.5
    saturated = light.max(-1).astype(int) - light.min(-1) > 100
    assert saturated[900:].mean() > 0.02  # bars and depth panels are there
