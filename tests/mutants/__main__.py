"""Puts small mistakes into the code, one at a time, and tells which the tests do not see.

python -m mutants lines                             which tests run which lines; takes as long as the tests, once
python -m mutants bare --only python/pymilter/mime  the lines that no test runs
python -m mutants draw --seed 7 --count 30 --only cpp/python
python -m mutants try python/pymilter/mime/names.py:31   each mistake of one line
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator

from mutants import of_cpp, of_python
from mutants.covering import ROOT, Lines, git, make
from mutants.site import Site
from mutants.trial import judge


def sites(only: list[str]) -> Iterator[Site]:
    """Of the files below the folders or of the names in `only`."""
    for folder, suffixes, find in (("python", (".py",), of_python.sites), ("cpp", (".cpp", ".hpp"), of_cpp.sites)):
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            stub = any(part.endswith("-stubs") for part in path.parts)
            if path.suffix in suffixes and not stub and any(name.startswith(each) for each in only):
                yield from find(ROOT, path)


def clean() -> None:
    """The mistakes are put into the files of this tree: what is not committed there could be lost.

    Raises:
        SystemExit: there is something.
    """
    if changed := git("diff", "--name-only", "HEAD", "--", "python", "cpp"):
        raise SystemExit(f"commit these first, since mistakes will be put into the files: {changed.strip()}")


def main() -> int:
    """Status 0 whatever survived: judging is up to the reader, since a mistake may change nothing that counts."""
    parser = argparse.ArgumentParser(
        prog="mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("lines", "bare", "draw", "try"))
    parser.add_argument("places", nargs="*", help="for try: FILE:LINE")
    parser.add_argument("--only", action="append", default=[], help="files and folders, from the repository's root")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--count", type=int, default=20, help="how many are drawn")
    parser.add_argument("--seconds", type=float, default=90, help="of tests for each mistake that no test sees")
    parser.add_argument("--lanes", type=int, default=2, help="for lines: test files at a time")
    options = parser.parse_args()
    if options.task == "lines":
        make(options.lanes).save()
        return 0
    lines = Lines.load()
    only = options.only or ["python", "cpp"]
    if options.task == "bare":
        for path, found in sorted(lines.files.items()):
            bare = sorted(line for line, tests in found.items() if not tests)
            if bare and any(path.startswith(each) for each in only):
                print(f"{path}: {' '.join(map(str, bare))}")
        return 0
    clean()
    if options.task == "try":
        places = {place.rpartition(":")[0]: int(place.rpartition(":")[2]) for place in options.places}
        drawn = [site for site in sites(list(places)) if places.get(site.path) == site.line]
    else:
        known = [site for site in sites(only) if lines.tests(site.path, site.line) is not None]
        drawn = sorted(random.Random(options.seed).sample(known, min(options.count, len(known))))
    seen = survived = 0
    for number, site in enumerate(drawn, 1):
        result = judge(site, lines, options.seconds)
        seen += result.startswith("killed")
        survived += result.startswith("survived")
        print(f"{number:3} {site}\n    {result}", flush=True)
    print(f"seen {seen}, survived {survived}, of {len(drawn)} drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
