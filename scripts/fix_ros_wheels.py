"""Make the ROS 2 wheels fit this machine: their CMake files name the Python that built them."""

import sysconfig
from pathlib import Path

import numpy as np


def main() -> None:
    """Replace foreign include paths of Python and numpy in every CMake file of the environment."""
    foreign = "/opt/python/cp311-cp311"
    replacements = {
        f"{foreign}/lib/python3.11/site-packages/numpy/_core/include": np.get_include(),
        f"{foreign}/include/python3.11": sysconfig.get_paths()["include"],
    }
    for file in Path(sysconfig.get_paths()["data"]).glob("share/*/cmake/*.cmake"):
        text = file.read_text()
        if foreign in text:
            for old, new in replacements.items():
                text = text.replace(old, new)
            file.write_text(text)


main()
