"""The API from docstrings as pages: `python docs/api.py DIRECTORY`. Any warning ends it.

pdoc looks at what a package has, and `nas` has its names only once they are asked for; of the
packages that list names, nas and nas.datasets, it would leave the modules out.
"""

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import nas.datasets

PACKAGES = ("nas", "search_space", "studies")


def main() -> None:
    warnings.simplefilter("error")
    # It looks for names in quotes where the class is, but a NamedTuple's constructor is elsewhere.
    warnings.filterwarnings("ignore", r"Error parsing type annotation .*\.__init__\.")
    vars(nas).update({name: getattr(nas, name) for name in nas.__all__})
    pdoc.render.configure(docformat="restructuredtext")
    modules = [
        module.name
        for package in (nas, nas.datasets)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    pdoc.pdoc(*PACKAGES, *modules, output_directory=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
