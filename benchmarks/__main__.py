"""`python -m benchmarks [start|requests|sign-in|bulk ...]`: measure, print a table, write JSON."""

import argparse
import asyncio
import json
import platform
import tempfile
from pathlib import Path

from benchmarks import bulk, requests, sign_in, start
from benchmarks.figures import Figure, table

SECTIONS = ("start", "requests", "sign-in", "bulk")


async def _measure(section: str, arguments: argparse.Namespace) -> list[Figure]:
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{section}-"))
    match section:
        case "start":
            return await start.measure(directory, arguments.repeats)
        case "requests":
            return await requests.measure(directory)
        case "sign-in":
            return await sign_in.measure(directory)
        case _:
            return await bulk.measure(directory, arguments.clusters)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--repeats", type=int, default=10, help="clusters that are started one after the other")
    parser.add_argument("--clusters", type=int, default=1000, help="clusters that are created at once")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/latest.json"), help="where the figures go")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}")

    results: dict[str, list[Figure]] = {}
    for section in arguments.sections or SECTIONS:
        results[section] = asyncio.run(_measure(section, arguments))
        print(f"\n## {section}\n\n{table(results[section])}", flush=True)
    document = {
        "python": platform.python_version(),
        "figures": {section: [figure.as_json() for figure in figures] for section, figures in results.items()},
    }
    arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nJSON: {arguments.json}")


if __name__ == "__main__":
    main()
