"""The workflows: what will run them reads them, an auditor has nothing against them, and what they call is there."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.places import IMAGES
from tests.kit.chart import pods, render
from tests.unit.release.conftest import ROOT, Run

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def test_they_are_what_github_reads(release_tool: Run) -> None:
    assert {workflow.name for workflow in WORKFLOWS} == {"ci.yml", "release.yml"}
    outcome = release_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    assert outcome.returncode == 0, outcome.stdout


def test_the_auditor_has_nothing_against_them(release_tool: Run) -> None:
    outcome = release_tool("zizmor", "--offline", "--no-config", "--min-severity", "medium", *WORKFLOWS)
    assert outcome.returncode == 0, outcome.stdout


@each_workflow
def test_actions_are_pinned_by_commit_and_say_their_version(workflow: Path) -> None:
    for line in re.findall(r"uses: (.+)", workflow.read_text()):
        assert re.fullmatch(r"\./\S+\.yml|[\w/-]+@[0-9a-f]{40} # v[\d.]+", line), line


@each_workflow
def test_what_they_make_and_run_is_there(workflow: Path) -> None:
    commands = [step["run"] for job in jobs(workflow) for step in job.get("steps", []) if "run" in step]
    text = "\n".join(commands)
    lines = re.findall(r"^ *(?:sudo )?make ([^\"\n]+)", text, re.MULTILINE)
    words = {word for line in lines for word in line.split()}
    targets = {word for word in words if "=" not in word}
    assert targets
    for target in targets:
        planned = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert planned.returncode == 0, planned.stderr
    for script in re.findall(r"[\w/]+\.sh", text):
        subprocess.run(["bash", "-n", ROOT / script], check=True)


def jobs(workflow: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(workflow.read_text())["jobs"].values())


def test_every_image_is_published() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert set(release["jobs"]["images"]["strategy"]["matrix"]["image"]) == set(IMAGES)


def test_images_are_published_where_the_chart_looks_for_them() -> None:
    values = yaml.safe_load((ROOT / "charts/dask-gateway/values.yaml").read_text())
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    makefile = re.search(r"^REGISTRY \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert makefile
    named = {values[part]["image"]["name"].rpartition("/")[0] for part in ("gateway", "controller")}
    assert named == {
        release["env"]["REGISTRY"],
        makefile[1],
        values["gateway"]["backend"]["image"]["name"].rpartition("/")[0],
    }


def test_nothing_is_published_without_approval() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    publishing = {name for name, job in release["jobs"].items() if job["permissions"].get("packages") == "write"}
    assert publishing == {"images", "publish"}
    assert all(release["jobs"][name]["environment"] == "release" for name in publishing)


def test_kubernetes_releases_are_tested_one_after_the_other_and_all_are_supported_by_the_chart() -> None:
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    nodes = ci["jobs"]["kubernetes"]["strategy"]["matrix"]["node"]
    minors = [int(re.fullmatch(r"kindest/node:v1\.(\d+)\.\d+@sha256:[0-9a-f]{64}", node["image"])[1]) for node in nodes]
    assert [node["kubernetes"] for node in nodes] == [f"1.{minor}" for minor in minors]
    assert minors == list(range(minors[0], minors[-1] + 1))
    oldest = yaml.safe_load((ROOT / "charts/dask-gateway/Chart.yaml").read_text())["kubeVersion"]
    assert int(re.fullmatch(r">=1\.(\d+)\.0-0", oldest)[1]) <= minors[0]


@pytest.mark.parametrize("files", [["kind"], ["kind", "values"]])
def test_the_chart_takes_the_values_of_the_end_to_end_tests(files: list[str]) -> None:
    values = {}
    for name in files:
        for key, part in yaml.safe_load((ROOT / f"tests/e2e/{name}.yaml").read_text()).items():
            values[key] = {**values.get(key, {}), **part}
    manifests = render(values)
    assert len(pods(manifests)) == 4
    (service,) = (m for m in manifests if m["kind"] == "Service" and m["metadata"]["name"].startswith("traefik-"))
    assert "30080" in str(service["spec"]["ports"])
    assert "30080" in (ROOT / "tests/e2e/on_kind.sh").read_text()
