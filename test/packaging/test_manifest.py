# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""package.xml and setup.py say the same, and all that a robot needs."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from catkin_pkg.package import Package, parse_package

import selfdepth_ros

ROOT = Path(__file__).parents[2]
ROBOT_NEEDS = re.findall(
    r'[\w-]+',
    """
    cv_bridge diagnostic_msgs geometry_msgs launch launch_ros lifecycle_msgs message_filters
    nav_msgs rclpy rviz2 sensor_msgs std_msgs std_srvs tf2_msgs tf2_ros
    python3-numpy python3-opencv python3-yaml
    """,
)
# TensorRT comes with the GPU machine (JetPack, NVIDIA's repositories): PyPI has its bindings only.
OPTIONAL = {'diagnostic_updater', 'tensorrt', 'tomli'}
ROS_NAME = re.compile(
    r'\w+_(msgs|srvs|interfaces)|rclpy|tf2_\w+|cv_bridge|message_filters|sensor_msgs_py|launch'
    r'|launch_\w+|ament_index_python|diagnostic_updater'
)


@pytest.fixture(scope='module')
def package() -> Package:
    return parse_package(str(ROOT))


def setup_value(option: str) -> str:
    result = subprocess.run(
        [sys.executable, 'setup.py', '-q', option], cwd=ROOT, capture_output=True, text=True
    )
    return result.stdout.strip().splitlines()[-1]


def test_it_is_a_valid_format_3_package_without_warnings(package: Package) -> None:
    warnings: list[str] = []
    package.validate(warnings)
    assert warnings == []
    assert package.package_format == 3
    assert package.get_build_type() == 'ament_python'
    assert package.licenses[0] == 'Apache-2.0'
    assert (ROOT / package.licenses[0].file).is_file()


def test_name_version_and_maintainer_agree_everywhere(package: Package) -> None:
    assert package.name == setup_value('--name').replace('-', '_')
    assert package.version == setup_value('--version') == selfdepth_ros.__version__
    assert package.maintainers[0].email == setup_value('--maintainer-email')
    assert package.maintainers[0].name == setup_value('--maintainer')
    assert re.fullmatch(r'[\w.+-]+@[\w-]+(\.[\w-]+)+', package.maintainers[0].email)
    changelog = (ROOT / 'CHANGELOG.rst').read_text('utf-8')
    assert f'\n{package.version} (' in changelog


def test_every_need_of_a_robot_is_declared(package: Package) -> None:
    declared = {dependency.name for dependency in package.exec_depends}
    assert set(ROBOT_NEEDS) <= declared


def imported_names(*folders: str) -> dict[str, Path]:
    """Top-level names of every absolute import, lazy ones included, and one file that has it."""
    found: dict[str, Path] = {}
    for path in (p for folder in folders for p in (ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text('utf-8'))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            else:
                continue
            found |= {name.partition('.')[0]: path for name in names}
    return found


def test_every_ros_import_is_declared(package: Package) -> None:
    declared = {dependency.name for dependency in package.exec_depends} | OPTIONAL
    for name, path in imported_names('selfdepth_ros', 'launch').items():
        assert name in declared or not ROS_NAME.fullmatch(name), f'{path} imports {name}'


def test_every_declared_message_package_is_imported(package: Package) -> None:
    declared = {each.name for each in package.exec_depends if each.name.endswith('_msgs')}
    assert declared <= imported_names('selfdepth_ros', 'launch', 'test').keys()


def test_every_other_import_is_in_setup_py() -> None:
    tree = ast.parse((ROOT / 'setup.py').read_text('utf-8'))
    texts = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    declared = {re.match(r'[\w-]*', text)[0].lower().replace('_', '-') for text in texts}
    ours = {'selfdepth_ros', 'selfdepth_training'}
    distributions = metadata.packages_distributions()
    for name, path in imported_names('selfdepth_ros', 'training', 'test').items():
        known = name in sys.stdlib_module_names or name in ours | OPTIONAL
        beside = (path.parent / f'{name}.py', ROOT / 'test' / 'shared' / f'{name}.py')
        if known or ROS_NAME.fullmatch(name) or any(file.exists() for file in beside):
            continue
        owners = {owner.lower() for owner in distributions.get(name, [])}
        assert owners & declared, f'{path} imports {name} of {owners or "nobody installed"}'


def test_the_resource_marker_carries_the_package_name(package: Package) -> None:
    assert (ROOT / 'resource' / package.name).is_file()
