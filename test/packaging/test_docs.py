# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What README and docs/ point at is there, and they name every recipe and every command."""

import re
from pathlib import Path

import pytest

from selfdepth_ros.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r'^#+ (.+)$', page.read_text('utf-8'), re.MULTILINE)
    kept = (re.sub(r'[^\w\- ]', '', title.lower()) for title in titles)
    return {title.replace(' ', '-') for title in kept}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    links = re.findall(r'\]\(([^)\s]+)\)', page.read_text('utf-8'))
    for link in links:
        if link.startswith(('http:', 'https:')):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_recipe_is_explained() -> None:
    table = (ROOT / 'docs' / 'training.md').read_text('utf-8')
    rows = [line for line in table.splitlines() if line.startswith('|')]
    named = set(re.findall(r'`([\w-]+)`', '\n'.join(row.split('|')[1] for row in rows)))
    assert {path.stem for path in (ROOT / 'training' / 'recipes').glob('*.yaml')} <= named


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / 'README.md').read_text('utf-8')
    told = set(re.findall(r'`?selfdepth (\w+)', text))
    told |= set(re.findall(r'`(\w+)`', '\n'.join(re.findall(r'^\| `selfdepth .*$', text, re.M))))
    assert set(COMMANDS) <= told, set(COMMANDS) - told
