# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Build description for colcon (ament_python) and for pip; see docs/decisions.md."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'selfdepth_ros'
# ijson: tables of nuScenes are gigabytes of JSON, and are read in a stream.
BAGS = ['rosbags>=0.11.9', 'ijson>=3.2']

# open3d's usual wheel carries CUDA (450 MB); the ray caster needs the CPU only.
OPEN3D = [
    'open3d-cpu>=0.18; sys_platform == "linux" and platform_machine == "x86_64"',
    'open3d>=0.18; sys_platform != "linux" or platform_machine != "x86_64"',
]

EXTRAS = {
    # The ROS 2 wheels exist for CPython 3.11 on Linux; a robot takes ROS 2 from apt instead.
    'ros': [
        'ros-rclpy[fastrtps]',
        'ros-diagnostic-msgs',
        'ros-geometry-msgs',
        'ros-lifecycle-msgs',
        'ros-nav-msgs',
        'ros-sensor-msgs',
        'ros-std-srvs',
        'lark-parser',
    ],
    'bags': BAGS,
    # To measure clouds (`selfdepth compare`); making them needs the extra bags only.
    'clouds': [*BAGS, 'scipy>=1.7'],
    # To look at clouds in a browser (`selfdepth view`).
    'view': [*BAGS, 'viser>=1.1,<2'],
    # Only to change a model's precision; TensorRT and the CUDA build of torch come with JetPack.
    'quantize': [*BAGS, 'onnx>=1.16'],
    'synthetic': [*BAGS, *OPEN3D],
    # torch comes as the machine needs it (CPU or CUDA wheel); the Makefile picks the CPU one.
    'train': [
        *BAGS,
        'torch>=2.4',
        'lightning-fabric>=2.4',
        'tensorboard>=2.15',
        'jinja2>=3.1',
        'matplotlib>=3.6',
        'onnx>=1.16',
        'onnxscript>=0.1',
    ],
    'test': [
        *BAGS,
        'beartype>=0.18',
        'catkin_pkg',
        'colcon-common-extensions',
        'colcon-ros>=0.4',
        'hypothesis>=6',
        'mypy>=1.11',
        'pytest>=8',
        'pytest-timeout>=2.3',
        'pytest-xdist>=3.8',
        'ruff>=0.6',
        'scipy>=1.7',
        # From 80 on, colcon --symlink-install silently becomes a copying install.
        'setuptools>=64,<80',
        'tomli; python_version < "3.11"',
        'types-PyYAML',
        'websockets>=13',
    ],
}


def training_packages() -> list[str]:
    """The folder `training/` under the name it is imported by."""
    return ['selfdepth_training', *(f'selfdepth_training.{p}' for p in find_packages('training'))]


def share_files(folder: str) -> tuple[str, list[str]]:
    """Every file of a repository folder, for share/selfdepth_ros/<folder>."""
    files = sorted(str(p) for p in Path(folder).glob('*') if p.is_file())
    return f'share/{NAME}/{folder}', files


setup(
    name=NAME,
    version='0.1.0',
    description='Metric surround depth for ROS 2, learned from your own bags without labels',
    long_description=Path('README.md').read_text('utf-8') if Path('README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    author='selfdepth_ros contributors',
    maintainer='selfdepth_ros maintainers',
    maintainer_email='maintainers@selfdepth-ros.example',
    keywords=['ROS'],
    python_requires='>=3.10',
    package_dir={'selfdepth_training': 'training'},
    packages=[*find_packages(include=[NAME, f'{NAME}.*']), *training_packages()],
    package_data={
        NAME: ['models/*/*', 'py.typed'],
        'selfdepth_training': ['recipes/*.yaml', 'report/*.html', 'py.typed'],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        *(share_files(folder) for folder in ('launch', 'config', 'rviz', 'docs/systemd')),
    ],
    install_requires=[
        'array-api-compat>=1.8',
        'jaxtyping>=0.2.24',
        'numba>=0.57',
        'numpy>=1.21',
        'onnxruntime>=1.16',
        'opencv-python-headless>=4.5',
        'PyYAML>=5.4',
        'tqdm>=4.60',
    ],
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        'console_scripts': [
            'selfdepth = selfdepth_ros.cli.main:process',
            'surround_depth = selfdepth_ros.nodes.start:surround_depth',
            'synthetic_rig = selfdepth_ros.nodes.start:synthetic_rig',
            'save_cloud = selfdepth_ros.nodes.start:save_cloud',
        ],
    },
)
