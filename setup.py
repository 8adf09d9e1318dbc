"""pip only; colcon reads CMakeLists.txt. With ROS 2 in reach the wheel carries the built messages too."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def files_below(directory: str) -> list[tuple[str, list[str]]]:
    """Return data_files that install `directory` under share/text2gesture_ros."""
    folders = [ROOT / directory, *(path for path in sorted((ROOT / directory).rglob("*")) if path.is_dir())]
    if directory == "models":  # what a training keeps beside its model stays at home
        folders = [folder for folder in folders if "training" not in folder.relative_to(ROOT).parts]
    return [
        (
            f"share/text2gesture_ros/{folder.relative_to(ROOT)}",
            [str(file.relative_to(ROOT)) for file in sorted(folder.iterdir()) if file.is_file()],
        )
        for folder in folders
    ]


def ros_prefixes() -> str:
    """Return the prefixes of the ROS 2 that can build messages, empty if there is none."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
    found = [Path(p) / "share/rosidl_default_generators" for p in prefixes.split(os.pathsep)]
    return prefixes if any(path.is_dir() for path in found) else ""


class BuildWithMessages(build_py):
    """Also generate and compile the ROS messages, through the same CMakeLists.txt that colcon uses."""

    def run(self) -> None:
        """Build the Python modules, then lay the messages beside them."""
        super().run()
        ros = ros_prefixes()
        if not ros:
            warnings.warn("no ROS 2 in AMENT_PREFIX_PATH: no messages, no nodes", stacklevel=1)
            return
        build, prefix = ROOT / "build/pip/cmake", ROOT / "build/pip/prefix"
        for folder in (build, prefix):
            shutil.rmtree(folder, ignore_errors=True)
        # What CMake calls must see this environment's packages, not those of pip's isolated build.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"AMENT_PREFIX_PATH": ros, "CMAKE_PREFIX_PATH": ros.replace(os.pathsep, ";")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        options = {
            "CMAKE_INSTALL_PREFIX": prefix,
            "CMAKE_BUILD_TYPE": "Release",
            "BUILD_TESTING": "OFF",
            "Python3_EXECUTABLE": sys.executable,
        }
        for command in (
            ["cmake", "-S", str(ROOT), "-B", str(build), *(f"-D{k}={v}" for k, v in options.items())],
            ["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)],
            ["cmake", "--install", str(build)],
        ):
            subprocess.run(command, check=True, env=environment)
        generated = next(prefix.glob("lib/python*/site-packages/text2gesture_ros"))
        target = Path(self.build_lib) / "text2gesture_ros"
        unwanted = shutil.ignore_patterns("__pycache__", "*.c")
        for interfaces in ("action", "msg"):
            shutil.copytree(generated / interfaces, target / interfaces, ignore=unwanted, dirs_exist_ok=True)
        for library in generated.glob("*.so"):
            shutil.copy2(library, target)
        data = self.distribution.data_files
        data.append(("lib", [os.path.relpath(file, ROOT) for file in prefix.glob("lib/*.so")]))
        done = {Path(name) / Path(file).name for name, files in data for file in files}
        for file in sorted((prefix / "share").rglob("*")):
            place = file.relative_to(prefix)
            if file.is_file() and place not in done:
                data.append((str(place.parent), [os.path.relpath(file, ROOT)]))


class MaybeBinary(Distribution):
    """A wheel with messages fits one platform."""

    def has_ext_modules(self) -> bool:
        """Tell setuptools whether compiled messages are in the wheel."""
        return bool(ros_prefixes())


setup(
    packages=find_packages(include=["text2gesture_ros*"]),
    cmdclass={"build_py": BuildWithMessages},
    distclass=MaybeBinary,
    data_files=[
        *(entry for directory in ("config", "data", "launch", "models") for entry in files_below(directory)),
        ("share/text2gesture_ros/demo", ["demo/conversation.txt"]),
    ],
)
