# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine cache: one key for one engine, and no file that is not what was written."""

import json
import logging
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfdepth_ros.inference import EngineError
from selfdepth_ros.inference.engine_cache import (
    Built,
    DamagedError,
    EngineCache,
    EngineKey,
    default_folder,
    read_header,
    seal,
    unseal,
)

KEY = EngineKey(
    'ab' * 32, '10.3.0', 'Orin', '8.7', 16, 'fp16', (('images', (6, 192, 320, 3)), ('focal', (6,)))
)
PLAN = bytes(range(256)) * 40
NOTES = {'seconds': 12.5}
CHANGES = {
    'onnx_sha256': 'ab' * 31 + 'ac',
    'tensorrt': '10.3.1',
    'gpu': 'Thor',
    'compute_capability': '8.9',
    'multiprocessors': 8,
    'precision': 'int8',
    'shapes': (('images', (5, 192, 320, 3)), ('focal', (5,))),
}


class Builder:
    """Counts how often it is asked for an engine."""

    def __init__(self, plan: bytes = PLAN) -> None:
        self.calls = 0
        self.plan = plan

    def __call__(self) -> Built:
        self.calls += 1
        return Built(self.plan, NOTES)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'engines')


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_built_once_then_found(cache, caplog):
    build = Builder()
    first = cache.get_or_build('street', KEY, build)
    second = cache.get_or_build('street', KEY, build)
    assert (first.built, second.built, build.calls) == (True, False, 1)
    assert second.plan == PLAN and second.notes == NOTES and second.path == first.path
    assert warnings_of(caplog) == []


@pytest.mark.parametrize('part', CHANGES)
def test_every_part_of_the_key_makes_another_engine(cache, caplog, part):
    other = replace(KEY, **{part: CHANGES[part]})
    assert other.digest != KEY.digest
    assert cache.path('street', other) != cache.path('street', KEY)
    cache.store('street', KEY, PLAN, NOTES)
    built = cache.get_or_build('street', other, Builder(b'another'))
    assert built.built and built.plan == b'another'
    assert cache.find('street', KEY).plan == PLAN
    if part != 'precision':  # an fp16 engine is no reason for not having one in int8
        (warning,) = warnings_of(caplog)
        assert f'is for {part}' in warning and 'another engine is built' in warning


def test_the_parts_are_those_of_the_key():
    assert set(CHANGES) == set(KEY.parts())


@pytest.mark.parametrize('length', [0, 10, 90, 400, -1])
def test_a_truncated_engine_is_built_anew_with_one_warning(cache, caplog, length):
    path = cache.store('street', KEY, PLAN, NOTES).path
    path.write_bytes(path.read_bytes()[:length])
    build = Builder()
    assert cache.get_or_build('street', KEY, build).built
    (warning,) = warnings_of(caplog)
    assert str(path) in warning and 'built anew' in warning
    assert not cache.get_or_build('street', KEY, build).built


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
@given(data=st.data())
def test_no_flipped_bit_goes_unseen(data):
    content = bytearray(seal({'key': KEY.parts(), 'notes': NOTES}, PLAN))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        unseal(bytes(content), Path('x.engine'))


@settings(deadline=None)
@given(payload=st.binary(max_size=300), note=st.text(max_size=20))
def test_what_is_sealed_comes_out_again(payload, note):
    header, out = unseal(seal({'note': note}, payload), Path('x'))
    assert out == payload and header['note'] == note


def test_an_engine_under_a_name_that_is_not_its_own_is_not_taken(cache, caplog):
    wrong = cache.store('street', replace(KEY, gpu='Thor'), PLAN, NOTES).path
    wrong.rename(cache.path('street', KEY))
    assert cache.get_or_build('street', KEY, Builder(b'right')).plan == b'right'
    (warning,) = warnings_of(caplog)
    assert "gpu 'Thor' and not 'Orin'" in warning


def test_a_builder_killed_while_writing_leaves_nothing_that_is_taken(cache):
    part = cache.path('street', KEY)
    cache.folder.mkdir(parents=True)
    (cache.folder / f'.{part.name}.x1y2.part').write_bytes(seal({'key': KEY.parts()}, PLAN)[:500])
    assert cache.find('street', KEY) is None
    assert cache.get_or_build('street', KEY, Builder()).built


def test_a_build_that_fails_leaves_nothing(cache):
    def fail():
        raise EngineError('refused')

    with pytest.raises(EngineError, match='refused'):
        cache.get_or_build('street', KEY, fail)
    assert [p.suffix for p in cache.folder.iterdir()] == ['.lock']
    assert cache.get_or_build('street', KEY, Builder()).built


def test_a_discarded_engine_is_built_anew(cache, caplog):
    stored = cache.store('street', KEY, PLAN, NOTES)
    cache.discard(stored, 'the runtime says no')
    assert 'the runtime says no' in warnings_of(caplog)[0]
    assert cache.get_or_build('street', KEY, Builder()).built


def test_an_engine_that_cannot_be_stored_is_used_all_the_same(tmp_path, caplog):
    (tmp_path / 'file').write_text('')
    build = Builder()
    engine = EngineCache(tmp_path / 'file').get_or_build('street', KEY, build)
    assert (engine.plan, engine.notes, engine.built) == (PLAN, NOTES, True)
    assert 'cannot be written' in warnings_of(caplog)[-1]
    assert 'is used now' in warnings_of(caplog)[-1]


def test_what_must_be_stored_is_not_built_where_it_cannot_be(tmp_path):
    (tmp_path / 'file').write_text('')
    build = Builder()
    with pytest.raises(EngineError, match='cannot be written'):
        EngineCache(tmp_path / 'file').get_or_build('street', KEY, build, must_store=True)
    assert build.calls == 0


def test_what_must_be_stored_leaves_nothing_else_behind(cache):
    assert cache.get_or_build('street', KEY, Builder(), must_store=True).built
    assert sorted(path.suffix for path in cache.folder.iterdir()) == ['.engine', '.lock']


def test_the_header_can_be_read_alone(cache):
    path = cache.store('a model/of mine', KEY, PLAN, NOTES).path
    header = read_header(path)
    assert header['key'] == KEY.parts()
    assert header['payload_bytes'] == len(PLAN)
    assert path.name.startswith('a_model_of_mine.fp16.')


def test_the_default_folder_follows_the_xdg_specification(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert EngineCache().folder == tmp_path / 'selfdepth_ros' / 'engines'
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    for unusable in ('', 'relative/path'):
        monkeypatch.setenv('XDG_CACHE_HOME', unusable)
        assert default_folder() == tmp_path / 'home' / '.cache' / 'selfdepth_ros' / 'engines'


BUILD_IN_A_PROCESS = """
import json, sys
from pathlib import Path
from selfdepth_ros.inference.engine_cache import Built, EngineCache, EngineKey
folder, who, locks = sys.argv[1:]
if locks == 'none':
    import fcntl
    def refuse(*_): raise OSError('no locks here')
    fcntl.flock = refuse
key = EngineKey('m', '10', 'g', '8', 16, 'fp16', ())
(Path(folder) / who).touch()
built = []
def build():
    # The slower half of a build: the other process is there by now, or comes soon.
    while len(list(Path(folder).glob('builder*'))) < 2: pass
    built.append(who)
    return Built(who.encode() * 100_000, {})
got = EngineCache(Path(folder) / 'engines').get_or_build('street', key, build)
assert len(set(got.plan[i:i + len(who)] for i in range(0, len(got.plan), len(who)))) == 1
print(json.dumps([built, got.plan[:8].decode()]))
"""


@pytest.mark.parametrize('locks', ['flock', 'none'])
def test_two_processes_that_build_at_once_do_not_harm_each_other(tmp_path, locks):
    command = [sys.executable, '-c', textwrap.dedent(BUILD_IN_A_PROCESS), str(tmp_path)]
    both = [
        subprocess.Popen([*command, who, locks], stdout=subprocess.PIPE, text=True)
        for who in ('builder1', 'builder2')
    ]
    results = [json.loads(process.communicate(timeout=200)[0]) for process in both]
    kept = EngineCache(tmp_path / 'engines').find(
        'street', EngineKey('m', '10', 'g', '8', 16, 'fp16', ())
    )
    builders = [who for built, _ in results for who in built]
    assert kept.plan[:8].decode() in builders
    if locks == 'flock':  # the second waited for the first and took its engine
        assert len(builders) == 1 and results[0][1] == results[1][1]
    assert not list((tmp_path / 'engines').glob('.*.part'))
