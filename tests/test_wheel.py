"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not Path(uv).is_file():
        pytest.skip("uv is not installed: the wheel was not built")
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [uv, "build", "--wheel", "--out-dir", str(out), str(CHECKOUT)], capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stderr
    (found,) = out.glob("lotto-*.whl")
    return found


def test_the_wheel_holds_the_configuration_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for tree in ("conf", "sweeps"):
        ours = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / tree).rglob("*.yaml")}
        assert {name.removeprefix("lotto/") for name in names if name.startswith(f"lotto/{tree}/")} >= ours
    assert "lotto/conf/config.yaml" in names and "lotto/cli.py" in names
    page = CHECKOUT / "lotto" / "report" / "page"
    parts = {
        path.relative_to(CHECKOUT).as_posix() for kind in ("css", "html", "js") for path in page.rglob(f"*.{kind}")
    }
    assert len(parts) > 20 and names >= parts
    tops = {name.partition("/")[0] for name in names}
    assert len(tops) == 2 and "lotto" in tops, f"beside the package and its metadata: {tops}"
    (entry,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "lotto = lotto.cli:main" in zipfile.ZipFile(wheel).read(entry).decode()


def test_the_unpacked_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    program = (
        "import sys\n"
        # An editable install of the checkout must not answer in the wheel's place.
        f"sys.path = [p for p in sys.path if p != {str(CHECKOUT)!r}]\n"
        "sys.argv = ['lotto', *sys.argv[1:]]\n"
        "import lotto.compose\n"
        "print(lotto.__file__, lotto.compose.CONF)\n"
        "from lotto.cli import main\nmain()\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        where, conf = done.stdout.splitlines()[0].split()
        assert where == str(site / "lotto" / "__init__.py") and conf == str(site / "lotto" / "conf")
        return done

    for verb in (["plan", "--no-estimate", "experiment=frankle2019/resnet18"], ["list", "experiment"]):
        done = run(*verb)
        assert done.returncode == 0, done.stderr
    assert not list(empty.iterdir())
    # Hydra finds the launchers, which lie in a folder of their own: this one is made, and refuses its slots.
    done = run("-m", "hydra/launcher=lotto_pool", "hydra.launcher.slots=0", "seed=0,1")
    assert (done.returncode, "hydra.launcher.slots=0 is no list" in done.stderr) == (2, True), done.stderr
