"""The compiled extensions and their flags; every other setting is in pyproject.toml.

RGS_DEBUG=1 builds with bounds checks and the address and undefined-behaviour sanitizers (make sanitize).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup

DEBUG = os.environ.get("RGS_DEBUG") == "1"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# Variable tracking of the unrolled lanes takes minutes; line numbers are enough for a report.
SANITIZE = ["-O1", "-g1", "-fno-var-tracking", "-fno-omit-frame-pointer", *SANITIZERS]
# -std=gnu11: `unsigned __int128` holds the exact sums of a simulation.
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wno-psabi", "-Wno-unused-function", *(SANITIZE if DEBUG else ["-O3"])]

Options.warning_errors = True


def extension(name: str) -> Extension:
    return Extension(
        f"rgs_core.{name}",
        [f"ext/rgs_core/{name}.pyx"],
        include_dirs=["ext/rgs_core"],
        depends=sorted(str(header) for header in Path("ext/rgs_core").rglob("*.h")),
        extra_compile_args=FLAGS,
        extra_link_args=SANITIZERS if DEBUG else [],
    )


setup(
    ext_modules=cythonize(
        [extension("_rng"), extension("_round"), extension("_engine")],
        include_path=["ext"],
        build_dir="build/cython",
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "embedsignature": True,
        },
    )
)
